"""The router's configuration: one workspace's change, or one that cannot be read, leaves every other as it is."""

from __future__ import annotations

import pytest

from router.workspace.configuration import RouterConfiguration
from shared.database import Database
from shared.handle import Handle
from shared.ids import WorkspaceId
from tests.support.counted import Counted
from tests.support.workspaces import Workspace, make_workspace


async def execute(db: Database, statement: str, *values: object) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, *values)


@pytest.fixture
async def other(worker_db: Database) -> Workspace:
    return await make_workspace(worker_db, name="komsu")


async def test_only_the_changed_workspace_is_read_and_made_again(
    worker_db: Database, workspace: Workspace, other: Workspace
) -> None:
    counted = Counted(worker_db)
    configuration = RouterConfiguration(counted.database())
    assert await configuration.refresh()
    before, policy = configuration.workspace(other.id), configuration.workspace(workspace.id)
    counted.clear()
    await execute(worker_db, "update santral.queue set title = 'x', name = 'yeni' where id = $1", workspace.queue_id)
    assert await configuration.refresh()
    assert set(counted.asked) == {workspace.id}
    now = configuration.workspace(workspace.id)
    assert now is not None
    assert policy is not None
    assert list(now.queues) == ["yeni"]
    assert now.policy is policy.policy, "the same version is not compiled again"
    assert configuration.workspace(other.id) is before
    assert not await configuration.refresh()


async def test_one_that_cannot_be_made_keeps_its_last_state(worker_db: Database, workspace: Workspace, other: Workspace) -> None:
    configuration = RouterConfiguration(worker_db)
    await configuration.refresh()
    before = configuration.workspace(workspace.id)
    await execute(worker_db, "update santral.workspace set settings = '7' where id = $1", workspace.id)
    await execute(worker_db, "update santral.queue set name = 'yeni' where id = $1", other.queue_id)
    assert await configuration.refresh()
    assert configuration.workspace(workspace.id) is before
    assert list(configuration.workspace(other.id).queues) == ["yeni"]  # type: ignore[union-attr]


async def test_own_addresses_are_each_workspaces_with_aliases_too(
    worker_db: Database, workspace: Workspace, other: Workspace
) -> None:
    alias = {"aliases": ["Siparis@ornek.com"]}
    await execute(worker_db, "update santral.inbox set settings = $2 where id = $1", workspace.inboxes["smtp"], alias)
    configuration = RouterConfiguration(worker_db)
    await configuration.refresh()
    own, handle = configuration.own_handles(), Handle(kind="email", value="siparis@ornek.com")
    assert (WorkspaceId(workspace.id), handle) in own
    assert (WorkspaceId(other.id), handle) not in own
    assert (configuration.first() or other).id == workspace.id

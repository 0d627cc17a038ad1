"""The inboxes in memory: what a workspace owns is there once for all of them, and one workspace costs no other."""

from __future__ import annotations

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from ingest.directory import Directory
from shared.database import Database
from shared.own_addresses import OWN_ADDRESSES_MAX
from shared.sealing import Sealer
from tests.support.api import SECRET
from tests.support.counted import Counted
from tests.support.workspaces import Workspace, make_workspace

INBOXES, ALIASES = 500, 200


async def execute(db: Database, statement: str, *values: object) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, *values)


async def with_aliases(db: Database, workspace: UUID, inboxes: int, aliases: int) -> None:
    await execute(
        db,
        "insert into santral.inbox (workspace_id, id, name, channel, provider, address, path_token, settings)"
        " select $1, gen_random_uuid(), 'm' || n, 'email', 'smtp', 'm' || n || '@cok.example', 'm' || n, jsonb_build_object('aliases',"
        " (select jsonb_agg('a' || n || '-' || a || '@cok.example') from generate_series(1, $3) a)) from generate_series(1, $2) n",
        workspace, inboxes, aliases,
    )  # fmt: skip


@pytest.fixture
async def other(worker_db: Database) -> Workspace:
    return await make_workspace(worker_db, name="komsu")


async def test_own_addresses_of_many_inboxes_with_many_aliases_are_there_once(
    worker_db: Database, workspace: Workspace, other: Workspace
) -> None:
    await with_aliases(worker_db, workspace.id, INBOXES, ALIASES)
    counted = Counted(worker_db)
    directory = Directory(counted.database(), Sealer(SECRET))
    with capture_logs() as logs:
        await directory.refresh()
    # A row each for two workspaces' stamps, two workspaces, their inboxes: none for an inbox's view of the others.
    assert counted.rows == 2 + 2 + INBOXES + len(workspace.inboxes) + len(other.inboxes)
    first, last = directory.mailbox("m1@cok.example"), directory.mailbox(f"m{INBOXES}@cok.example")
    assert first is not None
    assert last is not None
    assert first.own is not None
    assert first.own is last.own
    assert len(first.own.mailboxes.values) == OWN_ADDRESSES_MAX
    assert first.own.mailboxes.has("m77@cok.example"), "inboxes' addresses come first"
    assert [(one["workspace"], one["log_level"]) for one in logs if one["action"] == "configuration_stale"] == [
        (str(workspace.id), "warning")
    ]


async def test_a_change_leaves_every_neighbour_as_it_is(worker_db: Database, workspace: Workspace, other: Workspace) -> None:
    counted = Counted(worker_db)
    directory = Directory(counted.database(), Sealer(SECRET))
    await directory.refresh()
    before = directory.inbox(other.inboxes["smtp"])
    counted.clear()
    await with_aliases(worker_db, workspace.id, 3, 2)
    await directory.refresh()
    assert set(counted.asked) == {workspace.id}
    assert directory.inbox(other.inboxes["smtp"]) is before
    assert directory.mailbox("m3@cok.example") is not None
    assert not await directory.refresh()


async def test_a_workspace_that_cannot_be_read_stays_as_it_was_by_itself(
    worker_db: Database, workspace: Workspace, other: Workspace
) -> None:
    directory = Directory(worker_db, Sealer(SECRET))
    await directory.refresh()
    await execute(worker_db, "update santral.inbox set settings = '7' where id = $1", workspace.inboxes["api"])
    await execute(worker_db, "update santral.inbox set address = 'yeni@komsu.example' where id = $1", other.inboxes["smtp"])
    with capture_logs() as logs:
        assert await directory.refresh()
    assert directory.inbox(workspace.inboxes["smtp"]) is not None
    assert directory.mailbox("yeni@komsu.example") is not None
    assert [one["workspace"] for one in logs if one["log_level"] == "error"] == [str(workspace.id)]


async def test_what_the_workspace_itself_says_is_seen_at_its_change(worker_db: Database, workspace: Workspace) -> None:
    directory = Directory(worker_db, Sealer(SECRET))
    await directory.refresh()
    said = {"mask_numbers": ["smtp"], "region": "DE", "own_addresses": ["eski@ornek.com", 7, "030 901820"]}
    await execute(worker_db, "update santral.workspace set settings = $2 where id = $1", workspace.id, said)
    assert await directory.refresh()
    mail, chat = (directory.inbox(workspace.inboxes[name]) for name in ("smtp", "webchat"))
    assert mail is not None
    assert chat is not None
    assert (mail.mask_numbers, chat.mask_numbers, mail.region) == (True, False, "DE")
    assert mail.own is not None
    assert mail.own.mailboxes.values == {"destek@ornek.com", "eski@ornek.com"}
    assert "+4930901820" in mail.own.numbers

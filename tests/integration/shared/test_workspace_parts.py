"""What is kept of every workspace: the changed ones alone are read again, and one that cannot be keeps its last state."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from shared.database import Connection, Database
from shared.workspace_parts import ROWS_AT_ONCE, Raw, WorkspaceParts, changes_of
from tests.support.workspaces import Workspace, make_workspace


class Titles:
    """Each workspace's title in capitals; which were read together."""

    def __init__(self, db: Database) -> None:
        self.reads: list[list[UUID]] = []
        self.parts = WorkspaceParts(db, changes=changes_of("workspace", "inbox"), read=self._read, made=self._made)

    async def _read(self, connection: Connection, wanted: Sequence[UUID]) -> Raw:
        self.reads.append(list(wanted))
        rows = await connection.fetch(
            "select id, title, 1 / (title <> 'zero')::int from santral.workspace where id = any($1)", wanted
        )
        return {row["id"]: row["title"] for row in rows}

    def _made(self, _: UUID, title: str, before: str | None) -> str:
        if title == "bad":
            raise KeyError(title)
        return title.upper()

    async def refreshed(self) -> dict[UUID, str]:
        await self.parts.refresh()
        return dict(self.parts.parts)


async def entitle(db: Database, workspace: UUID, title: str) -> None:
    async with db.batch() as connection:
        await connection.execute("update santral.workspace set title = $2 where id = $1", workspace, title)


@pytest.fixture
async def other(worker_db: Database) -> Workspace:
    return await make_workspace(worker_db, name="komsu")


@pytest.mark.parametrize("what", ["bad", "zero"], ids=["cannot be made", "cannot be read"])
async def test_one_that_is_broken_stays_as_it_was_and_the_others_do_not_notice(
    worker_db: Database, workspace: Workspace, other: Workspace, what: str
) -> None:
    titles = Titles(worker_db)
    for one in (workspace, other):
        await entitle(worker_db, one.id, "first")
    assert await titles.refreshed() == {workspace.id: "FIRST", other.id: "FIRST"}
    await entitle(worker_db, workspace.id, what)
    await entitle(worker_db, other.id, "second")
    assert await titles.refreshed() == {workspace.id: "FIRST", other.id: "SECOND"}
    assert not await titles.parts.refresh(), "nothing changed: it is not tried every second"
    await entitle(worker_db, workspace.id, "third")
    assert await titles.refreshed() == {workspace.id: "THIRD", other.id: "SECOND"}


async def test_only_what_changed_is_read_again_and_what_is_gone_is_forgotten(
    worker_db: Database, workspace: Workspace, other: Workspace
) -> None:
    titles = Titles(worker_db)
    await titles.refreshed()
    titles.reads.clear()
    await entitle(worker_db, other.id, "second")
    await titles.refreshed()
    assert titles.reads == [[other.id]]
    async with worker_db.batch() as connection:
        for table in ("inbox", "workspace"):
            await connection.execute(f"delete from santral.{table} where workspace_id = $1 and {table}.workspace_id = $1", other.id)
    assert set(await titles.refreshed()) == {workspace.id}
    assert titles.reads == [[other.id]]


async def test_one_row_for_another_is_a_change(worker_db: Database, workspace: Workspace) -> None:
    titles = Titles(worker_db)
    await titles.refreshed()
    async with worker_db.batch() as connection:
        await connection.execute("delete from santral.inbox where id = $1", workspace.inboxes["api"])
        await connection.execute(
            "insert into santral.inbox (workspace_id, id, name, channel, provider, path_token)"
            " values ($1, $2, 'api', 'email', 'api', 'other')",
            workspace.id, workspace.inboxes["api"],
        )  # fmt: skip
    assert await titles.parts.refresh()


async def test_a_large_one_is_read_by_itself(worker_db: Database, workspace: Workspace, other: Workspace) -> None:
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.inbox (workspace_id, id, name, channel, provider, path_token)"
            " select $1, gen_random_uuid(), 'w' || n, 'chat', 'webchat', 'w' || n from generate_series(1, $2) n",
            workspace.id, ROWS_AT_ONCE,
        )  # fmt: skip
    titles = Titles(worker_db)
    await titles.refreshed()
    assert sorted(titles.reads) == sorted([[workspace.id], [other.id]])

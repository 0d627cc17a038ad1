"""Intake while somebody else holds a workspace's rows: others go on, and what met the lock comes in by itself. Real PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from profiles import recompute
from profiles.identity_lock import lock_identity
from profiles.snapshot import snapshots
from router.intake import batch as intake_batch
from router.intake.quarantine import asked_replays
from services.chores import undecided_handles
from services.router.process import replay_asked
from shared.database import Connection, Database
from shared.ids import WorkspaceId
from tests.support.intake_line import Line, Member, counts, member_of, message_to, rows
from tests.support.workspaces import Workspace, make_workspace


@pytest.fixture
async def member(worker_db: Database, workspace: Workspace) -> Member:
    return await member_of(worker_db)


def two_handles(workspace: Workspace, name: str, who: str, other: str) -> Any:
    """A mail whose border vouches for two addresses of one person."""
    handle = {"kind": "email", "scope": "", "value": other, "assurance": "channel_verified"}
    return message_to(workspace, "smtp", name, who=who, other_handles=[handle])


async def execute(db: Database, statement: str) -> None:
    """A statement of its own."""
    async with db.batch() as connection:
        await connection.execute(statement)


async def people(db: Database, workspace: Workspace) -> set[frozenset[str]]:
    """The addresses of each person."""
    found = await rows(
        db,
        "select array_agg(value) as values from santral.handle where workspace_id = $1 and kind = 'email' group by profile_id",
        workspace.id,
    )
    return {frozenset(row["values"]) for row in found}


async def test_who_is_who_is_decided_later_where_somebody_else_decides(
    worker_db: Database, workspace: Workspace, member: Member
) -> None:
    other = await make_workspace(worker_db)
    await member.configuration.refresh()
    line = Line()
    line.add(message_to(workspace, "smtp", "1", who="a@ornek.com"), message_to(workspace, "smtp", "2", who="b@ornek.com"))
    await member.take(line)
    line.add(two_handles(workspace, "3", "a@ornek.com", "b@ornek.com"), two_handles(other, "4", "c@ornek.com", "d@ornek.com"))
    async with worker_db.batch() as connection:
        await lock_identity(connection, [WorkspaceId(workspace.id)])
        taken = await member.take(line)
        assert (len(taken.outcomes), taken.retries) == (2, 0)
        assert await people(worker_db, workspace) == {frozenset({"a@ornek.com"}), frozenset({"b@ornek.com"})}
        assert await people(worker_db, other) == {frozenset({"c@ornek.com", "d@ornek.com"})}
        # While it is held, the courier's look waits for it no longer than a lock is waited for, and puts it off again.
        assert await undecided_handles.page_of_all(worker_db) is False
    await execute(worker_db, "update santral.undecided_handle set due_at = now()")
    await undecided_handles.page_of_all(worker_db)
    assert await people(worker_db, workspace) == {frozenset({"a@ornek.com", "b@ornek.com"})}
    assert await rows(worker_db, "select 1 from santral.undecided_handle") == []
    events = await rows(
        worker_db, "select type from santral.event where workspace_id = $1 and type = 'profile.merged'", workspace.id
    )
    assert len(events) == 1


async def test_what_is_put_off_while_it_is_decided_stays_put_off(
    worker_db: Database, workspace: Workspace, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line()
    line.add(*(message_to(workspace, "smtp", name, who=f"{name}@ornek.com") for name in "abc"))
    await member.take(line)
    async with worker_db.batch() as connection:
        await lock_identity(connection, [WorkspaceId(workspace.id)])
        line.add(two_handles(workspace, "ab", "a@ornek.com", "b@ornek.com"))
        await member.take(line)
    reached = recompute.reach

    async def and_then_one_more(*args: Any, **values: Any) -> Any:
        found = await reached(*args, **values)
        monkeypatch.setattr(recompute, "reach", reached)
        line.add(two_handles(workspace, "bc", "b@ornek.com", "c@ornek.com"))
        await member.take(line)  # the identity is the courier's now
        return found

    monkeypatch.setattr(recompute, "reach", and_then_one_more)
    await undecided_handles.page_of_all(worker_db)
    assert len(await rows(worker_db, "select 1 from santral.undecided_handle")) == 2
    await undecided_handles.page_of_all(worker_db)
    assert await people(worker_db, workspace) == {frozenset({"a@ornek.com", "b@ornek.com", "c@ornek.com"})}


async def test_a_crowd_that_hangs_together_is_decided_later(
    worker_db: Database, workspace: Workspace, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await make_workspace(worker_db)
    await member.configuration.refresh()
    monkeypatch.setattr(recompute, "NEAR_MAX", 10)
    monkeypatch.setattr(recompute, "OF_ONE_MAX", 4)
    line = Line()
    line.add(message_to(workspace, "smtp", "0", who="m0@ornek.com"))
    # Each knows the next, in one chain; a person holds five addresses, so most of these links are refused and the walk goes on through them.
    for place in range(40):
        line.add(two_handles(workspace, f"{place + 1}", f"m{place}@ornek.com", f"m{place + 1}@ornek.com"))
        await member.take(line)
    assert await rows(worker_db, "select 1 from santral.undecided_handle") != []
    line.add(
        two_handles(workspace, "chain", "m20@ornek.com", "new@ornek.com"), two_handles(other, "near", "c@ornek.com", "d@ornek.com")
    )
    taken = await member.take(line)
    assert (len(taken.outcomes), taken.retries) == (2, 0)
    assert await people(worker_db, other) == {frozenset({"c@ornek.com", "d@ornek.com"})}
    assert frozenset({"new@ornek.com"}) in await people(worker_db, workspace)
    await undecided_handles.page_of_all(worker_db)
    assert await rows(worker_db, "select 1 from santral.undecided_handle") == []
    decided = await people(worker_db, workspace)
    assert max(map(len, decided)) == 5
    # The same as if all had been decided with each message: the partition is a function of the links alone.
    async with worker_db.batch() as connection:
        seeds = [
            (WorkspaceId(workspace.id), row["id"])
            for row in await connection.fetch("select id from santral.handle where workspace_id = $1", workspace.id)
        ]
        await lock_identity(connection, [WorkspaceId(workspace.id)])
        assert await recompute.recompute(connection, seeds) == []


async def test_a_held_row_keeps_nobody_else_waiting_and_comes_in_by_itself(
    worker_db: Database, workspace: Workspace, member: Member
) -> None:
    other = await make_workspace(worker_db)
    await member.configuration.refresh()
    line = Line()
    line.add(message_to(workspace, "smtp", "1", who="held@ornek.com"))
    await member.take(line)
    line.add(*(message_to(workspace, "smtp", f"h{place}", who="held@ornek.com") for place in range(6)))
    line.add(message_to(workspace, "smtp", "free", who="free@ornek.com"))
    line.add(message_to(workspace, "smtp", "garbled", who="held@ornek.com", kind="unparsed", reason="no boundary"))
    line.add(*(message_to(other, "smtp", f"o{place}", who=f"o{place}@ornek.com") for place in range(5)))
    async with worker_db.batch() as connection:
        await connection.execute("set local idle_in_transaction_session_timeout = 0")
        await connection.execute(
            "select 1 from santral.handle where workspace_id = $1 and value = 'held@ornek.com' for no key update", workspace.id
        )
        taken = await member.take(line)
        assert taken.next_offsets == {0: len(line.records)}
        assert len(await rows(worker_db, "select 1 from santral.message where workspace_id = $1", other.id)) == 5
        waiting = await rows(worker_db, "select reason, state from santral.quarantine where workspace_id = $1", workspace.id)
        # What stands behind three that met the lock waits with them, whoever wrote it.
        assert {(row["reason"], row["state"]) for row in waiting} == {("busy", "replaying"), ("unparsed", "open")}
        assert len(waiting) == 8
        await replay_asked(worker_db, member.intake, member.configuration)
        async with worker_db.session() as other_connection:
            assert len(await asked_replays(other_connection)) == 7
    await replay_asked(worker_db, member.intake, member.configuration)
    found = await counts(worker_db)
    assert found["message"] == 13
    left = await rows(worker_db, "select reason, state from santral.quarantine where state <> 'replayed'")
    assert left == [{"reason": "unparsed", "state": "open"}]
    assert len(await rows(worker_db, "select 1 from santral.receipt where state <> 'taken'")) == 1


async def test_one_workspaces_slow_people_cost_the_others_nothing(
    worker_db: Database, workspace: Workspace, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [await make_workspace(worker_db) for _ in range(5)]
    await member.configuration.refresh()
    monkeypatch.setattr(intake_batch, "PEOPLE_S", 60.0)  # whatever this machine is busy with

    async def slow_here(connection: Connection, wanted: Any) -> Any:
        if any(place[0] == workspace.id for place in wanted):
            await connection.execute("select pg_sleep(5)")
        return await snapshots(connection, wanted)

    monkeypatch.setattr(member.intake.batch, "_snapshots", slow_here)
    line = Line()
    line.add(*(message_to(one, "smtp", "1", who="a@ornek.com") for one in (workspace, *others)))
    await member.take(line)
    found = await rows(worker_db, "select workspace_id, record->'profile_degraded' as without from santral.decision")
    assert {row["workspace_id"] for row in found} == {workspace.id, *(one.id for one in others)}
    assert [row["workspace_id"] for row in found if row["without"]] == [workspace.id]

"""Workers that take many: what is wrong with one row, agent or workspace stops none of the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

from router.clocks.pace import measure, read_pace
from router.clocks.shifts import Shifts
from services.chores.every_workspace import step_of_each
from services.chores.identity_rules import IdentityRules
from services.privacy.blob_orphans import collect_orphans
from services.privacy.blob_removals import remove_come_again
from services.privacy.erasures import Erasures
from services.privacy.person_export import TRIES, PersonExports
from services.privacy.retention import Retention
from services.router.process import follow_replays
from shared.blobs_files import FileBlobs
from shared.database import Contended, Database
from shared.embedded.postgres import PostgresUrls
from shared.event import BUCKETS, Event
from shared.hints import Hints
from shared.ids import new_id
from shared.kafka import Record
from shared.leases import Leases
from shared.outbox import record
from shared.outbox_relay import BATCH, OutboxRelay
from tests.support.api import SECRET
from tests.support.intake_line import member_of, rows
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace, add_agent, add_item, make_workspace


async def execute(db: Database, statement: str, *values: Any) -> None:
    async with db.batch() as connection:
        await connection.execute(statement, *values)


async def both(db: Database, workspace: Workspace) -> tuple[Workspace, Workspace]:
    """Two workspaces; the first is the one whose turn comes first."""
    first, second = sorted((workspace, await make_workspace(db, name="iki")), key=lambda one: one.id)
    return first, second


async def test_retention_goes_on_where_one_workspaces_days_cannot_be_read(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    first, second = await both(worker_db, workspace)
    for one, days in ((first, "x"), (second, 1)):
        await execute(
            worker_db,
            "update santral.workspace set settings = settings || $2 where id = $1",
            one.id,
            {"retention": {"views": days}},
        )
    await execute(
        worker_db,
        "update santral.workspace set settings = jsonb_set(settings, '{retention}', '{\"retry_keys\": 1}') where id = $1",
        second.id,
    )
    await execute(
        worker_db,
        "insert into santral.idempotency (workspace_id, key, body_hash, message_id, created_at)"
        " values ($1, 'k', 'x', $2, now() - interval '2 days')",
        second.id, new_id(),
    )  # fmt: skip
    leases = Leases(worker_db, kind="retention", slots=1, owner=uuid4())
    await leases.round()
    assert await Retention(db=worker_db, blobs=FileBlobs(tmp_path), leases=leases).round() == 1


async def test_rules_of_identity_reach_others_where_one_workspaces_settings_cannot_be_read(
    worker_db: Database, workspace: Workspace
) -> None:
    first, second = await both(worker_db, workspace)
    await execute(worker_db, "update santral.workspace set settings = settings || '{\"profile\": 7}' where id = $1", first.id)
    await execute(
        worker_db,
        'update santral.workspace set settings = settings || \'{"profile": {"limits": {"email": 1}}}\' where id = $1',
        second.id,
    )
    rules = IdentityRules(worker_db)
    while await rules.page_of_all():
        pass
    assert {row["workspace_id"] for row in await rows(worker_db, "select workspace_id from santral.rules_pass")} == {second.id}


class Full(FileBlobs):
    """A store that meets what nobody foresaw."""

    async def put_file(self, key: str, file: BinaryIO) -> None:
        raise RuntimeError("somebody's words")


async def test_an_erasure_and_an_export_that_cannot_go_on_leave_the_next_its_turn(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    for _ in range(2):
        await execute(
            worker_db,
            "insert into santral.erasure (workspace_id, id, profile_id, step, place, due_at, reason, actor)"
            " values ($1, $2, $3, 'nonsense', '{}', now(), 'asked', 'user:1')",
            workspace.id, new_id(), new_id(),
        )  # fmt: skip
        await execute(
            worker_db, "insert into santral.person_export (workspace_id, id, profile_id, actor) values ($1, $2, $3, 'user:1')",
            workspace.id, new_id(), new_id(),
        )  # fmt: skip
    erasures = Erasures(db=worker_db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET)
    assert [await erasures.round() for _ in range(3)] == [True, True, False]
    exports = PersonExports(db=worker_db, blobs=Full(tmp_path))
    for _ in range(TRIES):
        assert [await exports.round() for _ in range(3)] == [True, True, False]
        await execute(worker_db, "update santral.person_export set due_at = now()")
    assert [row["state"] for row in await rows(worker_db, "select state from santral.person_export")] == ["failed", "failed"]


async def test_what_one_workspace_asks_for_in_masses_makes_no_other_wait_behind_it(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    other, many = await make_workspace(worker_db, name="komsu"), 60
    for asker in [workspace.id] * many + [other.id]:
        await execute(
            worker_db,
            "insert into santral.erasure (workspace_id, id, profile_id, step, place, due_at, reason, actor)"
            " values ($1, $2, $3, 'nonsense', '{}', now(), 'asked', 'user:1')",
            asker, new_id(), new_id(),
        )  # fmt: skip
        await execute(
            worker_db, "insert into santral.person_export (workspace_id, id, profile_id, actor) values ($1, $2, $3, 'user:1')",
            asker, new_id(), new_id(),
        )  # fmt: skip
    jobs: dict[str, Erasures | PersonExports] = {
        "erasure": Erasures(db=worker_db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET),
        "person_export": PersonExports(db=worker_db, blobs=Full(tmp_path)),
    }
    for table, job in jobs.items():
        rounds = 0
        while await rows(worker_db, f"select 1 from santral.{table} where workspace_id = $1 and due_at <= now()", other.id):
            assert await job.round()
            rounds += 1
        assert rounds < many, table


async def test_a_replay_that_meets_something_unforeseen_is_open_again_and_others_are_done(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace
) -> None:
    member = await member_of(worker_db)
    for reason in ("expired", "failed"):
        await execute(
            worker_db,
            "insert into santral.quarantine (workspace_id, id, message_id, reason, record, state, resolved_by, accepted_at)"
            " values ($1, $2, $3, $4, 'x', 'replaying', 'user:1', now())",
            workspace.id, new_id(), new_id(), reason,
        )  # fmt: skip
    hints = Hints(database_urls.worker, listening=False)
    following = asyncio.create_task(follow_replays(worker_db, member.intake, member.configuration, hints, hints.waiter("intake")))

    async def open_again() -> bool:
        return not await rows(worker_db, "select 1 from santral.quarantine where state = 'replaying'")

    try:
        await eventually(open_again, 5, "both replays tried")
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
    found = {row["reason"]: row["error"] for row in await rows(worker_db, "select reason, error from santral.quarantine")}
    assert found["expired"] == "unforeseen: KeyError"
    assert found["failed"]


async def test_shifts_and_pace_go_on_where_one_agent_cannot_be_read(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace
) -> None:
    other = await add_agent(worker_db, workspace, new_id(), "Ece")
    await execute(
        worker_db,
        "update santral.agent set shift_next_at = now(), hours = case when id = $1 then '{\"hours\": 7}'::jsonb end,"
        " channels = case when id = $1 then '{\"chat\": 7}'::jsonb else channels end",
        workspace.agent_id,
    )  # fmt: skip
    leases = Leases(worker_db, kind="shifts", slots=1, owner=uuid4())
    await leases.round()
    shifts = Shifts(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))
    await shifts.round()
    next_at = {row["id"]: row["shift_next_at"] for row in await rows(worker_db, "select id, shift_next_at from santral.agent")}
    assert next_at[other] is None
    assert next_at[workspace.agent_id] is not None, "whose hours cannot be read is looked at again"
    async with worker_db.batch() as connection:
        await measure(connection)
        (pace,) = await read_pace(connection, workspace.id)
    assert pace["agents_online"] == 1


class Log:
    """A broker in memory."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        self.ids += [dict(one.headers)["ce_id"].decode() for one in records]


async def test_an_event_that_cannot_be_encoded_holds_back_its_own_conversation_only(
    worker_db: Database, workspace: Workspace
) -> None:
    await add_item(worker_db, workspace)
    await add_item(worker_db, workspace)
    await execute(worker_db, "delete from santral.outbox")
    one, other = [row["id"] for row in await rows(worker_db, "select id from santral.conversation")]
    broken, later, good = (
        Event(id=uuid4(), workspace_id=workspace.id, type="item.rekeyed", at=datetime.now(UTC), conversation_id=of, seq=seq)
        for of, seq in ((one, 1), (one, 2), (other, 1))
    )
    async with worker_db.batch() as connection:
        await record(connection, [broken, later, good])
        await connection.execute("update santral.event set data = '[1]' where id = $1", broken.id)
    leases = Leases(worker_db, kind="outbox", slots=BUCKETS, owner=uuid4())
    await leases.round()
    log = Log()
    relay = OutboxRelay(db=worker_db, publisher=log, topic="t", leases=leases)
    assert (await relay.round(), log.ids) == (1, [str(good.id)])
    await execute(worker_db, "update santral.event set data = '{}' where id = $1", broken.id)
    assert (await relay.round(), log.ids) == (2, [str(good.id), str(broken.id), str(later.id)])


async def test_all_that_waits_behind_an_event_that_cannot_be_encoded_is_passed_over(
    worker_db: Database, workspace: Workspace
) -> None:
    await add_item(worker_db, workspace)
    await add_item(worker_db, workspace)
    await execute(worker_db, "delete from santral.outbox")
    one, other = [row["id"] for row in await rows(worker_db, "select id from santral.conversation")]
    waiting = [
        Event(id=uuid4(), workspace_id=workspace.id, type="item.rekeyed", at=datetime.now(UTC), conversation_id=one, seq=seq)
        for seq in range(1, 2 * BATCH + 1)
    ]
    good = Event(id=uuid4(), workspace_id=workspace.id, type="item.rekeyed", at=datetime.now(UTC), conversation_id=other, seq=1)
    async with worker_db.batch() as connection:
        await record(connection, [*waiting, good])
        await connection.execute("update santral.event set data = '[1]' where id = $1", waiting[0].id)
    leases = Leases(worker_db, kind="outbox", slots=BUCKETS, owner=uuid4())
    await leases.round()
    log = Log()
    relay = OutboxRelay(db=worker_db, publisher=log, topic="t", leases=leases)
    assert (await relay.round(), log.ids) == (1, [str(good.id)])
    await execute(worker_db, "update santral.event set data = '{}' where id = $1", waiting[0].id)
    assert (await relay.round(), await relay.round()) == (BATCH, BATCH)
    assert log.ids[1:] == [str(event.id) for event in waiting], "in their order, none left out"


async def test_a_long_erasure_lets_others_have_their_turn(worker_db: Database, workspace: Workspace, tmp_path: Path) -> None:
    await add_item(worker_db, workspace)
    (person,) = await rows(worker_db, "select id from santral.handle where workspace_id = $1", workspace.id)
    await execute(
        worker_db,
        "insert into santral.erasure (workspace_id, id, profile_id, step, place, due_at, reason, actor)"
        " values ($1, $2, $3, 'quarantine', '{}', now(), 'asked', 'user:1')",
        workspace.id, new_id(), person["id"],
    )  # fmt: skip
    erasures = Erasures(db=worker_db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET, settle_s=0, turn_s=-1)
    steps = []
    while await erasures.round():
        (row,) = await rows(worker_db, "select step, state, due_at <= clock_timestamp() as due from santral.erasure")
        assert row["due"] or row["state"] == "done", "it is due again at once, behind whoever is drawn"
        steps.append(row["step"])
    assert len(steps) > 4, "a step each time it is drawn"
    assert row["state"] == "done"


async def test_files_of_one_workspace_that_cannot_be_listed_leave_anothers_orphans_their_end(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    first, second = await both(worker_db, workspace)
    blobs = Unlisted(tmp_path, first)
    for one in (first, second):
        await blobs.put(f"{one.id}/{new_id()}/attachment-1", b"x")
        await execute(
            worker_db,
            "insert into santral.tombstone (workspace_id, handle_id, hash, erasure_id, erased_at) values ($1, $2, $3, $4, now())",
            one.id, new_id(), one.id.bytes, new_id(),
        )  # fmt: skip
    assert await collect_orphans(worker_db, blobs, grace_s=0) == 0
    assert await remove_come_again(worker_db, blobs) == 0
    assert blobs.listed == [second.id, second.id]


class Unlisted(FileBlobs):
    """A store in which one workspace's files cannot be listed."""

    def __init__(self, folder: Path, broken: Workspace) -> None:
        super().__init__(folder)
        self._broken = broken
        self.listed: list[UUID] = []

    async def keys(self, folder: str) -> list[str]:
        if folder.startswith(str(self._broken.id)):
            raise ValueError("nobody thought of it")
        self.listed.append(UUID(folder.rstrip("/")))
        return await super().keys(folder)


async def test_a_step_that_is_held_up_is_tried_once_more_and_others_have_theirs(worker_db: Database) -> None:
    tried: list[int] = []

    async def step(_: Database, row: int) -> int:
        tried.append(row)
        if row == 1:
            raise Contended("somebody holds it", retry_after_s=1)
        return row

    assert await step_of_each(worker_db, [1, 2, 3], step) == [2, 3]
    assert tried == [1, 1, 2, 3]

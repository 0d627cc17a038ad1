"""What retention removes beyond single rows: emptied conversations, entries nobody can decode, files whose message never came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.privacy.blob_orphans import collect_orphans
from services.privacy.retention import BATCH, Retention
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.ids import InboxId, WorkspaceId, first_id_at, message_id, new_id
from shared.leases import Leases
from tests.support.intake_line import Line, member_of, message_to, rows
from tests.support.workspaces import Workspace, make_workspace


@pytest.fixture
async def keeper(worker_db: Database, tmp_path: Path) -> Retention:
    leases = Leases(worker_db, kind="retention", slots=1, owner=uuid4())
    await leases.round()
    return Retention(db=worker_db, blobs=FileBlobs(tmp_path), leases=leases)


async def keep(db: Database, workspace: Workspace, **days: int) -> None:
    async with db.batch() as connection:
        await connection.execute(
            "update santral.workspace set settings = settings || $2 where id = $1", workspace.id, {"retention": days}
        )


def incoming(workspace: Workspace, name: str) -> UUID:
    return message_id(b"s" * 32, WorkspaceId(workspace.id), InboxId(new_id()), name)


async def test_an_emptied_conversation_goes_and_one_with_words_or_open_work_stays(
    worker_db: Database, workspace: Workspace, keeper: Retention
) -> None:
    line = Line()
    line.add(*(message_to(workspace, "smtp", name, who=f"{name}@ornek.com") for name in ("one", "two", "three")))
    await (await member_of(worker_db)).take(line)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '31 days'")
        await connection.execute("update santral.work_item set state = 'completed'")
        ids = [row["id"] for row in await connection.fetch("select id from santral.conversation order by id")]
        await connection.execute("""update santral.message set body = '{"expired": true}' where conversation_id <> $1""", ids[1])
        await connection.execute("update santral.work_item set state = 'queued' where conversation_id = $1", ids[2])
    await keep(worker_db, workspace, conversations=30)
    assert await keeper.round() == 1
    assert [row["id"] for row in await rows(worker_db, "select id from santral.conversation order by id")] == ids[1:]
    for table in ("message", "work_item"):
        assert await rows(worker_db, f"select 1 from santral.{table} where conversation_id = $1", ids[0]) == []
    assert len(await rows(worker_db, "select 1 from santral.receipt")) == 3, "a late redelivery is still known"
    assert await keeper.round() == 0


async def test_an_entry_that_cannot_be_decoded_has_a_greatest_age(
    worker_db: Database, workspace: Workspace, keeper: Retention
) -> None:
    async with worker_db.batch() as connection:
        for reason, days in (("undecodable", 31), ("undecodable", 29), ("failed", 31)):
            await connection.execute(
                "insert into santral.quarantine (workspace_id, id, message_id, reason, record, accepted_at, quarantined_at)"
                " values ($1, $2, $3, $4, 'x', now(), now() - $5 * interval '1 day')",
                workspace.id, new_id(), new_id(), reason, days,
            )  # fmt: skip
    await keep(worker_db, workspace, quarantine=30)
    assert await keeper.round() == 1
    left = await rows(worker_db, "select reason, now() - quarantined_at > interval '30 days' as old from santral.quarantine")
    assert sorted((row["reason"], row["old"]) for row in left) == [("failed", True), ("undecodable", False)]


async def test_files_of_a_message_that_never_came_go_after_the_grace_time_and_no_others(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    lost, taken, held, late = (incoming(workspace, name) for name in ("lost", "taken", "held", "late"))
    upload = new_id()
    for folder in (lost, taken, held, late, upload):
        await blobs.put(f"{workspace.id}/{folder}/original", b"x")

    async def receive(one: UUID) -> None:
        async with worker_db.batch() as connection:
            await connection.execute(
                "insert into santral.receipt (workspace_id, id, state) values ($1, $2, 'taken')", workspace.id, one
            )

    await receive(taken)
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.quarantine (workspace_id, id, message_id, reason, record, accepted_at) values ($1, $2, $3, 'failed', 'x', now())",
            workspace.id, new_id(), held,
        )  # fmt: skip
    assert await collect_orphans(worker_db, blobs, grace_s=3600) == 0, "not before the grace time"
    async with worker_db.batch() as connection:
        await connection.execute("update santral.blob_orphan set seen_at = seen_at - interval '2 hours'")
    await receive(late)
    assert await collect_orphans(worker_db, blobs, grace_s=3600) == 1
    kept = {UUID(key.split("/")[1]) for key in await blobs.keys(f"{workspace.id}/")}
    assert kept == {taken, held, late, upload}
    assert await rows(worker_db, "select 1 from santral.blob_orphan") == []
    assert await collect_orphans(worker_db, blobs, grace_s=3600) == 0


async def test_files_for_answers_that_have_no_row_go_after_a_day_and_archives_stay(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs, now = FileBlobs(tmp_path), datetime.now(UTC)
    lost, known, fresh, archive = (first_id_at(now - timedelta(hours=hours)) for hours in (25, 26, 23, 27))
    for folder in (lost, known, fresh):
        await blobs.put(f"{workspace.id}/{folder}/attachment-{'0' * 32}", b"x")
    await blobs.put(f"{workspace.id}/{archive}/export.zip", b"x")
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.kept_file (workspace_id, blob, message_id) values ($1, $2, $3)",
            workspace.id, f"{workspace.id}/{known}/attachment-{'0' * 32}", new_id(),
        )  # fmt: skip
        await connection.execute(
            "insert into santral.person_export (workspace_id, id, profile_id, actor, state, blob) values ($1, $2, $2, 'x', 'done', $3)",
            workspace.id, archive, f"{workspace.id}/{archive}/export.zip",
        )  # fmt: skip
    assert await collect_orphans(worker_db, blobs) == 1
    assert {UUID(key.split("/")[1]) for key in await blobs.keys(f"{workspace.id}/")} == {known, fresh, archive}


async def test_who_has_much_to_remove_keeps_no_other_workspace_waiting(
    worker_db: Database, workspace: Workspace, keeper: Retention
) -> None:
    most, few = 2 * BATCH + 1, 3
    for one, count in ((workspace, most), (await make_workspace(worker_db, name="komsu"), few)):
        await keep(worker_db, one, views=30)
        async with worker_db.batch() as connection:
            await connection.execute(
                "insert into santral.profile_view (workspace_id, id, profile_id, actor, at)"
                " select $1, gen_random_uuid(), gen_random_uuid(), 'test', now() - interval '31 days' from generate_series(1, $2)",
                one.id, count,
            )  # fmt: skip
    assert await keeper.round() == most + few
    ended = await rows(worker_db, "select removed from santral.retention_run order by at")
    assert [run["removed"] for run in ended] == [few, most]

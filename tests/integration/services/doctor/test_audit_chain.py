"""The audit's chain over a real database: whoever changes, removes or inserts behind it is named; the system's own ways break nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.audit_chain import links, verification
from services.audit_chain.digest import ROW, at_text, first_digest, link_digest, row_digest
from services.chores.audit_links import batch_of_all
from services.doctor.audit_chain import look_at_audit_chain, witnesses
from services.doctor.finding import Finding
from services.privacy.retention import Retention
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import InputRejected
from shared.ids import new_id
from shared.leases import Leases
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace, make_workspace

_WRITE = """
insert into santral.audit (workspace_id, id, at, actor, action, target_kind, target_id, details, address)
values ($1, $2, now() - $3 * interval '1 s', 'agent:1', 'item.cancel', 'item', $4, $5, '192.0.2.7')
"""


@pytest.fixture
async def owner(database_urls: PostgresUrls) -> Any:
    """Who has taken over the owner's account."""
    connection = await asyncpg.connect(database_urls.owner)
    yield connection
    await connection.close()


def name_of(workspace: Workspace) -> str:
    return f"ornek-{workspace.id}"


async def write(db: Database, workspace: Workspace, *ages_s: float, **details: Any) -> list[UUID]:
    """Rows of the audit that happened so many seconds ago; their ids."""
    ids = [new_id() for _ in ages_s]
    async with db.batch(workspace.id) as connection:
        for id_, age_s in zip(ids, ages_s, strict=True):
            await connection.execute(_WRITE, workspace.id, id_, age_s, str(id_), {"n": age_s, "ad": "çağrı\n\u2028", **details})
    return ids


async def link_all(db: Database) -> int:
    linked = 0
    while more := await batch_of_all(db):
        linked += more
    return linked


async def told(db: Database, *known: str) -> Finding:
    (found,) = await look_at_audit_chain(db, witnesses(known))
    return found


async def witness(db: Database) -> str:
    """What the operator keeps outside."""
    found = await told(db)
    assert found.state == "OK", found
    return found.text.partition("witness ")[2]


@pytest.fixture
async def chain(worker_db: Database, workspace: Workspace) -> list[UUID]:
    """Six rows a minute apart, the oldest a day old, linked and in order."""
    ids = await write(worker_db, workspace, *(86_400 - 60 * number for number in range(6)))
    assert await link_all(worker_db) == 6
    found = await told(worker_db)
    assert (found.state, found.text.partition(", witness")[0]) == ("OK", f"{name_of(workspace)}: 6 links in order")
    return ids


async def test_rows_of_every_shape_are_linked_once_in_their_order(worker_db: Database, workspace: Workspace) -> None:
    other = await make_workspace(worker_db, name="other")
    second, first = await write(worker_db, workspace, 10, 20)
    await write(worker_db, other, 15)
    async with worker_db.batch(workspace.id) as connection:
        plain = new_id()
        await connection.execute(
            "insert into santral.audit (workspace_id, id, actor, action) values ($1, $2, '', 'x')", workspace.id, plain
        )
    assert await link_all(worker_db) == 4
    assert await link_all(worker_db) == 0
    linked = await rows(
        worker_db, "select number, audit_id from santral.audit_link where workspace_id = $1 order by number", workspace.id
    )
    assert [(row["number"], row["audit_id"]) for row in linked] == [(1, first), (2, second), (3, plain)]
    assert {one.state for one in await look_at_audit_chain(worker_db)} == {"OK"}


async def test_a_chain_of_many_batches_holds_and_breaks_where_it_is_broken(
    worker_db: Database, workspace: Workspace, owner: Any
) -> None:
    many = 2 * verification.BATCH + links.BATCH + 1
    await owner.execute(
        "insert into santral.audit (workspace_id, id, at, actor, action)"
        " select $1, gen_random_uuid(), now() - n * interval '1 s', 'a', 'b' from generate_series(1, $2) n", workspace.id, many,
    )  # fmt: skip
    assert await link_all(worker_db) == many
    assert (await told(worker_db)).text.startswith(f"{name_of(workspace)}: {many} links in order")
    spoilt = await owner.fetchval("select audit_id from santral.audit_link where number = $1", many - 1)
    await owner.execute("update santral.audit set actor = 'c' where id = $1", spoilt)
    assert f"link {many - 1}, was changed" in (await told(worker_db)).text


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'agent:2'", "action = 'item.assign'", "target_kind = null", "target_id = 'x'", "at = at - interval '1 us'",
        """details = '{"n": 1}'""", "details = details || '{\"reason\": 1, \"more\": 1}'", "address = '192.0.2.8'", "address = null",
        "software = ''", "request_id = ''", "at = 'infinity'", "at = '0044-03-15 BC'",
    ],
)  # fmt: skip
async def test_a_changed_row_is_named(
    worker_db: Database, workspace: Workspace, chain: list[UUID], owner: Any, change: str
) -> None:
    await owner.execute(f"update santral.audit set {change} where id = $1", chain[2])
    found = await told(worker_db)
    assert found.state == "FAIL"
    assert found.text.startswith(f"{name_of(workspace)}: row {chain[2]} of ")
    assert found.text.endswith("link 3, was changed after it was linked")
    assert "docs/operate/audit-chain.md" in found.remedy
    await link_all(worker_db)
    assert (await told(worker_db)).state == "FAIL", "the courier does not mend it"


async def test_a_row_that_takes_anothers_place_is_named(worker_db: Database, chain: list[UUID], owner: Any) -> None:
    spare = uuid4()
    for old, new in ((chain[1], spare), (chain[3], chain[1]), (spare, chain[3])):
        await owner.execute("update santral.audit set id = $2 where id = $1", old, new)
    found = await told(worker_db)
    assert (found.state, f"row {chain[1]} of " in found.text, "was changed" in found.text) == ("FAIL", True, True)


async def test_links_that_change_places_are_named(worker_db: Database, chain: list[UUID], owner: Any) -> None:
    for old, new in ((2, 99), (4, 2), (99, 4)):
        await owner.execute("update santral.audit_link set number = $2 where number = $1", old, new)
    assert f"link 2, of row {chain[3]}, does not follow" in (await told(worker_db)).text


async def test_a_removed_row_is_named(worker_db: Database, chain: list[UUID], owner: Any) -> None:
    await owner.execute("delete from santral.audit where id = $1", chain[0])
    found = await told(worker_db)
    assert (found.state, f"row {chain[0]} of " in found.text) == ("FAIL", True)
    assert found.text.endswith("link 1, was removed, and retention has removed nothing")


@pytest.mark.parametrize("number", [1, 3])
async def test_a_removed_link_is_named(worker_db: Database, chain: list[UUID], owner: Any, number: int) -> None:
    await owner.execute("delete from santral.audit_link where number = $1", number)
    assert (await told(worker_db)).text.endswith(f"link {number} is missing")
    await link_all(worker_db)
    assert (await told(worker_db)).text.endswith(f"link {number} is missing")


async def test_a_row_inserted_behind_the_chain_is_named_and_stays_unlinked(
    worker_db: Database, workspace: Workspace, chain: list[UUID]
) -> None:
    await write(worker_db, workspace, 0)
    assert await link_all(worker_db) == 1
    (forged,) = await write(worker_db, workspace, links.LATE_S + 60)
    assert await link_all(worker_db) == 0
    found = await told(worker_db)
    assert (found.state, f"row {forged} of " in found.text, "behind the chain" in found.text) == ("FAIL", True, True)


@pytest.mark.parametrize("number", [-5, 3, 8])
async def test_a_forged_row_with_a_link_of_its_own_is_named(
    worker_db: Database, workspace: Workspace, chain: list[UUID], owner: Any, number: int
) -> None:
    (forged,) = await write(worker_db, workspace, 86_390)
    await owner.execute("alter table santral.audit_link drop constraint audit_link_number_check")
    await owner.execute("update santral.audit_link set number = number + 100 where number >= $1 and $1 > 0", number)
    await owner.execute("update santral.audit_link set number = number - 99 where number > 100")
    await owner.execute(
        "insert into santral.audit_link select workspace_id, $2, id, at, '\\x00', '\\x00' from santral.audit where id = $1",
        forged,
        number,
    )
    found = await told(worker_db)
    assert found.state == "FAIL"
    expected = {-5: "stands before", 3: f"link 3, of row {forged}, does not follow", 8: "link 7 is missing"}[number]
    assert expected in found.text


async def test_a_second_link_of_a_row_that_gives_it_another_time_is_named(
    worker_db: Database, workspace: Workspace, chain: list[UUID], owner: Any
) -> None:
    """With it the row would seem old enough to be gone."""
    head = await owner.fetchrow("select * from santral.audit_link order by number desc limit 1")
    at = await owner.fetchval(f"select {at_text('$1::timestamptz')}", head["happened_at"] - timedelta(days=1))
    digest = link_digest(head["digest"], 7, head["audit_id"], at, head["row_digest"])
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.audit_link values ($1, 7, $2, $3, $4, $5)",
            workspace.id, head["audit_id"], head["happened_at"] - timedelta(days=1), head["row_digest"], digest,
        )  # fmt: skip
    found = await told(worker_db)
    assert (found.state, f"row {chain[5]} of " in found.text, "link 7" in found.text) == ("FAIL", True, True)


async def test_a_row_dated_ahead_holds_nobody_up_and_is_named(worker_db: Database, workspace: Workspace, chain: list[UUID]) -> None:
    for ahead in ("now() + interval '1 day'", "'infinity'", "'0044-03-15 BC'"):
        async with worker_db.batch(workspace.id) as connection:
            await connection.execute(
                f"insert into santral.audit (workspace_id, id, at, actor, action) values ($1, $2, {ahead}, 'a', 'b')",
                workspace.id,
                new_id(),
            )
        await write(worker_db, workspace, 0)
        assert await link_all(worker_db) == 1
        found = await told(worker_db)
        assert (found.state, "dated ahead" in found.text) == ("FAIL", True)


async def test_rows_that_commit_late_are_linked_later_and_break_nothing(
    worker_db: Database, workspace: Workspace, chain: list[UUID]
) -> None:
    async with worker_db.batch(workspace.id) as late:
        waits = new_id()
        await late.execute(_WRITE, workspace.id, waits, 5, "x", {})
        (after,) = await write(worker_db, workspace, 0)
        assert waits < after
        assert await link_all(worker_db) == 1
        assert (await told(worker_db)).state == "OK"
    assert await link_all(worker_db) == 1
    assert (await told(worker_db)).state == "OK"
    numbers = {row["audit_id"]: row["number"] for row in await rows(worker_db, "select audit_id, number from santral.audit_link")}
    assert (numbers[after], numbers[waits]) == (7, 8)


async def test_two_couriers_at_once_link_every_row_once(
    worker_db: Database, workspace: Workspace, database_urls: PostgresUrls
) -> None:
    second = await Database.open(database_urls.worker, name="second")
    try:
        await write(worker_db, workspace, *range(300, 0, -1))

        async def some(db: Database) -> int:
            async with db.batch() as connection:
                return await links.link_next(connection, workspace.id, most=7)

        async def until_all_are_linked(db: Database) -> int:
            done = 0
            while len(await rows(db, "select 1 from santral.audit_link")) < 300:
                done += await some(db)
            return done

        first, other = await asyncio.gather(until_all_are_linked(worker_db), until_all_are_linked(second))
        assert first + other == 300
        assert min(first, other) > 0, "one of them never linked"
    finally:
        await second.close()
    assert (await told(worker_db)).text.startswith(f"{name_of(workspace)}: 300 links in order")


async def test_two_at_once_do_not_wait_for_each_other(worker_db: Database, workspace: Workspace) -> None:
    await write(worker_db, workspace, 2, 1)
    async with worker_db.batch() as one, worker_db.batch() as other:
        assert await links.link_next(one, workspace.id) == 2
        assert await links.link_next(other, workspace.id) == 0


async def test_what_an_erasure_takes_out_of_the_audit_breaks_nothing(worker_db: Database, workspace: Workspace) -> None:
    (row,) = await write(worker_db, workspace, 10, reason="somebody's name")
    await link_all(worker_db)
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select santral.audit_forget($1, $2)", workspace.id, [str(row)]) == 1
    assert (await told(worker_db)).state == "OK"


@pytest.fixture
async def keeper(worker_db: Database, tmp_path: Path) -> Retention:
    leases = Leases(worker_db, kind="retention", slots=1, owner=uuid4())
    await leases.round()
    return Retention(db=worker_db, blobs=FileBlobs(tmp_path), leases=leases)


async def keep_days(db: Database, workspace: Workspace, days: int) -> None:
    async with db.batch() as connection:
        await connection.execute(
            "update santral.workspace set settings = settings || $2 where id = $1", workspace.id, {"retention": {"audit": days}}
        )


async def test_retention_breaks_nothing_and_takes_no_row_before_it_is_linked(
    worker_db: Database, workspace: Workspace, keeper: Retention
) -> None:
    day = 86_400
    ids = await write(worker_db, workspace, 9 * day, 8 * day, 3 * day, 2 * day, 60)
    await keep_days(worker_db, workspace, 5)
    assert await keeper.round() == 0, "nothing is linked yet"
    await link_all(worker_db)
    before = await witness(worker_db)
    assert await keeper.round() == 2
    assert [row["id"] for row in await rows(worker_db, "select id from santral.audit order by id")] == ids[2:]
    left = await rows(worker_db, "select number from santral.audit_link order by number")
    assert [row["number"] for row in left] == [3, 4, 5], "links expire with the rows of the chain's beginning"
    assert (await told(worker_db, before)).state == "OK"
    await keep_days(worker_db, workspace, 1)
    assert await keeper.round() == 2
    await write(worker_db, workspace, 0)
    assert await link_all(worker_db) == 1
    found = await told(worker_db, before)
    assert (found.state, found.text.partition(", witness")[0]) == ("OK", f"{name_of(workspace)}: 2 links in order")


async def test_a_chain_whose_rows_have_all_expired_goes_on_where_it_was(
    worker_db: Database, workspace: Workspace, keeper: Retention, chain: list[UUID]
) -> None:
    early = await witness(worker_db)
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select santral.audit_expire($1, now(), 100)", workspace.id) == 6
        assert await connection.fetchval("select santral.audit_link_expire($1, 100)", workspace.id) == 5
    assert (await told(worker_db, early)).state == "OK"
    await write(worker_db, workspace, 3, 2, 1)
    await link_all(worker_db)
    assert [row["number"] for row in await rows(worker_db, "select number from santral.audit_link order by number")] == [6, 7, 8, 9]
    assert (await told(worker_db, early)).state == "OK"
    async with worker_db.batch() as connection:
        await connection.execute("select santral.audit_expire($1, now(), 100)", workspace.id)
        await connection.execute("select santral.audit_link_expire($1, 100)", workspace.id)
    found = await told(worker_db, early)
    assert (found.state, "older than what retention left" in found.text) == ("WARN", True)


async def test_a_gap_is_verified_over_and_a_row_gone_before_its_time_is_named(
    worker_db: Database, workspace: Workspace, chain: list[UUID], owner: Any
) -> None:
    async with worker_db.batch() as connection:
        before = await connection.fetchval("select at + interval '1 us' from santral.audit where id = $1", chain[2])
        assert await connection.fetchval("select santral.audit_expire($1, $2, 2)", workspace.id, before) == 2
    assert (await told(worker_db)).text.startswith(f"{name_of(workspace)}: 6 links in order"), "rows are gone, their links are not"
    await owner.execute("delete from santral.audit where id = $1", chain[3])
    found = await told(worker_db)
    assert (found.state, f"row {chain[3]} of " in found.text, "retention has come to " in found.text) == ("FAIL", True, True)
    async with worker_db.batch() as connection:
        await connection.execute("select santral.audit_expire($1, $2, 100)", workspace.id, before)
        await connection.execute("select santral.audit_link_expire($1, 100)", workspace.id)
    assert f"row {chain[3]} of " in (await told(worker_db)).text, "expiry does not hide it"
    left = await rows(worker_db, "select number from santral.audit_link order by number")
    assert [row["number"] for row in left] == [4, 5, 6]


async def test_retention_has_never_come_further_than_now(
    worker_db: Database, workspace: Workspace, chain: list[UUID], owner: Any
) -> None:
    """Who may call the function cannot open the future to removals."""
    async with worker_db.batch() as connection:
        await connection.execute("select santral.audit_expire($1, 'infinity', 1)", workspace.id)
        await connection.execute("select santral.audit_expire($1, now() - interval '9 days', 1)", workspace.id)
    async with worker_db.batch(workspace.id) as connection:
        (later,) = [new_id()]
        await connection.execute(
            "insert into santral.audit (workspace_id, id, actor, action) values ($1, $2, 'a', 'b')", workspace.id, later
        )
    await link_all(worker_db)
    await owner.execute("delete from santral.audit where id = $1", later)
    assert f"row {later} of " in (await told(worker_db)).text


async def sign_again(owner: Any, workspace: Workspace) -> None:
    """What the owner of the database can do: all links made anew over the rows as they are."""
    await owner.execute("delete from santral.audit_link")
    found = await owner.fetch(f"select a.id as audit_id, a.at as happened_at, {ROW} from santral.audit a order by a.at, a.id")
    digest = first_digest(workspace.id)
    for number, row in enumerate(found, 1):
        of_row = row_digest(workspace.id, row)
        digest = link_digest(digest, number, row["audit_id"], row["at"], of_row)
        await owner.execute(
            "insert into santral.audit_link values ($1, $2, $3, $4, $5, $6)",
            workspace.id, number, row["audit_id"], row["happened_at"], of_row, digest,
        )  # fmt: skip


async def test_who_owns_the_database_can_sign_again_and_a_witness_outside_tells(
    worker_db: Database, workspace: Workspace, chain: list[UUID], owner: Any
) -> None:
    kept = await witness(worker_db)
    await sign_again(owner, workspace)
    assert (await told(worker_db, kept)).state == "OK", "this is how it is signed"
    await owner.execute("update santral.audit set actor = 'agent:2' where id = $1", chain[2])
    await sign_again(owner, workspace)
    await write(worker_db, workspace, 0)
    await link_all(worker_db)
    assert (await told(worker_db)).state == "OK", "nothing inside the database tells"
    found = await told(worker_db, kept)
    assert (found.state, "link 6 is not what the witness knows" in found.text) == ("FAIL", True)


async def test_a_chain_that_was_cut_off_at_its_end_is_told_by_a_witness(
    worker_db: Database, workspace: Workspace, chain: list[UUID], owner: Any
) -> None:
    kept = await witness(worker_db)
    await owner.execute("delete from santral.audit where id = any($1)", chain[4:])
    await owner.execute("delete from santral.audit_link where number > 4")
    assert (await told(worker_db)).state == "OK"
    found = await told(worker_db, kept)
    assert (found.state, "it ends at link 4, and the witness knows link 6" in found.text) == ("FAIL", True)
    await owner.execute("delete from santral.audit_link")
    await owner.execute("delete from santral.audit")
    found = await told(worker_db, kept)
    assert (found.state, "it ends at link 0" in found.text) == ("FAIL", True)


async def test_a_witness_of_no_workspace_and_one_that_is_none_are_told(worker_db: Database, workspace: Workspace) -> None:
    _, lost = await look_at_audit_chain(worker_db, witnesses([f"gone:3:{'0' * 64}"]))
    assert (lost.state, "there is no workspace gone" in lost.text) == ("FAIL", True)
    for wrong in ("", "acme", "acme:1", "acme:x:" + "0" * 64, "acme:1:" + "0" * 63, ":1:" + "0" * 64):
        with pytest.raises(InputRejected, match="is no witness"):
            witnesses([wrong])


async def test_rows_that_nobody_links_are_told_after_a_while(worker_db: Database, workspace: Workspace) -> None:
    await write(worker_db, workspace, 30)
    assert (await told(worker_db)).state == "OK"
    await write(worker_db, workspace, 400)
    found = await told(worker_db)
    assert (found.state, "2 rows wait to be linked" in found.text) == ("WARN", True)
    assert "santral courier" in found.remedy

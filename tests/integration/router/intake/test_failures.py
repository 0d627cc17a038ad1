"""Intake when things go wrong: duplicates, poison, fences, races. Real PostgreSQL; the log is in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.intake.arrivals import Arrival
from router.intake.intake import FAILED_MAX
from router.intake.quarantine import ask_replay, asked_replays, discard, list_entries, show_entry
from router.intake.quarantine_limit import QuarantineLimit, QuarantineLimitReached
from router.intake.replay import replay
from router.intake.taking_in import TakingIn
from shared.database import Database
from shared.errors import Conflict, Unprocessable
from shared.message import DeliveryReceipt, InboundMessage
from tests.support.intake_line import SECRET, Line, Member, assert_contiguous, counts, member_of, message_to, rows
from tests.support.mail_door import mail_door
from tests.support.workspaces import Workspace, make_workspace


@pytest.fixture
async def member(worker_db: Database, workspace: Workspace) -> Member:
    return await member_of(worker_db)


async def test_fifty_deliveries_are_one_message(worker_db: Database, workspace: Workspace, member: Member) -> None:
    lines = [Line(partition=partition) for partition in range(5)]
    for place in range(50):
        lines[place % 5].add(message_to(workspace, "smtp", "same"))
    other = await member_of(worker_db)
    await asyncio.gather(member.take(*lines[:3], batch=3), other.take(*lines[3:], batch=3))
    for _ in range(4):
        await member.take(*lines[:3], batch=3)
        await other.take(*lines[3:], batch=3)
    found = await counts(worker_db)
    assert (found["receipt"], found["message"], found["conversation"], found["work_item"]) == (1, 1, 1, 1)
    await assert_contiguous(worker_db)


async def test_the_whole_topic_again_changes_nothing(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    for place in range(60):
        line.add(message_to(workspace, "smtp", str(place), who=f"c{place % 7}@ornek.com"))
    line.add_raw(b"not json", (("ce_type", b"santral.message.received"),))
    line.add(message_to(workspace, "smtp", "bad", kind="unparsed", sender=None, reason="no boundary"))
    await member.take(line)
    before = await counts(worker_db)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.partition_lease set next_offset = 0")
    again = await member_of(worker_db)
    taken = await again.take(line)
    assert taken.next_offsets == {0: 62}
    assert taken.outcomes == []
    assert await counts(worker_db) == before


async def test_poison_goes_to_quarantine_and_the_rest_flows(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    for place in range(20):
        line.add(message_to(workspace, "smtp", f"a{place}", who=f"c{place}@ornek.com"))
    line.add_raw(b"\xff\x00 garbage", (("ce_workspace", str(workspace.id).encode()),))
    poison = message_to(workspace, "smtp", "poison", who="c3@ornek.com", text="a NUL \x00 that no table takes")
    line.add(poison)
    line.add(message_to(workspace, "smtp", "unknown", inbox_id=workspace.queue_id, who="new@ornek.com"))
    for place in range(20):
        line.add(message_to(workspace, "smtp", f"b{place}", who=f"c{place}@ornek.com"))
    taken = await member.take(line)
    assert taken.next_offsets == {0: len(line.records)}
    found = await counts(worker_db)
    assert (found["message"], found["quarantine"]) == (40, 3)
    async with worker_db.session() as connection:
        entries = await list_entries(connection, workspace.id)
    assert {entry.reason for entry in entries} == {"undecodable", "refused_by_database"}
    gap = await rows(
        worker_db,
        "select conversation_id, data from santral.event where type = 'message.quarantined' and conversation_id is not null",
    )
    assert [row["data"]["message_id"] for row in gap] == [str(poison.id)]
    assert {row["state"] for row in await rows(worker_db, "select state from santral.receipt where seq is null")} == {"quarantined"}
    await assert_contiguous(worker_db)


async def test_a_message_that_always_raises_stands_alone(worker_db: Database, workspace: Workspace) -> None:
    member = await member_of(worker_db)
    member.intake.batch = FailingBatch(member.intake.batch, {"raises"})  # type: ignore[assignment]
    line = Line()
    line.add(*(message_to(workspace, "smtp", name, who=f"{name}@ornek.com") for name in ("one", "raises", "two")))
    await member.take(line)
    found = await counts(worker_db)
    assert (found["message"], found["quarantine"]) == (2, 1)
    assert (await rows(worker_db, "select reason from santral.quarantine"))[0]["reason"] == "failed"


async def test_long_keys_are_stored_and_found_again(
    worker_db: Database, workspace: Workspace, member: Member, tmp_path: Path
) -> None:
    letters = random.Random(1)
    mark = "".join(chr(letters.randrange(0x20000, 0x2A000)) for _ in range(900))
    line = Line()
    async with mail_door(tmp_path) as door:
        for own, answers in (
            ("1", ""),
            ("2", f"In-Reply-To: <{mark}@ornek.net>\r\n"),
            ("3", f"References: <{mark}@other.net>\r\n"),
        ):
            head = f"From: {own}@ornek.net\r\nMessage-ID: <{mark if own == '1' else own}@ornek.net>\r\n{answers}Subject: {own}\r\n"
            assert (await door.send(f"{head}\r\nmerhaba\r\n".encode())).startswith("250")
    here = {"workspace_id": workspace.id, "inbox_id": workspace.inboxes["smtp"], "accepted_at": datetime.now(UTC)}
    line.add(*(one.model_copy(update=here) for one in door.messages))
    await member.take(line)
    found = await counts(worker_db)
    assert (found["message"], found["quarantine"], found["conversation"]) == (3, 0, 2)


async def test_what_no_index_takes_stands_alone(worker_db: Database, workspace: Workspace, member: Member) -> None:
    letters = random.Random(2)
    long = message_to(workspace, "smtp", "long", defines=("".join(chr(letters.randrange(0x20000, 0x2A000)) for _ in range(900)),))
    line = Line()
    line.add(*(message_to(workspace, "smtp", f"a{place}", who=f"c{place}@ornek.com") for place in range(5)), long)
    line.add(*(message_to(workspace, "smtp", f"b{place}", who=f"c{place}@ornek.com") for place in range(5)))
    taken = await member.take(line)
    assert taken.next_offsets == {0: 11}
    assert [row["reason"] for row in await rows(worker_db, "select reason from santral.quarantine")] == ["refused_by_database"]
    assert (await counts(worker_db))["message"] == 10


async def test_a_message_at_which_a_whole_batch_raises_stands_alone(
    worker_db: Database, workspace: Workspace, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line()
    line.add(*(message_to(workspace, "smtp", name, who=f"{name}@ornek.com") for name in ("one", "raises", "two")))
    take = member.intake.batch.take

    async def raising(connection: Any, arrivals: Sequence[Arrival], *rest: Any, **more: Any) -> Any:
        if any(one.refusal is None and one.message is not None and one.message.external_id == "raises" for one in arrivals):
            raise LookupError("nobody thought of it")
        return await take(connection, arrivals, *rest, **more)

    monkeypatch.setattr(member.intake.batch, "take", raising)
    await member.take(line)
    assert [row["reason"] for row in await rows(worker_db, "select reason from santral.quarantine")] == ["failed"]
    assert (await counts(worker_db))["message"] == 2


class FailingBatch:
    """Intake's batch that raises while taking in for some external ids, as a bug in a release would."""

    def __init__(self, batch: Any, bad: set[str]) -> None:
        self._batch = batch
        self._bad = bad

    async def take(self, connection: Any, arrivals: Sequence[Arrival], resolved: Any, **more: Any) -> Any:
        whole = self._batch
        take_one = whole._take_one

        def raising(taking: TakingIn, work: Any, arrival: Arrival) -> Any:
            if arrival.message is not None and arrival.message.external_id in self._bad:
                taking = _Broken(taking.effects)  # type: ignore[assignment]
            return take_one(taking, work, arrival)

        whole._take_one = raising
        try:
            return await whole.take(connection, arrivals, resolved, **more)
        finally:
            del whole._take_one


class _Broken:
    def __init__(self, effects: Any) -> None:
        self.effects = effects

    def take_in(self, *_: Any) -> None:
        raise KeyError("a bug")


async def test_the_limit_stops_instead_of_draining(worker_db: Database, workspace: Workspace) -> None:
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=10))
    line = Line()
    line.add(message_to(workspace, "smtp", "good"))
    await member.take(line)
    for place in range(200):
        line.add_raw(f"garbage {place}".encode())
    with pytest.raises(QuarantineLimitReached):
        await member.take(line)
    assert (await counts(worker_db))["quarantine"] == 0
    assert (await rows(worker_db, "select next_offset from santral.partition_lease"))[0]["next_offset"] == 1


async def test_what_senders_make_fail_stops_nobody_while_others_get_through(worker_db: Database, workspace: Workspace) -> None:
    other = await make_workspace(worker_db)
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=4))
    line = Line()
    line.add(message_to(workspace, "smtp", "good"))
    await member.take(line)
    for place in range(12):
        line.add(message_to((workspace, other)[place % 2], "smtp", f"bad {place}", text="a NUL \x00 that no table takes"))
    line.add(message_to(workspace, "smtp", "good too"))
    before = await counts(worker_db)
    await member.take(line)
    after = await counts(worker_db)
    assert (after["quarantine"], after["message"]) == (12, 2)
    assert after["receipt"] - before["receipt"] == 13, "a message that is asked again leaves nothing"
    await assert_contiguous(worker_db)


async def test_a_router_that_took_nothing_in_yet_goes_past_what_senders_make_fail(
    worker_db: Database, workspace: Workspace
) -> None:
    other = await make_workspace(worker_db)
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=4))
    line = Line()
    for place in range(12):
        line.add(message_to((workspace, other)[place % 2], "smtp", f"bad {place}", text="a NUL \x00 that no table takes"))
    line.add(message_to(workspace, "smtp", "good"))
    await member.take(line)
    found = await counts(worker_db)
    assert (found["quarantine"], found["message"], found["receipt"]) == (12, 1, 13)
    assert found["handle"] == found["profile"] == 2, "who wrote, in each workspace; of what was asked nobody is left"
    await assert_contiguous(worker_db)


async def test_a_release_that_fails_on_one_channel_stops_though_others_get_through(
    worker_db: Database, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await make_workspace(worker_db)
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=4))
    line = Line()
    line.add(message_to(workspace, "webchat", "good"))
    await member.take(line)
    take_in = TakingIn.take_in

    def broken(self: TakingIn, arrival: Arrival, message: InboundMessage, *rest: Any) -> None:
        if message.channel == "email":
            raise LookupError("a release that is bad with mail")
        take_in(self, arrival, message, *rest)

    monkeypatch.setattr(TakingIn, "take_in", broken)
    for place in range(12):
        line.add(message_to((workspace, other)[place % 2], "smtp", str(place)))
    with pytest.raises(QuarantineLimitReached, match="one after another"):
        await member.take(line)
    assert (await counts(worker_db))["quarantine"] <= 4


async def test_workspaces_that_can_take_nothing_stop_no_others(
    worker_db: Database, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [await make_workspace(worker_db) for _ in range(2)]
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=4))
    take_in = TakingIn.take_in

    def raising(self: TakingIn, arrival: Arrival, message: InboundMessage, *rest: Any) -> None:
        if any(arrival.workspace_id == one.id for one in broken):
            raise LookupError("what they set up for themselves")
        take_in(self, arrival, message, *rest)

    monkeypatch.setattr(TakingIn, "take_in", raising)
    line = Line()
    line.add(*(message_to(broken[place % 2], "smtp", str(place)) for place in range(12)))
    line.add(message_to(workspace, "smtp", "good"))
    await member.take(line)
    found = await counts(worker_db)
    assert (found["quarantine"], found["message"]) == (12, 1)


async def test_what_one_workspace_has_fail_in_masses_is_tried_by_itself(
    worker_db: Database, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs two transactions, not one for each half that it stood in; and nobody's order is changed."""
    other = await make_workspace(worker_db)
    member, tried = await member_of(worker_db), 0
    whole = member.intake.batch.take

    async def raising(connection: Any, arrivals: Sequence[Arrival], *rest: Any, **more: Any) -> Any:
        nonlocal tried
        tried += 1
        if any(one.refusal is None and one.workspace_id == other.id for one in arrivals):
            raise LookupError("what nobody thought of")
        return await whole(connection, arrivals, *rest, **more)

    monkeypatch.setattr(member.intake.batch, "take", raising)
    line = Line()
    for place in range(40):
        line.add(message_to(other, "smtp", f"bad {place}"), message_to(workspace, "smtp", f"good {place}"))
    await member.take(line)
    assert tried <= 40 * 2 + 41 + FAILED_MAX * 8
    stored = await rows(worker_db, "select external_id from santral.message order by seq")
    assert [row["external_id"] for row in stored] == [f"good {place}" for place in range(40)]
    assert (await counts(worker_db))["quarantine"] == 40
    await assert_contiguous(worker_db)


async def test_what_fails_in_masses_at_once_ends(
    worker_db: Database, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of one fetch than the limit, each of which fails by itself."""
    other = await make_workspace(worker_db)
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=4))
    line = Line()
    line.add(message_to(workspace, "smtp", "good"))
    await member.take(line)
    take_in = TakingIn.take_in

    def raising(self: TakingIn, arrival: Arrival, message: InboundMessage, *rest: Any) -> None:
        if message.external_id.startswith("bad"):
            raise LookupError("what nobody thought of")
        take_in(self, arrival, message, *rest)

    monkeypatch.setattr(TakingIn, "take_in", raising)
    for place in range(30):
        line.add(message_to((workspace, other)[place % 2], "smtp", f"bad {place}"))
    line.add(message_to(workspace, "smtp", "good too"))
    async with asyncio.timeout(60):
        await member.take(line)
    found = await counts(worker_db)
    assert (found["quarantine"], found["message"]) == (30, 2)
    await assert_contiguous(worker_db)


async def test_what_nothing_gets_through_stops(worker_db: Database, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=4))
    line = Line()
    line.add(message_to(workspace, "smtp", "good"))
    await member.take(line)
    line.add(*(message_to(workspace, "smtp", str(place)) for place in range(20)))
    whole = member.intake.batch.take

    async def broken(connection: Any, arrivals: Sequence[Arrival], *rest: Any, **more: Any) -> Any:
        if any(one.refusal is None for one in arrivals):
            raise LookupError("a bad release")
        return await whole(connection, arrivals, *rest, **more)

    monkeypatch.setattr(member.intake.batch, "take", broken)
    with pytest.raises(QuarantineLimitReached, match="one after another"):
        await member.take(line)
    assert (await counts(worker_db))["quarantine"] == 4


async def test_what_a_provider_says_of_answers_vouches_for_nothing(
    worker_db: Database, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes last, and goes another way than what customers write."""
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=4))
    line = Line()
    line.add(message_to(workspace, "smtp", "good"))
    said = DeliveryReceipt(provider_id="p1", state="read")
    line.add(message_to(workspace, "webchat", "read", sender=None, kind="receipt", receipt=said))
    await member.take(line)
    take_in = TakingIn.take_in

    def broken(self: TakingIn, arrival: Arrival, message: InboundMessage, *rest: Any) -> None:
        if message.kind != "receipt":
            raise LookupError("a bad release")
        take_in(self, arrival, message, *rest)

    monkeypatch.setattr(TakingIn, "take_in", broken)
    line.add(*(message_to(workspace, "smtp", str(place)) for place in range(20)))
    with pytest.raises(QuarantineLimitReached, match="one after another"):
        await member.take(line)


async def test_what_cannot_even_be_looked_at_goes_to_quarantine(
    worker_db: Database, workspace: Workspace, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line()
    line.add(*(message_to(workspace, "smtp", name, who=f"{name}@ornek.com") for name in ("one", "raises", "two")))
    resolved = member.intake._resolved

    async def raising(arrivals: Sequence[Arrival], **more: Any) -> Any:
        if any(one.message is not None and one.message.external_id == "raises" for one in arrivals):
            raise OverflowError("whatever becomes of it")
        return await resolved(arrivals, **more)

    monkeypatch.setattr(member.intake, "_resolved", raising)
    await member.take(line)
    found = await counts(worker_db)
    assert (found["quarantine"], found["message"]) == (1, 2)


@pytest.mark.parametrize("own", [{"sticky_s": None, "offers_max": 0}, {"sticky_s": 1e300}])
async def test_terms_that_nobody_could_save_today_count_as_not_given(worker_db: Database, own: dict[str, Any]) -> None:
    workspace = await make_workspace(worker_db, settings={"terms": {"email": {**own, "grace_s": 60}}})
    member = await member_of(worker_db)
    line = Line()
    line.add(message_to(workspace, "smtp", "1"))
    await member.take(line)
    assert (await counts(worker_db))["work_item"] == 1


async def test_one_workspaces_failures_stop_no_other(worker_db: Database, workspace: Workspace) -> None:
    other = await make_workspace(worker_db, name="other")
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=10))
    member.intake.batch = FailingBatch(member.intake.batch, {str(place) for place in range(50)})  # type: ignore[assignment]
    line = Line()
    line.add(*(message_to(workspace, "smtp", str(place), who=f"{place}@ornek.com") for place in range(50)))
    line.add(message_to(other, "smtp", "behind"))
    await member.take(line)
    found = await counts(worker_db)
    assert (found["message"], found["quarantine"]) == (1, 50)


async def test_what_a_provider_garbled_never_stops_anybody(worker_db: Database, workspace: Workspace) -> None:
    member = await member_of(worker_db, limit=QuarantineLimit(run_max=10))
    line = Line()
    line.add(*(message_to(workspace, "smtp", str(n), kind="unparsed", sender=None, reason="x") for n in range(100)))
    await member.take(line)
    assert (await counts(worker_db))["quarantine"] == 100


async def test_a_replay_lands_once_with_its_own_time(worker_db: Database, workspace: Workspace, member: Member) -> None:
    async with worker_db.batch() as connection:
        await connection.execute("update santral.queue set enabled = false, version = version + 1")
    await member.configuration.refresh()
    line = Line()
    message = message_to(workspace, "smtp", "early", subject="Önce")
    line.add(message)
    await member.take(line)
    async with worker_db.batch() as connection:
        (entry,) = await list_entries(connection, workspace.id)
        assert entry.reason == "not_routable"
        assert (await show_entry(connection, workspace.id, entry.id)).record == line.records[0].value
        await ask_replay(connection, workspace.id, entry.id, actor="user:1")
        assert await asked_replays(connection) == [(workspace.id, entry.id, "user:1")]
    arguments = {"workspace_id": workspace.id, "entry_id": entry.id, "actor": "user:1", "secret": SECRET}
    with pytest.raises(Unprocessable, match="fails again"):
        await replay(worker_db, member.intake.batch, member.configuration, **arguments)  # type: ignore[arg-type]
    async with worker_db.batch() as connection:
        await connection.execute("update santral.queue set enabled = true, version = version + 1")
    await member.configuration.refresh()
    line.add(message_to(workspace, "smtp", "later"))
    await member.take(line)
    before = await counts(worker_db)
    tried = await replay(worker_db, member.intake.batch, member.configuration, dry_run=True, **arguments)  # type: ignore[arg-type]
    assert tried.conversation_id is not None
    assert await counts(worker_db) == before
    results = await asyncio.gather(
        *(replay(worker_db, member.intake.batch, member.configuration, **arguments) for _ in range(5)),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, Conflict) for result in results if isinstance(result, BaseException))
    stored = await rows(worker_db, "select external_id, accepted_at from santral.message order by seq")
    assert [row["external_id"] for row in stored] == ["later", "early"]
    assert stored[1]["accepted_at"] == message.accepted_at
    (entry_row,) = await rows(worker_db, "select state, resolved_by from santral.quarantine")
    assert entry_row == {"state": "replayed", "resolved_by": "user:1"}
    async with worker_db.batch() as connection:
        with pytest.raises(Conflict):
            await discard(connection, workspace.id, entry.id, actor="user:1")
    await assert_contiguous(worker_db)


async def test_a_router_that_lost_its_lease_writes_nothing(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(message_to(workspace, "smtp", "1"))
    await member.take(line)
    line.add(message_to(workspace, "smtp", "2"), message_to(workspace, "smtp", "3"))
    other = await member_of(worker_db)
    await other.take(line, batch=1)
    before = await counts(worker_db)
    taken = await member.take(line)
    assert taken.fenced == {0}
    assert taken.next_offsets == {}
    assert await counts(worker_db) == before
    # A lease that moves on while its row is waited for fences too.
    third = await member_of(worker_db)
    await third.leases.take([0], line)
    async with worker_db.batch() as connection:
        await connection.execute("select 1 from santral.partition_lease for update")
        waiting = asyncio.create_task(third.take(line))
        while not await rows(worker_db, "select 1 from pg_locks where not granted"):
            await asyncio.sleep(0.01)
        await connection.execute("update santral.partition_lease set epoch = epoch + 1")
    assert (await waiting).fenced == {0}
    assert (await counts(worker_db))["message"] == 2


async def test_first_contact_at_once_is_one_person(worker_db: Database, workspace: Workspace) -> None:
    """Twenty messages of one new person under two handles, one vouched for by the other, through two routers."""
    members = [await member_of(worker_db) for _ in range(2)]
    inbox = workspace.inboxes["webchat"]
    visitor = {"kind": "visitor", "scope": str(inbox), "value": "v1", "assurance": "authenticated"}
    signed = {"kind": "email", "value": "new@ornek.com", "assurance": "authenticated"}
    lines = [Line(partition=0), Line(partition=1)]
    for place in range(10):
        lines[0].add(message_to(workspace, "smtp", f"mail{place}", who="new@ornek.com"))
        lines[1].add(message_to(workspace, "webchat", f"chat{place}", sender=visitor, other_handles=(signed,)))
    for _ in range(5):
        await asyncio.gather(members[0].take(lines[0], batch=2), members[1].take(lines[1], batch=2))
    found = await counts(worker_db)
    assert (found["message"], found["quarantine"], found["handle"]) == (20, 0, 2)
    assert len(await rows(worker_db, "select distinct profile_id from santral.handle")) == 1
    assert found["conversation"] <= 2
    per_handle = await rows(
        worker_db, "select handle_id from santral.conversation where state = 'open' group by 1 having count(*) > 1"
    )
    assert per_handle == []
    assert found["work_item"] == found["conversation"]
    await assert_contiguous(worker_db)


async def test_two_routers_over_the_same_customers_do_not_deadlock(worker_db: Database, workspace: Workspace) -> None:
    members = [await member_of(worker_db) for _ in range(2)]
    lines = [Line(partition=0), Line(partition=1)]
    chosen = random.Random(7)
    for line in lines:
        for place in range(2000):
            who = chosen.randrange(50)
            line.add(message_to(workspace, "smtp", f"{line.partition}-{place}", who=f"c{who}@ornek.com", refs=(f"mid:{chosen.randrange(4000)}",),
                                defines=(f"mid:{line.partition * 2000 + place}",)))  # fmt: skip

    async def drain(member: Member, line: Line) -> int:
        retries = 0
        for _ in range(20):
            retries += (await member.take(line, batch=100)).retries
        return retries

    retries = await asyncio.gather(*(drain(member, line) for member, line in zip(members, lines, strict=True)))
    found = await counts(worker_db)
    assert (found["message"], found["receipt"], found["quarantine"]) == (4000, 4000, 0)
    assert sum(retries) < 20
    await assert_contiguous(worker_db)

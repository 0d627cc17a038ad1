"""What may go wrong while work waits or is done, a scenario for each failure, on real PostgreSQL.

| failure | test |
|---|---|
| agent's connection drops: open offers at once | test_connection_drops_offers_are_revoked_at_once |
| agent's connection drops: chat after a grace, to the same agent first | test_connection_drops_a_chat_waits_for_its_grace |
| agent's connection drops: phone at once | test_connection_drops_a_call_is_requeued_at_once |
| agent's connection drops: mail stays | test_connection_drops_mail_stays_with_its_agent |
| a reconnect inside the grace | test_connection_drops_and_comes_back_inside_the_grace |
| no answer | test_no_answer_the_agent_is_asked_no_more_until_they_say_so |
| no answer, three times | test_no_answer_counts_toward_three |
| all eligible agents declined: next step now | test_all_declined_enter_the_next_step_at_once |
| all eligible agents declined, no step left: said, still waiting | test_all_declined_and_no_step_left_is_said_and_it_waits_on |
| only qualified agent declined: asked again after a cool-down, at most k times | test_only_qualified_declined_is_asked_again_after_a_cool_down |
| router dies before the commit | test_router_dies_before_the_commit_and_nothing_happened |
| router dies after the commit, before it knows | test_router_dies_after_the_commit_and_its_successor_goes_on |
| router dies with open offers | test_router_dies_with_open_offers_and_its_successor_ends_them |
| a fenced router writes nothing | test_a_fenced_router_writes_nothing |
| profile facts slow | test_profile_facts_slow_route_without_them |
| configuration change in flight | test_configuration_changes_in_flight |
| clock jumps | test_clock_jumps_of_a_process_change_nothing |
| mass log-in | test_mass_log_in_with_a_backlog_fills_nobody_beyond_capacity |
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import pytest

from router.commands import offer as offers
from router.commands.presence import renew_lease, set_presence
from router.intake.intake import Intake
from router.matcher.matcher import Matcher
from shared.database import Connection, Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import Conflict, Unavailable
from shared.hints import Hints
from shared.leases import Leases
from tests.support.intake_line import SECRET, TOPIC, Line, message_to, rows
from tests.support.shift import Shift

MAIL = {"provider": "smtp", "who": "ayse@ornek.com"}


async def renew(shift: Shift) -> None:
    async with shift.db.batch(shift.workspace.id) as connection:
        await renew_lease(connection, workspace_id=shift.workspace.id, agent_id=shift.deniz)
    await shift.settle()


async def test_connection_drops_offers_are_revoked_at_once(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    await shift.lease_ran_out(shift.deniz)
    assert (await shift.state(item), await shift.offers(item), await shift.used()) == ("queued", [(shift.deniz, "revoked")], 0)
    await shift.sound()


async def test_connection_drops_a_chat_waits_for_its_grace(shift: Shift) -> None:
    item = await shift.mine()
    before = await shift.item(item)
    await shift.lease_ran_out(shift.deniz, ago_s=50)
    assert await shift.state(item) == "assigned"
    await shift.lease_ran_out(shift.deniz, ago_s=61)
    row = await shift.item(item)
    assert (row["state"], row["sticky_agent_id"], row["enqueued_at"]) == ("queued", shift.deniz, before["enqueued_at"])
    assert (row["due_at"], await shift.used()) == (before["due_at"], 0)
    assert (await shift.events(item))[-1] == ("item.requeued", shift.deniz)
    ece = await shift.colleague()
    await shift.settle()
    assert (await shift.offer(item))["agent_id"] == ece
    await shift.sound()


async def test_connection_drops_a_call_is_requeued_at_once(shift: Shift) -> None:
    item = await shift.mine(provider="asterisk", who="+905321234567")
    assert (await shift.item(item))["channel"] == "phone"
    await shift.lease_ran_out(shift.deniz)
    assert (await shift.state(item), await shift.used()) == ("queued", 0)
    await shift.sound()


async def test_connection_drops_mail_stays_with_its_agent(shift: Shift) -> None:
    item = await shift.mine(**MAIL)
    await shift.lease_ran_out(shift.deniz, ago_s=3600)
    assert (await shift.state(item), (await shift.item(item))["agent_id"]) == ("assigned", shift.deniz)
    await shift.sound()


async def test_connection_drops_and_comes_back_inside_the_grace(shift: Shift) -> None:
    item = await shift.mine()
    await shift.lease_ran_out(shift.deniz, ago_s=30)
    await renew(shift)
    await shift.settle()
    assert (await shift.state(item), (await shift.item(item))["agent_id"]) == ("assigned", shift.deniz)
    assert (await shift.events(item))[-1] == ("offer.accepted", shift.deniz)
    await shift.sound()


async def online(shift: Shift) -> None:
    async with shift.db.batch(shift.workspace.id) as connection:
        await set_presence(connection, workspace_id=shift.workspace.id, agent_id=shift.deniz, presence="online")
    await shift.settle()


async def cooled_down(shift: Shift, item: Any) -> None:
    """The cool-down after the last offer is over."""
    await shift.execute(
        "update santral.work_item set excluded = jsonb_set(excluded, array[$2::text, 'until'], '0'), version = version + 1 where id = $1",
        item, str(shift.deniz),
    )  # fmt: skip
    await shift.tell("item", item)


async def test_no_answer_the_agent_is_asked_no_more_until_they_say_so(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    await shift.passes(item)
    other = await shift.waiting(who="v2")
    await shift.settle()
    assert [await shift.state(one) for one in (item, other)] == ["queued", "queued"]
    (event,) = await rows(
        shift.db, "select data from santral.event where type = 'presence.changed' order by agent_seq desc limit 1"
    )
    assert (event["data"]["presence"], event["data"]["reason"]) == ("not_responding", "offer not answered")
    # The socket's pings keep the lease, but only the agent's own word brings them back.
    await renew(shift)
    assert (await shift.row("agent", shift.deniz))["presence"] == "not_responding"
    await online(shift)
    assert await shift.state(other) == "offered"
    assert await shift.state(item) == "queued"  # not to the same agent before the cool-down
    await shift.sound()


async def test_no_answer_counts_toward_three(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    for _ in range(3):
        assert await shift.state(item) == "offered"
        await shift.passes(item)
        await online(shift)
        await cooled_down(shift, item)
    assert await shift.state(item) == "queued"
    assert await shift.offers(item) == [(shift.deniz, "expired")] * 3
    await shift.sound()


async def test_all_declined_enter_the_next_step_at_once(shift: Shift) -> None:
    ece = await shift.colleague()
    await shift.execute("delete from santral.queue_member where agent_id = $1", ece)
    second = await shift.add_queue("komsu", ece)
    steps = [{"queues": [None], "timeout_s": 3600}, {"queues": [None, str(second)]}]
    await shift.configure("update santral.queue set plan = $1 where name = 'genel'", steps)
    item = await shift.waiting()
    await shift.settle()
    before = await shift.item(item)
    await shift.decline(item)
    after = await shift.item(item)
    assert (after["state"], after["agent_id"], after["step"], after["due_at"]) == ("offered", ece, 1, before["due_at"])
    await shift.sound()


async def test_all_declined_and_no_step_left_is_said_and_it_waits_on(shift: Shift) -> None:
    ece = await shift.colleague()
    item = await shift.waiting()
    await shift.settle()
    await shift.decline(item)
    await shift.decline(item)
    assert {agent for agent, _ in await shift.offers(item)} == {shift.deniz, ece}
    assert (await shift.state(item), await shift.used(), await shift.used(ece)) == ("queued", 0, 0)
    selin = await shift.colleague("Selin")
    await shift.settle()
    assert (await shift.offer(item))["agent_id"] == selin
    await shift.sound()


async def test_only_qualified_declined_is_asked_again_after_a_cool_down(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    for n in range(1, 4):
        await shift.decline(item)
        assert (await shift.state(item), len(await shift.offers(item))) == ("queued", n)  # the cool-down holds
        await cooled_down(shift, item)
        assert await shift.state(item) == ("offered" if n < 3 else "queued")
    assert (await shift.item(item))["excluded"][str(shift.deniz)]["count"] == 3
    await shift.sound()


class Dying:
    """A database that dies at the given batch: before its commit, or after it with the answer lost."""

    def __init__(self, db: Database, *, at: int, after_commit: bool) -> None:
        self._db, self._left, self._after = db, at, after_commit

    def batch(self, *given: Any, **more: Any) -> Any:
        self._left -= 1
        return self._Batch(self._db.batch(*given, **more), self._left == 0, self._after)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    class _Batch:
        def __init__(self, batch: Any, dies: bool, after: bool) -> None:
            self._batch, self._dies, self._after = batch, dies, after

        async def __aenter__(self) -> Any:
            return await self._batch.__aenter__()

        async def __aexit__(self, *error: Any) -> Any:
            if self._dies and not self._after:
                lost = Unavailable("the connection was lost")
                await self._batch.__aexit__(type(lost), lost, None)
                raise lost
            done = await self._batch.__aexit__(*error)
            if self._dies:
                raise Unavailable("the connection was lost")
            return done


async def leases_ran_out(shift: Shift) -> None:
    """Who held the leases is silent for longer than they last, and asks for none any more."""
    await shift.execute("update santral.lease set until = now() - interval '1 s' where kind = 'dispatch'")
    await shift.execute("delete from santral.lease where kind = 'dispatch asks'")


async def another_matcher(shift: Shift, urls: PostgresUrls, db: Any = None) -> Matcher:
    """A router that has taken the leases over."""
    await leases_ran_out(shift)
    leases = Leases(shift.db, kind="dispatch", slots=64, owner=uuid4())
    await leases.round()
    return Matcher(db=db or shift.db, leases=leases, hints=Hints(urls.worker, listening=False))


async def test_router_dies_before_the_commit_and_nothing_happened(shift: Shift, database_urls: PostgresUrls) -> None:
    item = await shift.waiting()
    dying = await another_matcher(shift, database_urls, Dying(shift.db, at=2, after_commit=False))
    with pytest.raises(Unavailable):
        await dying.round()
    assert (await shift.state(item), await shift.used(), await shift.offers(item)) == ("queued", 0, [])
    shift.matcher = await another_matcher(shift, database_urls)
    await shift.settle()
    assert (await shift.state(item), await shift.used()) == ("offered", 33)
    await shift.sound()


async def test_router_dies_after_the_commit_and_its_successor_goes_on(shift: Shift, database_urls: PostgresUrls) -> None:
    item = await shift.waiting()
    dying = await another_matcher(shift, database_urls, Dying(shift.db, at=2, after_commit=True))
    with pytest.raises(Unavailable):
        await dying.round()
    assert (await shift.state(item), await shift.used()) == ("offered", 33)
    shift.matcher = await another_matcher(shift, database_urls)
    await shift.settle()
    assert (len(await shift.offers(item)), await shift.used()) == (1, 33)
    # What was committed waits in the outbox for the relay, whoever died.
    (outbox,) = await rows(shift.db, "select count(*) as n from santral.outbox")
    (events,) = await rows(shift.db, "select count(*) as n from santral.event")
    assert outbox["n"] == events["n"]
    # And a message that is delivered again is known.
    await shift.member.intake.take({0: shift.line.records})
    assert len(await rows(shift.db, "select 1 from santral.message")) == 1
    await shift.sound()


async def test_router_dies_with_open_offers_and_its_successor_ends_them(shift: Shift, database_urls: PostgresUrls) -> None:
    item = await shift.waiting()
    await shift.settle()
    dead, shift.matcher = shift.matcher, await another_matcher(shift, database_urls)
    await shift.settle()
    await shift.passes(item)
    assert (await shift.state(item), await shift.offers(item)) == ("queued", [(shift.deniz, "expired")])
    while await dead.round():
        pass
    assert len(await shift.offers(item)) == 1
    await shift.sound()


class Held:
    """A router that was stopped: it still believes that its leases hold."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self.held = tuple(leases.held)

    async def lock_and_check(self, connection: Connection, slots: Iterable[int]) -> set[int]:
        return await self._leases.lock_and_check(connection, slots)


async def test_a_fenced_router_writes_nothing(shift: Shift, database_urls: PostgresUrls) -> None:
    leases = Leases(shift.db, kind="dispatch", slots=64, owner=uuid4())
    await leases_ran_out(shift)
    await leases.round()
    zombie = Matcher(db=shift.db, leases=Held(leases), hints=Hints(database_urls.worker, listening=False))
    while await zombie.round():
        pass
    offered = await shift.waiting()
    while await zombie.round():
        pass
    assert await shift.state(offered) == "offered"
    # Stopped; another took over; then it goes on with a memory full of things to do.
    await another_matcher(shift, database_urls)
    waiting = await shift.waiting(who="v2")
    await shift.execute(
        "update santral.work_item set timer_at = now() - interval '1 s', version = version + 1 where id = $1", offered
    )
    tables = ("work_item", "offer", "decision", "event", "outbox", "agent", "dispatch_change", "conversation")
    before = {table: await rows(shift.db, f"select * from santral.{table} order by 1, 2") for table in tables}
    for _ in range(3):
        await zombie.round()
    assert {table: await rows(shift.db, f"select * from santral.{table} order by 1, 2") for table in tables} == before
    assert (await shift.state(offered), await shift.state(waiting)) == ("offered", "queued")


async def test_profile_facts_slow_route_without_them(shift: Shift) -> None:
    async def slow(connection: Connection, wanted: Any) -> Any:
        await connection.execute("select pg_sleep(5)")

    async def nothing(connection: Connection, words: Any) -> None:
        return None

    member = shift.member
    intake = Intake(
        shift.db, topic=TOPIC, leases=member.leases, configuration=member.configuration, secret=SECRET, snapshots=slow,
        on_provider_words=nothing,
    )  # fmt: skip
    line = Line()
    line.add(message_to(shift.workspace, "smtp", "1"))
    await member.leases.take([0], line)
    async with asyncio.timeout(4):
        await intake.take({0: line.records})
    item = await shift.item(await shift.newest())
    (decision,) = await rows(shift.db, "select record from santral.decision")
    assert (item["state"], decision["record"]["profile_degraded"]) == ("queued", True)
    await shift.sound()


async def test_configuration_changes_in_flight(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    second = await shift.add_queue("ikinci", shift.deniz)
    await shift.execute("update santral.policy set active = false")
    await shift.configure(
        "insert into santral.policy (workspace_id, version, document, active) values ($1, 2, $2, true)",
        shift.workspace.id, {"rules": [], "default_queue": "ikinci"},
    )  # fmt: skip
    other = await shift.waiting(who="v2")
    before, after = await shift.item(item), await shift.item(other)
    assert (before["policy_version"], before["queue_id"]) == (1, shift.workspace.queue_id)
    assert (after["policy_version"], after["queue_id"]) == (2, second)
    # The queue's next offer follows its rule of now; who is no member any more is not asked again.
    await shift.configure("update santral.queue set offer_s = 90 where name = 'genel'")
    ece = await shift.colleague()
    await shift.decline(item)
    offer = await shift.offer(item)
    assert (offer["agent_id"], (offer["until"] - offer["made_at"]).total_seconds()) == (ece, pytest.approx(90, abs=2))
    await shift.sound()


async def test_clock_jumps_of_a_process_change_nothing(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    for jump in (-86_400.0, 86_400.0):
        shift.matcher._offset_s += jump  # as if this machine's clock had been set; the database's stays what it is
        await shift.settle()
        assert await shift.state(item) == "offered"
    await shift.accept(item)
    await shift.settle()
    assert await shift.state(item) == "assigned"
    await shift.sound()


async def test_mass_log_in_with_a_backlog_fills_nobody_beyond_capacity(shift: Shift) -> None:
    agents = [shift.deniz, *[await shift.colleague(f"agent {n}") for n in range(9)]]
    await shift.execute("update santral.agent set presence = 'offline', version = version + 1")
    items = [await shift.waiting(who=f"v{n}") for n in range(40)]
    await shift.settle()
    assert {await shift.state(item) for item in items} == {"queued"}
    for agent in agents:
        async with shift.db.batch(shift.workspace.id) as connection:
            await set_presence(connection, workspace_id=shift.workspace.id, agent_id=agent, presence="online")
    await shift.settle()
    states = [await shift.state(item) for item in items]
    offered = [item for item, state in zip(items, states, strict=True) if state == "offered"]
    assert offered == items[: len(offered)]  # who waited longest goes first
    assert max([await shift.used(agent) for agent in agents]) <= 99
    await shift.sound()


async def test_a_late_answer_is_a_conflict_and_changes_nothing(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    offer = await shift.offer(item)
    await shift.passes(item)
    before = await shift.item(item)
    with pytest.raises(Conflict):
        async with shift.db.batch(shift.workspace.id) as connection:
            await offers.accept(connection, workspace_id=shift.workspace.id, offer_id=offer["id"], agent_id=shift.deniz)
    assert await shift.item(item) == before
    await shift.sound()

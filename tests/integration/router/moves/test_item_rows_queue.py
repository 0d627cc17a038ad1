"""Rows of the work item's table in which an item waits, on real PostgreSQL: intake, dispatch, answers to offers.

| row | test |
|---|---|
| none, message accepted, key new | test_none_message_accepted_is_queued |
| any open, another message | test_open_another_message_is_appended |
| none, cannot be parsed or routed | test_none_cannot_be_parsed_is_quarantined_at_once |
| queued, match, offer channel | test_queued_match_on_an_offer_channel_is_offered |
| queued, match, auto-accept channel | test_queued_match_on_an_auto_accept_channel_is_assigned |
| queued, step deadline | test_queued_step_deadline_widens_and_keeps_the_key |
| queued, customer leaves | test_queued_customer_leaves_is_abandoned |
| queued, customer leaves, call-back by policy | test_queued_customer_leaves_and_is_called_back |
| queued, time to live passed | test_queued_time_to_live_overflows_once_and_then_is_quarantined |
| offered, accept in time | test_offered_accepted_in_time_is_assigned |
| offered, declined | test_offered_declined_is_queued_with_its_key |
| offered, deadline | test_offered_deadline_is_queued_and_the_agent_not_responding |
| offered, agent lost | test_offered_agent_lost_is_queued |
| offered, customer leaves | test_offered_customer_leaves_is_abandoned_and_the_offer_rescinded |
| queued, an agent claims it (push, pull, both) | test_queued_claimed_where_the_queue_allows_pull |

The other rows stand beside this file in ``test_item_rows_hands.py`` (with an agent or on its way), ``test_item_rows_ends.py`` (pauses and
ends) and ``test_item_failures.py``; those begun by an agent and by calls in `tests/integration/router/commands/`, those by command in
`tests/integration/services/api/test_work.py`.
"""

from __future__ import annotations

import pytest

from router.commands import offer as offers
from router.commands import work
from router.intake.replay import replay
from shared.errors import Conflict, NotFound
from tests.support.intake_line import SECRET, rows
from tests.support.shift import Shift


async def test_none_message_accepted_is_queued(shift: Shift) -> None:
    item = await shift.waiting(provider="smtp", who="ayse@ornek.com")
    row = await shift.item(item)
    assert (row["state"], row["queue_id"], row["policy_version"]) == ("queued", shift.workspace.queue_id, 1)
    assert (row["due_at"] - row["enqueued_at"]).total_seconds() == 4 * 3600
    (decision,) = await rows(shift.db, "select record from santral.decision where item_id = $1", item)
    assert decision["record"]["facts"]["profile"]["known"] is True
    assert await shift.events(item) == [("item.queued", None)]
    await shift.sound()


async def test_open_another_message_is_appended(shift: Shift) -> None:
    item = await shift.waiting()
    before = await shift.item(item)
    await shift.writes("Bir de iade var")
    await shift.settle()
    await shift.writes("Acele")
    await shift.accept(item)
    await shift.writes("Orada mısınız?")
    after = await shift.item(item)
    assert (after["due_at"], after["enqueued_at"], after["state"]) == (before["due_at"], before["enqueued_at"], "assigned")
    assert len(await rows(shift.db, "select 1 from santral.message")) == 4
    assert len(await rows(shift.db, "select 1 from santral.work_item")) == 1
    await shift.sound()


async def test_none_cannot_be_parsed_is_quarantined_at_once(shift: Shift) -> None:
    shift.line.add_raw(b"\xff not json", ())
    await shift.configure("update santral.queue set enabled = false")
    await shift.writes()
    entries = await rows(shift.db, "select reason, record, state from santral.quarantine order by id")
    assert sorted(one["reason"] for one in entries) == ["not_routable", "undecodable"]
    assert await rows(shift.db, "select 1 from santral.work_item") == []
    # Once the cause is gone it is replayed, as what it was.
    await shift.configure("update santral.queue set enabled = true")
    (entry,) = await rows(shift.db, "select id from santral.quarantine where reason = 'not_routable'")
    await replay(
        shift.db,
        shift.member.intake.batch,
        shift.member.configuration,
        workspace_id=shift.workspace.id,
        entry_id=entry["id"],
        actor="t",
        secret=SECRET,
    )
    assert await shift.state(await shift.newest()) == "queued"
    await shift.sound()


async def test_queued_match_on_an_offer_channel_is_offered(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    offer = await shift.offer(item)
    assert (offer["agent_id"], await shift.state(item), await shift.used()) == (shift.deniz, "offered", 33)
    assert (offer["until"] - offer["made_at"]).total_seconds() == pytest.approx(30, abs=2)
    assert (await shift.events(item))[-1] == ("offer.made", shift.deniz)
    await shift.sound()


async def test_queued_match_on_an_auto_accept_channel_is_assigned(shift: Shift) -> None:
    item = await shift.waiting(provider="smtp", who="ayse@ornek.com")
    await shift.settle()
    assert (await shift.state(item), await shift.used()) == ("assigned", 20)
    assert await rows(shift.db, "select 1 from santral.offer") == []
    assert (await shift.events(item))[-1] == ("item.assigned", shift.deniz)
    await shift.sound()


async def test_queued_step_deadline_widens_and_keeps_the_key(shift: Shift) -> None:
    steps = [{"queues": [None], "skills": {"fransizca": 3}, "timeout_s": 60}, {"queues": [None], "skills": {}}]
    await shift.configure("update santral.queue set plan = $1", steps)
    await shift.absent_colleague(skills={"fransizca": 3})
    item = await shift.waiting()
    await shift.settle()
    before = await shift.item(item)
    assert (before["state"], before["step"]) == ("queued", 0)
    shift.matcher.forget()  # a desk in its memory keeps its own time of a step; a new one reads the row's
    await shift.passes(item, 61, "step_at")
    after = await shift.item(item)
    assert (after["state"], after["step"], after["agent_id"]) == ("offered", 1, shift.deniz)
    assert (after["due_at"], after["enqueued_at"]) == (before["due_at"], before["enqueued_at"])
    await shift.sound()


async def test_queued_customer_leaves_is_abandoned(shift: Shift) -> None:
    await shift.execute("update santral.queue set mode = 'pull'")
    item = await shift.waiting()
    await leaves(shift)
    await leaves(shift)
    row = await shift.item(item)
    assert (row["state"], row["closed_at"] is not None) == ("abandoned", True)
    assert await shift.events(item) == [("item.queued", None), ("item.abandoned", None)]
    assert len(await rows(shift.db, "select 1 from santral.work_item")) == 1
    assert len(await rows(shift.db, "select 1 from santral.conversation where state = 'closed'")) == 1
    await shift.sound()


async def test_queued_customer_leaves_and_is_called_back(shift: Shift) -> None:
    await shift.terms("chat", callback=True)
    await shift.execute("update santral.queue set mode = 'pull'")
    item = await shift.waiting()
    await leaves(shift)
    second = await shift.item(await shift.newest())
    assert (await shift.state(item), second["state"], second["kind"], second["reopened_from"]) == (
        "abandoned",
        "queued",
        "callback",
        item,
    )
    assert len(await rows(shift.db, "select 1 from santral.conversation where state = 'open'")) == 1
    await shift.sound()


async def leaves(shift: Shift) -> None:
    (conversation,) = await rows(shift.db, "select id from santral.conversation")
    async with shift.db.batch(shift.workspace.id) as connection:
        await work.abandon(connection, workspace_id=shift.workspace.id, conversation_id=conversation["id"], reason="left")


async def test_queued_time_to_live_overflows_once_and_then_is_quarantined(shift: Shift) -> None:
    await shift.terms("chat", live_s=600)
    overflow = await shift.add_queue("tasma")
    await shift.execute("update santral.queue set overflow = 'tasma', mode = 'pull' where name = 'genel'")
    item = await shift.waiting()
    await shift.settle()
    before = await shift.item(item)
    await shift.passes(item, 601, "enqueued_at")
    row = await shift.item(item)
    assert (row["state"], row["queue_id"], row["overflowed"], row["due_at"]) == ("queued", overflow, True, before["due_at"])
    await shift.passes(item, 1, "expires_at")
    assert await shift.state(item) == "canceled"
    (entry,) = await rows(shift.db, "select * from santral.quarantine")
    (message,) = await rows(shift.db, "select id from santral.message where direction = 'in'")
    assert (entry["reason"], entry["state"], entry["message_id"]) == ("expired", "open", message["id"])
    (receipt,) = await rows(shift.db, "select state from santral.receipt")
    assert receipt["state"] == "quarantined"
    assert [kind for kind, _ in await shift.events(item)] == [
        "item.queued",
        "item.requeued",
        "item.canceled",
        "message.quarantined",
    ]
    await shift.sound()
    await replayed(shift, entry, item)


async def replayed(shift: Shift, entry: dict[str, object], expired: object) -> None:
    """Taken out of quarantine, it waits again as a new item, once."""

    async def again() -> object:
        return await replay(
            shift.db, shift.member.intake.batch, shift.member.configuration, workspace_id=shift.workspace.id,
            entry_id=entry["id"], actor="key:1", secret=SECRET,  # type: ignore[arg-type]
        )  # fmt: skip

    await again()
    second = await shift.item(await shift.newest())
    assert (second["state"], second["reopened_from"]) == ("queued", expired)
    (receipt,) = await rows(shift.db, "select state from santral.receipt")
    assert receipt["state"] == "taken"
    with pytest.raises(Conflict):
        await again()
    assert len(await rows(shift.db, "select 1 from santral.work_item")) == 2
    await shift.sound()


async def test_offered_accepted_in_time_is_assigned(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    offer = await shift.offer(item)
    await shift.accept(item)
    assert (await shift.state(item), await shift.offers(item)) == ("assigned", [(shift.deniz, "accepted")])
    with pytest.raises(Conflict):
        async with shift.db.batch(shift.workspace.id) as connection:
            await offers.accept(connection, workspace_id=shift.workspace.id, offer_id=offer["id"], agent_id=shift.deniz)
    ece = await shift.colleague()
    with pytest.raises(NotFound):
        async with shift.db.batch(shift.workspace.id) as connection:
            await offers.accept(connection, workspace_id=shift.workspace.id, offer_id=offer["id"], agent_id=ece)
    await shift.sound()


async def test_offered_declined_is_queued_with_its_key(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    before = await shift.item(item)
    await shift.decline(item)
    after = await shift.item(item)
    assert (after["state"], after["due_at"], after["enqueued_at"]) == ("queued", before["due_at"], before["enqueued_at"])
    assert (after["excluded"][str(shift.deniz)]["count"], await shift.used()) == (1, 0)
    assert (await shift.row("agent", shift.deniz))["presence"] == "online"
    assert (await shift.events(item))[-2:] == [("offer.declined", shift.deniz), ("item.escalated", None)]
    await shift.sound()


async def test_offered_deadline_is_queued_and_the_agent_not_responding(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    before = await shift.item(item)
    await shift.passes(item)
    after = await shift.item(item)
    assert (after["state"], after["due_at"], await shift.used()) == ("queued", before["due_at"], 0)
    assert (await shift.row("agent", shift.deniz))["presence"] == "not_responding"
    assert await shift.offers(item) == [(shift.deniz, "expired")]
    assert (await shift.events(item))[-2:] == [("offer.expired", shift.deniz), ("item.escalated", None)]
    await shift.sound()


async def test_offered_agent_lost_is_queued(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    before = await shift.item(item)
    ece = await shift.colleague()
    await shift.lease_ran_out(shift.deniz)
    after = await shift.item(item)
    assert (after["agent_id"], after["due_at"], await shift.used()) == (ece, before["due_at"], 0)
    assert await shift.offers(item) == [(shift.deniz, "revoked"), (ece, "open")]
    assert (await shift.events(item))[-2:] == [("offer.revoked", shift.deniz), ("offer.made", ece)]
    await shift.sound()


async def test_offered_customer_leaves_is_abandoned_and_the_offer_rescinded(shift: Shift) -> None:
    item = await shift.waiting()
    await shift.settle()
    await leaves(shift)
    assert (await shift.state(item), await shift.offers(item), await shift.used()) == ("abandoned", [(shift.deniz, "rescinded")], 0)
    assert (await shift.events(item))[-1] == ("item.abandoned", shift.deniz)
    await shift.sound()


@pytest.mark.parametrize(("mode", "pushed", "claimable"), [("push", True, False), ("pull", False, True), ("both", False, True)])
async def test_queued_claimed_where_the_queue_allows_pull(shift: Shift, mode: str, pushed: bool, claimable: bool) -> None:
    await shift.execute("update santral.queue set mode = $1", mode)
    if mode == "both":
        await shift.execute("update santral.agent set budget = 66 where id = $1", shift.deniz)
    items = [await shift.waiting(who=f"v{n}") for n in range(3)]

    async def claim(item: object) -> None:
        async with shift.db.batch(shift.workspace.id) as connection:
            await work.claim(connection, workspace_id=shift.workspace.id, item_id=item, agent_id=shift.deniz)  # type: ignore[arg-type]

    if not claimable:
        with pytest.raises(Conflict):
            await claim(items[0])
        await shift.settle()
        assert (await shift.state(items[0]) == "offered") is pushed
        return
    await claim(items[2])
    assert (await shift.state(items[2]), await shift.used()) == ("assigned", 33)
    await shift.settle()
    # What is pulled is never pushed; where both are allowed, the longest waiting is offered as well.
    assert [await shift.state(one) for one in items] == [["queued", "offered"][mode == "both"], "queued", "assigned"]
    with pytest.raises(Conflict):
        await claim(items[2])
    if mode == "pull":
        await claim(items[1])
        await claim(items[0])
    more = await shift.waiting(who="v9")
    with pytest.raises(Conflict):  # claiming keeps to the agent's capacity, as dispatch does
        await claim(more)
    await shift.execute("delete from santral.queue_member")
    with pytest.raises(Conflict):
        await claim(more)
    await shift.sound()

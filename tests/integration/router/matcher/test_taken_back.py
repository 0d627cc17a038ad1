"""Offers at agents who do not hear them any more: taken back at once, without a penalty, and their presence stays what they chose."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from router.commands.presence import note_no_answer, set_presence
from shared.errors import Conflict
from tests.support.intake_line import rows
from tests.support.shift import Shift


async def becomes(shift: Shift, presence: str, **more: Any) -> None:
    async with shift.db.batch(shift.workspace.id) as connection:
        await set_presence(connection, workspace_id=shift.workspace.id, agent_id=shift.deniz, presence=presence, **more)


async def ringing(shift: Shift) -> Any:
    item = await shift.waiting()
    await shift.settle()
    assert await shift.state(item) == "offered"
    return item


@pytest.mark.parametrize(
    ("presence", "channels", "reason"),
    [("away", None, "away"), ("offline", None, "offline"), ("online", {"chat": "away"}, "channel_disabled")],
)
async def test_who_goes_away_is_not_rung_and_not_blamed(
    shift: Shift, presence: str, channels: dict[str, str] | None, reason: str
) -> None:
    item = await ringing(shift)
    before, offer = await shift.item(item), await shift.offer(item)
    await becomes(shift, presence, channels=channels)
    with pytest.raises(Conflict, match="so the offer goes back"):
        await shift.accept(item)
    await shift.settle()
    after = await shift.item(item)
    assert (after["state"], after["due_at"], after["enqueued_at"]) == ("queued", before["due_at"], before["enqueued_at"])
    assert (after["excluded"], await shift.used()) == ({}, 0)
    (ended,) = await rows(shift.db, "select data from santral.event where type = 'offer.revoked'")
    assert (ended["data"]["reason"], ended["data"]["offer_id"]) == (reason, str(offer["id"]))
    assert (await shift.row("offer", offer["id"]))["state"] == "revoked"
    assert (await shift.row("agent", shift.deniz))["presence"] == presence
    await becomes(shift, "online", channels={})
    await shift.settle()
    assert await shift.state(item) == "offered", "who is back is asked again at once"
    await shift.sound()


@pytest.mark.parametrize("change", ["off_shift = true", "enabled = false", "lease_until = now() - interval '1 s'"])
async def test_so_is_whose_shift_ended_who_was_disabled_and_whose_socket_dropped(shift: Shift, change: str) -> None:
    item = await ringing(shift)
    await shift.execute(f"update santral.agent set {change}, version = version + 1 where id = $1", shift.deniz)
    await shift.tell("agent", shift.deniz)
    assert await shift.state(item) == "queued"
    assert (await shift.item(item))["excluded"] == {}
    assert (await shift.row("agent", shift.deniz))["presence"] == "online"
    await shift.sound()


async def test_a_colleague_is_asked_instead(shift: Shift) -> None:
    item = await ringing(shift)
    ece = await shift.colleague()
    await shift.settle()
    await becomes(shift, "away")
    await shift.settle()
    assert await shift.offers(item) == [(shift.deniz, "revoked"), (ece, "open")]


async def test_an_offers_end_never_changes_what_the_agent_chose_after_it_began(shift: Shift) -> None:
    """As when dispatch stood still meanwhile, or another router's offer ran out in the same moment."""
    item = await ringing(shift)
    offer = await shift.offer(item)
    for chosen, reason in (("away", "lunch"), ("online", "back"), ("busy", "")):
        await becomes(shift, chosen, reason=reason)
        async with shift.db.batch(shift.workspace.id) as connection:
            await note_no_answer(connection, workspace_id=shift.workspace.id, agent_id=shift.deniz, offer_id=offer["id"])
        assert (await shift.row("agent", shift.deniz))["presence"] == chosen


async def test_an_offer_that_ran_out_while_its_agent_was_away_is_taken_back_not_missed(shift: Shift) -> None:
    item = await ringing(shift)
    await becomes(shift, "away")
    await shift.passes(item)
    assert [state for _, state in await shift.offers(item)] == ["revoked"]
    assert (await shift.row("agent", shift.deniz))["presence"] == "away"


async def test_accepting_and_going_away_at_once_ends_in_one_of_two_ways(shift: Shift) -> None:
    for _ in range(6):
        item = await ringing(shift)
        answers = await asyncio.gather(shift.accept(item), becomes(shift, "away"), return_exceptions=True)
        await shift.settle()
        row = await shift.item(item)
        if isinstance(answers[0], Conflict):
            assert (row["state"], row["agent_id"]) == ("queued", None)
        else:
            assert answers[0] is None
            assert (row["state"], row["agent_id"]) == ("assigned", shift.deniz)
        assert (await shift.row("agent", shift.deniz))["presence"] == "away"
        async with shift.db.batch(shift.workspace.id) as connection:
            await connection.execute("delete from santral.dispatch_change")
        await becomes(shift, "online")
        await shift.settle()
        if await shift.state(item) == "offered":
            await shift.accept(item)
        await shift.done(item)
        await shift.passes(item)
    await shift.sound()


async def test_who_is_busy_may_still_take_what_rings(shift: Shift) -> None:
    item = await ringing(shift)
    await becomes(shift, "busy")
    await shift.settle()
    await shift.accept(item)
    assert await shift.state(item) == "assigned"

"""Rows of the work item's table in which an item is with an agent, or on its way between two, on real PostgreSQL.

| row | test |
|---|---|
| assigned, transfer to an agent: giver's capacity until the target accepted | test_assigned_transfer_to_an_agent_who_accepts |
| assigned, transfer to a queue | test_assigned_transfer_to_a_queue |
| assigned, transfer, refused: the giver keeps it | test_offered_by_transfer_declined_goes_back_to_the_giver |
| offered by transfer, deadline | test_offered_by_transfer_unanswered_goes_back_to_the_giver |
| offered by transfer, target lost | test_offered_by_transfer_target_lost_goes_back_to_the_giver |
| offered by transfer, declined, giver gone | test_offered_by_transfer_declined_with_the_giver_gone_is_queued |
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from router.commands import work
from router.commands.transfer import transfer
from shared.database import retried
from shared.errors import Conflict, NotFound, Unprocessable
from tests.support.intake_line import rows
from tests.support.shift import Shift


async def test_assigned_transfer_to_an_agent_who_accepts(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    await shift.hand_over(item, to_agent=ece, note="İade onayı bekliyor, müşteri kızgın.")
    assert (await shift.offer(item))["agent_id"] == ece
    assert (await shift.used(), await shift.used(ece)) == (33, 33)
    await shift.accept(item)
    row = await shift.item(item)
    assert (row["state"], row["agent_id"], row["giver_agent_id"]) == ("assigned", ece, None)
    assert (await shift.used(), await shift.used(ece)) == (0, 33)
    assert (await shift.events(item))[-4:] == [
        ("item.requeued", shift.deniz), ("offer.made", ece), ("offer.accepted", ece), ("offer.accepted", shift.deniz),
    ]  # fmt: skip
    (note,) = await rows(shift.db, "select * from santral.message where direction = 'note'")
    assert (note["text"], note["agent_id"], note["visibility"]) == ("İade onayı bekliyor, müşteri kızgın.", shift.deniz, "internal")
    assert await rows(shift.db, "select 1 from santral.event e where e::text like '%kızgın%'") == []
    await shift.sound()


async def test_assigned_transfer_to_a_queue(shift: Shift) -> None:
    item = await shift.mine()
    queue = await shift.add_queue("fatura")
    await shift.hand_over(item, to_queue="fatura")
    row = await shift.item(item)
    assert (row["state"], row["queue_id"], row["giver_agent_id"]) == ("queued", queue, shift.deniz)
    assert await shift.used() == 33
    ece = await shift.colleague()
    await shift.execute(
        "insert into santral.queue_member (workspace_id, queue_id, agent_id) values ($1, $2, $3)", shift.workspace.id, queue, ece
    )
    await shift.tell("agent", ece)
    await shift.accept(item)
    assert (await shift.item(item))["agent_id"] == ece
    assert (await shift.used(), await shift.used(ece)) == (0, 33)
    await shift.sound()


async def test_assigned_transfer_to_a_queue_that_nobody_took_in_time_comes_back(shift: Shift) -> None:
    item = await shift.mine()
    await shift.add_queue("fatura")
    await shift.hand_over(item, to_queue="fatura", wait_s=60)
    assert await shift.state(item) == "queued"
    await shift.passes(item, 1, "sticky_until")
    row = await shift.item(item)
    assert (row["state"], row["agent_id"]) == ("assigned", shift.deniz)
    assert await shift.used() == 33
    await shift.sound()


async def test_offered_by_transfer_declined_goes_back_to_the_giver(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    await shift.hand_over(item, to_agent=ece)
    await shift.decline(item)
    row = await shift.item(item)
    assert (row["state"], row["agent_id"], row["giver_agent_id"]) == ("assigned", shift.deniz, None)
    assert (await shift.used(), await shift.used(ece)) == (33, 0)
    assert (await shift.events(item))[-2:] == [("offer.declined", shift.deniz), ("offer.declined", ece)]
    await shift.sound()


async def test_offered_by_transfer_unanswered_goes_back_to_the_giver(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    await shift.hand_over(item, to_agent=ece)
    await shift.passes(item)
    row = await shift.item(item)
    assert (row["state"], row["agent_id"]) == ("assigned", shift.deniz)
    assert (await shift.row("agent", ece))["presence"] == "not_responding"
    assert (await shift.used(), await shift.used(ece)) == (33, 0)
    await shift.sound()


async def test_offered_by_transfer_target_lost_goes_back_to_the_giver(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    await shift.hand_over(item, to_agent=ece)
    await shift.lease_ran_out(ece)
    row = await shift.item(item)
    assert (row["state"], row["agent_id"]) == ("assigned", shift.deniz)
    assert (await shift.offers(item))[-1] == (ece, "revoked")
    assert (await shift.events(item))[-2:] == [("offer.revoked", shift.deniz), ("offer.revoked", ece)]
    assert (await shift.used(), await shift.used(ece)) == (33, 0)
    await shift.sound()


async def test_offered_by_transfer_declined_with_the_giver_gone_is_queued(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    await shift.hand_over(item, to_agent=ece)
    await shift.lease_ran_out(shift.deniz, ago_s=61)
    await shift.decline(item)
    row = await shift.item(item)
    assert (row["state"], row["agent_id"], row["giver_agent_id"]) == ("queued", None, None)
    assert (await shift.used(), await shift.used(ece)) == (0, 0)
    await shift.sound()


async def test_a_transfer_waits_for_a_target_without_room_and_then_comes_back(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague(budget=10)
    await shift.hand_over(item, to_agent=ece, wait_s=60)
    assert await shift.state(item) == "queued"
    await shift.passes(item, 1, "sticky_until")
    assert ((await shift.item(item))["agent_id"], await shift.used(), await shift.used(ece)) == (shift.deniz, 33, 0)
    assert (await shift.events(item))[-1] == ("item.assigned", shift.deniz)
    await shift.sound()


async def test_a_target_who_vanishes_before_the_offer_leaves_it_with_the_giver(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague(budget=10)
    await shift.hand_over(item, to_agent=ece)
    await shift.lease_ran_out(ece)
    assert ((await shift.item(item))["agent_id"], await shift.used()) == (shift.deniz, 33)
    await shift.sound()


async def test_mail_that_is_handed_over_is_offered_not_pushed(shift: Shift) -> None:
    item = await shift.mine(provider="smtp", who="ayse@ornek.com")
    assert await shift.state(item) == "assigned"
    ece = await shift.colleague()
    await shift.hand_over(item, to_agent=ece)
    assert await shift.state(item) == "offered"
    await shift.accept(item)
    assert (await shift.used(), await shift.used(ece)) == (0, 20)
    await shift.sound()


async def test_what_was_given_away_can_be_taken_back(shift: Shift) -> None:
    item = await shift.mine()
    await shift.add_queue("fatura")
    await shift.hand_over(item, to_queue="fatura")
    async with shift.db.batch(shift.workspace.id) as connection:
        await work.claim(connection, workspace_id=shift.workspace.id, item_id=item, agent_id=shift.deniz)
    assert ((await shift.item(item))["agent_id"], await shift.used()) == (shift.deniz, 33)
    await shift.sound()


async def test_transfers_that_cannot_be(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    await shift.execute("update santral.agent set presence = 'away' where id = $1", ece)
    for error, target in (
        (Unprocessable, {}),
        (Unprocessable, {"to_agent": ece, "to_queue": "genel"}),
        (NotFound, {"to_queue": "nowhere"}),
        (NotFound, {"to_agent": shift.workspace.queue_id}),
        (Conflict, {"to_agent": ece}),
        (Conflict, {"to_agent": shift.deniz}),
    ):
        with pytest.raises(error):
            await shift.hand_over(item, **target)
    with pytest.raises(Conflict):
        async with shift.db.batch(shift.workspace.id) as connection:
            await transfer(connection, workspace_id=shift.workspace.id, item_id=item, agent_id=ece, to_queue="genel")
    assert ((await shift.item(item))["agent_id"], await shift.used()) == (shift.deniz, 33)
    await shift.sound()


async def test_fifty_answers_to_a_transfer_have_one_winner(shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    await shift.hand_over(item, to_agent=ece)

    async def one() -> str:
        try:
            await retried(lambda: shift.accept(item))
        except (Conflict, ValueError):  # the offer is gone before, or after, it was looked up
            return "lost"
        return "won"

    assert sorted(await asyncio.gather(*(one() for _ in range(50)))) == ["lost"] * 49 + ["won"]
    assert (await shift.used(), await shift.used(ece)) == (0, 33)
    await shift.sound()


async def test_fifty_claims_have_one_winner(shift: Shift) -> None:
    await shift.execute("update santral.queue set mode = 'pull'")
    agents = [shift.deniz, *[await shift.colleague(f"agent {n}") for n in range(9)]]
    item = await shift.waiting()

    async def one(agent: UUID) -> str:
        async def work_on() -> None:
            async with shift.db.batch(shift.workspace.id) as connection:
                await work.claim(connection, workspace_id=shift.workspace.id, item_id=item, agent_id=agent)

        try:
            await retried(work_on)
        except Conflict:
            return "lost"
        return "won"

    answers = await asyncio.gather(*(one(agents[n % 10]) for n in range(50)))
    assert sorted(answers) == ["lost"] * 49 + ["won"]
    assert sum([await shift.used(agent) for agent in agents]) == 33
    await shift.sound()

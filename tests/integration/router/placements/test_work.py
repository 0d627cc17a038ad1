"""Open work when conversations become one or two: one item stays, capacity and offers come back, an undo begins it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import Shift, shift_of
from tests.support.workspaces import Workspace

PAIRS = (
    *((state, state) for state in ("queued", "offered", "assigned", "parked", "completed")),
    *(("assigned", state) for state in ("queued", "offered", "parked", "completed")),
    ("queued", "assigned"), ("offered", "assigned"), ("parked", "queued"), ("queued", "parked"), ("wrapping", "queued"),
    ("completed", "parked"),
)  # fmt: skip
RANK = ("completed", "wrapping", "parked", "queued", "offered", "assigned")


@pytest.fixture
async def desk(api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Regroup:
    shift = await shift_of(worker_db, database_urls, workspace)
    await shift.terms("chat", wrap_s=60)
    return await regroup_of(api, shift)


async def item_in(shift: Shift, state: str, who: str) -> UUID:
    """A chat of a customer in a state; what an agent has, Deniz has."""
    if state == "queued":
        await shift.execute("update santral.queue set mode = 'pull'")
        item = await shift.waiting(who=who, text=who)
        await shift.settle()
        return item
    await shift.execute("update santral.queue set mode = 'push'")
    item = await shift.waiting(who=who, text=who)
    await shift.settle()
    if state != "offered":
        await shift.accept(item)
    if state == "parked":
        await shift.reply(item)
        await shift.passes(item)
    if state in ("wrapping", "completed"):
        await shift.done(item)
    if state == "completed":
        await shift.passes(item)
    assert await shift.state(item) == state
    return item


async def waiting_of(desk: Regroup, conversation: UUID) -> dict[str, Any]:
    found = await desk.open_item(conversation)
    assert found is not None
    return found


@pytest.mark.parametrize(("one", "other"), PAIRS)
async def test_of_two_items_the_one_that_is_further_on_stays(desk: Regroup, one: str, other: str) -> None:
    shift = desk.shift
    await shift.execute("update santral.agent set budget = 300 where id = $1", shift.deniz)
    # What waits is made last: a queue for claiming offers nothing more.
    made = {who: await item_in(shift, state, who) for who, state in sorted({"v1": one, "v2": other}.items(), key=_last_queued)}
    source, target = made["v1"], made["v2"]
    gone, into = await desk.of(source), await desk.of(target)
    before, used = await desk.picture(), await shift.used()
    keys = {item: await key_of(shift, item) for item in made.values()}
    operation = await desk.merge(gone, into)
    sooner = one == other and one in ("queued", "offered") and keys[source] < keys[target]
    kept = source if sooner or RANK.index(one) > RANK.index(other) else target
    ended = target if kept is source else source
    assert await desk.open_item(gone) is None
    if (one, other) == ("completed", "completed"):
        assert await desk.open_item(into) is None
    else:
        assert (await waiting_of(desk, into))["id"] == kept
    if "completed" not in (one, other):
        row = await shift.item(ended)
        assert (row["state"], row["outcome"], row["held"]) == ("canceled", {"merged": True}, {})
        assert [offer for offer in await shift.offers(ended) if offer[1] == "open"] == []
    await shift.settle()
    await shift.sound()
    await desk.undo(operation)
    await shift.sound()
    after = await desk.picture()
    assert (after["messages"], after["refs"], after["receipts"]) == (before["messages"], before["refs"], before["receipts"])
    # Every item is there again but one that was only wrapped up: its work was done.
    state = one if ended == source else other
    if state != "wrapping":
        assert after["open"] == before["open"]
        for again in [await desk.open_item(where) for where in (gone, into)]:
            if again is not None and again["reopened_from"] == ended:
                assert again["state"] == ("parked" if state == "parked" else "queued")
    assert await shift.used() <= used
    await shift.settle()
    await shift.sound()


def _last_queued(entry: tuple[str, str]) -> bool:
    return entry[1] == "queued"


async def key_of(shift: Shift, item: UUID) -> tuple[int, datetime]:
    row = await shift.item(item)
    return (row["due_class"], row["due_at"])


async def test_work_taken_from_an_agent_comes_back_to_that_agent_at_its_place(desk: Regroup) -> None:
    shift = desk.shift
    mine = await shift.mine(who="v1", text="Bir")
    await shift.execute("update santral.agent set presence = 'away' where id = $1", shift.deniz)
    ece = await shift.colleague()
    theirs = await shift.mine(who="v2", text="İki")
    assert ((await shift.item(theirs))["agent_id"], await shift.used(), await shift.used(ece)) == (ece, 33, 33)
    key = await key_of(shift, mine)
    operation = await desk.merge(await desk.of(mine), await desk.of(theirs))
    assert (await shift.state(mine), await shift.used(), await shift.used(ece)) == ("canceled", 0, 33)
    assert ("item.canceled", shift.deniz) in await shift.events(mine)
    await desk.undo(operation)
    again = await waiting_of(desk, await desk.of(mine))
    assert (again["state"], again["sticky_agent_id"], again["reopened_from"]) == ("queued", shift.deniz, mine)
    assert (again["due_class"], again["due_at"]) == key
    await shift.execute("update santral.agent set presence = 'online', version = version + 1 where id = $1", shift.deniz)
    await shift.tell("agent", shift.deniz)
    assert (await shift.offer(again["id"]))["agent_id"] == shift.deniz
    await shift.sound()


async def test_parked_work_parks_again_until_the_same_moment(desk: Regroup) -> None:
    shift = desk.shift
    parked = await item_in(shift, "parked", "v1")
    until = (await shift.item(parked))["timer_at"]
    held = await shift.mine(who="v2", text="İki")
    operation = await desk.merge(await desk.of(parked), await desk.of(held))
    assert await shift.state(parked) == "canceled"
    await desk.undo(operation)
    again = await waiting_of(desk, await desk.of(parked))
    assert (again["state"], again["agent_id"], again["timer_at"]) == ("parked", shift.deniz, until)
    await shift.writes(who="v1", text="Merhaba?", accepted_at=datetime.now(UTC))
    await shift.settle()
    assert (await shift.item(again["id"]))["state"] in ("queued", "offered")
    await shift.sound()


async def test_what_came_for_the_one_that_stays_keeps_work_after_an_undo(desk: Regroup) -> None:
    shift = desk.shift
    held = await shift.mine(who="v1", text="Bir")
    done = await item_in(shift, "completed", "v2")
    gone, into = await desk.of(held), await desk.of(done)
    operation = await desk.merge(gone, into)
    await shift.writes(who="v2", text="Ben de yazdım", accepted_at=datetime.now(UTC))
    assert (await desk.texts(into))[-1] == "Ben de yazdım"
    await desk.undo(operation)
    assert (await waiting_of(desk, gone))["id"] == held
    assert (await waiting_of(desk, into))["state"] == "queued"
    await shift.sound()


async def test_a_question_put_into_parked_work_wakes_it(desk: Regroup) -> None:
    shift = desk.shift
    parked = await item_in(shift, "parked", "v1")
    other = await desk.begun("Bir", who="v2")
    await shift.writes(who="v2", text="Asıl soru", accepted_at=datetime.now(UTC))
    await desk.move("Asıl soru", await desk.of(parked))
    assert (await shift.state(parked), (await shift.item(parked))["sticky_agent_id"]) == ("queued", shift.deniz)
    assert await desk.texts(other) == ["Bir"]
    await shift.sound()


async def test_a_call_that_is_on_is_not_merged(desk: Regroup) -> None:
    shift = desk.shift
    item, other = await shift.mine(who="v1", text="Bir"), await desk.begun("İki", who="v2")
    await shift.execute("update santral.work_item set external = true where id = $1", item)
    before = await desk.picture()
    assert "call" in (await desk.merge(await desk.of(item), other, 409))["detail"]
    assert await desk.picture() == before


async def test_a_merge_answers_a_transfer_on_its_way(desk: Regroup) -> None:
    shift = desk.shift
    mine = await shift.mine(who="v1", text="Bir")
    ece = await shift.colleague()
    await shift.hand_over(mine, to_agent=ece)
    assert (await shift.state(mine), await shift.used(), await shift.used(ece)) == ("offered", 33, 33)
    await shift.execute("update santral.agent set budget = 300 where id = $1", shift.deniz)
    theirs = await shift.mine(who="v2", text="İki")
    assert (await shift.item(theirs))["state"] == "assigned"
    holder = (await shift.item(theirs))["agent_id"]
    await desk.merge(await desk.of(mine), await desk.of(theirs))
    assert {agent: await shift.used(agent) for agent in (shift.deniz, ece)} == {shift.deniz: 0, ece: 0} | {holder: 33}
    assert (await shift.offers(mine))[-1][1] == "rescinded"
    assert await rows(shift.db, "select 1 from santral.offer where state = 'open'") == []
    await shift.sound()

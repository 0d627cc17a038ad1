"""What peers of a queue may say beside capacity: turns in each queue, items of a queue at one agent, new items in a time."""

from __future__ import annotations

from uuid import UUID

from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import QueueState, Reserve
from router.item.plan import Plan, Step
from router.item.transition import Change
from tests.support.dispatch_world import EMAIL, World, uid

Q, OTHER = uid(1), uid(2)


def in_turn(world: World, *queues: UUID) -> None:
    for queue in queues:
        world.tell(QueueState(id=queue, comparator="round_robin"))


def test_round_robin_is_fair_in_each_queue_whatever_other_queues_ask() -> None:
    """A turn taken in one queue is none in another; a new core goes on where the rows say the old one was."""
    world = World()
    in_turn(world, Q, OTHER)
    for number in (101, 102):
        world.agent(number, Q, OTHER)
    asked: dict[UUID, list[UUID]] = {Q: [], OTHER: []}
    for number, queue in enumerate([Q, OTHER, OTHER, Q, OTHER, Q, Q, OTHER], start=1):
        item = world.item(number, queue, EMAIL)
        asked[queue].append(world.offers[-1][1])
        world.wait(1)
        world.done(item)
        if number == 4:
            world.core = Dispatch()
            in_turn(world, Q, OTHER)
            world.tell(*world.agents.values())
    assert asked == {queue: [uid(101), uid(102)] * 2 for queue in (Q, OTHER)}


def test_no_more_of_a_queue_at_one_agent_than_the_queue_allows() -> None:
    world = World()
    world.agent(101, Q, OTHER, items_max={Q: 1})
    first, second, other = world.item(1, Q, EMAIL), world.item(2, Q, EMAIL), world.item(3, OTHER, EMAIL)
    assert [world.state(one) for one in (first, second, other)] == ["assigned", "queued", "assigned"]
    world.reply(first)
    assert world.state(second) == "assigned", "parked work does not count"
    world.agent(102, Q, items_max={Q: 1}, presence="away")
    world.set_agent(uid(101), items_max={Q: 3})
    third = world.item(4, Q, EMAIL)
    decision = next(one.decision for one in reversed(world.effects) if isinstance(one, Reserve) and one.item == third)
    assert decision.candidates[0][0] == uid(101)


def test_a_limit_of_a_queue_holds_in_a_neighbour_too() -> None:
    """The queue of the item counts, through whichever queue its plan found the agent."""
    world = World()
    world.agent(101, OTHER, items_max={Q: 1})
    plan = Plan((Step(queues=(None, OTHER)),))
    items = [world.item(number, Q, EMAIL, plan=plan) for number in (1, 2)]
    own = world.item(3, OTHER, EMAIL)
    assert [world.state(one) for one in (*items, own)] == ["assigned", "queued", "assigned"]
    world.done(items[0])
    assert world.state(items[1]) == "assigned"


def test_the_decision_says_that_a_limit_was_reached() -> None:
    world = World()
    world.agent(101, Q, items_max={Q: 1})
    world.agent(102, Q, new_items_max=1, new_items_s=60.0)
    world.agent(103, Q, presence="away")
    for number in (1, 2):
        world.item(number, Q, EMAIL)
    world.set_agent(uid(103), presence="online")
    world.item(3, Q, EMAIL)
    decisions = [one.decision for one in world.effects if isinstance(one, Reserve)]
    assert decisions[-1].excluded == {"limit_reached": 2}


def test_new_items_come_at_their_pace_and_what_comes_back_does_not_count() -> None:
    world = World()
    world.agent(101, Q, new_items_max=2, new_items_s=60.0)
    mine = world.item(1, Q, EMAIL)
    world.wait(20)
    world.item(2, Q, EMAIL)
    third = world.item(3, Q, EMAIL)
    assert world.state(third) == "queued"
    world.reply(mine)
    world.change(mine, Change(trigger="customer_wrote", due=world.now + 60))
    assert world.holder(mine) == uid(101), "who comes back is not new"
    world.wait(39)
    assert world.state(third) == "queued"
    world.core = Dispatch()
    world.tell(*world.agents.values(), *world.items.values())
    world.wait(1.5)
    assert world.state(third) == "assigned", "a minute after the first of two"

"""Dispatch by example: one page of customer service, and what must happen."""

import random
from dataclasses import replace
from typing import Any

import pytest

from router.dispatch.agents import AgentState, Pull
from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import Advance, AgentLease, Escalate, ItemRemoved, QueueState, Reserve, Widen
from router.item.admission import DEFAULT_RULES
from router.item.item import ItemState
from router.item.plan import Plan, Step, reach
from router.item.transition import Change
from shared.errors import Conflict
from tests.support.dispatch_world import CHAT, EMAIL, PHONE, World, uid

Q, OTHER = uid(1), uid(2)


def test_an_arrival_goes_to_the_least_loaded_then_longest_idle_agent() -> None:
    world = World()
    world.agent(101, Q, idle_since=500.0)
    longest = world.agent(102, Q, idle_since=400.0)
    first, second = world.item(1, Q), world.item(2, Q)
    assert world.holder(first) == longest
    assert world.holder(second) == uid(101)
    reserve = next(one for one in world.effects if isinstance(one, Reserve))
    assert [one[0] for one in reserve.decision.candidates] == [longest, uid(101)]
    assert reserve.decision.candidates[0][1:3] == (0.0, 600.0)


def test_a_decision_counts_who_was_out_and_why() -> None:
    world = World()
    world.agent(101, Q, presence="away")
    world.agent(102, Q, lease_until=world.now - 1)
    world.agent(103, OTHER)
    world.agent(104, Q, channels={})
    world.agent(105, pulls={Q: Pull(delay_s=30.0)})
    world.agent(106, Q, budget=10)
    world.agent(107, Q)
    world.item(1, Q)
    (reserve,) = [one for one in world.effects if isinstance(one, Reserve)]
    assert reserve.decision.excluded == {
        "offline": 1, "lease_lost": 1, "not_member": 1, "channel_disabled": 1, "queue_delay": 1, "budget": 1
    }  # fmt: skip


def test_a_decline_keeps_the_key_and_the_item_goes_first_again() -> None:
    world = World()
    agent = world.agent(101, Q, channels={"chat": replace(DEFAULT_RULES["chat"], cap=1)})
    old = world.item(1, Q)
    world.wait(5)
    world.agent(102, Q, presence="busy")
    young = world.item(2, Q)
    key = world.items[old].due
    world.decline(old)
    assert world.items[old].due == key
    assert world.holder(young) == agent
    third = world.item(3, Q)
    world.set_agent(uid(102), presence="online", channels={"chat": replace(DEFAULT_RULES["chat"], cap=1)})
    assert (world.holder(old), world.state(third)) == (uid(102), "queued")


def test_waiting_items_are_served_first_come_first_served() -> None:
    world = World()
    numbers = list(range(1, 30))
    random.Random(4).shuffle(numbers)
    for number in numbers:
        world.item(number, Q, EMAIL)
        world.wait(1)
    agent = world.agent(101, Q, channels={"email": replace(DEFAULT_RULES["email"], cap=1)})
    for _ in numbers:
        world.done(world.offers[-1][0])
    assert [item.int for item, _ in world.offers] == numbers
    assert world.used(agent) == 0


def test_an_exclusive_call_blocks_chat_and_a_chat_blocks_a_call() -> None:
    world = World()
    agent = world.agent(101, Q)
    call = world.item(1, Q, PHONE)
    world.accept(call)
    chat = world.item(2, Q, CHAT)
    assert world.state(chat) == "queued"
    world.done(call)
    assert world.state(chat) == "queued", "wrapping keeps its share"
    world.wait(6)
    assert world.holder(chat) == agent
    assert world.state(world.item(3, Q, PHONE)) == "queued"


def test_an_exclusive_item_blocks_everything_whatever_it_costs() -> None:
    world = World()
    rules = {**DEFAULT_RULES, "phone": replace(DEFAULT_RULES["phone"], cost=10)}
    world.agent(101, Q, channels=rules)
    call = world.item(1, Q, PHONE)
    others = [world.item(2, Q, CHAT), world.item(3, Q, EMAIL)]
    assert [world.state(one) for one in (call, *others)] == ["offered", "queued", "queued"]


def test_what_is_gone_does_not_come_back_by_an_old_telling() -> None:
    world = World()
    agent = world.agent(101, Q)
    old_agent = world.agents[agent]
    world.remove_agent(agent)
    world.tell(old_agent)
    item = world.item(1, Q)
    assert world.state(item) == "queued"
    old_item = world.items[item]
    world.change(item, Change(trigger="customer_left"))
    world.tell(old_item)
    world.agent(102, Q)
    assert world.offers == []


def test_mail_is_interrupted_by_chat_but_not_by_mail() -> None:
    world = World()
    agent = world.agent(101, Q)
    mails = [world.item(number, Q, EMAIL) for number in range(1, 7)]
    assert [world.state(mail) for mail in mails] == ["assigned"] * 5 + ["queued"]
    assert world.used(agent) == 100
    assert world.state(world.item(10, Q, CHAT)) == "offered"
    world.reply(mails[0])
    assert world.state(mails[5]) == "queued", "80 + 33: no room for another mail"


def test_i15_fifty_answered_mails_hold_no_capacity() -> None:
    world = World()
    agent = world.agent(101, Q)
    mails = [world.item(number, Q, EMAIL) for number in range(1, 51)]
    for mail in mails:
        assert world.state(mail) == "assigned"
        world.reply(mail)
    assert world.used(agent) == 0
    assert {world.state(mail) for mail in mails} == {"parked"}


def test_i8_an_answer_wakes_the_item_for_its_owner_until_the_deadline() -> None:
    world = World()
    owner = world.agent(101, Q, channels={"email": replace(DEFAULT_RULES["email"], cap=1)})
    mail = world.item(1, Q, EMAIL)
    world.reply(mail)
    world.item(2, Q, EMAIL)
    world.agent(102, Q)
    world.change(mail, Change(trigger="customer_wrote", due=world.now + 60))
    assert world.state(mail) == "queued", "somebody else has room, but the owner is there"
    world.wait(EMAIL.sticky_s - 1)
    assert world.state(mail) == "queued"
    world.wait(2)
    assert world.holder(mail) == uid(102)
    world.reply(mail)
    world.note_absent(uid(102))
    world.set_agent(uid(102), presence="offline")
    world.done(uid(2))
    world.change(mail, Change(trigger="customer_wrote", due=world.now + 60))
    assert world.holder(mail) == owner, "an owner who is offline is not waited for"


def test_i8_reopened_work_asks_its_last_agent_first_only_while_there_is_room() -> None:
    world = World()
    owner = world.agent(101, Q, channels={"email": replace(DEFAULT_RULES["email"], cap=1)})
    again: dict[str, Any] = {"preferred": owner, "wait_until": world.now + EMAIL.sticky_s, "with_room": True}
    world.agent(102, Q, skills={})
    assert world.holder(world.item(1, Q, EMAIL, **again)) == owner
    assert world.holder(world.item(2, Q, EMAIL, **again)) == uid(102), "full: anybody at once"
    world.set_agent(uid(102), presence="away")
    world.done(uid(1))
    world.wait(EMAIL.wrap_s + 1)
    world.set_agent(owner, presence="busy")
    waits = world.item(3, Q, EMAIL, **again)
    assert world.state(waits) == "queued"
    world.set_agent(uid(102), presence="online")
    assert world.holder(waits) == uid(102), "busy is no room"


def test_i8_of_two_that_come_back_at_once_the_second_does_not_wait_for_the_first() -> None:
    world = World()
    owner = world.agent(101, Q, channels={"email": replace(DEFAULT_RULES["email"], cap=1)}, presence="offline")
    again: dict[str, Any] = {"preferred": owner, "wait_until": world.now + EMAIL.sticky_s, "with_room": True}
    world.set_agent(owner, presence="online")
    first, second = world.item(1, Q, EMAIL, **again), world.item(2, Q, EMAIL, **again)
    world.agent(102, Q)
    assert (world.holder(first), world.holder(second)) == (owner, uid(102))


def test_i11_an_accept_succeeds_once_and_a_late_one_conflicts() -> None:
    world = World()
    agent = world.agent(101, Q)
    item = world.item(1, Q)
    world.wait(CHAT.offer_s + 1)
    assert world.state(item) == "queued"
    with pytest.raises(Conflict):
        world.change(item, Change(trigger="accept", agent=agent))
    world.wait(CHAT.cooldown_s)
    assert world.state(item) == "offered"
    with pytest.raises(Conflict):
        world.change(item, Change(trigger="accept", agent=uid(102)))
    world.accept(item)
    with pytest.raises(Conflict):
        world.accept(item)


def test_i10_the_only_agent_is_asked_again_after_the_cool_down_and_at_most_three_times() -> None:
    world = World()
    world.agent(101, Q)
    item = world.item(1, Q)
    for times in (1, 2, 3):
        assert len(world.offers) == times
        world.decline(item)
        assert world.state(item) == "queued"
        world.wait(CHAT.cooldown_s - 1)
        assert world.state(item) == "queued"
        world.wait(2)
    assert len(world.offers) == 3
    reasons = [one.reason for one in world.effects if isinstance(one, Escalate)]
    assert reasons == ["all_declined", "all_declined", "exhausted"]


FRENCH = Plan((Step(requires=(("fr", 3),), timeout_s=60.0), Step(timeout_s=60.0)))


def test_a_step_that_nobody_can_ever_meet_is_passed_at_once_and_the_decision_says_so() -> None:
    world = World()
    world.agent(101, Q)
    world.item(1, Q, plan=FRENCH)
    assert [agent for _, agent in world.offers] == [uid(101)]
    widen = next(one for one in world.effects if isinstance(one, Widen))
    assert (widen.step, widen.reason) == (1, "nobody")
    reserve = next(one for one in world.effects if isinstance(one, Reserve))
    assert (reserve.decision.step, reserve.decision.unmet) == (1, (0,))


def test_who_can_meet_a_step_is_waited_for_though_away_and_no_more_when_gone_for_good() -> None:
    """Whoever is disabled, loses the skill, leaves the queue or is removed was the last; away is not gone."""
    gone: list[dict[str, object]] = [{"enabled": False, "presence": "offline"}, {"skills": {}}, {"queues": {}}]
    for changed in [*gone, None]:
        world = World()
        world.agent(101, Q)
        french = world.agent(102, Q, skills={"fr": 3}, presence="offline")
        item = world.item(1, Q, plan=FRENCH)
        world.wait(30)
        assert world.state(item) == "queued"
        if changed is None:
            world.remove_agent(french)
        else:
            world.set_agent(french, **changed)
        assert world.holder(item) == uid(101)


def test_who_is_added_later_takes_by_the_step_that_was_passed() -> None:
    world = World()
    world.agent(101, Q, presence="offline")
    item = world.item(1, Q, plan=FRENCH)
    world.agent(102, uid(2), skills={"fr": 3})
    world.set_agent(uid(102), queues={Q: Pull()})
    assert world.holder(item) == uid(102)


def test_a_plan_that_nobody_can_ever_meet_overflows_at_once() -> None:
    world = World()
    world.agent(101, uid(2))
    world.item(1, Q, plan=FRENCH)
    assert [one.reason for one in world.effects if isinstance(one, Escalate)] == ["plan_passed"]
    world.core.step(QueueState(id=Q, comparator="load", pulled=True), world.now)
    world.item(2, Q, plan=FRENCH)
    assert len([one for one in world.effects if isinstance(one, Escalate)]) == 1, "who takes by themselves is not known here"


def test_i10_two_agents_are_asked_in_turn_never_twice_in_a_row() -> None:
    world = World()
    world.agent(101, Q)
    world.agent(102, Q)
    item = world.item(1, Q)
    for _ in range(6):
        world.decline(item)
        for _ in range(40):
            world.wait(1 if world.state(item) == "queued" else 0)
    asked = [agent.int for _, agent in world.offers]
    assert asked in ([101, 102] * 3, [102, 101] * 3)
    assert world.state(item) == "queued"


def test_who_declined_is_asked_again_when_the_one_who_was_waited_for_leaves() -> None:
    world = World()
    world.agent(101, Q)
    item = world.item(1, Q)
    busy = world.agent(102, Q, channels={"chat": replace(DEFAULT_RULES["chat"], cap=0)})
    world.decline(item)
    world.wait(CHAT.cooldown_s + 1)
    assert world.state(item) == "queued", "102 was not asked yet"
    world.set_agent(busy, presence="offline")
    assert world.holder(item) == uid(101)


def test_a_refused_reservation_is_tried_again_after_20_ms_with_its_key() -> None:
    world = World(refuse_next=1)
    agent = world.agent(101, Q)
    item = world.item(1, Q)
    assert world.state(item) == "queued"
    assert world.core.next_wake_at == pytest.approx(world.now + 0.02)
    key = world.items[item].due
    world.wait(0.02)
    assert (world.holder(item), world.items[item].due) == (agent, key)


def test_i9_a_plan_widens_and_never_shrinks() -> None:
    plan = Plan((Step(requires=(("tr", 4),), timeout_s=10.0), Step(queues=(OTHER,), timeout_s=10.0), Step()))
    for step in (1, 2):
        for queue, requires in reach(plan, step - 1):
            assert any(q == queue and set(r) <= set(requires) for q, r in reach(plan, step))
    world = World()
    world.agent(101, Q)
    world.agent(109, Q, OTHER, skills={"tr": 4}, presence="offline")  # each step might be met
    item = world.item(1, Q, plan=plan)
    world.wait(9)
    assert world.state(item) == "queued"
    world.agent(102, OTHER, presence="busy")
    world.wait(12)
    assert world.holder(item) == uid(101)
    widened = [(one.step, one.step_at - 1000.0) for one in world.effects if isinstance(one, Widen)]
    assert widened == [(1, 10.0), (2, 20.0)]


def test_when_everybody_declined_the_next_step_begins_at_once() -> None:
    world = World()
    world.agent(101, Q)
    neighbour = world.agent(102, OTHER)
    item = world.item(1, Q, plan=Plan((Step(timeout_s=600.0), Step(queues=(OTHER,)))))
    world.decline(item)
    assert world.holder(item) == neighbour


def test_neighbours_are_asked_in_their_turn_however_idle_they_are() -> None:
    third = uid(13)
    plan = Plan((Step(queues=(None, third, OTHER), turns=((third, 1), (OTHER, 2))),))
    world = World()
    own, idle = world.agent(101, Q), world.agent(102, OTHER)
    world.wait(60)
    later = world.agent(103, third)
    holders = [world.holder(world.item(number, Q, plan=plan)) for number in range(1, 10)]
    assert holders == [own] * 3 + [later] * 3 + [idle] * 3


def test_in_a_neighbour_its_own_comparator_decides_whatever_the_delays() -> None:
    world = World()
    world.tell(QueueState(id=OTHER, comparator="least_flexible"))
    world.agent(101, Q, presence="offline")
    world.agent(102, OTHER, uid(13), idle_since=1.0)
    one_queue = world.agent(103, pulls={OTHER: Pull(delay_s=5.0)}, idle_since=2.0)
    item = world.item(1, Q, plan=Plan((Step(timeout_s=10.0), Step(queues=(OTHER,)))))
    world.wait(10)
    assert world.holder(item) == one_queue


def test_a_queue_delay_keeps_the_second_line_out_until_it_has_passed() -> None:
    world = World()
    world.agent(101, pulls={Q: Pull(delay_s=30.0)})
    item = world.item(1, Q)
    world.wait(29)
    assert world.state(item) == "queued"
    world.wait(1)
    assert world.state(item) == "offered"


def test_an_agent_prefers_the_queue_of_higher_priority() -> None:
    world = World()
    world.item(1, OTHER, EMAIL)
    world.wait(5)
    world.item(2, Q, EMAIL)
    rules = {"email": replace(DEFAULT_RULES["email"], cap=1)}
    world.agent(101, pulls={Q: Pull(priority=0), OTHER: Pull(priority=1)}, channels=rules)
    assert world.offers[0][0] == uid(2)


def test_a_direct_transfer_keeps_the_giver_until_the_target_accepts() -> None:
    world = World()
    giver, target = world.agent(101, Q), world.agent(102, OTHER)
    item = world.item(1, Q)
    world.accept(item)
    world.change(item, Change(trigger="transfer", agent=giver, target=target))
    assert (world.state(item), world.holder(item)) == ("offered", target)
    assert (world.used(giver), world.used(target)) == (33, 33)
    world.decline(item)
    assert (world.state(item), world.holder(item), world.used(target)) == ("assigned", giver, 0)
    world.change(item, Change(trigger="transfer", agent=giver, target=target))
    world.accept(item)
    assert (world.used(giver), world.used(target)) == (0, 33)


def test_a_target_who_is_not_there_gives_the_item_back() -> None:
    world = World()
    giver, target = world.agent(101, Q), world.agent(102, Q, presence="offline")
    item = world.item(1, Q)
    world.accept(item)
    world.change(item, Change(trigger="transfer", agent=giver, target=target))
    assert (world.state(item), world.holder(item)) == ("assigned", giver)


def test_a_lost_agent_loses_offers_at_once_and_chats_after_the_grace() -> None:
    world = World()
    lost = world.agent(101, Q, lease_until=world.now + 30)
    chat, offer, mail = world.item(1, Q), world.item(2, Q, goal_s=90), world.item(3, Q, EMAIL)
    world.accept(chat)
    world.wait(15)
    world.tell(AgentLease(id=lost, lease_until=world.now + 20))
    world.agent(102, Q, presence="busy")
    world.wait(6)
    world.set_agent(uid(102), presence="online")
    world.agents[lost] = replace(world.agents[lost], lease_until=1035.0)
    world.wait(15)
    assert world.holder(offer) == uid(102)
    assert (world.state(chat), world.holder(chat)) == ("assigned", lost)
    world.wait(60)
    assert (world.state(chat), world.holder(chat)) == ("offered", uid(102))
    assert (world.state(mail), world.holder(mail)) == ("assigned", lost), "mail waits for the shift's end"


def test_a_removed_agent_gives_everything_back() -> None:
    world = World()
    gone = world.agent(101, Q)
    mail = world.item(1, Q, EMAIL)
    world.agent(102, Q)
    world.remove_agent(gone)
    assert world.holder(mail) == uid(102)


def test_a_ramp_fills_an_agent_slowly() -> None:
    world = World()
    for number in range(1, 4):
        world.item(number, Q, EMAIL)
    world.agent(101, Q, ramp_until=world.now + 60, ramp_s=10.0)
    assert len(world.offers) == 1
    world.wait(10)
    assert len(world.offers) == 2


@pytest.mark.parametrize("batch_min", [8, 64])
def test_a_batch_matches_by_key_and_in_portions(batch_min: int) -> None:
    world = World(core=Dispatch(reserve_max=7, batch_min=batch_min))
    for number in range(1, 101):
        world.item(number, Q, EMAIL, goal_s=1000.0 - number)
    world.core.steps((), world.now)
    rules = {"email": replace(DEFAULT_RULES["email"], cap=1)}
    for number in range(200, 230):
        world.agent(number, Q, channels=rules, presence="away")
    for agent in list(world.agents):
        world.agents[agent] = replace(world.agents[agent], version=2, presence="online")
    world.tell(*world.agents.values())
    assert [item.int for item, _ in world.offers] == list(range(100, 70, -1))


def test_who_comes_free_is_a_candidate_and_counted_in_no_reason() -> None:
    """Three finish at once, one of them with a better claim than the one who is asked first: records and winners agree."""
    world = World()
    one_at_a_time = {"email": replace(DEFAULT_RULES["email"], cap=1)}
    busy = [world.agent(number, Q, channels=one_at_a_time) for number in (103, 102, 101)]
    held = [world.item(number, Q, EMAIL) for number in (1, 2, 3)]
    waiting = [world.item(number, Q, EMAIL) for number in (4, 5)]
    assert [world.state(one) for one in waiting] == ["queued", "queued"]
    world.effects.clear()
    for item in held:
        world.now += 1
        world._apply(item, Change(trigger="done", agent=world.items[item].agent))
    world.tell(*(world.items[one] for one in held), *(world.agents[one] for one in busy))
    first, second = [one for one in world.effects if isinstance(one, Reserve)]
    longest_idle = sorted(busy, key=lambda one: world.agents[one].idle_since)
    assert [first.agent, second.agent] == longest_idle[:2]
    assert [one[0] for one in first.decision.candidates] == longest_idle
    assert [one[0] for one in second.decision.candidates] == longest_idle[1:]
    assert (first.decision.excluded, second.decision.excluded) == ({}, {"cap_reached": 1})


def test_slopes_let_an_old_item_of_low_priority_overtake() -> None:
    world = World()
    low = world.item(1, Q, EMAIL, slope=1.0)
    world.wait(100)
    world.item(2, Q, EMAIL, slope=2.0)
    world.wait(10)
    world.agent(101, Q, channels={"email": replace(DEFAULT_RULES["email"], cap=1)})
    assert world.offers[0][0] == low
    world.wait(200)
    assert world.offers[0][0] == low


@pytest.mark.parametrize(("comparator", "chosen"), [("load", 101), ("best_skill", 102), ("least_flexible", 103)])
def test_comparators(comparator: str, chosen: int) -> None:
    world = World()
    world.tell(QueueState(id=Q, comparator=comparator))  # type: ignore[arg-type]
    world.agent(101, Q, OTHER, skills={"tr": 3}, idle_since=1.0)
    world.agent(102, Q, OTHER, skills={"tr": 5}, idle_since=2.0)
    world.agent(103, Q, skills={"tr": 3}, idle_since=3.0)
    item = world.item(1, Q, plan=Plan((Step(requires=(("tr", 2),)),)))
    assert world.holder(item) == uid(chosen)


def test_round_robin_goes_round() -> None:
    world = World()
    world.tell(QueueState(id=Q, comparator="round_robin"))
    for number in (101, 102, 103):
        world.agent(number, Q)
    for number in range(1, 7):
        world.item(number, Q)
        world.wait(1)
    assert [agent.int for _, agent in world.offers] == [101, 102, 103] * 2


def test_i13_the_same_events_give_the_same_effects() -> None:
    def run() -> list[object]:
        world, rng = World(), random.Random(7)
        for number in range(101, 106):
            world.agent(number, *((Q,) if number % 2 else (Q, OTHER)))
        for number in range(1, 200):
            world.item(number, rng.choice((Q, OTHER)), rng.choice((CHAT, EMAIL, PHONE)), goal_s=rng.choice((10, 60)))
            world.wait(rng.random() * 20)
            for item in world.open:
                if item.state == "offered":
                    world.change(item.id, Change(trigger=rng.choice(("accept", "decline")), agent=item.agent))
                elif item.state == "assigned" and rng.random() < 0.3:
                    world.done(item.id)
        return list(world.effects)

    first = run()
    assert len([one for one in first if isinstance(one, Reserve)]) > 150
    assert first == run()


def test_time_to_live_overflows_once_and_then_ends() -> None:
    world = World()
    item = world.item(1, Q, expires_at=world.now + 60)
    world.wait(61)
    assert (world.state(item), world.items[item].overflowed) == ("queued", True)


def test_i7_an_item_is_overtaken_only_by_what_arrives_within_the_bound() -> None:
    world = World()
    slow = world.item(1, Q, EMAIL, goal_s=100.0)
    for number in range(2, 40):
        world.wait(10)
        world.item(number, Q, EMAIL, goal_s=20.0)
    world.agent(101, Q, channels={"email": replace(DEFAULT_RULES["email"], cap=1)})
    while world.state(slow) == "queued":
        world.done(world.offers[-1][0])
    before = [world.items[item].enqueued_at for item, _ in world.offers[:-1]]
    assert max(before) - world.items[slow].enqueued_at <= 80.0


def test_a_sure_core_needs_no_answers() -> None:
    core = Dispatch(sure=True, explain=False)
    agent = AgentState(id=uid(101), version=1, queues={Q: Pull()}, channels=DEFAULT_RULES)
    items = [
        ItemState(id=uid(n), version=1, state="queued", terms=CHAT, queue=Q, due=float(n), enqueued_at=0.0) for n in range(1, 6)
    ]
    given = [one.item.int for one in core.steps((agent, *items), 0.0) if isinstance(one, Reserve)]
    assert given == [1, 2, 3]
    late = core.steps((), CHAT.offer_s)
    assert [(one.item.int, one.item_version) for one in late if isinstance(one, Advance)] == [(1, 2), (2, 2), (3, 2)]
    freed = replace(agent, version=core._floor.agents[agent.id].version + 1, used=66, counts={"chat": 2})
    (reserve,) = core.steps((ItemRemoved(id=uid(2), version=3), freed), CHAT.offer_s)
    assert isinstance(reserve, Reserve)
    assert reserve.item == uid(4)


def test_a_queue_that_takes_the_newest_first_and_takes_that_back() -> None:
    world = World()
    world.tell(QueueState(id=Q, comparator="load", order="newest_first"))
    for number in range(1, 5):
        world.item(number, Q, EMAIL, urgency=0 if number == 2 else 1)
        world.wait(1)
    one_at_a_time = {"email": replace(DEFAULT_RULES["email"], cap=1)}
    world.agent(101, Q, channels=one_at_a_time)
    world.done(uid(2))
    assert [item.int for item, _ in world.offers] == [2, 4], "urgency goes before the order"
    world.tell(QueueState(id=Q, comparator="load"))
    world.done(uid(4))
    world.done(uid(1))
    assert [item.int for item, _ in world.offers] == [2, 4, 1, 3]

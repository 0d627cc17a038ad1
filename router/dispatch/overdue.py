"""Where an open item belongs by the time: which line it stands in, which step of its plan it is in, what is overdue.

``look`` may be called at any time and any number of times; it leaves the item where it belongs now and arms the timer
for when that may change. Units: epoch seconds.
"""

from typing import Literal

from router.dispatch.floor import Floor
from router.dispatch.lanes import Agent, Item, Lane
from router.dispatch.matching import can_ever, standing
from router.dispatch.vocabulary import Advance, Escalate, Widen
from router.item.admission import admissible
from router.item.item import State, Trigger
from router.item.plan import OWN_QUEUE, raised_s, reach

SAY_AGAIN_S = 1.0

_AT_DEADLINE: dict[State, Trigger] = {
    "offered": "offer_expired",
    "assigned": "silence_passed",
    "parked": "silence_passed",
    "wrapping": "wrap_expired",
}


def look(floor: Floor, item: Item, now: float) -> None:
    """Put the item where it belongs by the time, and see to it that it is looked at again in time."""
    if item.pending is not None:
        return
    if item.state == "queued":
        floor.hold(item, None)
        _look_waiting(floor, item, now)
    else:
        floor.unplace(item)
        _look_held(floor, item, now)


def _look_held(floor: Floor, item: Item, now: float) -> None:
    agent = item.held_by if item.held_by is not None and item.held_by.id == item.agent else None
    if item.state == "parked" or item.agent is None:
        agent = None
    elif agent is None or agent.removed:
        agent = floor.agents.get(item.agent, agent)
    floor.hold(item, agent)
    if agent is not None and item.state == "offered":
        deaf = agent.deaf_to(item.facts.terms.channel, now)
        if deaf is not None:
            _say(floor, item, "agent_lost", now, reason=deaf)
            return
    if agent is not None and agent.lost(now) and item.state == "assigned":
        grace_s = 0.0 if agent.removed else item.facts.terms.grace_s
        if grace_s is not None:
            lost_at = now if agent.removed or agent.lease_until is None else agent.lease_until
            if lost_at + grace_s <= now:
                _say(floor, item, "agent_lost", now)
                return
            floor.timers.arm(item, lost_at + grace_s)
    if item.deadline is None:
        return
    if item.deadline <= now:
        _say(floor, item, _AT_DEADLINE[item.state], now)
    else:
        floor.timers.arm(item, item.deadline)


def _look_waiting(floor: Floor, item: Item, now: float) -> None:
    facts = item.facts
    if facts.expires_at is not None:
        if facts.expires_at <= now:
            # Nobody is asked to take what is about to move away: the offer would be refused.
            floor.unplace(item)
            _say(floor, item, "time_to_live_passed", now)
            return
        floor.timers.arm(item, facts.expires_at)
    if item.hold_until > now:
        floor.unplace(item)
        floor.timers.arm(item, item.hold_until)
        return
    if facts.target is not None:
        owner = floor.agents.get(facts.target)
        if owner is None or facts.wait_until <= now or not owner.present(now):
            floor.unplace(item)
            _say(floor, item, "target_unavailable", now)
            return
    else:
        if facts.giver is not None and facts.wait_until > 0:
            # Given to a queue for so long; nobody took it.
            if facts.wait_until <= now:
                floor.unplace(item)
                _say(floor, item, "target_unavailable", now)
                return
            floor.timers.arm(item, facts.wait_until)
        owner = None if facts.preferred is None or item.released else _sticky(floor, item, now)
        if facts.plan is not OWN_QUEUE or facts.exclusions:
            _widen(floor, item, now)
    if owner is not None:
        floor.timers.arm(item, facts.wait_until)
        if item.owner is not owner:
            floor.unplace(item)
            item.entry = (facts.urgency, facts.due, facts.enqueued_at, facts.id.int, item)
            floor.waiting += 1
            item.owner = owner
            owner.personal.add(item.entry)
    else:
        _stand(floor, item, now)
    floor.new_items[item] = None


def _sticky(floor: Floor, item: Item, now: float) -> Agent | None:
    """The agent for whom the item still waits. Once it waits for anybody, it is not taken back."""
    facts = item.facts
    assert facts.preferred is not None
    agent = floor.agents.get(facts.preferred)
    if (
        agent is None
        or facts.wait_until <= now
        or facts.preferred in facts.exclusions
        or facts.preferred == facts.giver
        or not agent.present(now)
        or (facts.with_room and (facts.queue in agent.full or admissible(agent, facts.terms.channel, now) is not None))
    ):
        item.released = True
        return None
    return agent


def _stand(floor: Floor, item: Item, now: float) -> None:
    """Let the item wait in the lanes of its step."""
    facts = item.facts
    if facts.queue in floor.newest_first:
        key = -facts.enqueued_at
    elif facts.slope > 0:
        key = facts.enqueued_at
    else:
        key = facts.due if facts.plan is OWN_QUEUE else facts.due - raised_s(facts.plan, item.step)
    entry = (facts.urgency, key, facts.enqueued_at, facts.id.int, item)
    lanes = _lanes(floor, item)
    if item.owner is not None or item.lanes != lanes or item.entry != entry:
        floor.unplace(item)
        item.entry = entry
        floor.waiting += 1
        item.lanes = lanes
        for lane in lanes:
            lane.put(entry)
    for lane in lanes:
        if lane.crew.delayed:
            for delay_s in lane.crew.pools:
                if facts.enqueued_at + delay_s > now:
                    floor.timers.arm(item, facts.enqueued_at + delay_s)
    for exclusion in facts.exclusions.values():
        if exclusion.until > now and exclusion.count < facts.terms.offers_max:
            floor.timers.arm(item, exclusion.until)


def _lanes(floor: Floor, item: Item) -> tuple[Lane, ...]:
    facts = item.facts
    channel = facts.terms.channel
    slope = 0.0 if facts.queue in floor.newest_first else facts.slope
    if facts.plan is OWN_QUEUE:
        lanes: tuple[Lane, ...] = (floor.book.lane(facts.queue, channel, (), slope),)
    else:
        lanes = tuple(
            floor.book.lane(queue or facts.queue, channel, requires, slope) for queue, requires in reach(facts.plan, item.step)
        )
    while floor.book.opened_for:
        floor.meet(*floor.book.opened_for.popitem(), floor.now)
    return lanes


def _widen(floor: Floor, item: Item, now: float) -> None:
    """Enter the steps whose time has come, or before which nobody is left, or nobody can ever be.

    What a passed step names stays within reach: who is added later takes the item by it.
    """
    facts = item.facts
    steps = facts.plan.steps
    while True:
        timeout_s = steps[item.step].timeout_s
        last = item.step + 1 == len(steps)
        over = timeout_s is not None and item.step_at + timeout_s <= now
        if timeout_s is not None and (over or (last and not any(can_ever(floor.book, facts, step) for step in range(len(steps))))):
            if last:
                _escalate(floor, item, "plan_passed")
                break
            item.step_at += timeout_s
            reason: Literal["timeout", "all_declined", "nobody"] = "timeout"
        elif not last and not can_ever(floor.book, facts, item.step):
            item.step_at = now
            reason = "nobody"
        elif facts.exclusions and not last and standing(item, _lanes(floor, item)) != "open":
            item.step_at = now
            reason = "all_declined"
        else:
            if timeout_s is not None:
                floor.timers.arm(item, item.step_at + timeout_s)
            break
        item.step += 1
        floor.effects.append(Widen(item=item.id, item_version=item.version, step=item.step, step_at=item.step_at, reason=reason))
    if facts.exclusions and item.step + 1 == len(steps):
        found = standing(item, _lanes(floor, item))
        if found in ("all_declined", "exhausted"):
            _escalate(floor, item, found)


def _escalate(floor: Floor, item: Item, reason: Literal["all_declined", "exhausted", "plan_passed"]) -> None:
    if item.escalated != reason:
        item.escalated = reason
        floor.effects.append(Escalate(item=item.id, item_version=item.version, reason=reason))


def _say(floor: Floor, item: Item, trigger: Trigger, now: float, *, reason: str = "") -> None:
    if item.said != trigger or now >= item.said_at + SAY_AGAIN_S:
        item.said = trigger
        item.said_at = now
        floor.effects.append(Advance(item=item.id, item_version=item.version, trigger=trigger, agent=item.agent, reason=reason))
    floor.timers.arm(item, item.said_at + SAY_AGAIN_S)

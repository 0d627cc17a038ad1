"""What becomes of a work item when something happens to it.

One pure function, ``transition``, for everybody who moves an item: dispatch, the commands of agents, intake, the simulator.
Units: seconds, times in epoch seconds. What may happen in which state stands in ``router/item/lifecycle.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from router.item.item import Exclusion, ItemState, State, Trigger
from router.item.lifecycle import LEGAL
from router.item.plan import OWN_QUEUE
from shared.errors import Conflict

_BY_THE_HOLDER: frozenset[Trigger] = frozenset({"accept", "decline", "reply", "done", "park", "transfer", "hand_over"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened, with the facts only the caller has.

    ``agent``: who acts, or to whom it is offered. ``queue`` / ``target``: where a transfer or an overflow goes.
    ``due`` / ``urgency``: the key of a new enqueue, also in another queue. ``step``: which step was entered. ``wait_s``: how long a transfer waits,
    how long an item that overflowed may live on. ``until``: when a parked item queues again by itself. ``gone``: the agent,
    or the giver, to whom the item would return is not there any more.
    """

    trigger: Trigger
    agent: UUID | None = None
    queue: UUID | None = None
    target: UUID | None = None
    due: float | None = None
    urgency: int | None = None
    step: int | None = None
    wait_s: float | None = None
    until: float | None = None
    gone: bool = False


def transition(item: ItemState, change: Change, now: float) -> ItemState:
    """Return the item after ``change``, one version on. The argument is not changed.

    Raises:
        Conflict: the state does not allow it, or another agent than the one the item is offered or assigned to
            acts (a late accept). Doing the same change twice is such a conflict, or changes nothing but the version.
    """
    allowed = LEGAL[item.state].get(change.trigger)
    if allowed is None:
        raise Conflict(f"an item that is {item.state} does not allow {change.trigger}", field="state")
    if change.trigger in _BY_THE_HOLDER and change.agent != item.agent:
        raise Conflict(f"{change.trigger}: the item is not with this agent", field="agent")
    changed = _CHANGES[change.trigger](item, change, now)
    after = replace(item, version=item.version + 1, **changed)
    assert after.state in allowed, f"{item.state} {change.trigger} gave {after.state}"
    return after


_Changed = dict[str, Any]


def _taken(agent: UUID | None) -> _Changed:
    return {
        "state": "assigned",
        "agent": agent,
        "giver": None,
        "target": None,
        "preferred": None,
        "exclusions": {},
        "last_offered": None,
        "deadline": None,
        "hold_until": 0.0,
    }


def _waiting(**more: Any) -> _Changed:
    return {"state": "queued", "agent": None, "deadline": None, "with_room": False, **more}


def _lives_anew(item: ItemState, now: float) -> _Changed:
    """The time to live counts waiting: time in an agent's hands is none, so who comes back from there lives anew."""
    return {"expires_at": None if item.terms.live_s is None else now + item.terms.live_s}


def _enters(item: ItemState, change: Change, now: float) -> _Changed:
    """The first step of the plan of the queue it goes to, by the key it has there; of its own plan where the queue stays."""
    first: _Changed = {"step": 0, "step_at": now, "exclusions": {}, "last_offered": None}
    if change.queue is None or change.queue == item.queue:
        return first
    due = item.due if change.due is None else change.due
    return {**first, "queue": change.queue, "plan": OWN_QUEUE, "due": due, "overflowed": False}


def _offer(item: ItemState, change: Change, now: float) -> _Changed:
    if change.agent == item.giver:
        raise Conflict("who gives an item away is not asked to take it", field="agent")
    return {
        "state": "offered",
        "agent": change.agent,
        "last_offered": change.agent,
        "deadline": now + item.terms.offer_s,
    }


def _assign(item: ItemState, change: Change, now: float) -> _Changed:
    if item.target is not None and change.agent not in (item.target, item.giver):
        raise Conflict("the item is on its way to another agent", field="agent")
    return _taken(change.agent)


def _reassign(item: ItemState, change: Change, now: float) -> _Changed:
    if item.state == "assigned" and change.agent == item.agent:
        raise Conflict("the agent has the item already", field="agent", remedy="name another agent")
    return _taken(change.agent)


def _accept(item: ItemState, change: Change, now: float) -> _Changed:
    return _taken(item.agent)


def _not_taken(item: ItemState, change: Change, now: float) -> _Changed:
    """The offer came to nothing: back to the giver of a direct transfer, else to the queue with the key it had."""
    if item.target is not None and item.giver is not None and not change.gone:
        return _taken(item.giver)
    assert item.agent is not None, "an offered item names its agent"
    before = item.exclusions.get(item.agent)
    exclusion = Exclusion(count=1 + (before.count if before else 0), until=now + item.terms.cooldown_s)
    giver = None if change.gone or item.target is not None else item.giver
    return _waiting(target=None, giver=giver, exclusions={**item.exclusions, item.agent: exclusion})


def _taken_back(item: ItemState, change: Change) -> _Changed:
    """The offer could not be heard any more. As if it had not been made: who comes back may be asked at once."""
    if item.target is not None and item.giver is not None and not change.gone:
        return _taken(item.giver)
    return _waiting(target=None, giver=None if change.gone or item.target is not None else item.giver)


def _agent_lost(item: ItemState, change: Change, now: float) -> _Changed:
    if item.state == "offered":
        return _taken_back(item, change)
    return _waiting(preferred=item.agent, wait_until=now + item.terms.sticky_s, **_lives_anew(item, now))


def _customer_wrote(item: ItemState, change: Change, now: float) -> _Changed:
    if item.state == "parked" or (item.state == "wrapping" and change.gone):
        return _enqueued_anew(item, change, now)
    if item.state in ("assigned", "wrapping"):
        return {"state": "assigned", "deadline": None}
    return {}


def _enqueued_anew(item: ItemState, change: Change, now: float) -> _Changed:
    return _waiting(
        preferred=item.agent,
        wait_until=now + item.terms.sticky_s,
        hold_until=0.0,
        enqueued_at=now,
        due=item.due if change.due is None else change.due,
        urgency=item.urgency if change.urgency is None else change.urgency,
        step=0,
        step_at=now,
        exclusions={},
        last_offered=None,
        overflowed=False,
        **_lives_anew(item, now),
    )


def _same(item: ItemState, change: Change, now: float) -> _Changed:
    return {}


def _reply(item: ItemState, change: Change, now: float) -> _Changed:
    if item.terms.park_after_reply_s <= 0:
        return _parked(item, now)
    return {"deadline": now + item.terms.park_after_reply_s}


def _parked(item: ItemState, now: float, until: float | None = None) -> _Changed:
    if until is not None:
        return {"state": "parked", "deadline": until, "hold_until": until}
    close_s = item.terms.close_after_s
    return {"state": "parked", "deadline": None if close_s is None else now + close_s, "hold_until": 0.0}


def _park(item: ItemState, change: Change, now: float) -> _Changed:
    return _parked(item, now, change.until)


def _silence_passed(item: ItemState, change: Change, now: float) -> _Changed:
    """The silence parks a chat; of parked work it ends what waits for the customer, and wakes what was put off until now."""
    if item.state == "assigned":
        return _parked(item, now)
    return _enqueued_anew(item, change, now) if item.hold_until > 0 else _final("completed")


def _transfer(item: ItemState, change: Change, now: float) -> _Changed:
    """To an agent: who waits for them until a deadline. To a queue: for anybody there, without end unless one is given."""
    if change.target is not None and change.target == item.agent:
        raise Conflict("the target already has the item", field="target", remedy="name another agent")
    wait_s = item.terms.sticky_s if change.wait_s is None and change.target is not None else change.wait_s
    return _waiting(
        giver=item.agent,
        target=change.target,
        preferred=None,
        wait_until=0.0 if wait_s is None else now + wait_s,
        **_enters(item, change, now),
        **_lives_anew(item, now),
    )


def _target_unavailable(item: ItemState, change: Change, now: float) -> _Changed:
    if item.target is None and item.giver is None:
        raise Conflict("the item waits for nobody in particular", field="target")
    if item.giver is not None and not change.gone:
        return _taken(item.giver)
    return _waiting(target=None, giver=None, wait_until=0.0)


def _delivery_failed(item: ItemState, change: Change, now: float) -> _Changed:
    if item.state == "offered" or item.giver is not None:
        return {}
    lives = {} if item.state == "queued" else _lives_anew(item, now)
    preferred = item.agent or change.agent or item.preferred
    return _waiting(preferred=preferred, wait_until=now + item.terms.sticky_s, hold_until=0.0, **lives)


def _done(item: ItemState, change: Change, now: float) -> _Changed:
    if item.state == "assigned" and item.terms.wrap_s > 0:
        return {"state": "wrapping", "deadline": now + item.terms.wrap_s}
    return _final("completed")


def _step_passed(item: ItemState, change: Change, now: float) -> _Changed:
    step = item.step + 1 if change.step is None else change.step
    if not item.step < step < len(item.plan.steps):
        raise Conflict(f"step {step} is not a later step of the plan", field="step")
    return {"step": step, "step_at": now}


def _time_to_live_passed(item: ItemState, change: Change, now: float) -> _Changed:
    """Once to the overflow queue, for anybody there; then canceled, and the caller puts it into quarantine as ``expired``."""
    if item.overflowed or change.queue is None:
        return _final("canceled")
    return {
        **_enters(item, change, now),
        # Nobody is excluded any more, so who was preferred and let it pass would be waited for again.
        **({} if item.preferred is None else {"preferred": None, "wait_until": 0.0}),
        "overflowed": True,
        "expires_at": None if change.wait_s is None else now + change.wait_s,
    }


def _overflow(item: ItemState, change: Change, now: float) -> _Changed:
    """Nobody is left to ask: to the overflow queue, once."""
    if item.overflowed or change.queue is None:
        raise Conflict("there is nowhere left to overflow to", field="queue", remedy="give the queue an overflow queue")
    return _time_to_live_passed(item, change, now)


def _hand_over(item: ItemState, change: Change, now: float) -> _Changed:
    """A bot is done with it: anybody may take it, by the key it has, in the first step of its plan."""
    lives = {} if item.state == "offered" else _lives_anew(item, now)
    return _waiting(giver=None, target=None, preferred=None, wait_until=0.0, hold_until=0.0, **_enters(item, change, now), **lives)


def _final(state: State) -> _Changed:
    return {"state": state, "deadline": None}


_CHANGES: Mapping[Trigger, Callable[[ItemState, Change, float], _Changed]] = {
    "offer": _offer,
    "assign": _assign,
    "claim": _assign,
    "reassign": _reassign,
    "accept": _accept,
    "decline": _not_taken,
    "offer_expired": _not_taken,
    "agent_lost": _agent_lost,
    "customer_left": lambda item, change, now: _final("abandoned"),
    "customer_wrote": _customer_wrote,
    "customer_thanked": _same,
    "reply": _reply,
    "silence_passed": _silence_passed,
    "park": _park,
    "transfer": _transfer,
    "target_unavailable": _target_unavailable,
    "delivery_failed": _delivery_failed,
    "done": _done,
    "call_ended": _done,
    "wrap_expired": _done,
    "step_passed": _step_passed,
    "time_to_live_passed": _time_to_live_passed,
    "overflow": _overflow,
    "hand_over": _hand_over,
    "cancel": lambda item, change, now: _final("canceled"),
}

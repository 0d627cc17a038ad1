"""The life of a work item: its states, what may happen in each, and what becomes of it then.

One table, ``LEGAL``, and one pure function, ``transition``, for everybody who moves an item: dispatch, the commands
of agents, intake, the simulator. Units: seconds, times in epoch seconds (floats: the core compares millions of
them). Identity: an item is its id; of two states of it the one with the higher version is true.

The key (``urgency``, ``due``) is computed once per enqueue: nothing that happens to an item but a new enqueue
(the customer writes to a parked item) changes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from router.plan import OWN_QUEUE, Plan
from shared.errors import Conflict

State = Literal["queued", "offered", "assigned", "parked", "wrapping", "completed", "abandoned", "canceled"]
Trigger = Literal[
    "offer",
    "assign",
    "accept",
    "decline",
    "offer_expired",
    "agent_lost",
    "customer_left",
    "customer_wrote",
    "customer_thanked",
    "reply",
    "silence_passed",
    "transfer",
    "target_unavailable",
    "claim",
    "delivery_failed",
    "done",
    "wrap_expired",
    "step_passed",
    "time_to_live_passed",
    "cancel",
]

OPEN: frozenset[State] = frozenset({"queued", "offered", "assigned", "parked", "wrapping"})
FINAL: frozenset[State] = frozenset({"completed", "abandoned", "canceled"})

_ANY_OPEN: Mapping[Trigger, tuple[State, ...]] = {"cancel": ("canceled",)}

LEGAL: Mapping[State, Mapping[Trigger, tuple[State, ...]]] = {
    "queued": {
        **_ANY_OPEN,
        "offer": ("offered",),
        "assign": ("assigned",),
        "claim": ("assigned",),
        "step_passed": ("queued",),
        "customer_left": ("abandoned",),
        "customer_wrote": ("queued",),
        "customer_thanked": ("queued",),
        "delivery_failed": ("queued",),
        "time_to_live_passed": ("queued", "canceled"),
        "target_unavailable": ("assigned", "queued"),
    },
    "offered": {
        **_ANY_OPEN,
        "accept": ("assigned",),
        "decline": ("queued", "assigned"),
        "offer_expired": ("queued", "assigned"),
        "agent_lost": ("queued", "assigned"),
        "customer_left": ("abandoned",),
        "customer_wrote": ("offered",),
        "customer_thanked": ("offered",),
        "delivery_failed": ("offered",),
    },
    "assigned": {
        **_ANY_OPEN,
        "reply": ("parked", "assigned"),
        "silence_passed": ("parked",),
        "transfer": ("queued",),
        "agent_lost": ("queued",),
        "customer_wrote": ("assigned",),
        "customer_thanked": ("assigned",),
        "delivery_failed": ("queued",),
        "done": ("wrapping", "completed"),
    },
    "parked": {
        **_ANY_OPEN,
        "customer_wrote": ("queued",),
        "customer_thanked": ("parked",),
        "delivery_failed": ("queued",),
        "silence_passed": ("completed",),
        "done": ("completed",),
    },
    "wrapping": {
        **_ANY_OPEN,
        "customer_wrote": ("assigned", "queued"),
        "customer_thanked": ("wrapping",),
        "delivery_failed": ("queued",),
        "wrap_expired": ("completed",),
        "done": ("completed",),
    },
    "completed": {},
    "abandoned": {},
    "canceled": {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a workspace handles a channel. One object is shared by all items of it."""

    channel: str
    auto_accept: bool = False
    offer_s: float = 20.0
    wrap_s: float = 0.0
    grace_s: float | None = 60.0
    sticky_s: float = 120.0
    cooldown_s: float = 30.0
    offers_max: int = 3
    park_after_reply_s: float = 0.0
    close_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Offers of the item that one agent did not take, and when the cool-down after the last one ends."""

    count: int
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """All that dispatch knows of a work item, as one row says it.

    ``agent``: to whom it is offered or assigned, who wraps it up, who owned it when it was parked. ``giver``: who
    transfers it and keeps its capacity until the target accepts. ``target``: the only agent it may go to.
    ``wait_until``: how long it waits for ``target`` or ``preferred``. ``deadline``: end of the offer, of the wrap
    time, or of the silence after which it parks or closes. ``slope``: > 0 orders by accumulating priority instead
    of ``due``. Smaller ``urgency`` first, then smaller ``due``.
    """

    id: UUID
    version: int
    state: State
    terms: Terms
    queue: UUID
    due: float
    enqueued_at: float
    urgency: int = 1
    plan: Plan = OWN_QUEUE
    step: int = 0
    step_at: float = 0.0
    slope: float = 0.0
    agent: UUID | None = None
    giver: UUID | None = None
    target: UUID | None = None
    preferred: UUID | None = None
    wait_until: float = 0.0
    exclusions: Mapping[UUID, Exclusion] = field(default_factory=dict)
    last_offered: UUID | None = None
    hold_until: float = 0.0
    deadline: float | None = None
    expires_at: float | None = None
    overflowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened, with the facts only the caller has.

    ``agent``: who acts, or to whom it is offered. ``queue`` / ``target``: where a transfer or an overflow goes.
    ``due`` / ``urgency``: the key of a new enqueue. ``step``: which step was entered. ``gone``: the agent, or the
    giver, to whom the item would return is not there any more.
    """

    trigger: Trigger
    agent: UUID | None = None
    queue: UUID | None = None
    target: UUID | None = None
    due: float | None = None
    urgency: int | None = None
    step: int | None = None
    wait_s: float | None = None
    gone: bool = False


def holders(item: ItemState) -> tuple[UUID, ...]:
    """The agents whose capacity the item uses: nobody's while it is parked, waiting or final."""
    taker = item.agent if item.state in ("offered", "assigned", "wrapping") else None
    giver = item.giver if item.state in ("queued", "offered") else None
    return tuple(agent for agent in (taker, giver) if agent is not None)


def transition(item: ItemState, change: Change, now: float) -> ItemState:
    """Return the item after ``change``, one version on. The argument is not changed.

    Raises:
        Conflict: the state does not allow it, or another agent than the one the item is offered or assigned to
            acts (a late accept). Doing the same change twice is such a conflict, or changes nothing but the version.
    """
    allowed = LEGAL[item.state].get(change.trigger)
    if allowed is None:
        raise Conflict(f"an item that is {item.state} does not allow {change.trigger}", field="state")
    if change.trigger in ("accept", "decline", "reply", "done", "transfer") and change.agent != item.agent:
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
    }


def _waiting(**more: Any) -> _Changed:
    return {"state": "queued", "agent": None, "deadline": None, **more}


def _offer(item: ItemState, change: Change, now: float) -> _Changed:
    return {
        "state": "offered",
        "agent": change.agent,
        "last_offered": change.agent,
        "deadline": now + item.terms.offer_s,
    }


def _assign(item: ItemState, change: Change, now: float) -> _Changed:
    if item.target is not None and change.agent != item.target:
        raise Conflict("the item is on its way to another agent", field="agent")
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


def _agent_lost(item: ItemState, change: Change, now: float) -> _Changed:
    if item.state == "offered":
        return _not_taken(item, change, now)
    return _waiting(preferred=item.agent, wait_until=now + item.terms.sticky_s)


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
        enqueued_at=now,
        due=item.due if change.due is None else change.due,
        urgency=item.urgency if change.urgency is None else change.urgency,
        step=0,
        step_at=now,
        exclusions={},
        last_offered=None,
    )


def _same(item: ItemState, change: Change, now: float) -> _Changed:
    return {}


def _reply(item: ItemState, change: Change, now: float) -> _Changed:
    if item.terms.park_after_reply_s <= 0:
        return _parked(item, now)
    return {"deadline": now + item.terms.park_after_reply_s}


def _parked(item: ItemState, now: float) -> _Changed:
    close_s = item.terms.close_after_s
    return {"state": "parked", "deadline": None if close_s is None else now + close_s}


def _silence_passed(item: ItemState, change: Change, now: float) -> _Changed:
    return _parked(item, now) if item.state == "assigned" else _final("completed")


def _transfer(item: ItemState, change: Change, now: float) -> _Changed:
    if change.target is not None and change.target == item.agent:
        raise Conflict("the target already has the item", field="target", remedy="name another agent")
    return _waiting(
        giver=item.agent,
        target=change.target,
        queue=change.queue or item.queue,
        wait_until=now + (item.terms.sticky_s if change.wait_s is None else change.wait_s),
        plan=item.plan if change.queue is None else OWN_QUEUE,
        step=0,
        step_at=now,
    )


def _target_unavailable(item: ItemState, change: Change, now: float) -> _Changed:
    if item.target is None:
        raise Conflict("the item waits for nobody in particular", field="target")
    if item.giver is not None and not change.gone:
        return _taken(item.giver)
    return _waiting(target=None, giver=None)


def _delivery_failed(item: ItemState, change: Change, now: float) -> _Changed:
    if item.state in ("queued", "offered"):
        return {}
    writer = change.agent or item.agent
    return _waiting(preferred=writer, wait_until=now + item.terms.sticky_s)


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
    """Once to the overflow queue; then canceled, and the caller puts it into quarantine as ``expired``."""
    if item.overflowed or change.queue is None:
        return _final("canceled")
    return {
        "queue": change.queue,
        "plan": OWN_QUEUE,
        "step": 0,
        "step_at": now,
        "overflowed": True,
        "exclusions": {},
        "last_offered": None,
        "expires_at": None if change.wait_s is None else now + change.wait_s,
    }


def _final(state: State) -> _Changed:
    return {"state": state, "deadline": None}


_CHANGES: Mapping[Trigger, Callable[[ItemState, Change, float], _Changed]] = {
    "offer": _offer,
    "assign": _assign,
    "claim": _assign,
    "accept": _accept,
    "decline": _not_taken,
    "offer_expired": _not_taken,
    "agent_lost": _agent_lost,
    "customer_left": lambda item, change, now: _final("abandoned"),
    "customer_wrote": _customer_wrote,
    "customer_thanked": _same,
    "reply": _reply,
    "silence_passed": _silence_passed,
    "transfer": _transfer,
    "target_unavailable": _target_unavailable,
    "delivery_failed": _delivery_failed,
    "done": _done,
    "wrap_expired": _done,
    "step_passed": _step_passed,
    "time_to_live_passed": _time_to_live_passed,
    "cancel": lambda item, change, now: _final("canceled"),
}

"""A work item as everybody who moves one sees it: its states, its channel's terms, and all that one row says.

What may happen in which state stands in ``router/item/lifecycle.py``, what becomes of an item then in ``router/item/transition.py``.
Units: seconds, times in epoch seconds (floats: the core compares millions of them). Identity: an item is its id; of two
states of it the one with the higher version is true.

The key (``urgency``, ``due``) is computed once per enqueue: nothing that happens to an item but a new enqueue (the customer writes to a
parked item, or it goes to another queue) changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from router.item.plan import OWN_QUEUE, Plan

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
    "reassign",
    "park",
    "call_ended",
    "delivery_failed",
    "done",
    "wrap_expired",
    "step_passed",
    "time_to_live_passed",
    "overflow",
    "hand_over",
    "cancel",
]

OPEN: frozenset[State] = frozenset({"queued", "offered", "assigned", "parked", "wrapping"})
FINAL: frozenset[State] = frozenset({"completed", "abandoned", "canceled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a workspace handles a channel. One object is shared by all items of it.

    ``live_s``: how long an item may wait before it overflows, and again before it is given up. ``callback``: whether a
    customer who leaves before anybody answered is called back.
    """

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
    live_s: float | None = None
    callback: bool = False


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
    ``wait_until``: how long it waits for ``target`` or ``preferred``, or for anybody before it goes back to the giver (0: as
    long as it takes); ``with_room``: only while ``preferred`` has room. ``hold_until``: not offered before; a parked item
    queues again then. ``deadline``: end of the offer, of the wrap time, or of the silence after which it parks or closes.
    ``slope``: > 0 orders by accumulating priority instead of ``due``. Smaller ``urgency`` first, then smaller ``due``.
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
    with_room: bool = False
    exclusions: Mapping[UUID, Exclusion] = field(default_factory=dict)
    last_offered: UUID | None = None
    hold_until: float = 0.0
    deadline: float | None = None
    expires_at: float | None = None
    overflowed: bool = False


def is_new_to(item: ItemState, agent: UUID) -> bool:
    """Whether the item would come to this agent as to anybody: neither back to who had it, nor from a colleague who names them."""
    return agent not in (item.preferred, item.target)


def holders(item: ItemState) -> tuple[UUID, ...]:
    """The agents whose capacity the item uses: nobody's while it is parked, waiting or final."""
    taker = item.agent if item.state in ("offered", "assigned", "wrapping") else None
    giver = item.giver if item.state in ("queued", "offered") else None
    return tuple(agent for agent in (taker, giver) if agent is not None)

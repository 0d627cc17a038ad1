"""The life of a work item: what may happen in each state, and which states may follow.

Read by ``router/item/transition.py``, which decides among them; tests walk it whole. A state is final when nothing may happen in it.
"""

from collections.abc import Mapping

from router.item.item import State, Trigger

_ANY_OPEN: Mapping[Trigger, tuple[State, ...]] = {"cancel": ("canceled",), "reassign": ("assigned",)}

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
        "overflow": ("queued",),
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
        "hand_over": ("queued",),
        "customer_thanked": ("offered",),
        "delivery_failed": ("offered",),
    },
    "assigned": {
        **_ANY_OPEN,
        "reply": ("parked", "assigned"),
        "park": ("parked",),
        "call_ended": ("wrapping", "completed"),
        "silence_passed": ("parked",),
        "transfer": ("queued",),
        "hand_over": ("queued",),
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
        "silence_passed": ("completed", "queued"),
        "done": ("completed",),
    },
    "wrapping": {
        **_ANY_OPEN,
        "customer_wrote": ("assigned", "queued"),
        "hand_over": ("queued",),
        "customer_thanked": ("wrapping",),
        "delivery_failed": ("queued",),
        "wrap_expired": ("completed",),
        "done": ("completed",),
    },
    "completed": {},
    "abandoned": {},
    "canceled": {},
}

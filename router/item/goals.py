"""The key that orders work: ``(class, due)``, smaller first, with ``due = enqueued + goal − boost``.

Computed once per enqueue and never again, so a heap stays sorted, and an item is overtaken only by items that arrive less than
``max(goal) − min(goal) + BOOST_MAX_S`` after it: the bound on starvation. Going to another queue is an enqueue there: the goal is that
queue's, the customer's wait and the boost stay.
Units: seconds; times aware UTC. The goal orders, a queue's target alarms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

GOALS_S: Final[Mapping[str, int]] = {"email": 4 * 3600, "chat": 60, "phone": 15, "social": 3600}
OTHER_GOAL_S: Final = 4 * 3600
GOAL_S_MAX: Final = 7 * 24 * 3600
BOOST_MAX_S: Final = 4 * 3600
EMERGENCY: Final = 0
NORMAL: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DueKey:
    """Smaller first: ``due_class`` (0 is the one strict class), then ``due_at``."""

    due_class: int
    due_at: datetime
    goal_s: int
    boost_s: int


def goal_s(channel: str, own: Mapping[str, Any]) -> int:
    """The goal of a channel in a queue with these goals of its own, within 1 s and seven days."""
    value = own.get(channel, GOALS_S.get(channel, OTHER_GOAL_S))
    if isinstance(value, bool) or not isinstance(value, int | float):
        value = GOALS_S.get(channel, OTHER_GOAL_S)
    return max(1, min(GOAL_S_MAX, int(value)))


def due_key(enqueued_at: datetime, *, channel: str, goals: Mapping[str, Any], boost_s: int = 0, strict: bool = False) -> DueKey:
    """The key of an item that enters a queue; a boost outside 0..4 h is cut to it."""
    goal = goal_s(channel, goals)
    boost = max(0, min(BOOST_MAX_S, boost_s))
    return DueKey(
        due_class=EMERGENCY if strict else NORMAL,
        due_at=enqueued_at + timedelta(seconds=goal - boost),
        goal_s=goal,
        boost_s=boost,
    )


def moved_due(due: float, *, channel: str, goals: Mapping[str, Any], to_goals: Mapping[str, Any]) -> float:
    """The key of an item that goes from a queue with ``goals`` to one with ``to_goals``: what it waited and its boost kept. Epoch seconds."""
    return due - goal_s(channel, goals) + goal_s(channel, to_goals)

"""What a run shows: each customer's wait and what became of them, each agent's use of time. **Units**: seconds."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from router.simulator.desk import Use
from router.simulator.scenario import Kind


@dataclass(slots=True)
class Waits:
    """The measured customers of one class, in the order in which their waiting ended: waits, and when they came."""

    served: array[float] = field(default_factory=lambda: array("d"))
    served_at: array[float] = field(default_factory=lambda: array("d"))
    abandoned: array[float] = field(default_factory=lambda: array("d"))
    abandoned_at: array[float] = field(default_factory=lambda: array("d"))
    unserved: int = 0


@dataclass(slots=True)
class Asked:
    """Of measured customers: offers made, how they ended, how often the agent of before was waited for and got, and parking."""

    offers: int = 0
    asked: int = 0
    declined: int = 0
    expired: int = 0
    returning: int = 0
    sticky_hits: int = 0
    parked: int = 0
    wakes: array[float] = field(default_factory=lambda: array("d"))
    wake_hits: int = 0


class Observation:
    """One run as seen; ``began_at`` and ``ended_at`` bound the arrivals that are measured."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.names = [kind.name for kind in kinds]
        self.waits = [Waits() for _ in kinds]
        self.asked = [Asked() if kind.asking is not None else None for kind in kinds]
        self.uses: dict[str, tuple[str, Use]] = {}  # by agent: group, use
        self.began_at = 0.0
        self.ended_at = 0.0
        self.widened = 0
        self.escalated = 0

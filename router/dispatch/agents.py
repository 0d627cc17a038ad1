"""Agents as dispatch is told of them: what a row says, and how a queue compares them.

Units: capacity in the agent's budget units, times in epoch seconds. Identity: an agent is its id; of two states of
it the one with the higher version is true, and an equal version says the same thing again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from uuid import UUID

from router.item.admission import ChannelRule, Presence

Comparator = Literal["load", "round_robin", "best_skill", "least_flexible"]


class Pull(NamedTuple):
    """How an agent takes from a queue: smaller priority first, and only items that have waited ``delay_s``."""

    priority: int = 0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """One agent's row, absolute. Who is not ``enabled`` takes nothing until somebody enables them again.

    ``used``, ``counts``, ``interruptible_used`` and ``exclusive_held`` count offered, assigned and wrapping work.
    ``lease_until`` None: never lost. ``ramp_until``: until then at least ``ramp_s`` pass between two items, and none
    comes before ``not_before``. ``idle_since``: when the agent last finished something. ``turns``: when each queue last
    asked the agent, for round robin. ``items_max``: at most so many items of a queue at once, of every queue that has such a
    limit. ``recent``: when the last new items came, oldest first; in any ``new_items_s`` at most ``new_items_max`` come (0: any
    number).
    """

    id: UUID
    version: int
    queues: Mapping[UUID, Pull]
    channels: Mapping[str, ChannelRule]
    enabled: bool = True
    presence: Presence = "online"
    lease_until: float | None = None
    budget: int = 100
    used: int = 0
    interruptible_used: int = 0
    exclusive_held: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    skills: Mapping[str, int] = field(default_factory=dict)
    idle_since: float = 0.0
    turns: Mapping[UUID, float] = field(default_factory=dict)
    items_max: Mapping[UUID, int] = field(default_factory=dict)
    recent: tuple[float, ...] = ()
    new_items_max: int = 0
    new_items_s: float = 0.0
    not_before: float = 0.0
    ramp_until: float = 0.0
    ramp_s: float = 0.0

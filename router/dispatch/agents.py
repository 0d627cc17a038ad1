"""Agents as dispatch sees them: what a row says, and what the core has promised on top of it.

Units: capacity in the agent's budget units, times in epoch seconds. Identity: an agent is its id; of two states of
it the one with the higher version is true, and an equal version says the same thing again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple
from uuid import UUID

from router.dispatch.ranking import Ranking
from router.item.admission import ChannelRule, Presence, Reason
from router.item.plan import Requirement

if TYPE_CHECKING:
    from router.dispatch.lanes import Item, Lane

Comparator = Literal["load", "round_robin", "best_skill", "least_flexible"]


class Pull(NamedTuple):
    """How an agent takes from a queue: smaller priority first, and only items that have waited ``delay_s``."""

    priority: int = 0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """One agent's row, absolute.

    ``used``, ``counts``, ``interruptible_used`` and ``exclusive_held`` count offered, assigned and wrapping work.
    ``lease_until`` None: never lost. ``ramp_until``: until then at least ``ramp_s`` pass between two items, and none
    comes before ``not_before``. ``idle_since``: when the agent last finished something. ``last_offer_at`` serves
    round robin only.
    """

    id: UUID
    version: int
    queues: Mapping[UUID, Pull]
    channels: Mapping[str, ChannelRule]
    presence: Presence = "online"
    lease_until: float | None = None
    budget: int = 100
    used: int = 0
    interruptible_used: int = 0
    exclusive_held: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    skills: Mapping[str, int] = field(default_factory=dict)
    idle_since: float = 0.0
    last_offer_at: float = 0.0
    not_before: float = 0.0
    ramp_until: float = 0.0
    ramp_s: float = 0.0


class Membership(NamedTuple):
    """An agent's place in one lane."""

    lane: "Lane"
    priority: int
    delay_s: float


class Agent:
    """The core's record of an agent: the row's numbers plus what is reserved and not yet confirmed."""

    __slots__ = (
        "budget",
        "channels",
        "counts",
        "exclusive_held",
        "facts",
        "held",
        "id",
        "idle_since",
        "interruptible_used",
        "lanes",
        "last_offer_at",
        "lease_until",
        "not_before",
        "number",
        "pending",
        "personal",
        "presence",
        "ratio",
        "removed",
        "shown",
        "status",
        "used",
        "version",
        "wake_at",
    )

    def __init__(self, facts: AgentState) -> None:
        self.id = facts.id
        self.number = facts.id.int
        self.pending: dict[int, str] = {}
        self.held: dict[Item, None] = {}
        self.personal: Ranking[Item] = Ranking()
        self.lanes: dict[str, list[Membership]] = {}
        self.status: dict[str, Reason | None] = {}
        self.shown: dict[str, Reason | None] = {}  # the status that all lanes of the channel know
        self.wake_at: float | None = None
        self.removed = False
        self.last_offer_at = facts.last_offer_at
        self.not_before = facts.not_before
        self.facts = facts
        self.read(facts)

    def read(self, facts: AgentState) -> None:
        """Take over a row; promises that are still open are added on top of it."""
        self.facts = facts
        self.version = facts.version
        self.presence: Presence = facts.presence
        self.lease_until = facts.lease_until
        self.budget = facts.budget
        self.channels = facts.channels
        self.used = facts.used
        self.interruptible_used = facts.interruptible_used
        self.exclusive_held = facts.exclusive_held
        self.counts = dict(facts.counts)
        self.idle_since = facts.idle_since
        # A row from before an open promise does not know of it: what the promise set for the ramp and the turn holds.
        self.last_offer_at = max(self.last_offer_at, facts.last_offer_at) if self.pending else facts.last_offer_at
        self.not_before = max(self.not_before, facts.not_before) if self.pending else facts.not_before
        for channel in self.pending.values():
            self.add(channel, 1)
        self.ratio = self.used / self.budget if self.budget > 0 else 1.0

    def add(self, channel: str, sign: int) -> None:
        """Count one item of the channel in (1) or out (-1)."""
        self.counts[channel] = self.counts.get(channel, 0) + sign
        rule = self.channels.get(channel)
        if rule is None:
            return
        cost = sign * rule.cost
        self.used += cost
        if rule.interruptible:
            self.interruptible_used += cost
        if rule.exclusive:
            self.exclusive_held += sign
        self.ratio = self.used / self.budget if self.budget > 0 else 1.0

    def present(self, now: float) -> bool:
        """Whether it makes sense to wait for this agent in particular: there, even if busy."""
        return not self.removed and self.presence in ("online", "busy") and not self.lost(now)

    def lost(self, now: float) -> bool:
        """Whether the agent's lease has run out."""
        return self.removed or (self.lease_until is not None and self.lease_until <= now)


Score = tuple[float, float]


def _load(agent: Agent, requires: Requirement) -> Score:
    return (agent.ratio, agent.idle_since)


def _round_robin(agent: Agent, requires: Requirement) -> Score:
    return (agent.last_offer_at, agent.ratio)


def _best_skill(agent: Agent, requires: Requirement) -> Score:
    skills = agent.facts.skills
    return (-float(sum(skills.get(skill, 0) for skill, _ in requires)), agent.ratio)


def _least_flexible(agent: Agent, requires: Requirement) -> Score:
    return (float(len(agent.facts.skills) + len(agent.facts.queues)), agent.ratio)


COMPARATORS: Mapping[Comparator, Callable[[Agent, Requirement], Score]] = {
    "load": _load,
    "round_robin": _round_robin,
    "best_skill": _best_skill,
    "least_flexible": _least_flexible,
}
"""Smaller score first, ties by the agent's id. ``load``: load ratio, then longest idle."""

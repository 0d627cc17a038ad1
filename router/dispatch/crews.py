"""Crews: the members of a queue for one channel, with who of them has room, best first. All lanes of the two look at the same crew.

What an agent has room for is told to its crews alone, however many requirements wait there. Units: delays in seconds.
"""

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from router.dispatch.agents import AgentState, Comparator
from router.dispatch.comparators import COMPARATORS
from router.dispatch.sorted_entries import Entry, Ranking
from router.item.admission import ABSENT, Reason
from router.item.plan import Requirement


class Member(Protocol):
    """What of an agent a crew looks at; `router/dispatch/lanes.py` has it."""

    bit: int
    number: int
    facts: AgentState
    full: frozenset[UUID]
    idle_since: float
    ratio: float
    status: dict[str, Reason | None]
    turns: Mapping[UUID, float]


A = TypeVar("A", bound=Member)
L = TypeVar("L")


class Crew(Generic[A, L]):
    """One queue and channel. Sets of agents are bits (`skilled.py`)."""

    __slots__ = ("blocked", "busy", "channel", "comparator", "free", "members", "pools", "present", "queue", "score")

    def __init__(self, queue: UUID, channel: str, comparator: Comparator) -> None:
        self.queue = queue
        self.channel = channel
        self.comparator: Comparator = comparator
        self.score = COMPARATORS[comparator]
        self.busy: dict[L, None] = {}  # lanes in which something waits
        # per member: the delay it pulls with, its entry in the pool of that delay, or why it has no room
        self.members: dict[A, tuple[float, Entry[A] | None, Reason | None]] = {}
        self.present: dict[A, None] = {}
        self.pools: dict[float, Ranking[A]] = {}
        self.free: dict[float, int] = {}  # who is in each pool
        self.blocked: dict[Reason, int] = {}  # members who have no room now, by reason

    def join(self, agent: A, delay_s: float) -> None:
        """Add a member whose status is not known yet; ``update`` tells it."""
        if delay_s not in self.pools:
            self.pools[delay_s] = Ranking()
            self.free[delay_s] = 0
        self.members[agent] = (delay_s, None, None)

    def leave(self, agent: A) -> None:
        """Drop a member together with what its last status left behind."""
        self._forget(agent)
        del self.members[agent]
        self.present.pop(agent, None)

    def update(self, agent: A, status: Reason | None) -> bool:
        """Take over a member's status, and its score where it has room. Return whether one who was there is gone.

        Who has as many items of the queue as they may have has no room here, whatever room is elsewhere.
        """
        if status is None and self.queue in agent.full:
            status = "limit_reached"
        delay_s, _, before = self.members[agent]
        if status is not None and status == before:
            return False
        self._forget(agent)
        if status is None:
            entry = self.entry(agent, ())
            self.pools[delay_s].add(entry)
            self.free[delay_s] |= 1 << agent.bit
            self.members[agent] = (delay_s, entry, None)
        else:
            self.blocked[status] = self.blocked.get(status, 0) | 1 << agent.bit
            self.members[agent] = (delay_s, None, status)
        if status not in ABSENT:
            self.present[agent] = None
            return False
        if agent in self.present:
            del self.present[agent]
            return True
        return False

    def entry(self, agent: A, requires: Requirement) -> Entry[A]:
        """The agent's place by the queue's comparator, smaller first, for an item that requires this."""
        first, second = self.score(agent, self.queue, requires)
        return (first, second, 0.0, agent.number, agent)

    def unaware(self, agent: A) -> bool:
        """Whether a member has room that the crew was not told of yet."""
        return self.members[agent][2] is not None and agent.status[self.channel] is None and self.queue not in agent.full

    def rescore(self, comparator: Comparator) -> None:
        """Order the agents by another comparator."""
        self.score = COMPARATORS[comparator]
        self.comparator = comparator
        for agent, (_, entry, _) in list(self.members.items()):
            if entry is not None:
                self.update(agent, None)

    @property
    def delayed(self) -> bool:
        """Whether any member pulls with a delay."""
        return len(self.pools) > (0.0 in self.pools)

    def _forget(self, agent: A) -> None:
        delay_s, entry, before = self.members[agent]
        if entry is not None:
            self.pools[delay_s].remove(entry)
            self.free[delay_s] &= ~(1 << agent.bit)
        elif before is not None:
            self.blocked[before] &= ~(1 << agent.bit)

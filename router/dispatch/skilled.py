"""Who has which skills and is a member of which queue, as sets of bits, so that who meets a requirement is found without asking each agent.

**Identity**: an agent by its bit, which is its own from joining until it leaves. Units: skill levels 1..5.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from router.item.plan import Requirement


class Numbered(Protocol):
    """Who carries the bit."""

    bit: int


A = TypeVar("A", bound=Numbered)


class Skilled(Generic[A]):
    """Of one workspace. ``version`` grows with each change of who can what."""

    def __init__(self) -> None:
        self.version = 0
        self._agents: list[A | None] = []
        self._unused: list[int] = []
        self._members: dict[UUID, int] = {}
        self._levels: dict[str, dict[int, int]] = {}

    def add(self, agent: A, queues: Iterable[UUID], skills: Mapping[str, int]) -> None:
        """Take an agent up, who is not here."""
        if self._unused:
            agent.bit = self._unused.pop()
            self._agents[agent.bit] = agent
        else:
            agent.bit = len(self._agents)
            self._agents.append(agent)
        self._turn(agent.bit, queues, skills)

    def remove(self, agent: A, queues: Iterable[UUID], skills: Mapping[str, int]) -> None:
        """Take an agent out, given the queues and skills it came with."""
        self._turn(agent.bit, queues, skills)
        self._agents[agent.bit] = None
        self._unused.append(agent.bit)

    def members(self, queue: UUID) -> int:
        """The members of a queue."""
        return self._members.get(queue, 0)

    def able(self, queue: UUID, requires: Requirement) -> int:
        """The members of a queue who meet a requirement."""
        found = self._members.get(queue, 0)
        for skill, wanted in requires:
            if wanted > 0 and found:
                holders = 0
                for level, those in self._levels.get(skill, {}).items():
                    if level >= wanted:
                        holders |= those
                found &= holders
        return found

    def best_first(self, bits: int, requires: Requirement) -> list[int]:
        """A set of bits in groups of equal sums of the levels of what is required, the highest sum first."""
        sums = {0: bits}
        for skill, _ in requires:
            after: dict[int, int] = {}
            for so_far, those in sums.items():
                rest = those
                for level, holders in self._levels.get(skill, {}).items():
                    if found := those & holders:
                        after[so_far + level] = after.get(so_far + level, 0) | found
                        rest &= ~found
                if rest:
                    after[so_far] = after.get(so_far, 0) | rest
            sums = after
        return [sums[one] for one in sorted(sums, reverse=True)]

    def of(self, bits: int) -> Iterator[A]:
        """The agents of a set of bits."""
        while bits:
            lowest = bits & -bits
            bits ^= lowest
            agent = self._agents[lowest.bit_length() - 1]
            assert agent is not None, "a bit is somebody's"
            yield agent

    def _turn(self, bit: int, queues: Iterable[UUID], skills: Mapping[str, int]) -> None:
        self.version += 1
        for queue in queues:
            self._members[queue] = self._members.get(queue, 0) ^ (1 << bit)
        for skill, level in skills.items():
            levels = self._levels.setdefault(skill, {})
            levels[level] = levels.get(level, 0) ^ (1 << bit)
            if not levels[level]:
                del levels[level]
                if not levels:
                    del self._levels[skill]

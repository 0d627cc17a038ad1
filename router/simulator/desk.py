"""An agent at a simulated desk: the row the core is told, and how the time was used. **Units**: seconds from 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from router.dispatch.agents import AgentState
from router.item.admission import Presence
from router.simulator.quantities import Draw
from router.simulator.scenario import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What became of an agent's time: used capacity over capacity, time with any work, both as shares of the time there."""

    occupancy: float | None
    busy: float | None
    items: int


class SimulatedDesk:
    """One agent. ``there``: takes new work; what has begun is finished in any case, and counts as time there."""

    __slots__ = (
        "_asked_at", "_began_at", "_busy_s", "_idle_since", "_presence", "_ramp_until", "_recent", "_since", "_there_s", "_turns", "_used_s",
        "counts",
        "exclusive", "interruptible", "items", "responding", "row", "service", "there", "used", "version", "worker",
    )  # fmt: skip

    def __init__(self, worker: Worker, streams: dict[int, tuple[Draw, Random]]) -> None:
        self.worker = worker
        self.row = worker.row
        self.service = streams  # by class, where it differs from the class's own
        self.version = worker.row.version
        self.used = self.interruptible = self.exclusive = 0
        self.counts: dict[str, int] = {}
        self.there = worker.row.presence == "online"
        self.responding = True
        self._presence: Presence = "offline"
        self._be()
        self._began_at = self._ramp_until = self._asked_at = 0.0
        self._idle_since = 0.0
        self._turns: dict[UUID, float] = {}
        self._recent: tuple[float, ...] = ()
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """Count time from here on."""
        self._since = now
        self._used_s = self._busy_s = self._there_s = 0.0
        self.items = 0

    def ask(self, queues: Iterable[UUID], now: float, *, new: bool) -> None:
        """The agent is given or offered an item, through these queues."""
        self._turns = {**self._turns, **dict.fromkeys(queues, now)}
        if new and self.row.new_items_max:
            self._recent = (*self._recent, now)[-self.row.new_items_max :]

    def take(self, channel: str, now: float) -> None:
        """An item comes."""
        self._count(channel, 1, now)
        self._asked_at = now
        self.items += 1

    def lend(self, channel: str, now: float) -> None:
        """An item is offered; it counts as one when it is taken."""
        self._count(channel, 1, now)
        self._asked_at = now

    def release(self, channel: str, now: float) -> AgentState:
        """An offer came to nothing. Returns the row after it."""
        self._count(channel, -1, now)
        return self.state()

    def respond(self, *, responding: bool) -> AgentState:
        """An offer ran out, or the agent is back. Returns the row after it."""
        self.responding = responding
        self._be()
        self.version += 1
        return self.state()

    def give_back(self, channel: str, now: float) -> AgentState:
        """An item is finished. Returns the row after it."""
        self._count(channel, -1, now)
        self._idle_since = now
        return self.state()

    def appear(self, now: float, *, there: bool) -> AgentState:
        """A shift begins or ends. Returns the row after it."""
        self._turn(now)
        self.there = there
        self._be()
        self.version += 1
        if there:
            self._idle_since = now
            self.responding = True
            self._be()
            if self.worker.ramp is not None:
                self._began_at, self._ramp_until = now, now + self.worker.ramp[0]
        return self.state()

    def state(self) -> AgentState:
        """The row as it is now."""
        row = self.row
        plain = AgentState(
            id=row.id,
            version=self.version,
            queues=row.queues,
            channels=row.channels,
            presence=self._presence,
            budget=row.budget,
            used=self.used,
            interruptible_used=self.interruptible,
            exclusive_held=self.exclusive,
            counts=self.counts,
            skills=row.skills,
            idle_since=self._idle_since,
            turns=self._turns,
            items_max=row.items_max,
            recent=self._recent,
            new_items_max=row.new_items_max,
            new_items_s=row.new_items_s,
        )
        return plain if self._ramp_until == 0 else self._ramped(plain)

    def _ramped(self, plain: AgentState) -> AgentState:
        assert self.worker.ramp is not None
        every_s = self.worker.ramp[1]
        within = self._began_at <= self._asked_at < self._ramp_until
        return replace(
            plain, ramp_until=self._ramp_until, ramp_s=every_s, not_before=self._asked_at + every_s if within else 0.0
        )  # fmt: skip

    def _be(self) -> None:
        self._presence = ("online" if self.responding else "not_responding") if self.there else "offline"

    def use(self, now: float) -> Use:
        """How the time since :meth:`begin` was used; None of somebody who was never there."""
        self._turn(now)
        there_s = self._there_s
        if there_s <= 0:
            return Use(occupancy=None, busy=None, items=self.items)
        return Use(occupancy=self._used_s / (self.row.budget * there_s), busy=self._busy_s / there_s, items=self.items)

    def _count(self, channel: str, sign: int, now: float) -> None:
        self._turn(now)
        rule = self.row.channels[channel]
        self.counts[channel] = self.counts.get(channel, 0) + sign
        self.used += sign * rule.cost
        if rule.interruptible:
            self.interruptible += sign * rule.cost
        if rule.exclusive:
            self.exclusive += sign
        self.version += 1

    def _turn(self, now: float) -> None:
        passed = now - self._since
        self._since = now
        if self.used:
            self._used_s += passed * self.used
            self._busy_s += passed
            self._there_s += passed
        elif self.there:
            self._there_s += passed

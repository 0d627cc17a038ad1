"""Lanes: where waiting items and agents with room meet, and the core's records of the three, which hold each other.

A lane is one queue, channel and requirement. It keeps the items that wait in it (best key first) and knows who of the queue's
crew for the channel meets the requirement. An item at its head is compatible with every agent of the lane, or no item of the
lane is. An item stands in one lane per alternative that its plan has reached. Agents are told of nothing when a lane is opened,
nor are lanes when an agent changes, so many kinds of work cost what waits of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from router.dispatch.agents import AgentState
from router.dispatch.crews import Crew
from router.dispatch.skilled import Skilled
from router.dispatch.sorted_entries import Entry, Ranking
from router.item.admission import Presence, Reason, admissible
from router.item.item import ItemState, State
from router.item.plan import Requirement

FEW: Final = 32
"""Where so many with room stand for one who meets the requirement, those few are sorted instead of the others passed by."""


class Item:
    """The core's record of an open work item: the row, and where the core has put it."""

    __slots__ = (
        "agent",
        "deadline",
        "entry",
        "escalated",
        "facts",
        "held_by",
        "hold_until",
        "id",
        "lanes",
        "owner",
        "pending",
        "released",
        "said",
        "said_at",
        "state",
        "step",
        "step_at",
        "version",
        "wake_at",
    )

    def __init__(self, facts: ItemState) -> None:
        self.id = facts.id
        self.facts = facts
        self.version = facts.version
        self.state: State = facts.state
        self.agent = facts.agent
        self.deadline = facts.deadline
        self.step = facts.step
        self.step_at = facts.step_at
        self.hold_until = facts.hold_until
        self.lanes: tuple[Lane, ...] = ()
        self.owner: Agent | None = None  # in whose personal line it waits
        self.held_by: Agent | None = None  # to whom it is offered or assigned
        self.entry: Entry[Item] | None = None
        self.pending: int | None = None
        self.released = False
        self.said: str | None = None
        self.escalated: str | None = None
        self.said_at = 0.0
        self.wake_at: float | None = None


class Membership(NamedTuple):
    """An agent's place in one crew."""

    crew: Crew[Agent, Lane]
    priority: int
    delay_s: float


class Agent:
    """The core's record of an agent: the row's numbers plus what is reserved and not yet confirmed."""

    __slots__ = (
        "bit",
        "budget",
        "channels",
        "counted",
        "counts",
        "crews",
        "exclusive_held",
        "facts",
        "fresh",
        "full",
        "held",
        "id",
        "idle_since",
        "interruptible_used",
        "lease_until",
        "not_before",
        "number",
        "open_at",
        "pending",
        "personal",
        "presence",
        "ratio",
        "recent",
        "removed",
        "shown",
        "status",
        "turns",
        "used",
        "version",
        "wake_at",
    )

    def __init__(self, facts: AgentState) -> None:
        self.id = facts.id
        self.number = facts.id.int
        self.bit = -1
        self.pending: dict[int, str] = {}
        self.fresh: dict[int, float] = {}  # when those of them that are new to the agent were promised
        self.full: frozenset[UUID] = frozenset()  # queues of which the agent has as many items as they may have
        self.held: dict[Item, None] = {}
        self.counted = True  # whether ``full`` knows of all of them
        self.personal: Ranking[Item] = Ranking()
        self.crews: dict[str, list[Membership]] = {}
        self.status: dict[str, Reason | None] = {}
        self.shown: dict[str, Reason | None] = {}  # the status that all crews of the channel know
        self.wake_at: float | None = None
        self.removed = False
        self.turns: Mapping[UUID, float] = facts.turns
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
        self.turns = _later(self.turns, facts.turns) if self.pending else facts.turns
        self.recent = sorted((*facts.recent, *self.fresh.values())) if facts.new_items_max else []
        self.pace()
        self.not_before = max(self.not_before, facts.not_before) if self.pending else facts.not_before
        for channel in self.pending.values():
            self.add(channel, 1)
        self.ratio = self.used / self.budget if self.budget > 0 else 1.0

    def pace(self) -> None:
        """Reckon when the next new item may come (0: at once)."""
        most = self.facts.new_items_max
        self.open_at = self.recent[-most] + self.facts.new_items_s if most and len(self.recent) >= most else 0.0

    def promised(self, ticket: int, channel: str, at: float, *, new: bool) -> None:
        """Note an item that is promised and not confirmed."""
        self.pending[ticket] = channel
        if new:
            self.fresh[ticket] = at

    def released(self, ticket: int) -> bool:
        """Undo a promise; whether there was one."""
        at = self.fresh.pop(ticket, None)
        if at in self.recent:
            self.recent.remove(at)
            self.pace()
        return self.pending.pop(ticket, None) is not None

    def took(self, at: float, queues: Collection[UUID], *, new: bool) -> None:
        """Note that it was these queues' turn to ask the agent, and that something new came."""
        if queues:
            self.turns = {**self.turns, **dict.fromkeys(queues, at)}
        if new:
            self.recent = [*self.recent[-self.facts.new_items_max :], at]
            self.pace()

    def fits(self, item: Item, now: float) -> bool:
        """Whether one more item fits: this one, which waits for the agent alone, or stands in one of its lanes."""
        return (
            item.facts.queue not in self.full
            and (self.open_at <= now or item.owner is self)
            and admissible(self, item.facts.terms.channel, now) is None
        )

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

    def deaf_to(self, channel: str, now: float) -> str | None:
        """Why an offer of this channel does not reach the agent any more; None while it does: there, even if busy, and open for it."""
        if self.lost(now):
            return "lease_lost"
        if self.presence not in ("online", "busy"):
            return self.presence
        rule = self.channels.get(channel)
        return None if rule is not None and rule.enabled else "channel_disabled"

    def lost(self, now: float) -> bool:
        """Whether the agent's lease has run out."""
        return self.removed or (self.lease_until is not None and self.lease_until <= now)


class Lane:
    """One queue, channel and requirement (and slope, where the queue orders by accumulating priority)."""

    __slots__ = (
        "_seen",
        "_skilled",
        "able",
        "ages",
        "channel",
        "contested",
        "crew",
        "guests",
        "queue",
        "requires",
        "slope",
        "waiting",
        "whole",
    )

    def __init__(self, crew: Crew[Agent, Lane], requires: Requirement, slope: float, skilled: Skilled[Agent]) -> None:
        self.crew = crew
        self.queue = crew.queue
        self.channel = crew.channel
        self.requires = requires
        self.slope = slope
        self.waiting: Ranking[Item] = Ranking()
        self.ages: Ranking[Item] = Ranking()  # the same items by age, kept only where a member pulls with a delay
        self.contested: dict[Item, None] = {}  # waiting items that somebody has declined or gives away
        self.guests: dict[Item, None] = {}  # waiting items of other queues
        self._skilled = skilled
        self._seen = -1
        self.able = 0  # the members of the queue who meet the requirement, as bits
        self.whole = False  # whether these are all of them
        self.judge()

    def judge(self) -> None:
        """See again who of the queue's members meets the requirement, where that may have changed."""
        if self._seen != self._skilled.version:
            self._seen = self._skilled.version
            self.able = self._skilled.able(self.queue, self.requires)
            self.whole = self.able == self._skilled.members(self.queue)

    def has(self, agent: Agent) -> bool:
        """Whether the agent is a member of the queue and meets the requirement."""
        return bool(self.able >> agent.bit & 1)

    @property
    def present(self) -> Iterable[Agent]:
        """Those of the agents who are there, with room or without."""
        able = self.able
        return self.crew.present if self.whole else (one for one in self.crew.present if able >> one.bit & 1)

    @property
    def manned(self) -> bool:
        """Whether anybody here is known to have room."""
        able = self.able
        return any(able & free for free in self.crew.free.values())

    def count(self, reason: Reason) -> int:
        """How many of the agents are known to have no room for this reason."""
        return (self.able & self.crew.blocked.get(reason, 0)).bit_count()

    def ranked(self, delay_s: float) -> Iterator[Entry[Agent]]:
        """The agents with room who pull with this delay, best first."""
        crew = self.crew
        free = self.able & crew.free[delay_s]
        if self.requires and crew.comparator == "best_skill":
            # Who is best depends on what is asked; among equals the crew's order is that of this lane too.
            groups = self._skilled.best_first(free, self.requires)
            return (crew.entry(one[4], self.requires) for bits in groups for one in self._among(bits, delay_s))
        return iter(crew.pools[delay_s]) if self.whole else self._among(free, delay_s)

    def _among(self, bits: int, delay_s: float) -> Iterator[Entry[Agent]]:
        """Those of the agents with room, in the crew's order."""
        crew = self.crew
        pool = crew.pools[delay_s]
        if bits.bit_count() * FEW < pool.size:
            members = (crew.members[one][1] for one in self._skilled.of(bits))
            return iter(sorted(entry for entry in members if entry is not None))
        return (entry for entry in pool if bits >> entry[4].bit & 1)

    def entry(self, agent: Agent, requires: Requirement) -> Entry[Agent]:
        """The agent's place by this lane's comparator, smaller first, for an item that requires this."""
        return self.crew.entry(agent, requires)

    def unaware(self, agent: Agent) -> bool:
        """Whether the agent is one of these, with room that was not told yet."""
        return self.has(agent) and self.crew.unaware(agent)

    def put(self, entry: Entry[Item]) -> None:
        """Let an item wait here."""
        self.waiting.add(entry)
        self.crew.busy[self] = None
        if self.crew.delayed:
            self.ages.add(_by_age(entry))
        facts = entry[4].facts
        if facts.exclusions or facts.giver is not None:
            self.contested[entry[4]] = None
        if facts.queue != self.queue:
            self.guests[entry[4]] = None

    def take(self, entry: Entry[Item]) -> None:
        """Take an item out."""
        self.waiting.remove(entry)
        if not self.waiting.size:
            del self.crew.busy[self]
        if self.ages.size:
            self.ages.remove(_by_age(entry))
        self.contested.pop(entry[4], None)
        self.guests.pop(entry[4], None)

    def age(self) -> None:
        """Order what waits by age too: somebody pulls with a delay now."""
        if not self.ages.size:
            for entry in self.waiting:
                self.ages.add(_by_age(entry))

    def visible(self, delay_s: float, now: float) -> bool:
        """Whether any item here has waited long enough for a member with this delay."""
        return self.waiting.size > 0 and (delay_s <= 0 or self.ages.first()[0] + delay_s <= now)

    def rank(self, entry: Entry[Item], priority: int, now: float) -> Rank:
        """What is compared between the heads of lanes: static key, or age times slope."""
        if self.slope > 0:
            return (priority, entry[0], self.slope * (entry[2] - now), entry[2], entry[3])
        return (priority, entry[0], entry[1], entry[2], entry[3])


Rank = tuple[int, float, float, float, int]


def _by_age(entry: Entry[Item]) -> Entry[Item]:
    return (entry[2], 0.0, 0.0, entry[3], entry[4])


def _later(ones: Mapping[UUID, float], others: Mapping[UUID, float]) -> Mapping[UUID, float]:
    return {queue: max(ones.get(queue, 0.0), others.get(queue, 0.0)) for queue in (*ones, *others)}

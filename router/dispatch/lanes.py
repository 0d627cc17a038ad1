"""Lanes: where waiting items and agents with room meet.

A lane is one queue, channel and requirement. It keeps the items that wait in it (best key first) and, of the agents
who are members of the queue and meet the requirement, those who have room for the channel (best score first). An
item at its head is compatible with every agent of the lane, or no item of the lane is. An item stands in one lane
per alternative that its plan has reached.
"""

from uuid import UUID

from router.dispatch.agents import COMPARATORS, Agent, Comparator, Membership, Pull
from router.dispatch.ranking import Entry, Ranking
from router.item.admission import ABSENT, Reason
from router.item.item import ItemState, State
from router.item.plan import Requirement, meets


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


class Lane:
    """One queue, channel and requirement (and slope, where the queue orders by accumulating priority)."""

    __slots__ = (
        "ages",
        "blocked",
        "channel",
        "comparator",
        "contested",
        "members",
        "pools",
        "present",
        "queue",
        "requires",
        "score",
        "slope",
        "waiting",
    )

    def __init__(self, queue: UUID, channel: str, requires: Requirement, slope: float, comparator: Comparator) -> None:
        self.queue = queue
        self.channel = channel
        self.requires = requires
        self.slope = slope
        self.comparator: Comparator = comparator
        self.score = COMPARATORS[comparator]
        self.waiting: Ranking[Item] = Ranking()
        self.ages: Ranking[Item] = Ranking()  # the same items by age, kept only where a member pulls with a delay
        self.contested: dict[Item, None] = {}  # waiting items that somebody has declined or gives away
        # per member: the delay it pulls with, its entry in the pool of that delay, or why it has no room
        self.members: dict[Agent, tuple[float, Entry[Agent] | None, Reason | None]] = {}
        self.present: dict[Agent, None] = {}
        self.pools: dict[float, Ranking[Agent]] = {}
        self.blocked: dict[Reason, int] = {}  # members who have no room now, by reason

    def join(self, agent: Agent, delay_s: float) -> None:
        """Add a member whose status is not known yet; ``update`` tells it."""
        if delay_s not in self.pools:
            self.pools[delay_s] = Ranking()
            if delay_s > 0 and not self.ages.size:
                for entry in self.waiting:
                    self.ages.add(_by_age(entry))
        self.members[agent] = (delay_s, None, None)

    def leave(self, agent: Agent) -> None:
        """Drop a member together with what its last status left behind."""
        self._forget(agent)
        del self.members[agent]
        self.present.pop(agent, None)

    def update(self, agent: Agent, status: Reason | None) -> bool:
        """Take over a member's status, and its score where it has room. Return whether one who was there is gone."""
        delay_s, _, before = self.members[agent]
        if status is not None and status == before:
            return False
        self._forget(agent)
        if status is None:
            entry = self.entry(agent, self.requires)
            self.pools[delay_s].add(entry)
            self.members[agent] = (delay_s, entry, None)
        else:
            self.blocked[status] = self.blocked.get(status, 0) + 1
            self.members[agent] = (delay_s, None, status)
        if status not in ABSENT:
            self.present[agent] = None
            return False
        if agent in self.present:
            del self.present[agent]
            return True
        return False

    def entry(self, agent: Agent, requires: Requirement) -> Entry[Agent]:
        """The agent's place by this lane's comparator, smaller first, for an item that requires this."""
        first, second = self.score(agent, requires)
        return (first, second, 0.0, agent.number, agent)

    def unaware(self, agent: Agent) -> bool:
        """Whether the agent is a member with room that the lane was not told of yet."""
        member = self.members.get(agent)
        return member is not None and member[2] is not None and agent.status[self.channel] is None

    def _forget(self, agent: Agent) -> None:
        delay_s, entry, before = self.members[agent]
        if entry is not None:
            self.pools[delay_s].remove(entry)
        elif before is not None:
            self.blocked[before] -= 1

    def rescore(self, comparator: Comparator) -> None:
        """Order the agents by another comparator."""
        self.score = COMPARATORS[comparator]
        self.comparator = comparator
        for agent, (_, entry, _) in list(self.members.items()):
            if entry is not None:
                self.update(agent, None)

    @property
    def manned(self) -> bool:
        """Whether anybody here is known to have room."""
        return any(pool.size for pool in self.pools.values())

    @property
    def delayed(self) -> bool:
        """Whether any member pulls with a delay."""
        return len(self.pools) > (0.0 in self.pools)

    def put(self, entry: Entry[Item]) -> None:
        """Let an item wait here."""
        self.waiting.add(entry)
        if self.delayed:
            self.ages.add(_by_age(entry))
        facts = entry[4].facts
        if facts.exclusions or facts.giver is not None:
            self.contested[entry[4]] = None

    def take(self, entry: Entry[Item]) -> None:
        """Take an item out."""
        self.waiting.remove(entry)
        if self.ages.size:
            self.ages.remove(_by_age(entry))
        self.contested.pop(entry[4], None)

    def visible(self, delay_s: float, now: float) -> bool:
        """Whether any item here has waited long enough for a member with this delay."""
        return self.waiting.size > 0 and (delay_s <= 0 or self.ages.first()[0] + delay_s <= now)

    def rank(self, entry: Entry[Item], priority: int, now: float) -> "Rank":
        """What is compared between the heads of lanes: static key, or age times slope."""
        if self.slope > 0:
            return (priority, entry[0], self.slope * (entry[2] - now), entry[2], entry[3])
        return (priority, entry[0], entry[1], entry[2], entry[3])


Rank = tuple[int, float, float, float, int]


def _by_age(entry: Entry[Item]) -> Entry[Item]:
    return (entry[2], 0.0, 0.0, entry[3], entry[4])


class LaneBook:
    """All lanes, and who is a member of which queue."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[UUID, str, Requirement, float], Lane] = {}
        self._by_queue: dict[UUID, list[Lane]] = {}
        self.members: dict[UUID, dict[Agent, Pull]] = {}
        self.comparators: dict[UUID, Comparator] = {}
        self.opened_for: dict[Agent, None] = {}  # agents who joined a new lane since the owner looked

    def lane(self, queue: UUID, channel: str, requires: Requirement, slope: float) -> Lane:
        """The lane, opened with its members when it is new; their statuses are to be told then."""
        key = (queue, channel, requires, slope)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(queue, channel, requires, slope, self.comparators.get(queue, "load"))
            self._by_queue.setdefault(queue, []).append(lane)
            for agent, pull in self.members.get(queue, {}).items():
                if self._join(lane, agent, pull):
                    self.opened_for[agent] = None
        return lane

    def enroll(self, agent: Agent) -> None:
        """Put an agent into every lane it qualifies for, by its present queues and skills."""
        for queue, pull in agent.facts.queues.items():
            self.members.setdefault(queue, {})[agent] = pull
            for lane in self._by_queue.get(queue, ()):
                self._join(lane, agent, pull)

    def strike(self, agent: Agent) -> list[Item]:
        """Take an agent out of all lanes. Returns the items somebody declined there: their turn may have changed."""
        for queue in agent.facts.queues:
            self.members.get(queue, {}).pop(agent, None)
        contested: list[Item] = []
        for places in agent.lanes.values():
            for place in places:
                place.lane.leave(agent)
                contested.extend(place.lane.contested)
        agent.lanes = {}
        agent.status = {}
        agent.shown = {}
        return contested

    def compare_by(self, queue: UUID, comparator: Comparator) -> None:
        """Choose among the queue's agents by this comparator from now on."""
        if self.comparators.get(queue, "load") != comparator:
            self.comparators[queue] = comparator
            for lane in self._by_queue.get(queue, ()):
                lane.rescore(comparator)

    def _join(self, lane: Lane, agent: Agent, pull: Pull) -> bool:
        if not meets(agent.facts.skills, lane.requires):
            return False
        lane.join(agent, pull.delay_s)
        agent.lanes.setdefault(lane.channel, []).append(Membership(lane, pull.priority, pull.delay_s))
        agent.shown.pop(lane.channel, None)
        return True

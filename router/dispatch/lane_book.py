"""All lanes of a workspace, who is a member of which queue, and which requirements somebody there can ever meet."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from router.dispatch.agents import Comparator, Pull
from router.dispatch.lanes import Agent, Item, Lane, Membership
from router.item.plan import Requirement, meets


class LaneBook:
    """All lanes, and who is a member of which queue."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[UUID, str, Requirement, float], Lane] = {}
        self._by_queue: dict[UUID, list[Lane]] = {}
        self.members: dict[UUID, dict[Agent, Pull]] = {}
        self.comparators: dict[UUID, Comparator] = {}
        self.opened_for: dict[Agent, list[Lane]] = {}  # who joined lanes that were opened since the owner looked
        self.in_turn: set[UUID] = set()  # queues that ask their agents in turn
        self.pulled: set[UUID] = set()  # queues whose agents take by themselves
        self._able: dict[tuple[UUID, Requirement], bool] = {}  # what was asked, and is true still

    def lane(self, queue: UUID, channel: str, requires: Requirement, slope: float) -> Lane:
        """The lane, opened with its members when it is new; their statuses are to be told then."""
        key = (queue, channel, requires, slope)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(queue, channel, requires, slope, self.comparators.get(queue, "load"))
            self._by_queue.setdefault(queue, []).append(lane)
            for agent, pull in self.members.get(queue, {}).items():
                if self._join(lane, agent, pull):
                    self.opened_for.setdefault(agent, []).append(lane)
        return lane

    def enroll(self, agent: Agent) -> None:
        """Put an agent into every lane it qualifies for, by its present queues and skills."""
        for queue, pull in agent.facts.queues.items():
            self.members.setdefault(queue, {})[agent] = pull
            for lane in self._by_queue.get(queue, ()):
                self._join(lane, agent, pull)

    def can_ever(self, queue: UUID, requires: Requirement) -> bool:
        """Whether any agent of the workspace, there or not, is enabled, a member of the queue and meets the requirement."""
        if queue in self.pulled:
            return True
        known = self._able.get((queue, requires))
        if known is None:
            members = self.members.get(queue, {})
            known = any(one.facts.enabled and meets(one.facts.skills, requires) for one in members)
            self._able[queue, requires] = known
        return known

    def judge_again(self, queues: Iterable[UUID]) -> bool:
        """Forget who can meet what in these queues, for an agent there is another one now; whether nobody is left to meet something."""
        concerned = {*queues}
        before = {key: able for key, able in self._able.items() if key[0] in concerned}
        for key in before:
            del self._able[key]
        return any(able and not self.can_ever(*key) for key, able in before.items())

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
            self.in_turn = {one for one, chosen in self.comparators.items() if chosen == "round_robin"}
            for lane in self._by_queue.get(queue, ()):
                lane.rescore(comparator)

    def _join(self, lane: Lane, agent: Agent, pull: Pull) -> bool:
        if not meets(agent.facts.skills, lane.requires):
            return False
        lane.join(agent, pull.delay_s)
        agent.lanes.setdefault(lane.channel, []).append(Membership(lane, pull.priority, pull.delay_s))
        return True

"""All lanes of a workspace, who is a member of which queue, and which requirements somebody there can ever meet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from router.dispatch.agents import Comparator, Pull
from router.dispatch.crews import Crew
from router.dispatch.lanes import Agent, Item, Lane, Membership
from router.dispatch.skilled import Skilled
from router.item.plan import Requirement

EMPTY_MAX: Final = 256
"""So many lanes may be empty, and as many as are not: then the empty ones are closed."""


class LaneBook:
    """All lanes, and who is a member of which queue."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[UUID, str, Requirement, float], Lane] = {}
        self._lanes_max = EMPTY_MAX
        self._crews: dict[UUID, dict[str, Crew[Agent, Lane]]] = {}
        self._skilled: Skilled[Agent] = Skilled()
        self._settled = 0
        self.members: dict[UUID, dict[Agent, Pull]] = {}
        self.comparators: dict[UUID, Comparator] = {}
        self.opened_for: dict[Agent, list[Crew[Agent, Lane]]] = {}  # who joined crews that were made since the owner looked
        self.in_turn: set[UUID] = set()  # queues that ask their agents in turn
        self.pulled: set[UUID] = set()  # queues whose agents take by themselves
        self._able: dict[tuple[UUID, Requirement], bool] = {}  # what was asked, and is true still

    def lane(self, queue: UUID, channel: str, requires: Requirement, slope: float) -> Lane:
        """The lane, opened when it is new. Where its crew is new too, the agents' statuses are to be told."""
        key = (queue, channel, requires, slope)
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= self._lanes_max:
                # One that is about to be put into, and closed here, does its work all the same: crews know it.
                self._lanes = {known: one for known, one in self._lanes.items() if one.waiting.size}
                self._lanes_max = 2 * len(self._lanes) + EMPTY_MAX
            lane = self._lanes[key] = Lane(self._crew(queue, channel), requires, slope, self._skilled)
        lane.judge()
        return lane

    def settle(self) -> None:
        """Let lanes in which something waits know who can what now: once, after all that was told of agents."""
        if self._settled != self._skilled.version:
            self._settled = self._skilled.version
            for crews in self._crews.values():
                for crew in crews.values():
                    for lane in crew.busy:
                        lane.judge()

    def _crew(self, queue: UUID, channel: str) -> Crew[Agent, Lane]:
        crews = self._crews.setdefault(queue, {})
        crew = crews.get(channel)
        if crew is None:
            crew = crews[channel] = Crew(queue, channel, self.comparators.get(queue, "load"))
            for agent, pull in self.members.get(queue, {}).items():
                self._join(crew, agent, pull)
                self.opened_for.setdefault(agent, []).append(crew)
        return crew

    def enroll(self, agent: Agent) -> None:
        """Put an agent into the crews of its present queues; lanes find it there by its present skills."""
        self._skilled.add(agent, agent.facts.queues, agent.facts.skills)
        for queue, pull in agent.facts.queues.items():
            self.members.setdefault(queue, {})[agent] = pull
            for crew in self._crews.get(queue, {}).values():
                self._join(crew, agent, pull)

    def can_ever(self, queue: UUID, requires: Requirement) -> bool:
        """Whether any agent of the workspace, there or not, is enabled, a member of the queue and meets the requirement."""
        if queue in self.pulled:
            return True
        known = self._able.get((queue, requires))
        if known is None:
            known = any(one.facts.enabled for one in self._skilled.of(self._skilled.able(queue, requires)))
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
        """Take an agent out of all crews. Returns the items somebody declined where it was: their turn may have changed."""
        contested: list[Item] = []
        for places in agent.crews.values():
            for place in places:
                contested.extend(item for lane in place.crew.busy for item in lane.contested)
                place.crew.leave(agent)
        for queue in agent.facts.queues:
            self.members.get(queue, {}).pop(agent, None)
        self._skilled.remove(agent, agent.facts.queues, agent.facts.skills)
        agent.crews = {}
        agent.status = {}
        agent.shown = {}
        return contested

    def compare_by(self, queue: UUID, comparator: Comparator) -> None:
        """Choose among the queue's agents by this comparator from now on."""
        if self.comparators.get(queue, "load") != comparator:
            self.comparators[queue] = comparator
            self.in_turn = {one for one, chosen in self.comparators.items() if chosen == "round_robin"}
            for crew in self._crews.get(queue, {}).values():
                crew.rescore(comparator)

    def _join(self, crew: Crew[Agent, Lane], agent: Agent, pull: Pull) -> None:
        crew.join(agent, pull.delay_s)
        agent.crews.setdefault(crew.channel, []).append(Membership(crew, pull.priority, pull.delay_s))
        if pull.delay_s > 0:
            for lane in crew.busy:
                lane.age()

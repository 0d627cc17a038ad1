"""The floor: the agents and open items dispatch knows, what is promised between them, and what to look at next.

Takes over what it is told, by version: an old or repeated telling changes nothing. Deciding nothing itself, it marks
the agents and items that have to be looked at again. Units: epoch seconds.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from router.dispatch.agents import AgentState
from router.dispatch.crews import Crew
from router.dispatch.lane_book import LaneBook
from router.dispatch.lanes import Agent, Item, Lane
from router.dispatch.timers import Timers
from router.dispatch.vocabulary import (
    AgentLease,
    AgentRemoved,
    Committed,
    Effect,
    ItemRemoved,
    QueueState,
    Refused,
    Told,
)
from router.item.admission import ABSENT, Reason, admissible
from router.item.item import FINAL, ItemState
from router.item.plan import OWN_QUEUE

GONE_MAX = 8192


@dataclass(frozen=True, slots=True)
class Reservation:
    """A promise that is not confirmed yet: what the item becomes when it is."""

    item: Item
    agent: Agent
    channel: str
    state: Literal["offered", "assigned"]
    deadline: float | None


class Floor:
    """Agents, open items and promises of one workspace, with the marks of what has to be looked at."""

    def __init__(self, retry_s: float) -> None:
        self.retry_s = retry_s
        self.items: dict[UUID, Item] = {}
        self.agents: dict[UUID, Agent] = {}
        self.gone: OrderedDict[UUID, int] = OrderedDict()
        self.book = LaneBook()
        self.newest_first: set[UUID] = set()  # queues
        self.judged: set[UUID] = set()  # queues whose members are others, or can other things, than when it was seen last
        self.timers = Timers()
        self.reservations: dict[int, Reservation] = {}
        self.changed_agents: dict[Agent, None] = {}
        self.changed_items: dict[Item, None] = {}
        self.free_agents: dict[Agent, None] = {}
        self.unshown: dict[Agent, None] = {}  # of the free agents, those whose lanes do not know it yet
        self.new_items: dict[Item, None] = {}
        self.effects: list[Effect] = []
        self.waiting = 0  # items that stand in a line
        self.now = 0.0

    def take(self, one: Told, now: float) -> None:
        """Take over one thing that happened."""
        if isinstance(one, ItemState):
            self._take_item(one)
        elif isinstance(one, AgentState):
            self._take_agent(one)
        elif isinstance(one, Committed):
            self._take_committed(one)
        elif isinstance(one, ItemRemoved):
            self._drop(one.id, one.version)
        elif isinstance(one, AgentLease):
            self._take_lease(one, now)
        elif isinstance(one, Refused):
            self._take_refused(one, now)
        elif isinstance(one, AgentRemoved):
            self._remove_agent(one)
        else:
            self._take_queue(one)

    def _take_queue(self, one: QueueState) -> None:
        self.book.compare_by(one.id, one.comparator)
        if one.pulled != (one.id in self.book.pulled):
            self.book.pulled ^= {one.id}
            self.changed_items.update(dict.fromkeys(item for item in self.items.values() if item.facts.plan is not OWN_QUEUE))
        if (one.order == "newest_first") != (one.id in self.newest_first):
            self.newest_first ^= {one.id}
            self.changed_items.update(dict.fromkeys(item for item in self.items.values() if item.facts.queue == one.id))

    def _take_lease(self, one: AgentLease, now: float) -> None:
        agent = self.agents.get(one.id)
        if agent is not None and agent.lease_until is not None and one.lease_until > agent.lease_until:
            if agent.lost(now):
                self.changed_agents[agent] = None
            agent.lease_until = one.lease_until

    def _take_agent(self, facts: AgentState) -> None:
        agent = self.agents.get(facts.id)
        if agent is None:
            if self.gone.get(facts.id, -1) >= facts.version:
                return
            agent = self.agents[facts.id] = Agent(facts)
            self.book.enroll(agent)
            self.judged.update(facts.queues)
        elif facts.version < agent.version:
            return
        else:
            before = agent.facts
            lease = agent.lease_until if facts.version == agent.version else None
            same_queues = facts.queues is before.queues or facts.queues == before.queues
            if not same_queues or facts.skills != before.skills:
                self.changed_items.update(dict.fromkeys(self.book.strike(agent)))
                agent.read(facts)
                self.book.enroll(agent)
                self.judged.update((*before.queues, *facts.queues))
            else:
                agent.read(facts)
                if facts.enabled != before.enabled:
                    self.judged.update(facts.queues)
            if lease is not None and agent.lease_until is not None:
                agent.lease_until = max(lease, agent.lease_until)
        self.changed_agents[agent] = None

    def settle(self) -> None:
        """After all that was told: who can what now. Where nobody can meet a step any more, items that wait in it go on."""
        self.book.settle()
        queues, self.judged = self.judged, set()
        if queues and self.book.judge_again(queues):
            planned = (item for item in self.items.values() if item.state == "queued" and item.facts.plan is not OWN_QUEUE)
            self.changed_items.update(dict.fromkeys(planned))

    def _remove_agent(self, one: AgentRemoved) -> None:
        self._remember_gone(one.id, one.version)
        agent = self.agents.get(one.id)
        if agent is None or one.version < agent.version:
            return
        del self.agents[one.id]
        agent.removed = True
        self.timers.disarm(agent)
        self.changed_items.update(dict.fromkeys(self.book.strike(agent)))
        self.judged.update(agent.facts.queues)
        self.changed_items.update(dict.fromkeys(agent.held))
        self.changed_items.update(dict.fromkeys(entry[4] for entry in agent.personal))
        self.changed_agents.pop(agent, None)
        self.free_agents.pop(agent, None)
        self.unshown.pop(agent, None)

    def _take_item(self, facts: ItemState) -> None:
        if facts.state in FINAL:
            self._drop(facts.id, facts.version)
            return
        item = self.items.get(facts.id)
        if item is None:
            if self.gone.get(facts.id, -1) >= facts.version:
                return
            item = self.items[facts.id] = Item(facts)
        elif facts.version < item.version:
            return
        else:
            if item.pending is not None and (facts.state != "queued" or facts.version > item.version):
                # Made and undone, or about to be refused for its version: its own answer may have been lost.
                self.release(item)
            self.unplace(item)
            self._read_item(item, facts)
        self.changed_items[item] = None

    def _read_item(self, item: Item, facts: ItemState) -> None:
        before = item.facts
        if facts.version > item.version:
            item.said = item.escalated = None
            item.hold_until = facts.hold_until
            if (facts.preferred, facts.wait_until) != (before.preferred, before.wait_until):
                item.released = False
        same_wait = (facts.enqueued_at, facts.queue, facts.plan) == (before.enqueued_at, before.queue, before.plan)
        if not same_wait or facts.step > item.step:
            item.step = facts.step
            item.step_at = facts.step_at
        item.facts = facts
        if item.held_by is not None and facts.queue != before.queue:
            item.held_by.counted = False
        item.version = facts.version
        item.state = facts.state
        item.agent = facts.agent
        item.deadline = facts.deadline

    def _take_committed(self, one: Committed) -> None:
        reservation = self.reservations.pop(one.ticket, None)
        if reservation is None:
            return
        item, agent = reservation.item, reservation.agent
        agent.pending.pop(one.ticket, None)
        agent.fresh.pop(one.ticket, None)
        agent.version = max(agent.version, one.agent_version)
        item.pending = None
        item.version = max(item.version, one.item_version)
        self.given(item, agent, reservation.state, reservation.deadline)

    def given(self, item: Item, agent: Agent, state: Literal["offered", "assigned"], deadline: float | None) -> None:
        """Note that the item is with the agent now."""
        item.said = item.escalated = None
        item.state = state
        item.agent = agent.id
        item.deadline = deadline
        self.hold(item, agent)
        if deadline is not None:
            self.timers.arm(item, deadline)
        if agent.lease_until is not None:
            self.changed_items[item] = None

    def _take_refused(self, one: Refused, now: float) -> None:
        reservation = self.reservations.get(one.ticket)
        if reservation is None:
            return
        # Either side may be what the core has wrong, so neither is proposed again before its row was read again.
        item, agent = reservation.item, reservation.agent
        self.release(item)
        item.hold_until = max(item.hold_until, now + self.retry_s)
        agent.not_before = max(agent.not_before, now + self.retry_s)
        self.changed_items[item] = None

    def release(self, item: Item) -> None:
        """Take back what was promised for the item."""
        assert item.pending is not None
        reservation = self.reservations.pop(item.pending)
        agent = reservation.agent
        if agent.released(item.pending):
            agent.add(reservation.channel, -1)
        item.pending = None
        if not agent.removed:
            self.changed_agents[agent] = None

    def _drop(self, item_id: UUID, version: int) -> None:
        item = self.items.get(item_id)
        if item is not None and version < item.version:
            return
        self._remember_gone(item_id, version)
        if item is None:
            return
        if item.pending is not None:
            self.release(item)
        self.unplace(item)
        if item.held_by is not None:
            self.hold(item, None)
        self.timers.disarm(item)
        self.changed_items.pop(item, None)
        self.new_items.pop(item, None)
        del self.items[item_id]

    def _remember_gone(self, object_id: UUID, version: int) -> None:
        if self.gone.get(object_id, -1) < version:
            self.gone[object_id] = version
        if len(self.gone) > GONE_MAX:
            self.gone.popitem(last=False)

    def refresh(self, agent: Agent, now: float, *, taking: bool = False) -> None:
        """Tell the agent's lanes what it has room for, and see what follows from its presence.

        Lanes hear of new room only when it stays (``show``): an agent who finishes something mostly takes the next
        item at once, and is in many lanes.
        """
        if agent.removed:
            return
        freed = agent.personal.size > 0
        unshown = False
        if agent.facts.items_max or agent.full:
            freed = self._count(agent) or freed
        for channel, places in agent.crews.items():
            status = admissible(agent, channel, now)
            if status is None and agent.open_at > now:
                status = "limit_reached"
            if status is None and agent.status.get(channel, "offline") is not None:
                freed = True
            agent.status[channel] = status
            shown = agent.shown.get(channel, "offline")
            if status is None and shown is not None and shown not in ABSENT:
                unshown = True
            elif status is None or status != shown or channel not in agent.shown:
                agent.shown[channel] = status
                for place in places:
                    self._tell(place.crew, agent, status)
        if freed and not taking:
            self.free_agents[agent] = None
        if not unshown:
            self.unshown.pop(agent, None)
        elif agent in self.free_agents:
            self.unshown[agent] = None
        else:
            self.show(agent)
        for item in agent.held:
            if agent.deaf_to(item.facts.terms.channel, now) is not None:
                self.changed_items[item] = None
        if agent.personal.size:
            away = not agent.present(now)
            for entry in agent.personal:
                # What waits only while there is room goes to anybody as soon as something else took it.
                if away or (entry[4].facts.with_room and not agent.fits(entry[4], now)):
                    self.changed_items[entry[4]] = None
        if agent.lease_until is not None and agent.lease_until > now:
            self.timers.arm(agent, agent.lease_until)
        if agent.not_before > now:
            self.timers.arm(agent, agent.not_before)
        if agent.open_at > now:
            self.timers.arm(agent, agent.open_at)

    def meet(self, agent: Agent, made: Iterable[Crew[Agent, Lane]], now: float) -> None:
        """Tell crews that were made just now what the agent has room for.

        These alone, where all others know the agent as they would be told: a workspace may have many queues.
        """
        if not self._known(agent, made):
            for crew in made:
                agent.shown.pop(crew.channel, None)
            self.refresh(agent, now)
            return
        for crew in made:
            crew.update(agent, agent.shown[crew.channel])
        if agent.personal.size:
            # As after a refresh: for whom something waits alone chooses among that and what is new.
            self.free_agents[agent] = None

    def _known(self, agent: Agent, made: Iterable[Crew[Agent, Lane]]) -> bool:
        """Whether the other crews of these channels were shown what is true of the agent now."""
        if agent.facts.items_max and not agent.counted:
            agent.counted = True
            if self._filled(agent) != agent.full:
                return False
        return all(crew.channel in agent.shown and agent.shown[crew.channel] == agent.status[crew.channel] for crew in made)

    def _tell(self, crew: Crew[Agent, Lane], agent: Agent, status: Reason | None) -> None:
        """Tell a crew what the agent has room for; where it is gone, items that somebody declined may be others' now."""
        if crew.update(agent, status):
            for lane in crew.busy:
                if lane.contested and lane.has(agent):
                    self.changed_items.update(lane.contested)

    def _filled(self, agent: Agent) -> frozenset[UUID]:
        """The queues of which the agent has, or is promised, as many items as they may have."""
        has = Counter(item.facts.queue for item in agent.held)
        has.update(self.reservations[ticket].item.facts.queue for ticket in agent.pending)
        return frozenset(queue for queue, most in agent.facts.items_max.items() if has[queue] >= most)

    def _count(self, agent: Agent) -> bool:
        """Count what the agent has of each queue that has a limit, and tell its lanes; whether there is room where was none."""
        agent.counted = True
        before, agent.full = agent.full, self._filled(agent)
        for channel, places in agent.crews.items() if agent.full != before else ():
            if channel in agent.shown:
                for place in places:
                    if place.crew.queue in before ^ agent.full:
                        place.crew.update(agent, agent.shown[channel])
        return bool(before - agent.full)

    def show(self, agent: Agent) -> None:
        """Tell the agent's lanes of the room that it keeps; harmless when they know."""
        self.unshown.pop(agent, None)
        for channel, status in agent.status.items():
            if status is None and agent.shown.get(channel, "offline") is not None:
                agent.shown[channel] = None
                for place in agent.crews[channel]:
                    place.crew.update(agent, None)

    def hold(self, item: Item, agent: Agent | None) -> None:
        """Remember to whom the item is offered or assigned."""
        if item.held_by is not agent:
            before, item.held_by = item.held_by, agent
            if before is not None:
                before.held.pop(item, None)
                self._recount(before)
            if agent is not None:
                self._recount(agent)
        if agent is not None:
            agent.held[item] = None

    def _recount(self, agent: Agent) -> None:
        agent.counted = False
        if agent.facts.items_max:
            self.changed_agents[agent] = None

    def unplace(self, item: Item) -> None:
        """Take the item out of every line it stands in; harmless when it stands in none."""
        entry = item.entry
        if entry is None:
            return
        if item.owner is not None:
            item.owner.personal.remove(entry)
            item.owner = None
        for lane in item.lanes:
            lane.take(entry)
        item.lanes = ()
        item.entry = None
        self.waiting -= 1

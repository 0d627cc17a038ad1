"""The dispatch core: which agent gets which item, when. State and one step; no clock, no store, no randomness.

``step(told, now)`` takes what happened and returns what is to be done about it. Production feeds it rows and executes
the effects through a guarded statement that may refuse; tests and the simulator play that shell in memory. The same
events in the same order give the same effects.

Units: epoch seconds (floats); ``now`` never goes back further than an event's own times, and a clock that stands
still is harmless. Identity: items and agents by id, newest version wins, reservations by ticket.

Within a step: what was told is taken over, then due timers, then agents are put into lanes, then items, then
matched. Freed agents choose first, the smallest key of all of them first; then new items choose among who has room.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heapreplace
from itertools import islice
from typing import Literal

from router.dispatch.floor import Floor, Reservation
from router.dispatch.lanes import Agent, Item, Lane, Rank
from router.dispatch.matching import best_agent, best_item, decide
from router.dispatch.overdue import look
from router.dispatch.vocabulary import UNEXPLAINED, Effect, Reserve, Told
from router.item.item import is_new_to

RETRY_S = 0.02


class Dispatch:
    """One workspace's waiting items and agents. Not thread-safe.

    On start, and after any doubt about what was stored: make a new one and feed it everything in one ``steps``.
    """

    def __init__(
        self,
        *,
        retry_s: float = RETRY_S,
        reserve_max: int = 500,
        batch_min: int = 64,
        runners_up_max: int = 10,
        sure: bool = False,
        explain: bool = True,
    ) -> None:
        """Make an empty core.

        ``batch_min``: from so many agents freed at once on, items are matched by key instead of agent by agent.
        ``sure``: the caller is the only writer and executes every reservation, so none is answered; the versions of
        the item and of the agent go up by one each time. ``explain`` False leaves the decisions empty. Both are for
        simulated clocks.
        """
        self._floor = Floor(retry_s)
        self._ticket = 0
        self._reserve_max = reserve_max
        self._batch_min = batch_min
        self._runners_up_max = runners_up_max
        self._sure = sure
        self._explain = explain

    def step(self, told: Told, now: float) -> list[Effect]:
        """Take one thing that happened. Telling it twice is safe."""
        return self.steps((told,), now)

    def steps(self, told: Iterable[Told], now: float) -> list[Effect]:
        """Take any number of things that happened, none for a clock tick, and match once after all of them.

        At most ``reserve_max`` reservations come back; ``next_wake_at`` is in the past when there is more to do.
        """
        floor = self._floor
        floor.effects = []
        floor.now = now
        for one in told:
            floor.take(one, now)
        floor.settle()
        for what in floor.timers.pop_due(now):
            if isinstance(what, Agent):
                floor.changed_agents[what] = None
            elif isinstance(what, Item):
                floor.changed_items[what] = None
        while floor.changed_agents or floor.changed_items:
            while floor.changed_agents:
                floor.refresh(floor.changed_agents.popitem()[0], now)
            if floor.changed_items:
                items, floor.changed_items = floor.changed_items, {}
                for item in items:
                    look(floor, item, now)
        if floor.free_agents or floor.new_items:
            self._match(now)
        return floor.effects

    @property
    def next_wake_at(self) -> float | None:
        """When ``steps`` has something to do by itself, or None."""
        if self._floor.free_agents or self._floor.new_items:
            return self._floor.now
        return self._floor.timers.next_at

    @property
    def waiting(self) -> int:
        """Items that stand in a line now."""
        return self._floor.waiting

    def _match(self, now: float) -> None:
        room = self._reserve_max
        if len(self._floor.free_agents) >= self._batch_min:
            for agent in list(self._floor.unshown):
                self._floor.show(agent)
            room = self._match_batch(room, now)
        if self._floor.free_agents:
            room = self._match_agents(room, now)
        if self._floor.free_agents or not self._floor.new_items:
            return
        items = [item for item in self._floor.new_items if item.entry is not None]
        if len(items) > 1:
            items.sort(key=lambda item: item.entry or ())
        self._floor.new_items = {}
        for place, item in enumerate(items):
            if room == 0:
                self._floor.new_items = dict.fromkeys(items[place:])
                return
            found = best_agent(item, (), now)
            if found is not None:
                self._reserve(item, *found, now)
                room -= 1

    def _match_batch(self, room: int, now: float) -> int:
        """Many agents came free: walk the waiting items by key, each to its best agent. Return what is left of room.

        Agents' own priorities among queues order whole lanes here (the best priority any freed member has). A lane is
        left when nobody in it has room any more. What this leaves, ``_match_agents`` finishes.
        """
        free = self._floor.free_agents
        lanes: dict[Lane, int] = {}
        looked_at = 0
        for agent in list(free):
            if not agent.personal.size and all(agent.status.values()):
                del free[agent]
                continue
            for channel, places in agent.crews.items():
                if agent.status[channel] is None:
                    for crew, priority, _ in places:
                        for lane in crew.busy:
                            if lane.has(agent):
                                lanes[lane] = min(priority, lanes.get(lane, priority))
            looked_at += 1
            if looked_at >= room:
                break
        heads = [
            (lane.rank(lane.waiting.first(), priority, now), number, 0, lane, priority)
            for number, (lane, priority) in enumerate(lanes.items())
        ]
        heapify(heads)
        while heads and room:
            rank, number, place, lane, priority = heads[0]
            entry = lane.waiting.at(place)
            if entry is not None and lane.manned and lane.rank(entry, priority, now) == rank:
                found = best_agent(entry[4], (), now)
                if found is None:
                    place += 1
                else:
                    self._reserve(entry[4], *found, now)
                    room -= 1
                entry = lane.waiting.at(place)
            if entry is None or not lane.manned:
                heappop(heads)
            else:
                heapreplace(heads, (lane.rank(entry, priority, now), number, place, lane, priority))
        return room

    def _match_agents(self, room: int, now: float) -> int:
        """Let agents with new room take, best key of all of them first. Return how many more may be reserved."""
        free = self._floor.free_agents
        if len(free) == 1:
            return self._match_agent(next(iter(free)), room, now)
        heads: list[tuple[Rank, int, Agent, Item]] = []
        for agent in list(islice(free, room)):
            found = best_item(agent, now)
            if found is None:
                del free[agent]
                self._floor.show(agent)
            else:
                heads.append((found[0], agent.number, agent, found[1]))
        heapify(heads)
        while heads and room:
            _, number, agent, item = heads[0]
            if item.entry is not None and agent.fits(item, now):
                chosen = best_agent(item, self._floor.unshown, now)
                assert chosen is not None, "an agent's best item has a best agent"
                self._reserve(item, *chosen, now)
                room -= 1
            found = best_item(agent, now)
            if found is None:
                heappop(heads)
                free.pop(agent, None)
                self._floor.show(agent)
            else:
                heapreplace(heads, (found[0], number, agent, found[1]))
        return room

    def _match_agent(self, agent: Agent, room: int, now: float) -> int:
        """Let the one agent with new room take, as ``_match_agents`` would."""
        free = self._floor.free_agents
        while room:
            found = best_item(agent, now)
            if found is None:
                del free[agent]
                self._floor.show(agent)
                break
            chosen = best_agent(found[1], self._floor.unshown, now)
            assert chosen is not None, "an agent's best item has a best agent"
            self._reserve(found[1], *chosen, now)
            room -= 1
        return room

    def _reserve(self, item: Item, agent: Agent, lane: Lane | None, now: float) -> None:
        floor = self._floor
        facts = item.facts
        terms = facts.terms
        channel = terms.channel
        version = item.version
        decision = UNEXPLAINED
        if self._explain:
            decision = decide(item, agent, lane, floor.unshown, floor.book, len(floor.agents), self._runners_up_max, now)
        floor.unplace(item)
        floor.timers.disarm(item)
        self._ticket += 1
        straight = terms.auto_accept and facts.target is None
        state: Literal["offered", "assigned"] = "assigned" if straight else "offered"
        deadline = None if straight else now + terms.offer_s
        agent.add(channel, 1)
        met = facts.queue if lane is None else lane.queue
        new = agent.facts.new_items_max > 0 and is_new_to(facts, agent.id)
        if new or floor.book.in_turn:
            agent.took(now, floor.book.in_turn & {facts.queue, met}, new=new)
        if now < agent.facts.ramp_until:
            agent.not_before = max(agent.not_before, now + agent.facts.ramp_s)
        if self._sure:
            item.version += 1
            agent.version += 1
            floor.given(item, agent, state, deadline)
        else:
            floor.reservations[self._ticket] = Reservation(item, agent, channel, state, deadline)
            item.pending = self._ticket
            agent.promised(self._ticket, channel, now, new=new)
        floor.refresh(agent, now, taking=True)
        floor.effects.append(
            Reserve(
                ticket=self._ticket,
                item=item.id,
                item_version=version,
                agent=agent.id,
                channel=channel,
                queue=met,
                kind="assign" if straight else "offer",
                deadline_s=None if straight else terms.offer_s,
                decision=decision,
            )
        )

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

from router.admission import admissible
from router.agents import Agent
from router.dispatch_vocabulary import Effect, Reserve, Told
from router.floor import Floor, Reservation
from router.lanes import Item, Lane, Rank
from router.matching import best_agent, best_item, decide
from router.waiting import look

RETRY_S = 0.02


class Dispatch:
    """One workspace's waiting items and agents. Not thread-safe.

    On start, and after any doubt about what was stored: make a new one and feed it everything in one ``steps``.
    """

    def __init__(self, *, retry_s: float = RETRY_S, reserve_max: int = 500, runners_up_max: int = 10) -> None:
        self._reserve_max = reserve_max
        self._runners_up_max = runners_up_max
        self._floor = Floor(retry_s)
        self._ticket = 0

    def step(self, told: Told, now: float) -> list[Effect]:
        """Take one thing that happened. Telling it twice is safe."""
        return self.steps((told,), now)

    def steps(self, told: Iterable[Told], now: float) -> list[Effect]:
        """Take any number of things that happened, none for a clock tick, and match once after all of them.

        At most ``reserve_max`` reservations come back; ``next_wake_at`` is in the past when there is more to do.
        """
        self._floor.effects = []
        self._floor.now = now
        for one in told:
            self._floor.take(one, now)
        for what in self._floor.timers.pop_due(now):
            if isinstance(what, Agent):
                self._floor.changed_agents[what] = None
            elif isinstance(what, Item):
                self._floor.changed_items[what] = None
        while self._floor.changed_agents or self._floor.changed_items:
            while self._floor.changed_agents:
                self._floor.refresh(self._floor.changed_agents.popitem()[0], now)
            items, self._floor.changed_items = self._floor.changed_items, {}
            for item in items:
                look(self._floor, item, now)
        self._match(now)
        return self._floor.effects

    @property
    def next_wake_at(self) -> float | None:
        """When ``steps`` has something to do by itself, or None."""
        if self._floor.free_agents or self._floor.new_items:
            return self._floor.now
        return self._floor.timers.next_at

    @property
    def waiting(self) -> int:
        """Items that stand in a line now."""
        return sum(1 for item in self._floor.items.values() if item.entry is not None)

    def _match(self, now: float) -> None:
        room = self._match_agents(self._reserve_max, now) if self._floor.free_agents else self._reserve_max
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
            found = best_agent(item, now)
            if found is not None:
                self._reserve(item, *found, now)
                room -= 1

    def _match_agents(self, room: int, now: float) -> int:
        """Let agents with new room take, best key of all of them first. Return how many more may be reserved."""
        heads: list[tuple[Rank, int, Agent, Item]] = []
        for agent in list(islice(self._floor.free_agents, room)):
            found = best_item(agent, now)
            if found is None:
                del self._floor.free_agents[agent]
            else:
                heads.append((found[0], agent.number, agent, found[1]))
        heapify(heads)
        while heads and room:
            _, number, agent, item = heads[0]
            if item.entry is not None and admissible(agent, item.facts.terms.channel, now) is None:
                chosen = best_agent(item, now)
                assert chosen is not None, "an agent's best item has a best agent"
                self._reserve(item, *chosen, now)
                room -= 1
            found = best_item(agent, now)
            if found is None:
                heappop(heads)
                self._floor.free_agents.pop(agent, None)
            else:
                heapreplace(heads, (found[0], number, agent, found[1]))
        return room

    def _reserve(self, item: Item, agent: Agent, lane: Lane | None, now: float) -> None:
        facts = item.facts
        terms = facts.terms
        decision = decide(item, agent, lane, self._floor.book, len(self._floor.agents), self._runners_up_max, now)
        self._floor.unplace(item)
        self._floor.timers.disarm(item)
        self._ticket += 1
        ticket = self._ticket
        straight = terms.auto_accept and facts.target is None
        deadline = None if straight else now + terms.offer_s
        self._floor.reservations[ticket] = Reservation(
            item, agent, terms.channel, "assigned" if straight else "offered", deadline
        )
        item.pending = ticket
        agent.pending[ticket] = terms.channel
        agent.add(terms.channel, 1)
        agent.last_offer_at = now
        if now < agent.facts.ramp_until:
            agent.not_before = max(agent.not_before, now + agent.facts.ramp_s)
        self._floor.refresh(agent, now, taking=True)
        self._floor.effects.append(
            Reserve(
                ticket=ticket,
                item=item.id,
                item_version=item.version,
                agent=agent.id,
                channel=terms.channel,
                kind="assign" if straight else "offer",
                deadline_s=None if straight else terms.offer_s,
                decision=decision,
            )
        )

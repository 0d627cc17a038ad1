"""The shell of ``dispatch_world`` at its worst: answers that are lost, a second core beside the first, clocks that jump.

The second core is told the same at the same times and must ask for the same (I13).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from router.dispatch.agents import AgentState, Comparator
from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import AgentLease, Committed, Effect, Order, QueueState, Refused, Reserve, Told
from router.item.transition import Change
from shared.errors import Conflict
from tests.support.dispatch_world import World


@dataclass
class CoreWorld(World):
    """A world with two cores. ``lose_next``: so many of the next commits are never confirmed, only their rows are told, later."""

    twin: Dispatch = field(default_factory=Dispatch)
    queues: dict[UUID, QueueState] = field(default_factory=dict)
    lose_next: int = 0
    untold: dict[UUID, UUID] = field(default_factory=dict)  # item, agent of commits whose answer was lost
    alone: bool = False  # whether the step asked for one thing only, so that rows still say what it saw

    def ask(self, told: list[Told]) -> list[Effect]:
        """One step of both cores."""
        effects = super().ask(told)
        self.alone = len(effects) == 1
        assert self.twin.steps(told, self.now) == effects, "I13: the same events, the same decisions"
        assert self.twin.next_wake_at == self.core.next_wake_at
        return effects

    def crash(self, batch_min: int) -> None:
        """Both cores are lost and built again from the rows."""
        self.core, self.twin = Dispatch(batch_min=batch_min), Dispatch(batch_min=batch_min)
        self.in_flight.clear()
        self.promised.clear()  # the new core counts its tickets from one again
        self.untold.clear()
        self.settle(tuple(self.queues.values()))
        self.said.clear()  # what was on its way to the old core does not reach the new one
        self.tell(*self.agents.values(), *self.items.values())

    def order(self, queue: UUID, comparator: Comparator, order: Order) -> None:
        """A queue chooses and orders otherwise from now on."""
        self.queues[queue] = QueueState(id=queue, comparator=comparator, order=order)
        self.settle((self.queues[queue],))

    def renew(self, agent: UUID, lease_until: float) -> None:
        """The agent's socket is heard: the row's lease moves, its version does not."""
        self.settle((AgentLease(id=agent, lease_until=lease_until),))

    def find_out(self) -> None:
        """The rows of lost answers are read after all."""
        lost, self.untold = self.untold, {}
        for item, agent in lost.items():
            self.settle((self.items[item], *([self.agents[agent]] if agent in self.agents else [])))

    def refused_for_good(self, item: UUID, change: Change) -> None:
        """I11: the change is a conflict and leaves the row as it is."""
        before = self.items[item]
        try:
            self._apply(item, change)
        except Conflict:
            assert self.items[item] == before
        else:
            raise AssertionError(f"{change.trigger} of an item that is {before.state} went through")

    def remove_agent(self, agent: UUID) -> None:
        """The agent leaves for good."""
        self.note_absent(agent)
        super().remove_agent(agent)

    def _reserve(self, effect: Reserve, *, late: bool) -> list[Told]:
        candidates = effect.decision.candidates
        assert list(candidates) == sorted(candidates, key=lambda one: (one[3], one[4], one[0].int)), "I16: best first"
        if self.alone and not late and not self.in_flight and not self.untold:
            self._judge_choice(effect)
        answers = super()._reserve(effect, late=late)
        if self.lose_next > 0 and isinstance(answers[0], Committed):
            self.lose_next -= 1
            self.untold[effect.item] = effect.agent
            return answers[1:]
        self.said.extend(one for one in answers if isinstance(one, Committed | Refused))
        return answers

    def _judge_choice(self, effect: Reserve) -> None:
        """I16: by load, nobody who could have taken it had less to do, or as little for longer."""
        item, decision = self.items[effect.item], effect.decision
        own = self.queues.get(item.queue)
        if decision.personal or item.exclusions or (own is not None and own.comparator != "load"):
            return
        for agent in self.agents.values():
            known = self.core._floor.agents[agent.id]
            # What is promised and not executed yet, the row does not say.
            held_back = known.not_before > self.now or (known.pending and agent.id != effect.agent)
            slow = any(pull.delay_s > 0 for pull in agent.queues.values())
            if known.full or known.open_at > self.now:
                continue
            if held_back or slow or agent.id == item.giver or not self.qualified(item, agent, decision.step):
                continue
            if self.fits(agent, item):
                chosen = self.agents[effect.agent]
                assert self.busy(chosen) <= self.busy(agent), "I16: the comparator over all who could have taken it"

    def busy(self, agent: AgentState) -> tuple[float, float, int]:
        """The comparator ``load`` once more."""
        return (agent.used / agent.budget if agent.budget > 0 else 1.0, agent.idle_since, agent.id.int)

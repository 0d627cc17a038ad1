"""The shell of ``dispatch_world`` at its worst: answers that are lost, a second core beside the first, clocks that jump.

The second core is told the same at the same times and must ask for the same (I13).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from router.agents import Comparator
from router.dispatch import Dispatch
from router.dispatch_vocabulary import AgentLease, Committed, Effect, Order, QueueState, Refused, Reserve, Told
from router.transition import Change
from shared.errors import Conflict
from tests.support.dispatch_world import World


@dataclass
class CoreWorld(World):
    """A world with two cores. ``lose_next``: so many of the next commits are never confirmed, only their rows are told, later."""

    twin: Dispatch = field(default_factory=Dispatch)
    queues: dict[UUID, QueueState] = field(default_factory=dict)
    lose_next: int = 0
    untold: dict[UUID, UUID] = field(default_factory=dict)  # item, agent of commits whose answer was lost
    left: set[UUID] = field(default_factory=set)  # agents who were removed

    def ask(self, told: list[Told]) -> list[Effect]:
        """One step of both cores."""
        effects = super().ask(told)
        assert self.twin.steps(told, self.now) == effects, "I13: the same events, the same decisions"
        assert self.twin.next_wake_at == self.core.next_wake_at
        return effects

    def crash(self, batch_min: int) -> None:
        """Both cores are lost and built again from the rows."""
        self.core, self.twin = Dispatch(batch_min=batch_min), Dispatch(batch_min=batch_min)
        self.in_flight.clear()
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
        self.left.add(agent)
        super().remove_agent(agent)

    def _reserve(self, effect: Reserve, *, late: bool) -> list[Told]:
        candidates = effect.decision.candidates
        assert list(candidates) == sorted(candidates, key=lambda one: (one[3], one[4], one[0].int)), "I16: best first"
        answers = super()._reserve(effect, late=late)
        if self.lose_next > 0 and isinstance(answers[0], Committed):
            self.lose_next -= 1
            self.untold[effect.item] = effect.agent
            return answers[1:]
        self.said.extend(one for one in answers if isinstance(one, Committed | Refused))
        return answers

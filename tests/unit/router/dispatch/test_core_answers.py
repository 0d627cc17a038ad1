"""Rows and answers that cross each other on the way to the core: what it promised is neither forgotten nor kept for ever."""

from __future__ import annotations

from dataclasses import replace

from router.dispatch.agents import AgentState, Pull
from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import Committed, Effect, Reserve
from router.item.admission import DEFAULT_RULES
from router.item.item import ItemState
from router.item.transition import Change, transition
from tests.support.dispatch_world import CHAT, uid

QUEUE = uid(1)
BEFORE = AgentState(id=uid(100), version=1, queues={QUEUE: Pull()}, channels=DEFAULT_RULES)


def waiting(number: int) -> ItemState:
    return ItemState(id=uid(number), version=1, state="queued", terms=CHAT, queue=QUEUE, due=60.0, enqueued_at=0.0)


def reservations(effects: list[Effect]) -> list[Reserve]:
    return [one for one in effects if isinstance(one, Reserve)]


def test_an_item_whose_answer_was_lost_is_offered_again_once_its_row_says_that_it_waits() -> None:
    core = Dispatch()
    (first,) = reservations(core.steps((BEFORE, waiting(1)), 0.0))
    offered = transition(waiting(1), Change(trigger="offer", agent=first.agent), 0.0)
    again = transition(offered, Change(trigger="hand_over", agent=first.agent), 1.0)
    assert [one.item_version for one in reservations(core.step(again, 1.0))] == [again.version]
    assert core.step(Committed(ticket=first.ticket, item_version=2, agent_version=2), 1.1) == [], "too late to mean anything"


def test_a_row_from_before_a_promise_does_not_end_the_ramp_it_set() -> None:
    core = Dispatch()
    slow = replace(BEFORE, ramp_until=60.0, ramp_s=10.0)
    (first,) = reservations(core.steps((slow, waiting(1)), 0.0))
    assert reservations(core.steps((replace(slow, version=2), waiting(2)), 1.0)) == []
    core.step(Committed(ticket=first.ticket, item_version=2, agent_version=3), 1.0)
    assert reservations(core.steps((), 9.0)) == []
    assert [one.item for one in reservations(core.steps((), 10.0))] == [uid(2)]

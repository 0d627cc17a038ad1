"""Lanes that are opened while agents are there: each agent is shown to the new one alone, so many kinds of work cost agents times lanes."""

from __future__ import annotations

from typing import Any

import pytest

from router.dispatch.agents import AgentState, Pull
from router.dispatch.core import Dispatch
from router.dispatch.lanes import Agent, Lane
from router.dispatch.vocabulary import Reserve
from router.item.admission import ChannelRule, Reason
from router.item.item import ItemState
from router.item.plan import OWN_QUEUE, Plan, Step
from tests.support.dispatch_world import EMAIL, uid

QUEUE = uid(1)
AGENTS = LANES = 30
SKILLS = {f"s{number}": 1 for number in range(LANES)}
RULES = {"email": ChannelRule(cost=1, cap=100)}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Lane]:
    """The lanes that are told something of an agent, in order."""
    lanes: list[Lane] = []
    real = Lane.update

    def update(lane: Lane, agent: Agent, status: Reason | None) -> bool:
        lanes.append(lane)
        return real(lane, agent, status)

    monkeypatch.setattr(Lane, "update", update)
    return lanes


def agent(number: int, **more: Any) -> AgentState:
    given = {"queues": {QUEUE: Pull()}, "channels": RULES, "skills": SKILLS, "budget": 100, **more}
    return AgentState(id=uid(1000 + number), version=1, **given)


def item(number: int, *, needs: int | None = None, **more: Any) -> ItemState:
    plan = OWN_QUEUE if needs is None else Plan((Step(requires=((f"s{needs}", 1),)),))
    given = {
        "state": "queued",
        "queue": QUEUE,
        "due": 2000.0 + number,
        "enqueued_at": 1000.0,
        "step_at": 1000.0,
        "plan": plan,
        **more,
    }
    return ItemState(id=uid(10_000 + number), version=1, terms=EMAIL, **given)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"budget": 0}, id="no room"),
        pytest.param({"queues": {QUEUE: Pull(delay_s=3600.0)}}, id="room for what has waited longer"),
        pytest.param({"queues": {QUEUE: Pull(delay_s=3600.0)}, "items_max": {QUEUE: 5}}, id="room up to a limit"),
        pytest.param({"presence": "away"}, id="away"),
    ],
)
def test_an_agent_is_shown_to_the_lane_that_is_opened_alone(told: list[Lane], more: dict[str, Any]) -> None:
    core = Dispatch()
    core.steps([agent(number, **more) for number in range(AGENTS)], 1000.0)
    assert core.steps([item(number, needs=number) for number in range(LANES)], 1000.0) == []
    assert len(set(told)) == LANES
    assert len(told) == AGENTS * LANES


def test_so_it_is_one_by_one_and_while_something_waits_for_them_alone(told: list[Lane]) -> None:
    core = Dispatch()
    core.steps([agent(number, budget=0) for number in range(AGENTS)], 1000.0)
    core.steps([item(number, preferred=uid(1000 + number), wait_until=5000.0) for number in range(AGENTS)], 1000.0)
    for number in range(LANES):
        core.step(item(1000 + number, needs=number), 1000.0)
    assert len(told) == AGENTS * LANES


def test_items_that_agents_with_a_limit_have_are_counted_between(told: list[Lane]) -> None:
    """All of a workspace told at once, as at a take-over: what is held and what waits come in turn."""
    core = Dispatch()
    limited = [agent(number, items_max={QUEUE: 2}, queues={QUEUE: Pull(delay_s=3600.0)}) for number in range(AGENTS)]
    both: list[ItemState] = []
    for number in range(LANES):
        both.append(item(number, state="assigned", agent=uid(1000 + number)))
        both.append(item(100 + number, state="assigned", agent=uid(1000 + (number + 1) % AGENTS)))
        both.append(item(1000 + number, needs=number))
    core.steps([*limited, *both], 1000.0)
    assert all(one.full == {QUEUE} for one in core._floor.agents.values())
    assert set().union(*(lane.blocked.items() for lane in told)) == {("limit_reached", AGENTS)}
    assert len(told) <= 3 * AGENTS * LANES


def test_an_agent_who_came_free_in_the_same_step_is_known_to_old_and_new_lanes(told: list[Lane]) -> None:
    core = Dispatch()
    busy = {"used": 100, "counts": {"email": 100}}
    core.steps([agent(number, **busy) for number in range(AGENTS)], 1000.0)
    core.steps([item(number, needs=number) for number in range(LANES - 1)], 1000.0)
    told.clear()
    freed = AgentState(id=uid(1000), version=2, queues={QUEUE: Pull()}, channels=RULES, skills=SKILLS, budget=100, used=99)
    effects = core.steps([freed, item(5000, needs=LANES - 1, urgency=-1)], 1001.0)
    assert [(one.item, one.agent) for one in effects if isinstance(one, Reserve)] == [(uid(15_000), uid(1000))]
    assert len(told) <= AGENTS + 3 * LANES

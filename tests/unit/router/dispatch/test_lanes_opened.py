"""Many kinds of work: a requirement that comes costs what waits of it, however many agents there are and however many other kinds."""

from __future__ import annotations

from typing import Any

import pytest

from router.dispatch.agents import AgentState, Pull
from router.dispatch.core import Dispatch
from router.dispatch.crews import Crew
from router.dispatch.lane_book import EMPTY_MAX
from router.dispatch.skilled import Skilled
from router.dispatch.vocabulary import QueueState, Reserve, Widen
from router.item.admission import ChannelRule, Reason
from router.item.item import ItemState
from router.item.plan import OWN_QUEUE, Plan, Step
from tests.support.dispatch_world import EMAIL, uid

QUEUE = uid(1)
AGENTS = LANES = 30
SKILLS = {f"s{number}": 1 for number in range(LANES)}
RULES = {"email": ChannelRule(cost=1, cap=100)}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The agents of whom something is told, in order."""
    agents: list[Any] = []
    real = Crew.update

    def update(crew: Crew[Any, Any], agent: Any, status: Reason | None) -> bool:
        agents.append(agent)
        return real(crew, agent, status)

    monkeypatch.setattr(Crew, "update", update)
    return agents


def agent(number: int, **more: Any) -> AgentState:
    given = {"version": 1, "queues": {QUEUE: Pull()}, "channels": RULES, "skills": SKILLS, "budget": 100, **more}
    return AgentState(id=uid(1000 + number), **given)


def item(number: int, *, needs: int | None = None, version: int = 1, **more: Any) -> ItemState:
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
    return ItemState(id=uid(10_000 + number), version=version, terms=EMAIL, **given)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"budget": 0}, id="no room"),
        pytest.param({"queues": {QUEUE: Pull(delay_s=3600.0)}}, id="room for what has waited longer"),
        pytest.param({"queues": {QUEUE: Pull(delay_s=3600.0)}, "items_max": {QUEUE: 5}}, id="room up to a limit"),
        pytest.param({"presence": "away"}, id="away"),
    ],
)
def test_each_agent_is_told_of_once_however_many_lanes_are_opened(told: list[Any], more: dict[str, Any]) -> None:
    core = Dispatch()
    core.steps([agent(number, **more) for number in range(AGENTS)], 1000.0)
    assert core.steps([item(number, needs=number) for number in range(LANES)], 1000.0) == []
    assert len(told) == len(set(told)) == AGENTS


def test_so_it_is_one_by_one_and_while_something_waits_for_them_alone(told: list[Any]) -> None:
    core = Dispatch()
    core.steps([agent(number, budget=0) for number in range(AGENTS)], 1000.0)
    core.steps([item(number, preferred=uid(1000 + number), wait_until=5000.0) for number in range(AGENTS)], 1000.0)
    for number in range(LANES):
        core.step(item(1000 + number, needs=number), 1000.0)
    assert len(told) == AGENTS


def test_who_changes_is_told_of_once_however_many_lanes_there_are(told: list[Any]) -> None:
    core = Dispatch()
    core.steps([agent(number, presence="away") for number in range(AGENTS)], 1000.0)
    core.steps([item(number, needs=number) for number in range(LANES)], 1000.0)
    told.clear()
    core.step(agent(0, version=2, budget=0), 1001.0)
    assert len(told) == 1


def test_items_that_agents_with_a_limit_have_are_counted_between(told: list[Any]) -> None:
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
    lanes = list(core._floor.book._lanes.values())
    assert [lane.count("limit_reached") for lane in lanes if lane.requires] == [AGENTS] * LANES
    assert len(told) <= 5 * AGENTS


def test_an_agent_who_came_free_in_the_same_step_is_known_to_old_and_new_lanes(told: list[Any]) -> None:
    core = Dispatch()
    busy = {"used": 100, "counts": {"email": 100}}
    core.steps([agent(number, **busy) for number in range(AGENTS)], 1000.0)
    core.steps([item(number, needs=number) for number in range(LANES - 1)], 1000.0)
    told.clear()
    effects = core.steps([agent(0, version=2, used=99), item(5000, needs=LANES - 1, urgency=-1)], 1001.0)
    assert [(one.item, one.agent) for one in effects if isinstance(one, Reserve)] == [(uid(15_000), uid(1000))]
    assert len(told) <= 3


def test_who_can_what_is_seen_once_however_many_agents_change(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Dispatch()
    core.steps([agent(number, presence="away") for number in range(AGENTS)], 1000.0)
    plans = [Plan((Step(requires=((f"s{number}", 1),), timeout_s=60.0), Step())) for number in range(LANES)]
    core.steps([item(number, plan=plan) for number, plan in enumerate(plans)], 1000.0)
    asked: list[Any] = []
    real = Skilled.able

    def able(skilled: Skilled[Any], queue: Any, requires: Any) -> int:
        asked.append(requires)
        return real(skilled, queue, requires)

    monkeypatch.setattr(Skilled, "able", able)
    changed = [agent(number, presence="away", version=2, skills={**SKILLS, "more": 1}) for number in range(AGENTS)]
    assert core.steps(changed, 1001.0) == []
    assert len(asked) <= 4 * LANES
    nobody = [agent(number, presence="away", version=3, skills={}) for number in range(AGENTS)]
    assert [(one.step, one.reason) for one in core.steps(nobody, 1002.0) if isinstance(one, Widen)] == [(1, "nobody")] * LANES


def test_lanes_in_which_nothing_waits_any_more_are_closed() -> None:
    core = Dispatch()
    core.step(agent(0, presence="away"), 1000.0)
    for number in range(4 * EMPTY_MAX):
        core.step(item(number, needs=number), 1000.0)
        core.step(item(number, needs=number, version=2, state="completed"), 1000.0)
    core.steps([item(10_000 + number, needs=number) for number in range(LANES)], 1000.0)
    assert LANES <= len(core._floor.book._lanes) <= EMPTY_MAX + LANES
    effects = core.step(agent(0, version=2), 1001.0)
    assert sum(isinstance(one, Reserve) for one in effects) == LANES


@pytest.mark.parametrize("comparator", ["load", "best_skill", "least_flexible", "round_robin"])
def test_of_many_with_room_the_best_who_can_takes_it(comparator: Any) -> None:
    """Whether one of many can do it, or each of them."""
    for holders in (1, 40, 200):
        core = Dispatch()
        able = range(200 - holders, 200)
        agents = [
            agent(
                number,
                skills={"s1": 1 + number % 5, **({"rare": 1 + number % 3} if number in able else {})},
                used=(number * 37) % 50,
            )
            for number in range(200)
        ]
        core.steps([QueueState(id=QUEUE, comparator=comparator), *agents], 1000.0)
        core.step(item(1, needs=None), 1000.0)
        rare = Plan((Step(requires=(("rare", 1), ("s1", 2))),))
        (found,) = [one for one in core.step(item(2, plan=rare), 1001.0) if isinstance(one, Reserve)]
        qualified = [
            known for known in core._floor.agents.values() if known.facts.skills.get("rare", 0) and known.facts.skills["s1"] > 1
        ]
        assert found.agent in {known.id for known in qualified}
        crew = core._floor.book._crews[QUEUE]["email"]
        first = found.decision.candidates[0]
        others = [crew.score(known, QUEUE, rare.steps[0].requires) for known in qualified if known.id != found.agent]
        assert all((first[3], first[4]) <= score for score in others)

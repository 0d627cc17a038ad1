"""Predicted waits against the closed form, shares of shared agents, and the measure of evenness."""

from __future__ import annotations

import math
import random
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.item.admission import ChannelRule
from router.waits.fairness import gini, shares
from router.waits.prediction import Line, Server, departures_per_s, wait_of

CHAT = {"chat": ChannelRule(cost=33, cap=3)}


def line(waiting: int = 0, *, handling_s: float | None = 300, finished: int = 50) -> Line:
    return Line(id=uuid4(), waiting=waiting, channel="chat", handling_s=handling_s, finished=finished)


def test_the_next_in_line_waits_an_exponential_time() -> None:
    wait = wait_of(1, 0.01)
    assert wait is not None
    assert wait.p50_s == pytest.approx(100 * math.log(2), rel=0.02)
    assert wait.p90_s == pytest.approx(100 * math.log(10), rel=0.02)


@pytest.mark.parametrize("position", [2, 5, 20, 100])
def test_quantiles_are_those_of_the_k_th_departure(position: int) -> None:
    chance = random.Random(7)
    drawn = sorted(sum(chance.expovariate(0.02) for _ in range(position)) for _ in range(20_000))
    wait = wait_of(position, 0.02)
    assert wait is not None
    assert wait.p50_s == pytest.approx(drawn[10_000], rel=0.03)
    assert wait.p90_s == pytest.approx(drawn[18_000], rel=0.03)


def test_nobody_there_or_no_experience_foretells_nothing() -> None:
    known, young = line(), line(finished=19)
    pace = departures_per_s([known, young], [])
    assert pace == {known.id: 0.0}
    assert wait_of(1, pace[known.id]) is None
    assert wait_of(1, pace.get(young.id)) is None


def test_an_agent_serves_each_queue_by_what_waits_there() -> None:
    busy, calm = line(8), line(2)
    agents = [Server(queues=(busy.id, calm.id), budget=100, rules=CHAT) for _ in range(4)]
    pace = departures_per_s([busy, calm], agents)
    whole = 4 * 3 / 300
    assert sum(pace.values()) == pytest.approx(whole)
    assert pace[busy.id] == pytest.approx(whole * 9 / 12)


def test_places_follow_budget_cap_and_exclusiveness() -> None:
    def places(**rule: object) -> float:
        return Server(queues=(), budget=100, rules={"chat": ChannelRule(**rule)}).places("chat")  # type: ignore[arg-type]

    assert places(cost=33, cap=3) == 3
    assert places(cost=50, cap=3) == 2
    assert places(cost=0, cap=7) == 7
    assert places(cost=100, cap=5, exclusive=True) == 1
    assert places(cost=10, cap=5, enabled=False) == 0
    assert Server(queues=(), budget=100, rules={}).places("chat") == 0


@given(st.integers(1, 500), st.integers(1, 500), st.floats(1e-4, 10))
def test_further_back_waits_longer(one: int, other: int, per_s: float) -> None:
    near, far = sorted((one, other))
    first, second = wait_of(near, per_s), wait_of(far, per_s)
    assert first is not None
    assert second is not None
    assert first.p50_s <= second.p50_s
    assert 0 < first.p50_s < first.p90_s <= second.p90_s


def test_evenness() -> None:
    everybody = dict.fromkeys("abcd", 1.0)
    assert gini(dict.fromkeys("abcd", 5.0), everybody) == pytest.approx(0)
    assert gini({"a": 20.0}, everybody) == pytest.approx(0.75)
    assert gini({"a": 10.0, "b": 20.0}, {"a": 1.0, "b": 2.0}) == pytest.approx(0)
    assert gini({}, everybody) == 0
    assert shares({"a": 3.0, "b": 1.0}, {"a": 1.0, "b": 1.0, "c": 2.0}) == {"a": (0.75, 0.25), "b": (0.25, 0.25), "c": (0, 0.5)}


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 10)), min_size=1, max_size=12))
def test_evenness_is_a_share_and_knows_no_names(pairs: list[tuple[float, float]]) -> None:
    names = [UUID(int=n) for n in range(len(pairs))]
    taken = {name: work for name, (work, _) in zip(names, pairs, strict=True)}
    weights = {name: weight for name, (_, weight) in zip(names, pairs, strict=True)}
    value = gini(taken, weights)
    assert 0 <= value < 1
    assert gini(dict(reversed(taken.items())), dict(reversed(weights.items()))) == pytest.approx(value)

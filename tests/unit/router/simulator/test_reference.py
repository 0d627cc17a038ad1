"""The production core under a simulated clock reproduces what queueing theory says, inside the 99 % interval of eight runs."""

from __future__ import annotations

from typing import Any

import pytest

from router.simulator.document import document_of
from router.simulator.runs import simulate
from tests.support.simulations import LINES, Line, at, exponential, simple, two_classes

ITEMS = 1500


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_the_exact_value_lies_inside_the_interval(line: Line) -> None:
    answer = simulate(line.of(ITEMS))
    outside = {path: (exact, at(answer, path)) for path, exact in line.exact if not at(answer, path).contains(exact)}
    assert outside == {}


def one_seed(order: str) -> dict[str, Any]:
    document = {**simple("200/h", 180, 11, order=order), "horizon": {"items": 5000}, "warm_up": {"items": 0}, "runs": 1, "seed": 3}
    return simulate(document_of(document))


def test_newest_first_keeps_the_mean_wait_and_starves() -> None:
    fifo, lifo = one_seed("fifo"), one_seed("lifo")
    assert at(lifo, "overall.wait_all.mean").mean == pytest.approx(at(fifo, "overall.wait_all.mean").mean, rel=1e-9)
    assert at(lifo, "overall.wait_all.max").mean > 2 * at(fifo, "overall.wait_all.max").mean
    level = "overall.service_level.20.of_arrived"
    assert at(lifo, level).mean > at(fifo, level).mean, "a service level alone can be gamed by starving"


@pytest.mark.parametrize("order", ["key", "fifo", "lifo", "slope"])
def test_the_mean_wait_does_not_depend_on_the_order(order: str) -> None:
    fields = ({"urgency": 0, "goal": 5, "slope": 4}, {"urgency": 1, "goal": 1, "slope": 1})
    document = {**two_classes((0.3, 0.4), 1, order, *fields), "horizon": {"items": 2000}, "runs": 8, "seed": 5}
    wait = at(simulate(document_of(document)), "overall.wait_all.mean")
    assert wait.contains(0.7 / 0.3), wait


def test_an_empty_room_is_not_measured_and_intervals_hold_as_often_as_they_say() -> None:
    """Forty experiments of four short runs each: a 99 % interval may miss once or twice."""
    held = 0
    for seed in range(40):
        document = {**simple(0.5, 1.0, 1), "horizon": {"items": 300}, "runs": 4, "seed": seed}
        held += at(simulate(document_of(document)), "overall.p_wait").contains(0.5)
    assert held >= 38


def test_who_may_not_wait_is_lost_as_erlang_b_says() -> None:
    document = simple(3.0, 1.0, 4, patience={"kind": "deterministic", "value": 0})
    answer = simulate(document_of({**document, "horizon": {"items": 1500}, "seed": 2}))
    assert at(answer, "overall.p_abandon").contains(0.2061068702)


@pytest.mark.parametrize(
    ("service", "squared_cv"),
    [
        ({"kind": "deterministic", "value": 1}, 0.0),
        ({"kind": "erlang", "mean": 1, "phases": 4}, 0.25),
        ({"kind": "gamma", "mean": 1, "cv": 0.5}, 0.25),
        ({"kind": "uniform", "low": 0, "high": 2}, 1 / 3),
        ({"kind": "lognormal", "mean": 1, "cv": 1.2}, 1.44),
        ({"kind": "hyperexponential", "branches": [{"weight": 3, "mean": 0.5}, {"weight": 1, "mean": 2.5}]}, 2.5),
        ({"kind": "empirical", "values": [0.5, 2.0], "weights": [2, 1]}, 0.5),
    ],
    ids=lambda given: given["kind"] if isinstance(given, dict) else "",
)
def test_one_agent_and_any_service_as_pollaczek_and_khinchin_say(service: dict[str, Any], squared_cv: float) -> None:
    document = {
        "classes": [{"name": "calls", "arrivals": {"rate": 0.6}, "service": service}],
        "agents": [{"name": "one"}],
        "horizon": {"items": 1500},
        "seed": 11,
    }
    wait = at(simulate(document_of(document)), "overall.wait_all.mean")
    assert wait.contains(0.6 * (1 + squared_cv) / 2 / 0.4), wait


def test_regular_arrivals_wait_less() -> None:
    """D/M/1 at half load: the share that waits is the root of s = exp(-2 (1 - s))."""
    document = {
        "classes": [
            {"name": "calls", "arrivals": {"interval": {"kind": "deterministic", "value": 2}}, "service": exponential(1)},
        ],
        "agents": [{"name": "one"}],
        "horizon": {"items": 1500},
        "seed": 11,
    }
    answer = simulate(document_of(document))
    assert at(answer, "overall.p_wait").contains(0.2031878699)
    assert at(answer, "overall.wait_all.mean").contains(0.2031878699 / (1 - 0.2031878699))

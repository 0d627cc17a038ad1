"""The simulator by example: small days whose every wait can be said in advance, and documents that are refused."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from router.simulator.document import Arrivals, document_of
from router.simulator.flow import moments
from router.simulator.measures import quantile
from router.simulator.quantities import per_second, seconds
from router.simulator.run import Run
from router.simulator.runs import simulate
from router.simulator.scenario import scenario_of
from router.simulator.trace import line_of, read_trace
from shared.errors import InputRejected, Unavailable
from tests.support.simulations import at, exponential, simple

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "simulator"
DEMO = Path(__file__).resolve().parents[4] / "services" / "demo" / "simulation.yaml"


def fixed(value: float) -> dict[str, Any]:
    return {"kind": "deterministic", "value": value}


def customers(name: str, *moments_s: float, service: float = 10, **more: Any) -> dict[str, Any]:
    return {"name": name, "arrivals": {"at": list(moments_s)}, "service": fixed(service), **more}


def played(classes: list[dict[str, Any]], agents: list[dict[str, Any]], **more: Any) -> dict[str, list[float]]:
    """Each class's waits, in the order in which they ended."""
    scenario = scenario_of(document_of({"classes": classes, "agents": agents, **more}))
    seen = Run(scenario, 0).play(lambda share: None)
    return {name: list(waits.served) for name, waits in zip(seen.names, seen.waits, strict=True)}


ONE = [{"name": "one"}]


def test_waits_abandonment_and_every_service_level() -> None:
    late = customers("calls", 0, 1, 2, 100, patience=fixed(15))
    answer = simulate(document_of({"classes": [late], "agents": ONE, "runs": 1, "thresholds": [8, 15]}))
    overall = answer["overall"]
    counts = {name: overall[name]["mean"] for name in ("arrived", "served", "abandoned", "unserved", "p_wait", "p_abandon")}
    assert counts == {"arrived": 4, "served": 3, "abandoned": 1, "unserved": 0, "p_wait": 0.5, "p_abandon": 0.25}
    assert {name: one["mean"] for name, one in overall["wait_all"].items()} == {
        "mean": 6,
        "p50": 0,
        "p90": 15,
        "p99": 15,
        "max": 15,
    }
    assert {name: one["mean"] for name, one in overall["wait_served"].items()} == {
        "mean": 3,
        "p50": 0,
        "p90": 9,
        "p99": 9,
        "max": 9,
    }
    levels = {within: {name: one["mean"] for name, one in found.items()} for within, found in overall["service_level"].items()}
    assert levels == {
        "8": {"of_arrived": 0.5, "of_served": 2 / 3, "without_short_abandons": 0.5, "with_short_abandons": 0.5},
        "15": {"of_arrived": 0.75, "of_served": 1.0, "without_short_abandons": 1.0, "with_short_abandons": 1.0},
    }
    assert answer["agents"]["one"]["occupancy"]["mean"] == pytest.approx(0.2), "until the last arrival"


def test_wrap_up_holds_the_agent() -> None:
    assert played([customers("calls", 0, 0, wrap=fixed(5))], ONE) == {"calls": [0, 15]}


def test_slots_and_budgets() -> None:
    two = [{"name": "one", "slots": 2}]
    assert played([customers("chats", 0, 0, 0)], two) == {"chats": [0, 0, 10]}
    rules = {"chat": {"cost": 33, "cap": 3}, "phone": {"cost": 100, "cap": 1, "exclusive": True}}
    mixed = [customers("chats", 0, 0, 0, 0, channel="chat"), customers("calls", 1, channel="phone")]
    assert played(mixed, [{"name": "one", "channels": rules}]) == {"chats": [0, 0, 0, 10], "calls": [19]}


def test_skills_plans_and_delays() -> None:
    expert = {"name": "expert", "skills": {"tr": 4}}
    novice = {"name": "novice", "skills": {"tr": 1}}
    assert played([customers("calls", 0, 0, requires={"tr": 3})], [expert, novice]) == {"calls": [0, 10]}
    widening = [{"requires": {"tr": 3}, "timeout": 4}, {}]
    assert played([customers("calls", 0, 0, plan=widening)], [expert, novice]) == {"calls": [0, 4]}
    helper = {"name": "helper", "queues": {"main": {"priority": 1, "delay": 3}}}
    assert played([customers("calls", 0, 0, 0)], [{"name": "one"}, helper]) == {"calls": [0, 3, 10]}


def test_a_group_may_be_slower_with_a_class() -> None:
    slow = {"name": "slow", "service": {"calls": fixed(30)}}
    assert played([customers("calls", 0, 0, 0, 0)], [{"name": "fast"}, slow]) == {"calls": [0, 0, 10, 20]}


def test_shifts_begin_and_end() -> None:
    shift = [{"name": "one", "shifts": [{"start": 5, "end": 12}, {"start": 20, "end": 21}]}]
    assert played([customers("calls", 0, 1, 13)], shift) == {"calls": [5, 19]}
    answer = simulate(document_of({"classes": [customers("calls", 0, 1, 13)], "agents": shift, "runs": 1}))
    assert answer["overall"]["unserved"]["mean"] == 1
    assert answer["overall"]["p_wait"]["mean"] == 1


@pytest.mark.parametrize(
    ("order", "expected"),
    [("key", [1, 3, 2, 0]), ("fifo", [1, 0, 2, 3]), ("lifo", [1, 3, 2, 0]), ("slope", [1, 3, 2, 0])],
)
def test_orders(order: str, expected: list[int]) -> None:
    """Behind somebody who is being served: urgent first, then by goal, arrival, the reverse of it, age times slope."""
    classes = [
        customers("0", 1, goal=100, slope=0.1),
        customers("1", 4, urgency=0),
        customers("2", 2, goal=60, slope=1),
        customers("3", 3, goal=10, slope=10),
        customers("busy", 0),
    ]
    waits = played(classes, ONE, queues={"main": {"order": order}})
    starts = {name: float(found[0]) + classes[int(name)]["arrivals"]["at"][0] for name, found in waits.items() if name != "busy"}
    assert [int(name) for name in sorted(starts, key=lambda name: starts[name])] == expected


def test_one_seed_gives_one_answer_and_another_seed_another() -> None:
    document = {**simple("200/h", 180, 12), "horizon": {"items": 300}, "runs": 2}
    first = simulate(document_of(document))
    assert simulate(document_of(document)) == first
    assert simulate(document_of({**document, "seed": 2}))["overall"] != first["overall"]


def test_a_process_that_dies_is_told() -> None:
    document = document_of({**simple(0.9, 1.0, 1), "horizon": {"items": 50_000_000}, "runs": 2})

    def end_one(run: int, share: float) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(Unavailable, match="2 of 2 runs"):
        simulate(document, processes=2, show=end_one)
    assert not multiprocessing.active_children()


def test_the_number_of_processes_changes_nothing() -> None:
    document = document_of({**simple("200/h", 180, 12), "horizon": {"items": 300}, "runs": 3})
    shares: dict[int, float] = {}
    assert simulate(document, processes=2, show=shares.__setitem__) == simulate(document)


def test_the_warm_up_is_not_measured() -> None:
    calls = customers("calls", *range(0, 100, 2))
    answer = simulate(
        document_of({"classes": [calls], "agents": ONE, "runs": 1, "warm_up": {"items": 30}, "horizon": {"items": 10}})
    )
    assert answer["overall"]["arrived"]["mean"] == 10
    assert answer["overall"]["wait_all"]["max"]["mean"] == pytest.approx(39 * 8)
    timed = {"warm_up": {"time": 60}, "horizon": {"time": 10}}
    answer = simulate(document_of({"classes": [calls], "agents": ONE, "runs": 1, **timed}))
    assert answer["overall"]["arrived"]["mean"] == 5
    assert answer["agents"]["one"]["occupancy"]["mean"] == pytest.approx(1.0)


def test_a_profile_has_its_rates_and_repeats() -> None:
    flow = Arrivals.model_validate(
        {"profile": [{"at": 0, "rate": 0}, {"at": 100, "rate": 5}, {"at": 300, "rate": 1}], "repeat": 500}
    )
    from random import Random

    came = []
    for moment in moments(flow, Random(3)):
        if moment > 5000:
            break
        came.append(moment % 500)
    assert min(came) > 100
    busy, calm = sum(1 for one in came if one < 300), sum(1 for one in came if one >= 300)
    assert busy == pytest.approx(10_000, rel=0.05)
    assert calm == pytest.approx(2_000, rel=0.1)


def test_a_recorded_day_against_two_teams() -> None:
    document = document_of(yaml.safe_load((FIXTURES / "team.yaml").read_text()))
    changed = document_of(yaml.safe_load((FIXTURES / "team_of_three.yaml").read_text()))
    classes = {(one.queue, one.channel): one.name for one in document.classes}
    recorded = read_trace((FIXTURES / "day.jsonl").read_text().splitlines(), classes).recorded
    before, after = simulate(document, recorded), simulate(changed, recorded)
    for answer in (before, after):
        assert {name: one["arrived"]["mean"] for name, one in answer["classes"].items()} == {"calls": 75, "mail": 45}
        assert sum(one["arrived"]["mean"] for one in answer["over_time"]) == 120
        assert answer["over_time"][0]["from_s"] == pytest.approx(9 * 3600, abs=300)
    assert at(after, "overall.wait_all.mean").mean < at(before, "overall.wait_all.mean").mean


def test_a_trace_says_what_it_says() -> None:
    lines = [
        line_of({"at": 12, "class": "calls", "handling_s": 3, "skills": {"tr": 2}, "patience_s": None}),
        '{"at": 5, "queue": "support", "channel": "chat"}',
        "",
        '{"at": 1.5}',
    ]
    first, second, third = read_trace(lines, {("main", "work"): "walk-in"}).recorded
    assert (first.at, first.kind) == (1.5, "walk-in")
    assert (second.kind, second.queue, second.channel, second.requires) == ("support/chat", "support", "chat", None)
    assert (third.at, third.handling_s, third.requires, third.patience_s) == (12.0, 3.0, (("tr", 2),), None)


def test_a_changed_policy_moves_arrivals_and_makes_them_due_sooner() -> None:
    """One agent is busy till 10 s. Two wait for it; the changed policy puts one elsewhere, or the later one first."""
    place = {"queue": "vip", "skills": None, "earlier_s": 0.0}
    came = [
        {"at": at_s, "class": name, "queue": "main", "channel": "work", "handling_s": 10}
        for at_s, name in ((0, "first"), (1, "second"), (2, "third"))
    ]
    agents = [{"name": "one", "queues": ["main"]}, {"name": "two", "queues": ["vip"]}]
    classes = [{"name": "first"}, {"name": "second"}, {"name": "third"}, {"name": "vip", "queue": "vip"}]
    document = document_of({"agents": agents, "classes": classes, "runs": 1})

    def waits(*changed: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        lines = [line_of({**one, "changed": place}) for one, place in zip(came, changed, strict=True)]
        day = read_trace(lines, {("vip", "work"): "vip"})
        assert day.changed is not None
        answer = simulate(document, day.changed)
        return day.elsewhere, {
            name: one["wait_all"]["mean"]["mean"] for name, one in answer["classes"].items() if one["arrived"]["mean"]
        }

    sooner = {"queue": "main", "skills": None, "earlier_s": 5.0}
    assert waits(None, place, None) == (1, {"first": 0, "vip": 0, "third": 8})
    assert waits(None, None, sooner) == (0, {"first": 0, "second": 19, "third": 8})


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "no arrival"),
        (['{"at": 1, "changed": {"queue": ""}}'], "line 1: changed.queue"),
        (["{}"], "line 1: at: Field required"),
        (['{"at": 1}', "{"], "line 2: is not JSON"),
        (['{"at": -1}'], "line 1: at"),
        (['{"at": 1, "name": "Ayşe"}'], "line 1: name: Extra"),
        (['{"at": 1}', '{"at": "2026-05-04T09:00Z"}'], "do not mix"),
    ],
)
def test_a_trace_that_is_refused(lines: list[str], told: str) -> None:
    with pytest.raises(InputRejected) as caught:
        read_trace(lines, {})
    assert told in str(caught.value)


CALLS = {"name": "calls", "arrivals": {"rate": "10/h"}, "service": exponential(60)}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"clases": []}, "clases: Extra inputs"),
        ({"agents": []}, "agents: nobody works"),
        ({"classes": []}, "nobody comes"),
        ({"classes": [CALLS, CALLS]}, "calls is there twice"),
        ({"classes": [{**CALLS, "arrivals": {"rate": "10/year"}}]}, "classes[0].arrivals.rate: '10/year' is not a rate"),
        ({"classes": [{**CALLS, "arrivals": {"rate": -1}}]}, "classes[0].arrivals.rate: Input should be greater"),
        ({"classes": [{**CALLS, "arrivals": {"rate": 1, "at": [1]}}]}, "exactly one of rate, profile"),
        ({"classes": [{**CALLS, "arrivals": None}]}, "classes calls.arrivals: nobody of it comes"),
        ({"classes": [{**CALLS, "arrivals": {"profile": [{"at": 5, "rate": 1}]}}]}, "first entry is at 0"),
        ({"classes": [{**CALLS, "service": None}]}, "classes calls.service"),
        ({"classes": [{**CALLS, "service": {"kind": "normal", "mean": 3}}]}, "'normal'"),
        ({"classes": [{**CALLS, "service": {"kind": "exponential", "mean": 0}}]}, "mean: Input should be greater than 0"),
        ({"classes": [{**CALLS, "service": {"kind": "uniform", "low": 5, "high": 1}}]}, "low is above high"),
        ({"classes": [{**CALLS, "requires": {"tr": 6}}]}, "requires.tr: Input should be less"),
        ({"classes": [{**CALLS, "requires": {"tr": 1}}]}, "classes calls: no agent takes work from main"),
        ({"classes": [{**CALLS, "plan": [{"queues": ["nowhere"]}]}]}, "unknown queue nowhere"),
        ({"agents": [{"name": "a", "queues": ["nowhere"]}]}, "agents a.queues: no class and no queue"),
        ({"agents": [{"name": "a", "count": 0}]}, "no agent takes work from main"),
        ({"agents": [{"name": "a", "slots": 2, "budget": 3}]}, "slots is the short form"),
        ({"agents": [{"name": "a", "shifts": [{"start": "9:00", "end": "8:00"}]}]}, "end is not after start"),
        ({"agents": [{"name": "a", "shifts": [{"start": 0, "end": 9}, {"start": 8, "end": 10}]}]}, "shifts overlap"),
        ({"agents": [{"name": "a", "service": {"mail": exponential(1)}}]}, "agents a.service: no class has the name mail"),
        ({"horizon": {"items": 0}}, "nothing would be measured"),
        ({"horizon": {"items": 5, "time": 5}}, "items or time"),
        ({"confidence": 1}, "confidence: Input should be less than 1"),
    ],
)
def test_a_document_that_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(InputRejected) as caught:
        scenario_of(document_of({"classes": [CALLS], "agents": [{"name": "team"}], **changed}))
    assert told in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "expected"), [("20s", 20), ("3m", 180), ("1.5h", 5400), ("2d", 172_800), ("09:30", 34_200), (7, 7), ("500ms", 0.5)]
)
def test_durations(text: object, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("3600/h", 1), ("3/min", 0.05), ("9/s", 9), (2, 2), ("86400/d", 1)])
def test_rates(text: object, expected: float) -> None:
    assert per_second(text) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_the_smallest_value_that_covers_its_share(values: list[float], share: float) -> None:
    found = quantile(sorted(values), share)
    assert found is not None
    assert sum(1 for one in values if one <= found) >= share * len(values) - 1e-6
    assert sum(1 for one in values if one < found) < share * len(values) + 1e-6


def test_the_demo_plays() -> None:
    document = document_of({**yaml.safe_load(DEMO.read_text()), "runs": 2})
    answer = simulate(document)
    assert set(answer["classes"]) == {"calls", "chats", "mail"}
    assert answer["overall"]["unserved"]["mean"] == 0
    assert 0 < at(answer, "occupancy").mean < 1

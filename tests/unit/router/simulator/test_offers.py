"""Offers, agents of before, parking and ramps in the simulator, against arithmetic and queueing theory.

Source: Pollaczek (1930) and Khinchine (1932) for the wait at one server; a geometric number of trials.
"""

from __future__ import annotations

from typing import Any

import pytest

from router.simulator.document import document_of
from router.simulator.intervals import Estimate
from router.simulator.offered_run import run_of
from router.simulator.runs import simulate
from router.simulator.scenario import scenario_of
from shared.errors import InputRejected
from tests.support.simulations import at, exponential, simple


def fixed(value: float) -> dict[str, Any]:
    return {"kind": "deterministic", "value": value}


def customers(*moments_s: float, **more: Any) -> dict[str, Any]:
    return {"name": "calls", "arrivals": {"at": list(moments_s)}, "service": fixed(10), **more}


def day(asked: dict[str, Any], *agents: dict[str, Any]) -> tuple[dict[str, float], list[float], list[float]]:
    """What was asked of agents on a small day, the waits of the served and of those who left."""
    document = document_of({"classes": [asked], "agents": list(agents) or [{"name": "one"}], "runs": 1})
    seen = run_of(scenario_of(document), 0).play(lambda share: None)
    told = simulate(document)["offers"].get("calls", {})
    numbers = {name: one["mean"] for name, one in told.items() if one is not None}
    return numbers, list(seen.waits[0].served), list(seen.waits[0].abandoned)


def long_run(items: int = 6_000, runs: int = 8, **more: Any) -> dict[str, Any]:
    return simulate(document_of({**simple(**more), "horizon": {"items": items}, "runs": runs, "seed": 11}))


def holds(estimate: Estimate, exact: float) -> bool:
    assert estimate.half_width is not None, "there are several runs"
    return abs(estimate.mean - exact) <= estimate.half_width


def test_waiting_ends_when_the_agent_accepts() -> None:
    told, served, _ = day(customers(0, 0, offer={"delay": fixed(3)}))
    assert served == [3, 16], "asked again when the first work is over"
    assert (told["offers"], told["per_item"], told["declined"], told["expired"]) == (2, 1, 0, 0)


def test_an_offer_without_delay_is_an_assignment() -> None:
    _, offered, _ = day(customers(0, 0, 3, offer={}))
    _, assigned, _ = day(customers(0, 0, 3))
    assert offered == assigned == [0, 10, 17]


def test_the_time_to_answer_occupies_the_agent() -> None:
    """One server, answering and working both exponential: 1.5 times the square of the sum's mean is its second moment."""
    answer = long_run(rate=0.3, handling_s=1.0, agents=1, offer={"delay": exponential(1.0), "timeout": "1d"})
    wait_s = 0.3 * 1.5 * 2**2 / (2 * (1 - 0.3 * 2)) + 1.0
    assert holds(at(answer, "overall.wait_all.mean"), wait_s)
    assert holds(at(answer, "occupancy"), 0.6)


def test_offers_per_item_are_geometric() -> None:
    """Somebody who was not asked yet is nearly always there."""
    answer = long_run(2_000, 4, rate=1.0, handling_s=1.0, agents=60, offer={"decline": 0.4, "cooldown": 0})
    assert holds(at(answer, "offers.calls.per_item"), 1 / 0.6)
    assert at(answer, "overall.served").mean == 2_000


def test_who_declined_is_not_asked_at_once() -> None:
    told, served, _ = day(customers(0, offer={"decline": 1, "cooldown": 7, "most": 2}))
    assert (told["offers"], told["declined"], served) == (2, 2, [])


def test_an_offer_runs_out_and_the_agent_does_not_respond() -> None:
    """Asked at 0, at 80 when back, at 160; three times is the most."""
    told, served, _ = day(customers(0, offer={"delay": fixed(30), "timeout": 20}))
    assert (told["offers"], told["expired"], served) == (3, 3, [])
    slow, quick = {"name": "slow"}, {"name": "quick", "shifts": [{"start": 50, "end": 500}]}
    told, served, _ = day(customers(0, offer={"delay": {"kind": "empirical", "values": [30]}, "timeout": 20}), slow, quick)
    assert told["offers"] == 6, "each of them three times"
    assert served == []


def test_who_does_not_respond_gets_nothing_else() -> None:
    late = {"name": "late", "shifts": [{"start": 40, "end": 500}]}
    asked = customers(0, offer={"delay": {"kind": "uniform", "low": 19, "high": 19}, "timeout": 20})
    assert day(asked, late)[1] == [59]


def test_a_customer_may_leave_while_somebody_is_asked() -> None:
    told, served, left = day(customers(0, 1, patience=fixed(5), offer={"delay": fixed(4.5)}))
    assert (served, left, told["offers"]) == ([4.5], [5], 1)
    told, served, left = day(customers(0, 6, patience=fixed(5), offer={"delay": fixed(7), "timeout": 8}))
    assert (served, left, told["offers"]) == ([], [5, 5], 2), "the agent was free again at 5"


def test_a_deadline_of_zero_waits_for_nobody() -> None:
    plain = simple("200/h", 180, 12)
    sticky = simple("200/h", 180, 12, sticky={"share": 0.5, "deadline": 0})
    lengths = {"horizon": {"items": 1_000}, "runs": 2}
    one, other = (simulate(document_of({**document, **lengths})) for document in (plain, sticky))
    assert one["overall"] == other["overall"]
    assert one["occupancy"] == other["occupancy"]


def test_the_agent_of_before_is_waited_for_until_the_deadline() -> None:
    """Both come back to the first; the second was never asked."""
    back: dict[str, Any] = {"sticky": {"share": 1, "deadline": 30}}
    told, served, _ = day(customers(0, 2, 4, **back), {"name": "a"}, {"name": "b"})
    assert served == [0, 8, 16]
    assert (told["returning"], told["sticky_hits"], told["sticky_share"]) == (2, 2, 1)
    back["sticky"]["deadline"] = 5
    told, served, _ = day(customers(0, 2, **back), {"name": "a"}, {"name": "b"})
    assert (served, told["sticky_share"]) == ([0, 5], 0)


def test_parked_work_holds_nobody_and_wakes() -> None:
    """Answers at 10; the customer writes at 15, while another one is served until 20."""
    told, served, _ = day(
        customers(0, 10, park={"share": 0.999999, "reply": fixed(5)}), {"name": "one", "shifts": [{"start": 0, "end": 20}]}
    )
    assert served == [0, 0]
    assert told["parked"] == 2, "the shift is over when the first wakes"


def test_how_often_work_parks_is_geometric() -> None:
    """With p 0.25 each item is answered 1/(1 − p) times; parked work uses nobody."""
    answer = long_run(2_000, 8, rate=1.0, handling_s=1.0, agents=4, park={"share": 0.25, "reply": exponential(20)})
    assert holds(at(answer, "offers.calls.parked_per_item"), 0.25 / 0.75)
    assert answer["offers"]["calls"]["wake_share"]["mean"] > 0.99, "there is time to wait for the agent of before"


def test_a_ramp_after_log_in() -> None:
    desk = {"name": "one", "slots": 3, "shifts": [{"start": 5, "end": 500}]}
    assert day(customers(0, 0, 0), desk)[1] == [5, 5, 5]
    assert day(customers(0, 0, 0), {**desk, "ramp": {"within": 60, "every": 4}})[1] == [5, 9, 13]
    assert day(customers(0, 0, 0), {**desk, "ramp": {"within": 2, "every": 4}})[1] == [5, 9, 9], "over after two seconds"


def test_one_seed_one_answer() -> None:
    asked: dict[str, Any] = {
        "offer": {"delay": exponential(5), "decline": 0.2}, "sticky": {"share": 0.3, "deadline": 20},
        "park": {"share": 0.2, "reply": exponential(60)}, "patience": exponential(300),
    }  # fmt: skip
    document = document_of({**simple("200/h", 180, 16, **asked), "horizon": {"items": 1_500}, "runs": 2})
    once = simulate(document)
    assert simulate(document, processes=2) == once
    assert simulate(document.model_copy(update={"seed": 2}))["overall"] != once["overall"]
    arrived = once["overall"]
    assert arrived["served"]["mean"] + arrived["abandoned"]["mean"] + arrived["unserved"]["mean"] == arrived["arrived"]["mean"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"offer": {"decline": 1.5}}, "offer.decline"),
        ({"offer": {"timeout": 0}}, "offer.timeout"),
        ({"offer": {"most": 0}}, "offer.most"),
        ({"offer": {"delay": 5}}, "offer.delay"),
        ({"offer": {"deadline": 5}}, "offer.deadline"),
        ({"sticky": {"share": 0.5}}, "sticky.deadline"),
        ({"sticky": {"share": -1, "deadline": 5}}, "sticky.share"),
        ({"park": {"share": 1, "reply": exponential(5)}}, "no work would end"),
        ({"park": {"share": 0.5}}, "park.reply"),
    ],
)
def test_what_is_refused(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(InputRejected, match=told):
        document_of({"classes": [customers(0, **asked)], "agents": [{"name": "one"}]})


def test_a_ramp_needs_a_shift() -> None:
    with pytest.raises(InputRejected, match="ramp begins with a shift"):
        document_of({"classes": [customers(0)], "agents": [{"name": "one", "ramp": {"within": 60, "every": 5}}]})


@pytest.mark.parametrize("asked", [{}, {"offer": {}}])
def test_limits_of_a_queue_and_of_new_items(asked: dict[str, Any]) -> None:
    three = {"name": "one", "slots": 3}
    assert day(customers(0, 0, 0, **asked), three)[1] == [0, 0, 0]
    assert day(customers(0, 0, 0, **asked), {**three, "queues": {"main": {"items_max": 1}}})[1] == [0, 10, 20]
    assert day(customers(0, 0, 0, **asked), {**three, "new_items": {"items": 1, "within": 60}})[1] == [0, 60, 120]
    assert day(customers(0, 0, 0, **asked), {**three, "new_items": {"items": 2, "within": 60}})[1] == [0, 0, 60]

"""Plans as documents: what they become in time, how rules' skills combine, what is refused and what is warned of."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.item.limits import channel_rules, ramp_of
from router.item.plan import reach, turns
from router.policy.agent_filter import PERSON, SOURCE_CHARS_MAX, Filters, checked_filter, filter_skill, skills_with_filters
from router.policy.plan_document import Known, PlanDocument, checked_plan, live_s_of, plan_of, preferred_of
from shared.errors import Unprocessable

A, B, OWN = UUID(int=1), UUID(int=2), UUID(int=9)
KNOWN = Known(queues={"a": A, "b": B}, agents={"a": 2, "b": 1}, skills={"tr", "en", "vip"})


def checked(*steps: dict[str, Any], **more: Any) -> Any:
    return checked_plan(PlanDocument.model_validate({"steps": list(steps), **more}), KNOWN)


def test_a_neighbour_with_a_delay_is_a_step_of_its_own_in_time() -> None:
    plan = checked({"queues": ["a", {"queue": "b", "delay_s": 20}], "timeout_s": 60, "raise_s": 30}, {}).steps
    assert plan[0] == {"queues": [None, str(A)], "timeout_s": 20, "raise_s": 30}
    assert plan[1] == {"queues": [str(B)], "timeout_s": 40}
    made = plan_of(plan, {})
    assert reach(made, 0) == ((None, ()), (A, ()))
    assert reach(made, 1) == ((None, ()), (A, ()), (B, ()))


def test_a_neighbour_has_the_turn_of_the_step_that_named_it_first() -> None:
    steps = checked(
        {"queues": [{"queue": "b", "priority": 2}], "timeout_s": 9}, {"queues": ["b", {"queue": "a", "priority": 1}]}
    ).steps
    made = plan_of(steps, {}, OWN)
    assert dict(zip([queue for queue, _ in reach(made, 1)], turns(made, 1), strict=True)) == {None: 0, B: 2, A: 1}
    assert turns(made, 0) == (0, 2)


def test_what_a_rule_asks_for_holds_until_a_step_relaxes_it_by_name() -> None:
    stored = checked({"timeout_s": 9}, {"skills": {"en": 2}, "timeout_s": 9}, {"relax": ["tr"]}).steps
    made = plan_of(stored, {"tr": 3, "en": 4, PERSON: 1})
    assert [step.requires for step in made.steps] == [
        (("en", 4), ("tr", 3), (PERSON, 1)),
        (("en", 2), ("tr", 3), (PERSON, 1)),
        (("en", 4), (PERSON, 1)),
    ]


def test_the_item_s_own_queue_named_as_a_neighbour_is_one_line() -> None:
    assert reach(plan_of(checked({"queues": ["a"]}).steps, {}, A), 0) == ((None, ()),)


def test_what_holds_for_the_whole_plan_stands_in_its_first_step() -> None:
    stored = checked({}, preferred={"of": ["last_agent"], "wait_s": 90}, live_s=600).steps
    assert (preferred_of(stored), live_s_of(stored)) == ((["last_agent"], 90.0), 600.0)
    assert (preferred_of(()), live_s_of(())) == (None, None)


def test_a_step_that_adds_nobody_is_told() -> None:
    assert "adds nobody" in checked({"timeout_s": 9}, {"skills": {"en": 3}}).warnings[0]
    assert checked({"skills": {"en": 3}, "timeout_s": 9}, {}).warnings == ()
    assert checked({"timeout_s": 9}, {"relax": ["tr"]}).warnings == ()
    assert "only when everybody has declined" in checked({}, {"queues": ["a"]}).warnings[0]
    assert "before the last step" in checked({"timeout_s": 90}, {"queues": ["a"]}, live_s=60).warnings[0]


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ([{"queues": ["x"]}], "steps.0.queues.0"),
        ([{"queues": ["a", "a"]}], "steps.0.queues.1"),
        ([{}, {"relax": ["x"]}], "steps.1.relax"),
        ([{"skills": {"tr": 2}, "relax": ["tr"]}], "steps.0.relax"),
        ([{"own": False}], "steps.0.queues"),
        ([{"filter": "agent.salary > 3"}], "steps.0.filter"),
        ([{"filter": "agent.name"}], "steps.0.filter"),
        ([{"filter": "(" * 60 + "true" + ")" * 60}], "steps.0.filter"),
        ([{"filter": "true || " * SOURCE_CHARS_MAX + "true"}], "steps.0.filter"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(steps: list[dict[str, Any]], field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        checked(*steps)
    assert refused.value.field == field
    assert refused.value.remedy


STEPS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "queues": st.lists(st.sampled_from(["a", "b"]), unique=True),
            "skills": st.dictionaries(st.sampled_from(["tr", "en"]), st.integers(1, 5)),
            "relax": st.just(["vip"]),
            "timeout_s": st.integers(1, 99),
        },
    ),
    min_size=1,
    max_size=4,
)
AGENT = st.dictionaries(st.sampled_from(["tr", "en", "vip"]), st.integers(1, 5))


@given(STEPS, AGENT, AGENT, st.sampled_from([A, B, None]))
def test_no_plan_ever_shrinks(
    steps: list[dict[str, Any]], asked: dict[str, int], agent: dict[str, int], queue: UUID | None
) -> None:
    made = plan_of(checked(*steps).steps, asked)

    def reached(step: int) -> bool:
        return any(
            one == queue and all(agent.get(skill, 0) >= level for skill, level in requires) for one, requires in reach(made, step)
        )

    seen = [reached(step) for step in range(len(made.steps))]
    assert seen == sorted(seen)


def test_a_filter_becomes_a_skill_that_whoever_meets_it_has() -> None:
    source = 'agent.attributes["team"] == "vip" && agent.skills["tr"] >= 3 && "a" in agent.queues'
    checked_filter(source)
    row: dict[str, Any] = {
        "id": uuid4(), "name": "D", "title": "", "kind": "human", "languages": ["tr"], "skills": {"tr": 4}, "attributes": {"team": "vip"},
    }  # fmt: skip
    filters = Filters({filter_skill(source): source})
    assert skills_with_filters(row, ["a"], filters) == {"tr": 4, PERSON: 1, filter_skill(source): 1}
    assert skills_with_filters({**row, "skills": {}}, ["a"], filters) == {PERSON: 1}  # a missing key errs, and is not met
    assert skills_with_filters({**row, "kind": "bot"}, ["b"], filters) == {"tr": 4}


def test_limits_come_from_the_agent_then_the_workspace_then_what_is_usual() -> None:
    rules = channel_rules({"chat": {"cap": 1}}, {"chat": {"cost": 50, "cap": 9}, "fax": {"cap": 2}}, {"email": "away"})
    assert (rules["chat"].cost, rules["chat"].cap) == (50, 1)
    assert (rules["fax"].cost, rules["fax"].cap) == (100, 2)
    assert (rules["email"].enabled, rules["phone"].exclusive) == (False, True)


def test_the_ramp_spreads_items_over_its_window() -> None:
    setting = {"items": 3, "window_s": 30}
    assert ramp_of(setting, 100.0, 90.0) == (130.0, 10.0, 0.0)
    assert ramp_of(setting, 100.0, 105.0) == (130.0, 10.0, 115.0)
    assert ramp_of(setting, 100.0, 140.0).not_before == 0.0
    assert ramp_of({"per_s": 0.5, "window_s": 20}, 0.0, None) == (20.0, 2.0, 0.0)
    assert ramp_of(None, 100.0, 105.0) == (0.0, 0.0, 0.0)

"""What if: traces, records that say the same again, reports that add up, and waits that follow from counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.evaluation.decision_view import dispatch_differences
from router.evaluation.evaluation import choice_of, differences, evaluate, whole
from router.evaluation.report import Report, merged
from router.evaluation.waits import Observed, waits
from router.item.goals import due_key
from router.policy.decision import facts_again, routing_record
from router.policy.expressions import facts_of
from router.policy.policy import NO_POLICY, Policy, policy_of, queue_for

RULES: list[dict[str, Any]] = [
    {
        "name": "vip",
        "when": {"field": "profile.tags", "op": "has", "value": "vip"},
        "continue": True,
        "boost_s": 600,
        "tags": ["vip"],
    },
    {"name": "errs", "when_cel": "profile.csat > 3", "queue": "happy"},
    {"name": "plan", "when_cel": 'profile.attributes.plan == "gold"', "queue": "gold", "sla": "fast", "class": 0, "plan": "slow"},
    {"name": "words", "when_cel": 'message.text.contains("iade")', "queue": "returns", "skills": {"tr": 3}},
    {"name": "inbox", "when": {"field": "message.inbox", "op": "is", "value": "b"}, "queue": "b"},
    {"name": "busy", "when_cel": 'queue["b"].waiting > 3', "queue": "b"},
]
POLICY = policy_of({"rules": RULES, "default_queue": "genel"}, version=3)

facts_given = st.fixed_dictionaries(
    {
        "message": st.fixed_dictionaries(
            {"text": st.sampled_from(["", "iade", "x" * 11_000]), "inbox": st.sampled_from(["a", "b"]), "channel": st.just("email")}
        ),
        "profile": st.fixed_dictionaries(
            {"tags": st.lists(st.sampled_from(["vip", "new"]), max_size=2), "known": st.booleans()},
            optional={
                "csat": st.floats(0, 5) | st.integers(0, 5),
                "attributes": st.dictionaries(st.just("plan"), st.sampled_from(["gold", "ı", 3, None])),
            },
        ),
        "queue": st.just({}) | st.just({"b": {"waiting": 5, "oldest_s": 1, "agents_online": 0, "expected_wait_s": 9}}),
    }
)


def row_of(values: dict[str, Any]) -> dict[str, Any]:
    """The message's row as it is read back; its inbox has another name by now."""
    return {**values["message"], "inbox": "renamed"}


def recorded(policy: Policy, values: dict[str, Any], **options: Any) -> Any:
    """A record as it comes back from the database, made as intake makes it."""
    facts = facts_of(values)
    choice = queue_for(policy, facts, **options)
    at, strict = datetime(2026, 1, 1, tzinfo=UTC), choice.due_class == 0
    key = due_key(at, channel="email", goals={}, boost_s=choice.boost_s + 900, strict=strict)
    record = routing_record(policy=policy, choice=choice, queue="genel", key=key, facts=facts, reopened=True, degraded=False)
    return json.loads(json.dumps(record, default=str))


@given(facts_given)
def test_a_record_gives_its_own_choice_again(values: dict[str, Any]) -> None:
    complete = whole(values)
    complete["message"]["text"] = complete["message"]["text"][:10_000]
    record = recorded(POLICY, complete)
    assert "iade" not in json.dumps(record)
    assert differences(record, POLICY, facts_again(record, row_of(complete))) == []
    without = recorded(NO_POLICY, complete)
    assert differences(without, NO_POLICY, facts_again(without, row_of(complete))) == []


def test_a_choice_that_ran_out_of_time_is_the_same_again() -> None:
    values = whole({"profile": {"tags": ["vip"]}, "message": {"text": "iade"}})
    rules = [RULES[0], {"name": "slow", "when_cel": 'message.text.matches("b")', "queue": "x"}, RULES[3]]
    policy = policy_of({"rules": rules, "default_queue": "genel"}, version=3)
    ticks = iter([0.0, 0.0, 0.0, 1.0])
    record = recorded(policy, values, clock=lambda: next(ticks))
    assert (record["out_of_time"], record["asked"], record["tags"]) == (True, 2, ["vip"])
    assert differences(record, policy, facts_again(record, row_of(values))) == []


@given(facts_given)
def test_the_trace_says_what_the_choice_did(values: dict[str, Any]) -> None:
    facts = facts_of(whole(values))
    done = evaluate(POLICY, facts)
    assert done.choice == choice_of(POLICY, facts)
    assert tuple(one.name for one in done.rules if one.outcome == "matched") == done.choice.matched
    assert {one.name: one.error for one in done.rules if one.outcome == "error"} == done.choice.errors
    assert [one.name for one in done.rules if one.decided] == ([done.choice.rule] if done.choice.rule else [])
    asked = [one.outcome != "not_asked" for one in done.rules]
    assert asked == sorted(asked, reverse=True)


@given(st.lists(facts_given, max_size=12), st.integers(0, 12))
def test_reports_of_portions_add_up_to_the_report_of_all(many: list[dict[str, Any]], cut: int) -> None:
    other = policy_of({"rules": [RULES[3], RULES[1]], "default_queue": "b"})

    def report(portion: list[dict[str, Any]], first: int) -> Any:
        made = Report(other)
        for number, values in enumerate(portion, first):
            complete = whole(values)
            choice = choice_of(other, facts_of(complete))
            made.add(recorded(POLICY, complete), choice, choice.queue, message_id=number, decision_id=number, missing=["queue"])
        made.leave_out("erased")
        return made.as_json()

    one = report(many, 0)
    two = merged(report(many[:cut], 0), report(many[cut:], len(many[:cut])))
    one["left_out"]["erased"] += 1
    for shown in (one, two):
        shown["queues"].sort(key=lambda move: (move["before"], move["after"]))
        shown["errors"].sort(key=lambda error: error["rule"])
    assert one == two


def test_waits_follow_from_counts() -> None:
    seen = Observed(queue="a", items=100, wait_s=40.0, wait_p90_s=120.0, handling_s=180.0, breached=30, target_s=20.0)
    hour = 3600.0

    def predicted(after: int) -> dict[str, Any]:
        (row,) = waits([seen], {"a": 100}, {"a": after}, hour)
        return row

    same, less, more = predicted(100), predicted(60), predicted(105)
    assert (same["predicted_wait_s"], same["predicted_breached"]) == (40.0, 30)
    assert less["predicted_wait_s"] < 40 < more["predicted_wait_s"]
    assert less["predicted_breached"] < 30 < more["predicted_breached"]
    assert predicted(1000)["overloaded"]
    assert predicted(0)["predicted_wait_s"] == 0
    (unknown,) = waits([], {"b": 3}, {"b": 4}, hour)
    assert unknown["predicted_wait_s"] is None
    few = Observed(queue="a", items=3, wait_s=1.0, wait_p90_s=1.0, handling_s=1.0)
    assert waits([few], {"a": 3}, {"a": 9}, hour)[0]["predicted_wait_s"] is None


@pytest.mark.parametrize(
    ("scores", "what"),
    [([(0.1, 5.0), (0.2, 1.0)], []), ([(0.3, 5.0), (0.2, 1.0)], ["agent_id", "candidates"]), ([(0.1, 0.0), (0.3, 0.0), (0.2, 0.0)], ["candidates"])],
)  # fmt: skip
def test_a_dispatch_record_is_sorted_by_its_own_scores(scores: list[tuple[float, float]], what: list[str]) -> None:
    candidates = [{"agent_id": f"00000000-0000-0000-0000-00000000000{n}", "score": list(score)} for n, score in enumerate(scores)]
    assert [one.what for one in dispatch_differences({"candidates": candidates})] == what

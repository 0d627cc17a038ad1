"""Policies: what counts as a match, and what the choice keeps of it."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from router.policy.condition import to_cel
from router.policy.expressions import compiled, facts_of
from router.policy.policy import Policy, policy_of, queue_for
from shared.errors import Unprocessable

FACTS = facts_of(
    {
        "message": {"channel": "email", "text": "İade istiyorum", "subject": 'a "quoted" \\ thing', "attachments": 2},
        "profile": {"known": True, "tags": ["vip"], "attributes": {"plan": "gold"}, "tier": "gold"},
        "conversation": {"reopened": False, "channels": ["email"], "messages": 3, "age_s": 60},
        "signals": {"urgency": 0.6, "complaint": True, "keywords": ["iade"]},
        "queue": {"genel": {"waiting": 12, "oldest_s": 40, "agents_online": 2, "expected_wait_s": 600}},
        "now": {"open": True, "weekday": 1, "hour": 9, "holiday": False},
    }
)


def rules_of(*rules: dict[str, Any], default: str = "genel") -> Policy:
    return policy_of({"rules": list(rules), "default_queue": default}, version=7)


def test_the_first_rule_that_matches_decides() -> None:
    policy = rules_of(
        {"name": "chats", "when_cel": 'message.channel == "chat"', "queue": "chat"},
        {"name": "mails", "when_cel": 'message.channel == "email"', "queue": "mail", "boost_s": 60, "skills": {"tr": 3}},
        {"name": "never asked", "when_cel": "signals.complaint", "queue": "angry"},
    )
    choice = queue_for(policy, FACTS)
    assert (choice.queue, choice.rule, choice.boost_s, choice.skills) == ("mail", "mails", 60, {"tr": 3})
    assert choice.asked == 2


def test_a_rule_that_continues_leaves_its_marks() -> None:
    policy = rules_of(
        {
            "name": "vip",
            "when": {"field": "profile.tags", "op": "has", "value": "vip"},
            "continue": True,
            "boost_s": 600,
            "tags": ["vip"],
        },
        {"name": "emergency", "when_cel": "signals.urgency > 0.5", "queue": "urgent", "class": 0},
    )
    choice = queue_for(policy, FACTS)
    assert (choice.queue, choice.boost_s, choice.due_class) == ("urgent", 600, 0)
    assert (list(choice.tags), list(choice.matched)) == (["vip"], ["vip", "emergency"])


@pytest.mark.parametrize(
    "source",
    [
        "profile.csat",  # a missing key: the engine answers with a text, which is truthy
        "profile.csat == 5",
        "message.text",  # a text is not a yes
        "message.attachments / 0 == 1",
        'queue["gone"].waiting > 1',
    ],
)
def test_an_expression_that_is_not_true_does_not_match(source: str) -> None:
    choice = queue_for(rules_of({"name": "broken", "when_cel": source, "queue": "wrong"}), FACTS)
    assert choice.queue == "genel"
    assert choice.errors["broken"]


def test_no_time_left_means_the_default_queue() -> None:
    ticks = iter([0.0, 0.0, 1.0])
    policy = rules_of(
        {"name": "slow", "when_cel": 'message.text.matches("a*b") || true', "queue": "slow", "continue": True},
        {"name": "late", "when_cel": "signals.complaint", "queue": "late"},
    )
    choice = queue_for(policy, FACTS, clock=lambda: next(ticks))
    assert (choice.queue, choice.rule, choice.out_of_time) == ("genel", None, True)


def test_two_hundred_rules_are_all_asked() -> None:
    rules = [{"name": f"r{n}", "when_cel": f"message.attachments == {n + 10}", "queue": "q"} for n in range(200)]
    choice = queue_for(rules_of(*rules), FACTS, clock=lambda: 0.0)
    assert choice.asked == 200
    assert not choice.errors


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        ({"all": []}, True),
        ({"any": []}, False),
        ({"field": "message.channel", "op": "is", "value": "email"}, True),
        ({"not": {"field": "message.channel", "op": "is", "value": "email"}}, False),
        ({"not": [{"field": "message.channel", "op": "is", "value": "chat"}]}, True),
        ({"field": "message.channel", "op": "in", "value": ["chat", "email"]}, True),
        ({"field": "message.channel", "op": "not_in", "value": ["chat"]}, True),
        ({"field": "message.text", "op": "contains", "value": "İade"}, True),
        ({"field": "message.subject", "op": "is", "value": 'a "quoted" \\ thing'}, True),
        ({"field": "profile.attributes.plan", "op": "is", "value": "gold"}, True),
        ({"field": "profile.attributes.plan_b", "op": "is", "value": "gold"}, False),
        ({"field": "profile.csat", "op": "less", "value": 3}, False),  # not there: no, and no error
        ({"field": "profile.csat", "op": "known"}, False),
        ({"field": "queue.genel.waiting", "op": "more", "value": 10}, True),
        ({"field": "queue.gone.waiting", "op": "more", "value": 10}, False),
        ({"field": "signals.complaint", "op": "is_true"}, True),
        (
            {
                "all": [
                    {"any": [{"field": "now.hour", "op": "less", "value": 9}, {"field": "now.hour", "op": "at_most", "value": 9}]}
                ]
            },
            True,
        ),
    ],
)
def test_a_tree_says_what_it_looks_like(tree: dict[str, Any], wanted: bool) -> None:
    answer = compiled(to_cel(tree), "when", 60_000).ask(FACTS)
    assert (answer.matched, answer.error) == (wanted, "")


def test_rule_bombs_cost_nothing() -> None:
    numbers = "[" + ",".join(["1"] * 100) + "]"
    bombs = [
        f"{numbers}.all(a, {numbers}.all(b, {numbers}.all(c, a == b || c == 1)))",
        'message.text.matches("(x+x+)+y")',
        "||".join(["true"] * 10_000),
        "!" * 3_000 + "true",
        "[" * 200 + "]" * 200 + " == []",
    ]
    for bomb in bombs:
        begun = time.process_time()
        with contextlib.suppress(Unprocessable):
            compiled(bomb).ask(FACTS)
        assert time.process_time() - begun < 0.5


def test_the_policy_names_the_attributes_it_needs() -> None:
    policy = rules_of(
        {"name": "a", "when": {"field": "profile.attributes.plan", "op": "known"}, "queue": "q"},
        {"name": "b", "when_cel": 'profile.attributes["city"] == "İzmir" || profile.attributes.age > 3', "queue": "q"},
    )
    assert policy.attributes == {"plan", "city", "age"}
    assert not policy.asks_queues

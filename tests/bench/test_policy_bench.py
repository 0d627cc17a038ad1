"""What a policy of a hundred rules costs per message, beside the bare engine evaluating the same expressions one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from router.policy.expressions import facts_of
from router.policy.policy import policy_of, queue_for
from router.policy.sample import sample
from tests.support.figures import Figures

pytestmark = [pytest.mark.bench, pytest.mark.timeout(120)]

RULES = 100
BUDGET_MS = 0.5
_TREES: tuple[Callable[[int], Any], ...] = (
    lambda n: {"all": [
        {"field": "message.channel", "op": "in", "value": ["chat", "phone"]},
        {"any": [
            {"field": "profile.tier", "op": "is", "value": f"tier {n}"},
            {"field": "profile.attributes.plan", "op": "is", "value": f"plan {n}"},
        ]},
    ]},
    lambda n: {"all": [
        {"field": "message.inbox", "op": "is", "value": f"inbox-{n}"},
        {"field": "now.open", "op": "is_true"},
        {"not": {"field": "signals.complaint", "op": "is_true"}},
    ]},
)  # fmt: skip
_EXPRESSIONS: tuple[Callable[[int], str], ...] = (
    lambda n: f'message.channel == "chat" && signals.urgency > 0.{n} || "segment {n}" in profile.tags',
    lambda n: f'message.subject.contains("word {n}") || message.text.contains("söz {n}")',
    lambda n: f'profile.tags.exists(t, t == "segment {n}") && now.hour < 18',
)


def rules() -> list[dict[str, Any]]:
    """A hundred rules of which none matches, so that all are asked: trees and expressions in turn."""
    made = []
    for n in range(RULES):
        if n % 2:
            condition: dict[str, Any] = {"when_cel": _EXPRESSIONS[n // 2 % 3](n)}
        else:
            condition = {"when": _TREES[n // 2 % 2](n)}
        made.append({"name": f"rule {n}", "queue": "genel", **condition})
    return made


def best_ms(work: Callable[[], Any], times: int = 400) -> float:
    """The best of ten runs' means, in milliseconds."""
    work()
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        for _ in range(times // 10):
            work()
        best = min(best, (time.perf_counter() - began) / (times // 10))
    return 1000 * best


def test_a_policy_of_a_hundred_rules() -> None:
    policy = policy_of({"rules": rules(), "default_queue": "genel"}, version=1)
    values = sample()
    values["message"]["text"] = "Merhaba, siparişim hâlâ gelmedi. " * 30
    facts = facts_of(values)
    conditions = [rule.condition for rule in policy.rules if rule.condition is not None]

    def one_by_one() -> None:
        for condition in conditions:
            condition.evaluate(facts)

    choice = queue_for(policy, facts_of(values))
    assert (choice.asked, choice.rule, dict(choice.errors)) == (RULES, None, {})
    erring = policy_of(
        {"rules": [{"name": str(n), "when_cel": f"profile.csat == {n}.0 / 0.0", "queue": "q"} for n in range(RULES)]}
    )
    bare = best_ms(one_by_one)
    whole = best_ms(lambda: queue_for(policy, facts_of(values)))
    worst = best_ms(lambda: queue_for(erring, facts_of({})))
    figures = Figures(title=f"A policy of {RULES} rules, per message (budget {BUDGET_MS} ms)")
    figures.add("facts and choice", f"{whole:.3f} ms", f"{bare:.3f} ms bare expressions", f"{whole / bare:.2f}")
    figures.add("the same when every rule errs", f"{worst:.3f} ms", f"{bare:.3f} ms bare expressions", f"{worst / bare:.2f}")
    figures.add("expressions of their own", f"{len(conditions)}", f"{len(policy.blocks)} crossings into the engine")
    print(figures.show())

"""A policy asked about one message, with everything that is worth seeing: what each rule answered and from which facts.

The asking is `queue_for` itself, as intake does it. Here are the trace around it, the test that a record gives its own choice again,
and the difference between what was chosen and what another policy would choose. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Literal

from router.item.goals import NORMAL
from router.policy.expression_errors import without_words
from router.policy.expressions import Answer, Facts, facts_of
from router.policy.fields import QUEUE_FIELDS
from router.policy.policy import Choice, Policy, Rule, queue_for, with_rules
from router.policy.sample import sample
from router.policy.source import mentions

SHOWN_CHARS: Final = 200
SHOWN_MEMBERS: Final = 100
Outcome = Literal["matched", "no", "error", "not_asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrace:
    """What one rule answered. ``saw``: the facts it names, None for one that is not there; texts cut to 200 letters, lists and maps to
    a hundred members."""

    place: int
    name: str
    outcome: Outcome
    decided: bool = False
    error: str = ""
    saw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A choice with the trace of every rule, in order."""

    choice: Choice
    rules: tuple[RuleTrace, ...]


def choice_of(policy: Policy, facts: Facts) -> Choice:
    """The choice as intake makes it, but for the budget: looking back has the time it takes."""
    return queue_for(policy, facts, clock=_no_clock)


def evaluate(policy: Policy, facts: Facts) -> Evaluation:
    """The choice and why, rule by rule."""
    answers: dict[int, Answer] = {}

    def keep(rule: Rule, answer: Answer) -> None:
        answers[rule.place] = answer

    choice = queue_for(policy, facts, clock=_no_clock, on_answer=keep)
    traces = tuple(_trace(rule, answers.get(rule.place), choice, facts) for rule in policy.rules)
    return Evaluation(choice=choice, rules=traces)


def choice_json(choice: Choice) -> dict[str, Any]:
    """A choice as the API shows it, with names as they are in a rule."""
    shown = asdict(choice)
    shown["class"] = shown.pop("due_class")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in shown.items() if name != "asked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it is recorded."""

    what: str
    recorded: Any
    now: Any


def recorded_choice(record: Mapping[str, Any]) -> Choice:
    """The choice that a routing record tells."""
    return Choice(
        queue=record.get("queue_missing") or record["queue"], rule=record.get("rule"),
        boost_s=record.get("policy_boost_s", record.get("boost_s", 0)), due_class=record.get("class", NORMAL),
        skills=record.get("skills") or {}, tags=tuple(record.get("tags") or ()), sla=record.get("sla"), plan=record.get("plan"),
        matched=tuple(record.get("matched") or ()), errors=record.get("errors") or {}, asked=record.get("asked", 0),
        out_of_time=bool(record.get("out_of_time")),
    )  # fmt: skip


def differences(record: Mapping[str, Any], policy: Policy, facts: Mapping[str, Mapping[str, Any]]) -> list[Difference]:
    """What the policy of the recorded version says differently of the recorded facts: nothing, or the record is not true."""
    before = recorded_choice(record)
    if before.out_of_time:
        # Which rules there was time for is a fact of that moment; asked again are those, and then time is over again.
        cut = with_rules(policy.rules[: before.asked], version=policy.version, default_queue=policy.default_queue)
        again = choice_of(cut, facts_of(facts))
        now = Choice(
            queue=policy.default_queue, boost_s=again.boost_s, due_class=again.due_class, skills=again.skills, tags=again.tags,
            sla=again.sla, plan=again.plan, matched=again.matched, errors=again.errors, out_of_time=True,
        )  # fmt: skip
    else:
        now = choice_of(policy, facts_of(facts))
    return compared(before, now)


def compared(before: Choice, now: Choice) -> list[Difference]:
    """What differs between two choices, by the names a rule uses."""
    pairs: list[tuple[str, Any, Any]] = [
        ("queue", before.queue, now.queue), ("rule", before.rule, now.rule), ("boost_s", before.boost_s, now.boost_s),
        ("class", before.due_class, now.due_class), ("skills", dict(before.skills), dict(now.skills)),
        ("tags", list(before.tags), list(now.tags)), ("sla", before.sla, now.sla), ("plan", before.plan, now.plan),
        ("matched", list(before.matched), list(now.matched)),
        ("errors", without_words(before.errors), without_words(now.errors)), ("out_of_time", before.out_of_time, now.out_of_time),
    ]  # fmt: skip
    return [Difference(what=what, recorded=was, now=is_) for what, was, is_ in pairs if was != is_]


def whole(values: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Facts given by hand with the rest of them as an ordinary message has it: nothing known, nothing signalled, open hours."""
    usual = sample()
    usual["message"] |= {"text": "", "subject": "", "provider": "", "inbox": "", "kind": "text", "visibility": "private"}
    usual["message"] |= {"language": "", "attachments": 0, "contents": [], "about": "", "authenticated": True}
    usual["profile"] = {"known": False, "tags": [], "attributes": {}}
    usual["conversation"] |= {"channels": [], "messages": 0, "age_s": 0}
    usual["signals"] |= {"urgency": 0.0, "language_confidence": 0.0, "keywords": []}
    usual["now"] |= {"open": True, "hour": 12, "weekday": 1}
    usual["queue"] = {}
    for root, given in values.items():
        usual[root] = {**usual.get(root, {}), **given}
    return usual


def not_there(policy: Policy, facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Facts the policy may ask that the record does not hold, because the policy of then did not ask for them."""
    missing = [f"profile.attributes.{name}" for name in sorted(policy.attributes) if name not in _attributes(facts)]
    if policy.asks_open_conversations and "open_conversations" not in facts.get("profile", {}):
        missing.append("profile.open_conversations")
    if policy.asks_queues and not facts.get("queue"):
        missing.append("queue")
    return missing


def _attributes(facts: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return facts.get("profile", {}).get("attributes") or {}


def _no_clock() -> float:
    return 0.0


def _trace(rule: Rule, answer: Answer | None, choice: Choice, facts: Facts) -> RuleTrace:
    outcome: Outcome = "not_asked"
    if answer is not None:
        outcome = "error" if answer.error else "matched" if answer.matched else "no"
    return RuleTrace(
        place=rule.place, name=rule.name, outcome=outcome, decided=choice.rule == rule.name and outcome == "matched",
        error=answer.error if answer else "", saw={} if rule.condition is None else _saw(rule.condition.source, facts),
    )  # fmt: skip


@lru_cache(maxsize=2048)
def _asked_of(source: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(dict.fromkeys((one.root, one.field, one.more) for one in mentions(source) if one.field))


def _saw(source: str, facts: Facts) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for root, name, more in _asked_of(source):
        value = facts.values.get(root, {}).get(name)
        shown = f"{root}.{name}"
        if root == "queue" and more not in QUEUE_FIELDS and more:
            continue
        if more and root in ("queue", "profile"):
            shown, value = f"{shown}.{more}", value.get(more) if isinstance(value, Mapping) else None
        seen[shown] = _shown(value)
    return seen


def _shown(value: Any) -> Any:
    """A fact as it stands beside each rule that names it: as many do, it is short."""
    if isinstance(value, str):
        return value[:SHOWN_CHARS]
    if isinstance(value, Mapping):
        return {name[:SHOWN_CHARS]: _shown(one) for name, one in islice(value.items(), SHOWN_MEMBERS)}
    return [_shown(one) for one in value[:SHOWN_MEMBERS]] if isinstance(value, list | tuple) else value

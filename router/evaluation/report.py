"""What another policy would have changed in a stretch of time: counts, examples and errors, added up message by message.

Its JSON can be merged with another's, so a long stretch is asked for in portions. Pure; memory is bounded by the number of queues and
rules, not of messages. **Units**: seconds. **Identity**: a move by (queue before, queue after).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from router.evaluation.evaluation import recorded_choice
from router.policy.policy import Choice, Policy

EXAMPLES_MAX: Final = 3
MOVES_MAX: Final = 1000


@dataclass(slots=True)
class Report:
    """The difference so far. ``policy`` gives the rules that may match."""

    policy: Policy
    messages: int = 0
    changed: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    not_recorded: dict[str, int] = field(default_factory=dict)
    moves: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    boosts: dict[str, int] = field(default_factory=lambda: {"raised": 0, "lowered": 0, "seconds": 0})
    classes: int = 0
    tags: dict[str, dict[str, int]] = field(default_factory=lambda: {"added": {}, "removed": {}})
    rules: dict[str, dict[str, int]] = field(default_factory=dict)
    errors: dict[str, dict[str, Any]] = field(default_factory=dict)

    def leave_out(self, reason: str) -> None:
        """One decision that cannot be asked again."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def add(
        self, record: Mapping[str, Any], now: Choice, queue: str, *, message_id: Any, decision_id: Any, missing: Sequence[str] = ()
    ) -> None:
        """One message: what was recorded, and what the policy says with the queue that it would have come to."""
        before = recorded_choice(record)
        self.messages += 1
        for fact in missing:
            self.not_recorded[fact] = self.not_recorded.get(fact, 0) + 1
        example = {"message_id": str(message_id), "decision_id": str(decision_id), "rule_before": before.rule, "rule": now.rule}
        changed = self._move(str(record["queue"]), queue, example)
        if now.boost_s != before.boost_s:
            changed = True
            self.boosts["raised" if now.boost_s > before.boost_s else "lowered"] += 1
            self.boosts["seconds"] += now.boost_s - before.boost_s
        if now.due_class != before.due_class:
            changed = True
            self.classes += 1
        for name, these, those in (("added", now.tags, before.tags), ("removed", before.tags, now.tags)):
            for tag in these:
                if tag not in those:
                    changed = True
                    self.tags[name][tag] = self.tags[name].get(tag, 0) + 1
        if dict(now.skills) != dict(before.skills) or (now.sla, now.plan) != (before.sla, before.plan):
            changed = True
        self.changed += changed
        self._count(now, message_id, decision_id)

    def _move(self, before: str, after: str, example: Mapping[str, Any]) -> bool:
        pair = (before, after)
        if pair not in self.moves and len(self.moves) >= MOVES_MAX:
            pair = ("…", "…")
        move = self.moves.setdefault(pair, {"count": 0, "examples": []})
        move["count"] += 1
        if before != after and len(move["examples"]) < EXAMPLES_MAX:
            move["examples"].append(dict(example))
        return before != after

    def _count(self, now: Choice, message_id: Any, decision_id: Any) -> None:
        for name in now.matched:
            counts = self.rules.setdefault(name, {"matched": 0, "decided": 0})
            counts["matched"] += 1
            counts["decided"] += name == now.rule
        for name, error in now.errors.items():
            found = self.errors.setdefault(
                name, {"rule": name, "count": 0, "error": error, "message_id": str(message_id), "decision_id": str(decision_id)}
            )
            found["count"] += 1

    def as_json(self) -> dict[str, Any]:
        """The whole; rules in the policy's order."""
        rules = [
            {"name": rule.name, "place": rule.place, **self.rules.get(rule.name, {"matched": 0, "decided": 0})}
            for rule in self.policy.rules
        ]
        queues = [{"before": before, "after": after, **move} for (before, after), move in self.moves.items()]
        return {
            "messages": self.messages,
            "changed": self.changed,
            "left_out": self.left_out,
            "not_recorded": self.not_recorded,
            "queues": sorted(queues, key=lambda one: (one["before"] == one["after"], -one["count"])),
            "boosts": self.boosts,
            "classes": self.classes,
            "tags": self.tags,
            "rules": rules,
            "never_matched": [rule["name"] for rule in rules if not rule["matched"]],
            "errors": list(self.errors.values()),
        }


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two reports of the same policy as one. In any order the counts are the same; examples are the first ones."""
    moves: dict[tuple[str, str], dict[str, Any]] = {}
    for one in (*first["queues"], *second["queues"]):
        move = moves.setdefault((one["before"], one["after"]), {**one, "count": 0, "examples": []})
        move["count"] += one["count"]
        move["examples"] = [*move["examples"], *one["examples"]][:EXAMPLES_MAX]
    errors: dict[str, dict[str, Any]] = {}
    for one in (*first["errors"], *second["errors"]):
        errors.setdefault(one["rule"], {**one, "count": 0})["count"] += one["count"]
    rules = [
        {**one, "matched": one["matched"] + other["matched"], "decided": one["decided"] + other["decided"]}
        for one, other in zip(first["rules"], second["rules"], strict=True)
    ]
    return {
        "messages": first["messages"] + second["messages"],
        "changed": first["changed"] + second["changed"],
        "left_out": _added(first["left_out"], second["left_out"]),
        "not_recorded": _added(first["not_recorded"], second["not_recorded"]),
        "queues": sorted(moves.values(), key=lambda one: (one["before"] == one["after"], -one["count"])),
        "boosts": _added(first["boosts"], second["boosts"]),
        "classes": first["classes"] + second["classes"],
        "tags": {name: _added(first["tags"][name], second["tags"][name]) for name in ("added", "removed")},
        "rules": rules,
        "never_matched": [rule["name"] for rule in rules if not rule["matched"]],
        "errors": list(errors.values()),
    }


def _added(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in {**first, **second}}

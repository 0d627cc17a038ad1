"""A rule's condition as a tree that a page can edit, and its translation to CEL.

``{"all": [...]}``, ``{"any": [...]}``, ``{"not": …}``, or a leaf ``{"field": "message.channel", "op": "is", "value": "email"}``.
A leaf about something that is not there (a profile without tier) is no, not an error: the translation asks ``has()`` first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from shared.errors import Unprocessable

FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "message": frozenset(
        {"channel", "provider", "inbox", "kind", "visibility", "language", "subject", "text", "attachments", "authenticated"}
    ),
    "profile": frozenset(
        {"tier", "tags", "attributes", "language", "channel", "open_conversations", "last_agent", "csat", "version", "known"}
    ),
    "conversation": frozenset({"reopened", "channels", "messages", "age_s"}),
    "signals": frozenset(
        {
            "urgency", "complaint", "auto_reply", "bounce", "bulk", "spam", "thanks", "shouting", "repeat_contact",
            "language_confidence", "keywords",
        }
    ),
    "now": frozenset({"open", "weekday", "hour", "holiday"}),
}  # fmt: skip
QUEUE_FIELDS: Final = frozenset({"waiting", "oldest_s", "agents_online", "expected_wait_s"})
LEAVES_MAX: Final = 100
DEPTH_MAX: Final = 8
_COMPARE: Final = {"is": "==", "is_not": "!=", "more": ">", "at_least": ">=", "less": "<", "at_most": "<="}
OPERATORS: Final = (*_COMPARE, "in", "not_in", "contains", "starts_with", "ends_with", "has", "is_true", "is_false", "known")
_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_QUEUE: Final = re.compile(r"queue\.([A-Za-z0-9_.-]{1,100})\.([a-z_]+)")


def to_cel(tree: Any, *, field: str = "when") -> str:
    """The CEL source of a tree. Raises `Unprocessable` with the position (``when.all[1].op``) and the remedy."""
    count = [0]
    return _node(tree, field, 0, count)


def _node(tree: Any, where: str, depth: int, count: list[int]) -> str:
    if depth > DEPTH_MAX:
        raise Unprocessable("the condition is nested too deeply", field=where, remedy=f"at most {DEPTH_MAX} levels")
    if not isinstance(tree, Mapping):
        raise Unprocessable(
            "not a condition", field=where, remedy='like {"field": "message.channel", "op": "is", "value": "email"}'
        )
    keys = set(tree)
    if keys == {"all"} or keys == {"any"}:
        (name,) = keys
        children = tree[name]
        if not isinstance(children, list):
            raise Unprocessable("not a list", field=f"{where}.{name}", remedy="a list of conditions")
        if not children:
            return "true" if name == "all" else "false"
        parts = [_node(child, f"{where}.{name}[{place}]", depth + 1, count) for place, child in enumerate(children)]
        return "(" + (" && " if name == "all" else " || ").join(parts) + ")"
    if keys == {"not"}:
        inner = tree["not"]
        if isinstance(inner, list):
            inner = {"any": inner}
        return f"!({_node(inner, f'{where}.not', depth + 1, count)})"
    count[0] += 1
    if count[0] > LEAVES_MAX:
        raise Unprocessable("too many conditions in one rule", field=where, remedy=f"at most {LEAVES_MAX}; split the rule in two")
    return _leaf(tree, where)


def _leaf(leaf: Mapping[str, Any], where: str) -> str:
    unknown = set(leaf) - {"field", "op", "value"}
    if unknown or "field" not in leaf or "op" not in leaf:
        raise Unprocessable("not a condition", field=where, remedy="all, any, not, or field with op and value")
    path, guard = _path(leaf["field"], f"{where}.field")
    operator = leaf["op"]
    if operator not in OPERATORS:
        raise Unprocessable(f"unknown operator {operator!r}", field=f"{where}.op", remedy=f"one of {', '.join(OPERATORS)}")
    test = _test(path, operator, leaf.get("value"), f"{where}.value")
    return f"({guard} && {test})" if test else f"({guard})"


def _path(name: Any, where: str) -> tuple[str, str]:
    """The CEL path of a field's name, and the guard that it is there."""
    if not isinstance(name, str):
        raise Unprocessable("not a field's name", field=where, remedy="like message.channel")
    found = _QUEUE.fullmatch(name)
    if found is not None and found[2] in QUEUE_FIELDS:
        quoted = json.dumps(found[1])
        return f"queue[{quoted}].{found[2]}", f"{quoted} in queue"
    root, _, rest = name.partition(".")
    if root == "profile" and rest.startswith("attributes.") and _ATTRIBUTE.fullmatch(rest[11:]):
        return f"profile.{rest}", f"has(profile.attributes) && has(profile.{rest})"
    if rest in FIELDS.get(root, ()):
        return name, f"has({name})"
    known = sorted(f"{group}.{one}" for group, fields in FIELDS.items() for one in fields)
    raise Unprocessable(f"unknown field {name[:100]!r}", field=where, remedy=f"one of {', '.join(known)}, queue.<name>.waiting")


def _test(path: str, operator: str, value: Any, where: str) -> str:
    if operator == "known":
        return ""
    if operator in ("is_true", "is_false"):
        return f"{path} == {'true' if operator == 'is_true' else 'false'}"
    if operator in ("in", "not_in"):
        if not isinstance(value, list) or len(value) > 1000:
            raise Unprocessable("not a list of values", field=where, remedy="a list of at most 1000 texts or numbers")
        inside = f"{path} in [{', '.join(_literal(one, where) for one in value)}]"
        return inside if operator == "in" else f"!({inside})"
    if operator == "has":
        return f"{_literal(value, where)} in {path}"
    if operator in ("contains", "starts_with", "ends_with"):
        if not isinstance(value, str) or not value:
            raise Unprocessable("not a text", field=where, remedy="a text of at least one letter")
        method = {"contains": "contains", "starts_with": "startsWith", "ends_with": "endsWith"}[operator]
        return f"{path}.{method}({_literal(value, where)})"
    return f"{path} {_COMPARE[operator]} {_literal(value, where)}"


def _literal(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str) and len(value) <= 1000:
        # JSON's escapes are CEL's but for surrogate pairs, which stand as themselves here.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    raise Unprocessable(
        "not a value that can be compared", field=where, remedy="a text of at most 1000 letters, a number, yes or no"
    )

"""A rule's condition as a tree that a page can edit, and its translation to CEL.

``{"all": [...]}``, ``{"any": [...]}``, ``{"not": …}``, or a leaf ``{"field": "message.channel", "op": "is", "value": "email"}``.
A leaf about something that is not there (a profile without tier) is no, not an error: the translation asks ``has()`` first.
Fields and operators: `router/policy/fields.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from router.policy.fields import BY_NAME, OPERATORS, QUEUE_FIELDS, TYPE_NAMES, Operator, Type, nearest, operators_for
from shared.errors import Unprocessable

LEAVES_MAX: Final = 100
DEPTH_MAX: Final = 8
VALUES_MAX: Final = 1000
VALUE_CHARS_MAX: Final = 1000
WHOLE_MAX: Final = 2**53
_SIGNS: Final[Mapping[str, str]] = {
    "is": "==", "is_not": "!=", "more": ">", "at_least": ">=", "less": "<", "at_most": "<=",
}  # fmt: skip
_METHODS: Final[Mapping[str, str]] = {"contains": "contains", "starts_with": "startsWith", "ends_with": "endsWith"}
_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_QUEUE: Final = re.compile(r"queue\.([A-Za-z0-9_.-]{1,100})\.([a-z_]+)")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeProblem:
    """What is wrong at one place of a tree. ``shape``: it cannot be translated; else its types do not fit."""

    path: Path
    message: str
    remedy: str
    shape: bool = True


@dataclass(slots=True)
class Translation:
    """A tree in CEL: the source, what is wrong with it, the conditions that must all hold, and the queues it names."""

    source: str = "true"
    problems: list[TreeProblem] = field(default_factory=list)
    parts: tuple[str, ...] = ()
    queues: list[tuple[str, Path]] = field(default_factory=list)
    leaves: int = 0


def place(path: Path) -> str:
    """``when.all[1].op`` for a path."""
    shown = ""
    for one in path:
        shown += f"[{one}]" if isinstance(one, int) else f".{one}" if shown else one
    return shown


def translated(tree: Any) -> Translation:
    """The tree in CEL with everything that is wrong in it; never raises. Paths begin below ``when``."""
    done = Translation()
    done.source = _node(tree, (), 0, done)
    done.parts = tuple(_node(one, (), 0, Translation()) for one in _conjunction(tree)) if not done.problems else ()
    return done


def to_cel(tree: Any, *, field: str = "when") -> str:
    """The CEL source of a tree. Raises `Unprocessable` with the first place (``when.all[1].op``) that cannot be translated."""
    done = translated(tree)
    for problem in done.problems:
        if problem.shape:
            raise Unprocessable(problem.message, field=place((field, *problem.path)), remedy=problem.remedy)
    return done.source


def _conjunction(tree: Any) -> list[Any]:
    """What must hold at once: the members of nested ``all``, or the tree itself."""
    if isinstance(tree, Mapping) and set(tree) == {"all"}:
        return [inner for child in tree["all"] for inner in _conjunction(child)]
    return [tree]


def _node(tree: Any, path: Path, depth: int, done: Translation) -> str:
    if depth > DEPTH_MAX:
        return _wrong(done, path, "the condition is nested too deeply", f"at most {DEPTH_MAX} levels")
    if not isinstance(tree, Mapping):
        return _wrong(done, path, "not a condition", 'like {"field": "message.channel", "op": "is", "value": "email"}')
    keys = set(tree)
    if keys in ({"all"}, {"any"}):
        (name,) = keys
        children = tree[name]
        if not isinstance(children, list):
            return _wrong(done, (*path, name), "not a list", "a list of conditions")
        if not children:
            return "true" if name == "all" else "false"
        parts = []
        for at, child in enumerate(children):
            parts.append(_node(child, (*path, name, at), depth + 1, done))
            if done.leaves > LEAVES_MAX:
                break
        return "(" + (" && " if name == "all" else " || ").join(parts) + ")"
    if keys == {"not"}:
        inner = tree["not"]
        if isinstance(inner, list):
            inner = {"any": inner}
        return f"!({_node(inner, (*path, 'not'), depth + 1, done)})"
    done.leaves += 1
    if done.leaves > LEAVES_MAX:
        return _wrong(done, path, "too many conditions in one rule", f"at most {LEAVES_MAX}; split the rule in two")
    return _leaf(tree, path, done)


def _leaf(leaf: Mapping[str, Any], path: Path, done: Translation) -> str:
    unknown = set(leaf) - {"field", "op", "value"}
    if unknown or "field" not in leaf or "op" not in leaf:
        return _wrong(done, path, "not a condition", "all, any, not, or field with op and value")
    found = _field(leaf["field"], path, done)
    operator = OPERATORS.get(leaf["op"]) if isinstance(leaf["op"], str) else None
    if operator is None:
        _wrong(
            done, (*path, "op"), f"unknown operator {str(leaf['op'])[:50]!r}",
            f"{nearest(str(leaf['op']), OPERATORS)}one of {', '.join(OPERATORS)}",
        )  # fmt: skip
    if found is None or operator is None:
        return "false"
    source, guard, kind = found
    if kind not in operator.types:
        done.problems.append(
            TreeProblem(
                path=(*path, "op"), message=f"{leaf['field']} is {TYPE_NAMES[kind]}, which {operator.name} does not ask",
                remedy=f"one of {', '.join(operators_for(kind))}", shape=False,
            )
        )  # fmt: skip
    test = _test(source, kind, operator, leaf.get("value"), (*path, "value"), done)
    if not test:
        return f"({guard or 'true'})"
    return f"({guard} && {test})" if guard else f"({test})"


def _field(name: Any, path: Path, done: Translation) -> tuple[str, str, Type] | None:
    """The CEL path of a field's name, the guard that it is there (none where it always is) and its type."""
    where = (*path, "field")
    if not isinstance(name, str):
        _wrong(done, where, "not a field's name", "like message.channel")
        return None
    found = _QUEUE.fullmatch(name)
    if found is not None and found[2] in QUEUE_FIELDS:
        quoted = json.dumps(found[1])
        done.queues.append((found[1], where))
        return f"queue[{quoted}].{found[2]}", f"{quoted} in queue", "number"
    root, _, rest = name.partition(".")
    if root == "profile" and rest.startswith("attributes.") and _ATTRIBUTE.fullmatch(rest[11:]):
        return f"profile.{rest}", f"has(profile.attributes) && has(profile.{rest})", "any"
    known = BY_NAME.get(name)
    if known is not None:
        return name, "" if known.always else f"has({name})", known.type
    listed = ", ".join(one for one in BY_NAME if one.startswith(f"{root}.")) or ", ".join(BY_NAME)
    if root == "queue":
        listed = ", ".join(f"queue.<name>.{one}" for one in QUEUE_FIELDS)
    elif root == "profile":
        listed += ", profile.attributes.<name>"
    _wrong(done, where, f"unknown field {name[:100]!r}", f"{nearest(name, BY_NAME)}one of {listed}")
    return None


def _test(source: str, kind: Type, operator: Operator, value: Any, where: Path, done: Translation) -> str:
    name = operator.name
    if operator.takes == "nothing":
        return "" if name == "known" else f"{source} == {'true' if name == 'is_true' else 'false'}"
    if operator.takes == "list":
        if not isinstance(value, list) or len(value) > VALUES_MAX:
            return _wrong(done, where, "not a list of values", f"a list of at most {VALUES_MAX} texts or numbers")
        inside = f"{source} in [{', '.join(_literal(one, kind, (*where, at), done) for at, one in enumerate(value))}]"
        return inside if name == "in" else f"!({inside})"
    if name == "has":
        return f"{_literal(value, 'text' if kind == 'texts' else 'any', where, done)} in {source}"
    if name in _METHODS:
        if not isinstance(value, str) or not value:
            return _wrong(done, where, "not a text", "a text of at least one letter")
        return f"{source}.{_METHODS[name]}({_literal(value, 'text', where, done)})"
    return f"{source} {_SIGNS[name]} {_literal(value, kind, where, done)}"


def _literal(value: Any, kind: Type, where: Path, done: Translation) -> str:
    given: Type | None = None
    written = ""
    if isinstance(value, bool):
        given, written = "yes_no", "true" if value else "false"
    elif (isinstance(value, int) and abs(value) <= WHOLE_MAX) or (isinstance(value, float) and math.isfinite(value)):
        given, written = "number", repr(value)
    elif isinstance(value, str) and len(value) <= VALUE_CHARS_MAX:
        # JSON's escapes are CEL's but for surrogate pairs, which stand as themselves here.
        given, written = "text", json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if given is None:
        return _wrong(
            done, where, "not a value that can be compared",
            f"a text of at most {VALUE_CHARS_MAX} letters, a number below 2^53, yes or no",
        )  # fmt: skip
    if kind not in (given, "any", "texts"):
        done.problems.append(
            TreeProblem(
                path=where, message=f"{TYPE_NAMES[given]} is compared with {TYPE_NAMES[kind]}",
                remedy=f"write {TYPE_NAMES[kind]}", shape=False,
            )
        )  # fmt: skip
    return written


def _wrong(done: Translation, path: Path, message: str, remedy: str) -> str:
    done.problems.append(TreeProblem(path=path, message=message, remedy=remedy))
    return "false"

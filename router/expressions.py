"""CEL, behind one door: compile with caps, evaluate to yes, no or an error that is never mistaken for yes.

The engine does not raise on a runtime error: it returns a value whose type is ERROR and whose plain value is a non-empty text,
which is truthy. So only a value of type BOOL that is True counts as a match, whatever else comes back.

Source: Common Expression Language, language definition; `cel-expr-python` (the C++ implementation).
**Units**: characters for sizes. Identity: two expressions with the same source are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from shared.errors import Unprocessable

NAMES: Final = ("message", "profile", "conversation", "signals", "queue", "now")
SOURCE_CHARS_MAX: Final = 4_000
TREE_CHARS_MAX: Final = 60_000  # what a tree of allowed size may translate to
DEPTH_MAX: Final = 24
_STRINGS: Final = re.compile(r"[rRbB]{0,2}(\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')", re.DOTALL)
_MEMBER: Final = re.compile(r"(?<![\w.])(message|profile|conversation|signals|now)\s*\.\s*([A-Za-z_]\w*)")
_ATTRIBUTE: Final = re.compile(r"profile\s*\.\s*attributes\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*[\"']([^\"']+)[\"']\s*\])")


@dataclass(frozen=True, slots=True)
class Facts:
    """What one message's rules are asked about, ready for the engine. Made once, used by every rule."""

    values: Mapping[str, Mapping[str, Any]]
    activation: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``matched`` only for a true boolean; ``error`` says why an expression could not be evaluated."""

    matched: bool
    error: str = ""


_YES: Final = Answer(matched=True)
_NO: Final = Answer(matched=False)


class Expression:
    """A compiled condition. Safe to share between tasks."""

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str, compiled: Any) -> None:
        self.source = source
        self._compiled = compiled

    def ask(self, facts: Facts) -> Answer:
        """Never raises: what the engine refuses (a missing key, an iteration budget) is an error and no match."""
        try:
            value = self._compiled.eval(facts.activation).plain_value()
        except RuntimeError as error:
            return Answer(matched=False, error=_first_line(error))
        # Only the type BOOL has these two as its plain values; an error is a text, whatever the expression's own type is.
        if value is True:
            return _YES
        if value is False:
            return _NO
        return Answer(matched=False, error=str(value)[:300] or "the expression gives nothing")


@lru_cache(maxsize=1)
def _environment() -> Any:
    return cel.NewEnv(variables={name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN) for name in NAMES})


def facts_of(values: Mapping[str, Mapping[str, Any]]) -> Facts:
    """The facts of one message. A name that is left out is an empty map, so a rule about it errs and does not match."""
    whole = {name: values.get(name, {}) for name in NAMES}
    return Facts(values=whole, activation=_environment().Activation(data=whole))


def members(source: str) -> set[tuple[str, str]]:
    """The (name, field) pairs an expression mentions, outside its texts."""
    return set(_MEMBER.findall(_STRINGS.sub('""', source)))


def attributes(source: str) -> set[str]:
    """The profile's attributes an expression mentions."""
    return {dotted or bracketed for dotted, bracketed in _ATTRIBUTE.findall(source)}


@lru_cache(maxsize=4096)
def compiled(source: str, field: str = "when_cel", chars_max: int = SOURCE_CHARS_MAX) -> Expression:
    """Compiles a condition. Raises `Unprocessable` naming ``field``: too long, too deep, not CEL, not a yes or no."""
    if len(source) > chars_max:
        raise Unprocessable(
            f"an expression of {len(source)} characters", field=field, remedy=f"at most {chars_max}; split the rule in two"
        )
    if _depth(source) > DEPTH_MAX:
        raise Unprocessable("an expression nested too deeply", field=field, remedy=f"at most {DEPTH_MAX} brackets within brackets")
    try:
        expression = _environment().compile(source)
    except RuntimeError as error:
        raise Unprocessable(_first_line(error), field=field, remedy="see the rule language in the documentation") from error
    kind = expression.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        raise Unprocessable(
            f"the expression gives {kind.name()}, not yes or no", field=field, remedy='compare it, like message.channel == "email"'
        )
    return Expression(source, expression)


def _depth(source: str) -> int:
    deepest = depth = 0
    for character in _STRINGS.sub('""', source):
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


def _first_line(error: Exception) -> str:
    """The engine's message without its internal prefix and its drawing of the position, which a remedy repeats in words."""
    text = str(error)
    found = re.search(r"<input>:(-?\d+):(-?\d+): (.*)", text)
    if found is None:
        return text.splitlines()[0][:300]
    line, column, message = found.groups()
    where = f" at line {line}, character {column}" if int(line) > 0 else ""
    return f"{message.strip()[:300]}{where}"

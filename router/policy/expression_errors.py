"""What the expression engine says, in words: of an expression it does not compile, and of one it could not evaluate.

Source: messages of `cel-expr-python`. **Units**: lines and characters from 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from router.policy.fields import ROOTS, nearest

_ENGINE_ERROR: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_SIGNS: Final[Mapping[str, str]] = {
    "_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=", "_&&_": "&&", "_||_": "||", "!_": "!",
    "@in": "in", "_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "-_": "-", "_[_]": "[]", "_?_:_": "? :",
}  # fmt: skip
_KINDS: Final[Mapping[str, str]] = {
    "string": "a text", "int": "a number", "int64": "a number", "double": "a number", "uint": "a number", "bool": "yes or no",
    "bytes": "bytes", "dyn": "any value", "null_type": "nothing", "timestamp": "a time", "duration": "a duration",
}  # fmt: skip
_NUMBERS: Final = frozenset({"int", "double", "uint", "int64"})
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']+)' applied to '\((.*)\)'")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']+)'")
_FUNCTIONS: Final = (
    "contains", "startsWith", "endsWith", "matches", "size", "exists", "all", "exists_one", "filter", "map", "has", "int", "double",
    "string",
)  # fmt: skip
_STATUS: Final = re.compile(r"([A-Z_]{2,}): ")
_MISSING: Final = re.compile(r"Key not found in map : \"?([\w .-]{1,100})\"?")
_NAME: Final = re.compile(r"[a-zA-Z_]\w{0,63}")
_FIELD: Final = re.compile(r"[a-z][a-z_]{0,31} is not there")
"""As fields are called; of what stands in old records nothing more is known."""
_SOMETHING: Final = "what it asks for"
_NOT_THERE: Final = " is not there"
_RUNTIME: Final = re.compile(r"No matching overloads found : (\S+)\((.*)\)")
_SAFE: Final = (
    "divide by zero", "modulus by zero", "integer overflow", "invalid regular expression", "iteration limit", "budget",
    "String to Timestamp", "String to Duration", "index out of bounds",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What the engine says of an expression, in words; line and character from 1, 0 where it names no place.

    ``numbers``: it minds that whole and broken numbers meet, which the facts themselves may not mind when they are asked.
    """

    message: str
    remedy: str
    line: int = 0
    character: int = 0
    numbers: bool = False


def complaints(engine: str) -> list[Complaint]:
    """The engine's complaints in words, without its drawings."""
    found = []
    for line, character, text in _ENGINE_ERROR.findall(engine):
        message, remedy, numbers = _in_words(re.sub(r"\s*\[[A-Z_]+\]$", "", text.strip()))
        placed = int(line) > 0
        undeclared = _UNDECLARED.search(text)
        if undeclared is not None:  # the engine points at the last dot of the name
            character = int(character) - len(undeclared[1].rpartition(".")[0])
        found.append(
            Complaint(
                message=message,
                remedy=remedy,
                line=int(line) if placed else 0,
                character=int(character) if placed else 0,
                numbers=numbers,
            )
        )
    if found:
        return found
    if "recursion" in engine:
        return [Complaint(message="an expression with too many parts in a row", remedy="split the rule in two")]
    return [Complaint(message=said(engine, ""), remedy="see the rule language in the documentation")]


def _in_words(text: str) -> tuple[str, str, bool]:
    overload = _OVERLOAD.search(text)
    if overload is not None:
        sign, kinds = _SIGNS.get(overload[1], overload[1]), _split(overload[2])
        if len(kinds) == 2 and _both_numbers(*kinds):
            return f"{sign} does not take a whole and a broken number", "write both the same way, like 1.0", True
        named = " and ".join(kind_in_words(one) for one in kinds)
        return (
            f"{sign} does not go with {named}",
            "compare values of the same kind; GET /v1/policies/vocabulary lists every field",
            False,
        )
    undeclared = _UNDECLARED.search(text)
    if undeclared is not None:
        name = undeclared[1]
        known = (*ROOTS, *_FUNCTIONS)
        return f"unknown name {name[:100]}", f"{nearest(name.partition('.')[0], known)}names are {', '.join(ROOTS)}", False
    if "recursion" in text:
        return "an expression with too many parts in a row", "split the rule in two", False
    short = text.partition(" expecting ")[0][:300]
    return short[:1].lower() + short[1:], "see the rule language in the documentation", False


def _both_numbers(first: str, second: str) -> bool:
    second = re.sub(r"^list\((.*)\)$", r"\1", second)
    return first in _NUMBERS and second in _NUMBERS


def _split(kinds: str) -> list[str]:
    parts, level, begun = [], 0, 0
    for place, letter in enumerate(kinds):
        level += (letter == "(") - (letter == ")")
        if letter == "," and level == 0:
            parts.append(kinds[begun:place].strip())
            begun = place + 1
    return [*parts, kinds[begun:].strip()]


def kind_in_words(name: str) -> str:
    """A type as people call it, from the engine's name for it."""
    if name.startswith("list"):
        inner = name[5:-1] if name.startswith("list(") else "dyn"
        return {"string": "a list of texts", "int": "a list of numbers", "double": "a list of numbers"}.get(inner, "a list")
    return "a map" if name.startswith("map") else _KINDS.get(name, name)


def said(text: str, source: str) -> str:
    """Why an expression (``source``) could not be evaluated. Values stay out of it: a record of it must hold no word of the customer.

    The name of what is missing may be one: a key can be what a message says. It is told where the expression names it as well.
    """
    missing = _MISSING.search(text)
    if missing is not None:
        named = _NAME.fullmatch(missing[1]) and re.search(rf"\b{missing[1]}\b", source)
        return f"{missing[1]}{_NOT_THERE}" if named else f"{_SOMETHING}{_NOT_THERE}"
    overload = _RUNTIME.search(text)
    if overload is not None:
        kinds = " and ".join(kind_in_words(one) for one in _split(overload[2]))
        return f"{_SIGNS.get(overload[1], overload[1])} does not go with {kinds}"
    safe = next((one for one in _SAFE if one.lower() in text.lower()), None)
    if safe is not None:
        return safe
    status = _STATUS.match(text)
    return f"the expression failed ({status[1].lower().replace('_', ' ')})" if status else "the expression failed"


def without_words(errors: Mapping[str, str]) -> dict[str, str]:
    """Recorded errors by rule, without what 0.1.0 wrote into them: whatever a missing key was, a customer's words among it."""
    return {
        rule: f"{_SOMETHING}{_NOT_THERE}" if error.endswith(_NOT_THERE) and not _FIELD.fullmatch(error) else error
        for rule, error in errors.items()
    }

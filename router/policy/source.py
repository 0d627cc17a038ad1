"""The text of a rule's expression, read far enough to say where something stands and what it speaks of.

Not a parser: the engine parses. This finds tokens, so that names, texts and brackets are told apart and a complaint can name the line.

Source: Common Expression Language, language definition (lexis). **Units**: places in characters from 0, lines and characters from 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from router.policy.fields import ROOTS

_TOKEN: Final = re.compile(
    r"""
      (?P<comment>//[^\n]*)
    | (?P<raw>[bB]?[rR][bB]?(?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\n]*"|'[^'\n]*'))
    | (?P<text>[bB]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    | (?P<name>[A-Za-z_]\w*)
    | (?P<number>\d[\w.]*)
    | (?P<sign>\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_LOOPS: Final = frozenset({"all", "exists", "exists_one", "map", "filter"})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression and where it begins."""

    kind: Literal["text", "name", "number", "sign"]
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A fact that an expression speaks of: ``root.field``, or ``root["field"]``; for a queue also its figure."""

    root: str
    field: str
    more: str
    at: int
    more_at: int = 0


def tokens(source: str) -> list[Token]:
    """The expression's tokens without its comments."""
    found: list[Token] = []
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup
        if kind == "comment":
            continue
        if kind == "raw":
            kind = "text"
        assert kind in ("text", "name", "number", "sign"), kind
        found.append(Token(kind, match[0], match.start()))  # type: ignore[arg-type]
    return found


def place_in(source: str, at: int) -> tuple[int, int]:
    """(line, character) of a place, both from 1."""
    before = source[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1


def mentions(source: str) -> list[Mention]:
    """Every fact the expression names, in order, a fact as often as it stands there."""
    parts = tokens(source)
    found: list[Mention] = []
    for place, part in enumerate(parts):
        if part.kind != "name" or part.text not in ROOTS or (place and parts[place - 1].text == "."):
            continue
        steps = list(_steps(parts, place + 1))
        if steps:
            more, more_at = steps[1] if len(steps) > 1 else ("", 0)
            found.append(Mention(part.text, steps[0][0], more, steps[0][1], more_at))
        else:
            found.append(Mention(part.text, "", "", part.at))
    return found


def _steps(parts: Sequence[Token], place: int) -> Iterator[tuple[str, int]]:
    """What follows a name: ``.field`` and ``["field"]``, as (field, where)."""
    while place + 1 < len(parts):
        sign, after = parts[place].text, parts[place + 1]
        if sign == "." and after.kind == "name":
            if place + 2 < len(parts) and parts[place + 2].text == "(":
                return
            yield after.text, after.at
            place += 2
        elif sign == "[" and after.kind == "text" and place + 2 < len(parts) and parts[place + 2].text == "]":
            yield text_of(after), after.at
            place += 3
        else:
            return


def text_of(token: Token) -> str:
    """What a text token stands for; escapes that JSON does not know stay as they are written."""
    body = token.text.lstrip("rRbB")
    raw = "r" in token.text[: len(token.text) - len(body)].lower()
    quote = body[:3] if body[:3] in ('"""', "'''") else body[:1]
    inside = body[len(quote) : len(body) - len(quote)]
    if raw or "\\" not in inside:
        return inside
    try:
        return str(json.loads('"' + inside.replace("\\'", "'").replace('"', '\\"').replace('\\\\"', '\\"') + '"'))
    except ValueError:
        return inside


def attributes(source: str) -> set[str]:
    """The profile's attributes an expression names."""
    return {one.more for one in mentions(source) if one.root == "profile" and one.field == "attributes" and one.more}


def asks_queues(source: str) -> bool:
    """Whether the expression asks for figures of queues."""
    return any(one.root == "queue" for one in mentions(source))


def asks_open_conversations(source: str) -> bool:
    """Whether the expression asks how many conversations the customer has open."""
    return any(one.root == "profile" and one.field == "open_conversations" for one in mentions(source))


def depth(source: str) -> int:
    """How deep brackets stand within brackets."""
    deepest = now = 0
    for part in tokens(source):
        if part.kind != "sign":
            continue
        if part.text in "([{":
            now += 1
            deepest = max(deepest, now)
        elif part.text in ")]}":
            now -= 1
    return deepest


def is_cheap(source: str) -> bool:
    """Whether an expression costs about the same whatever the message: no loop within a loop, no search by pattern."""
    names = [part.text for part in tokens(source) if part.kind == "name"]
    return "matches" not in names and sum(name in _LOOPS for name in names) < 2


def is_plain(source: str) -> bool:
    """Whether neither a loop nor a pattern can be in it, so that it costs no more at worst than its length tells."""
    return not any(name in source for name in (*_LOOPS, "matches"))


def patterns(source: str) -> list[tuple[str | None, int]]:
    """The patterns given to ``matches``, as (the text or None when it is not written there, where)."""
    parts = tokens(source)
    found: list[tuple[str | None, int]] = []
    for place, part in enumerate(parts):
        if part.text != "matches" or part.kind != "name" or place + 1 >= len(parts) or parts[place + 1].text != "(":
            continue
        inside = _arguments(parts, place + 1)
        as_method = place > 0 and parts[place - 1].text == "."
        argument = inside[0] if as_method and inside else inside[1] if not as_method and len(inside) > 1 else []
        alone = len(argument) == 1 and argument[0].kind == "text"
        found.append((argument[0].text if alone else None, argument[0].at if argument else part.at))
    return found


def _arguments(parts: Sequence[Token], opening: int) -> list[list[Token]]:
    arguments: list[list[Token]] = [[]]
    level = 0
    for part in parts[opening:]:
        if part.kind == "sign" and part.text in "([{":
            level += 1
            if level == 1:
                continue
        elif part.kind == "sign" and part.text in ")]}":
            level -= 1
            if level == 0:
                return arguments
        elif part.text == "," and level == 1:
            arguments.append([])
            continue
        arguments[-1].append(part)
    return arguments


def without_presence(source: str) -> str:
    """The same expression of the same length with every ``has(x.y)`` as ``true``: for checking types, where presence has none."""
    parts = tokens(source)
    letters = list(source)
    for place, part in enumerate(parts):
        if part.kind == "name" and part.text == "has" and place + 1 < len(parts) and parts[place + 1].text == "(":
            closing = next((one for one in parts[place + 2 :] if one.text == ")"), None)
            if closing is None:
                continue
            length = closing.at + 1 - part.at
            letters[part.at : closing.at + 1] = "true".ljust(length)
    return "".join(letters)

"""What a statement of SQL does to our tables, told from its words: what it inserts, updates, deletes and locks.

Source: PostgreSQL 18, SELECT, "The Locking Clause"; INSERT, "ON CONFLICT Clause". **Identity**: table and verb.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

GAP: Final = "\0"
"""Stands in a text for what only the run knows."""
IDENTITY: Final = "(identity)"
"""The advisory lock on who is who, where a table's name stands otherwise."""
HOLDS: Final = "(holds)"
"""The advisory lock on legal holds, which its key names."""
SESSIONS: Final = "(sessions)"
"""The advisory lock on what is minted, which its key names."""
Verb = Literal["insert", "meet", "update", "delete", "lock"]
_WRITE: Final = re.compile(r'\b(insert into|update|delete from) santral\."?(\w+|\0)')
_NO_ALIAS: Final = "on|where|order|group|limit|offset|for|join|left|cross|using|union|returning"
_TABLE: Final = re.compile(rf'(?:from|join|,) santral\."?(\w+|\0)"?(?: (?:as )?(?!(?:{_NO_ALIAS})\b)(\w+))?')
_LOCKING: Final = re.compile(r"\bfor (?:no key )?update\b(?: of ((?:\w+)(?:, \w+)*))?")
_VERBS: Final[Mapping[str, Verb]] = {"insert into": "insert", "update": "update", "delete from": "delete"}


class Touch(NamedTuple):
    """What one statement does to one table. ``meet`` is an insert that may find the row of somebody else (``on conflict``)."""

    table: str
    verb: Verb


def touches_of(statement: str) -> list[Touch]:
    """What a statement does, in its order; a table that is a gap is `GAP`."""
    if " " not in statement:
        return []
    text = " ".join(statement.lower().split())
    found: list[tuple[int, Touch]] = []
    for match in _WRITE.finditer(text):
        found.append((match.start(), Touch(match[2], _VERBS[match[1]])))
        if match[1] == "insert into" and _may_meet(text, match.end()):
            found.append((match.start(), Touch(match[2], "meet")))
    for match in _LOCKING.finditer(text):
        found += [(match.start(), Touch(table, "lock")) for table in _locked(text, match)]
    if "pg_advisory_xact_lock" in text:
        found.append((text.index("pg_advisory_xact_lock"), Touch(_advisory(text), "lock")))
    return [touch for _, touch in sorted(found, key=lambda one: one[0])]


def _advisory(text: str) -> str:
    return next((one for key, one in (("'santral.holds ", HOLDS), ("'santral.sessions ", SESSIONS)) if key in text), IDENTITY)


def _may_meet(text: str, start: int) -> bool:
    """Whether this insert says what to do with a row that is there; its own clause counts, not the next insert's."""
    following = _WRITE.search(text, start)
    return " on conflict " in text[start : following.start() if following else None]


def _locked(text: str, locking: re.Match[str]) -> list[str]:
    """The tables that a locking clause is about: those it names, else all of its own select, not of selects inside it."""
    depth, start, kept = 0, locking.start(), []
    while start > 0:
        start -= 1
        depth += {")": 1, "(": -1}.get(text[start], 0)
        if depth < 0:
            break
        kept.append(text[start] if depth == 0 else "")
    named = dict.fromkeys((alias or table, table) for table, alias in _TABLE.findall("".join(reversed(kept))))
    wanted = locking[1].split(", ") if locking[1] else [alias for alias, _ in named]
    return [table for alias, table in named if alias in wanted]

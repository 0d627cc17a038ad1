"""The decisions of the rooms, numbered and dated: each stands once, under ``## Decisions`` of the README of the room that keeps it.

A decision is a paragraph that begins with its title in bold, and what follows it up to the next. The register (`docs/why/index.md`) gives
it the next number and the day on which it was first registered; both stay when the words below the title change. A title that changes is
another decision: the row of the old one goes, and the new one gets a number of its own.
**Identity**: room and title.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Final

from tests.support.tables import ROOT
from tests.support.writers import rooms

REGISTER: Final = ROOT / "docs/why/index.md"
HEADING: Final = "## Decisions"
_TITLE: Final = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
_ROW: Final = re.compile(r"^\| (\d+) \| (\d{4}-\d\d-\d\d) \| (.+) \| \[([\w/]+)\]\([^)]*\) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision as its room has it."""

    room: str
    title: str
    whole: bool  # the title is a sentence of its own, not the beginning of one
    words: str  # what stands behind the title, as it is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A decision's row of the register."""

    number: int
    day: date
    title: str
    room: str


def folders() -> list[str]:
    """The folders that may keep decisions: every room's and sub-room's."""
    return sorted({*rooms(), *(room.split("/", maxsplit=1)[0] for room in rooms())})


def section_of(page: str) -> tuple[str, str, str]:
    """What stands before a page's decisions, the decisions, and what stands after; two empty texts where it has none."""
    before, heading, rest = page.partition(f"{HEADING}\n")
    if not heading:
        return page, "", ""
    section, following, after = rest.partition("\n## ")
    return before, section.strip(), following.lstrip() + after


def decisions_in(room: str, page: str) -> list[Decision]:
    """A page's decisions in their order."""
    found: list[Decision] = []
    for paragraph in re.split(r"\n\n+", section_of(page)[1]):
        title = _TITLE.match(paragraph)
        if title is not None:
            words = " ".join(title[1].split())
            found.append(
                Decision(room=room, title=words.rstrip("."), whole=words.endswith("."), words=paragraph[title.end() :].strip())
            )
        elif found:
            found[-1] = replace(found[-1], words=f"{found[-1].words}\n\n{paragraph}")
    return found


@cache
def decisions() -> list[Decision]:
    """Every decision of every room."""
    return [one for room in folders() for one in decisions_in(room, (ROOT / room / "README.md").read_text(encoding="utf-8"))]


def registered(page: str) -> list[Registered]:
    """The rows of the register."""
    rows = _ROW.findall(page)
    return [
        Registered(number=int(number), day=date.fromisoformat(day), title=title, room=room) for number, day, title, room in rows
    ]


def completed(rows: Iterable[Registered], found: Iterable[Decision], today: date) -> list[Registered]:
    """The register as it should be: what is still decided keeps its number and day, what is new comes behind."""
    known = {(row.room, row.title): row for row in rows}
    following = max((row.number for row in known.values()), default=0)
    made = []
    for one in found:
        if (one.room, one.title) not in known:
            following += 1
            known[one.room, one.title] = Registered(number=following, day=today, title=one.title, room=one.room)
        made.append(known[one.room, one.title])
    return sorted(made, key=lambda row: row.number)


def table_of(rows: Iterable[Registered]) -> str:
    """The register's table."""
    lines = [f"| {one.number} | {one.day} | {one.title} | [{one.room}](../../{one.room}/README.md#decisions) |" for one in rows]
    return "\n".join(["| number | since | decision | room |", "|---|---|---|---|", *lines])

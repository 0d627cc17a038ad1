"""A list of stems, looked for where words begin, in time that grows with the text and hardly with the list. Pure, no pattern is made.

Python's own patterns try one stem after the other at every word: five hundred long ones of a workspace would be everybody's wait. Here the
stems stand sorted. Those that a text begins with are the stem just before that text in this order, or beginnings of it, so one look finds
whether there is any.

**Identity**: a stem by its folded text; a word begins or ends at a place as `re` has it (``\\b``).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

_BORDER: Final = re.compile(r"\b")


class Stems:
    """Stems that are folded already; empty ones count for nothing."""

    __slots__ = ("_firsts", "_longest", "_roots", "_sorted")

    def __init__(self, stems: Iterable[str]) -> None:
        self._sorted = sorted({stem for stem in stems if stem})
        self._longest = max(map(len, self._sorted), default=0)
        self._firsts = frozenset(stem[0] for stem in self._sorted)
        self._roots = _roots(self._sorted)

    def first_in(self, places: Places) -> str | None:
        """The stem at the first place where one stands, the longest of those there; None where there is none."""
        folded, firsts, longest, stems = places.folded, self._firsts, self._longest, self._sorted
        for at in places.borders:
            if folded[at] not in firsts:
                continue
            ahead = folded[at : at + longest]
            place = bisect_right(stems, ahead) - 1
            if place >= 0 and ahead.startswith(self._roots[place]):
                # The shortest of them stands here, so one is found, and this is gone through once.
                return next(stem for stem in reversed(stems[: place + 1]) if ahead.startswith(stem))
        return None


class Places:
    """A folded text with the places where a word begins or ends, which all lists look at."""

    __slots__ = ("borders", "folded")

    def __init__(self, folded: str) -> None:
        self.folded = folded
        self.borders: Sequence[int] = [found.start() for found in _BORDER.finditer(folded) if found.start() < len(folded)]


def _roots(stems: Sequence[str]) -> list[str]:
    """For each of the sorted stems the shortest one that it begins with, which may be itself."""
    roots: list[str] = []
    for stem in stems:
        roots.append(roots[-1] if roots and stem.startswith(roots[-1]) else stem)
    return roots

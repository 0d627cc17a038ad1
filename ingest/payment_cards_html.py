"""Numbers of payment cards in HTML, masked where a reader would see one: across inline tags and entities. Pure, linear.

Digits may be entities (``&#52;``), and what stands between them tags (``<b>4111</b> 1111``) or ``&nbsp;``. A tag that begins a block or a
cell parts numbers, as it does on the screen. Values of attributes are masked like text. Source: WHATWG HTML, §13.1.4 (character references).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from html import unescape
from typing import Final

from ingest.looks import Looks, without_digits
from ingest.payment_cards import masked_cards, places_to_mask

# Possessive, so that what never ends is read once.
_MARKUP: Final = re.compile(r"<(?P<tag>/?[A-Za-z][A-Za-z0-9]*+)?+[^<>]*+>|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});?")
_INLINE_WORDS: Final = (
    "a abbr b bdi bdo big cite code em font i ins kbd mark nobr q s samp small span strike strong sub sup tt u var wbr"
)
_INLINE: Final = frozenset(_INLINE_WORDS.split())


def masked_cards_in_html(page: str, looks: Looks | None = None) -> str:
    """The page with each card's number masked but for its last four digits; its markup stays. ``looks``: as `masked_cards` has it."""
    looks = looks or Looks()
    page = masked_cards(page, looks)
    if "<" not in page and "&" not in page:
        return page
    shown = _Shown(page, looks)
    masked, end = places_to_mask(shown.text, looks)
    pieces, at = [], 0
    for place in masked:
        start, after = shown.written(place)
        pieces += [page[at:start], "*"]
        at = after
    # What stands beyond it is digits of entities, too.
    end = shown.written(end)[0] if end < len(shown.text) else shown.end
    return "".join([*pieces, page[at:end], without_digits(page[end:])])


class _Shown:
    """What a reader sees of a page, as far as numbers go, and where it is written. ``end``: how much of the page this is."""

    def __init__(self, page: str, looks: Looks) -> None:
        pieces: list[str] = []
        # Where each piece begins, here and in the page; a piece that is an entity or a tag is one character.
        self._firsts, self._starts, self._ends = [0], [0], [0]
        self.end, at, size = len(page), 0, 0
        for found in _MARKUP.finditer(page):
            start, markup = found.start(), found[0]
            if not looks.take(1):
                self.end = start
                break
            if start > at:
                size += self._add(pieces, page[at:start], size, at, start)
            at = found.end()
            if markup.startswith("&"):
                size += self._add(pieces, (unescape(markup) or " ")[0], size, start, at)
            elif (found["tag"] or "").lstrip("/").lower() not in _INLINE:
                size += self._add(pieces, "\n", size, start, at)
        self._add(pieces, page[at : self.end], size, at, self.end)
        self.text = "".join(pieces)

    def written(self, place: int) -> tuple[int, int]:
        """Where the character at this place begins in the page, and where it ends."""
        piece = bisect_right(self._firsts, place) - 1
        start = self._starts[piece] + place - self._firsts[piece]
        return start, self._ends[piece] if self._starts[piece] == start and self._is_one(piece) else start + 1

    def _is_one(self, piece: int) -> bool:
        return piece + 1 < len(self._firsts) and self._firsts[piece + 1] == self._firsts[piece] + 1

    def _add(self, pieces: list[str], text: str, first: int, start: int, end: int) -> int:
        pieces.append(text)
        self._firsts.append(first)
        self._starts.append(start)
        self._ends.append(end)
        return len(text)

"""Numbers of payment cards in HTML, masked where a reader would see one: across inline tags and entities. Pure, linear.

Digits may be entities (``&#52;``), and what stands between them tags (``<b>4111</b> 1111``) or ``&nbsp;``. A tag that begins a block or a
cell parts numbers, as it does on the screen. Values of attributes are masked like text. Source: WHATWG HTML, §13.1.4 (character references).
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from ingest.payment_cards import KEPT_DIGITS, card_places, masked_cards

# Possessive, so that what never ends is read once.
_MARKUP: Final = re.compile(r"<(?P<tag>/?[A-Za-z][A-Za-z0-9]*+)?+[^<>]*+>|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});?")
_INLINE_WORDS: Final = (
    "a abbr b bdi bdo big cite code em font i ins kbd mark nobr q s samp small span strike strong sub sup tt u var wbr"
)
_INLINE: Final = frozenset(_INLINE_WORDS.split())


def masked_cards_in_html(page: str) -> str:
    """The page with each card's number masked but for its last four digits; its markup stays."""
    page = masked_cards(page)
    if "<" not in page and "&" not in page:
        return page
    shown, starts, entity_ends = _shown(page)
    pieces, at = [], 0
    for place in sorted({starts[place] for card in card_places(shown) for place in card[:-KEPT_DIGITS]}):
        pieces += [page[at:place], "*"]
        at = entity_ends.get(place, place + 1)
    return "".join([*pieces, page[at:]])


def _shown(page: str) -> tuple[str, list[int], dict[int, int]]:
    """What a reader sees, as far as numbers go; where each character of it begins in the page, and where those end that are entities."""
    shown: list[str] = []
    starts: list[int] = []
    entity_ends: dict[int, int] = {}
    at = 0
    for found in _MARKUP.finditer(page):
        start, markup = found.start(), found[0]
        shown.append(page[at:start])
        starts.extend(range(at, start))
        at = found.end()
        if markup.startswith("&"):
            shown.append((unescape(markup) or " ")[0])
            starts.append(start)
            entity_ends[start] = at
        elif (found["tag"] or "").lstrip("/").lower() not in _INLINE:
            shown.append("\n")
            starts.append(start)
    shown.append(page[at:])
    starts.extend(range(at, len(page)))
    return "".join(shown), starts, entity_ends

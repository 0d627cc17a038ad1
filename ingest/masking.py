"""Card numbers and Turkish national ids taken out of a message before it is published. Pure.

What an inbox masks is ``cards``, payment cards but for their last four digits (`payment_cards.py`); or all numbers: whatever holds the check
of a card or a national id, each digit becoming ``*``, while spaces and dashes between them stay. A number that fails its check is left
alone, so order numbers and telephones survive. Encoded originals are not kept where anything was found; in binary files nothing is looked for.
Source: ISO/IEC 7812-1 Annex B (Luhn); the check digits of the Turkish identification number (T.C. kimlik numarası).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ingest.adapter import Draft, MaskNumbers, Part
from ingest.payment_cards import CARD_DIGITS, holds_luhn, masked_cards
from ingest.payment_cards_html import masked_cards_in_html

_TCKN_DIGITS: Final = 11
_RUN: Final = re.compile(r"(?<![0-9])[0-9](?:[ \u00a0\u2013-]?[0-9])+(?![0-9])", re.ASCII)
_DIGITS_MIN: Final = 11
_GROUP: Final = re.compile(r"[0-9]+", re.ASCII)
_TEXTS: Final = ("subject", "text", "text_stripped")


def is_card(digits: str) -> bool:
    """Whether 13 to 19 digits hold Luhn's check; the same digit throughout is no card."""
    return len(digits) in CARD_DIGITS and len(set(digits)) > 1 and holds_luhn(digits)


def is_tckn(digits: str) -> bool:
    """Whether eleven digits hold the two checks of a Turkish identification number."""
    if len(digits) != _TCKN_DIGITS or digits[0] == "0":
        return False
    numbers = [int(digit) for digit in digits]
    tenth = (sum(numbers[0:9:2]) * 7 - sum(numbers[1:8:2])) % 10
    return numbers[9] == tenth and numbers[10] == sum(numbers[:10]) % 10


def masked(text: str) -> str:
    """The text without such numbers, as long as before. Masking twice is masking once."""
    return _RUN.sub(lambda run: _masked_run(run[0]), text)


def masked_as(text: str, numbers: MaskNumbers) -> str:
    """The text without the numbers that an inbox masks; as it is where it masks none."""
    return masked_cards(text) if numbers == "cards" else masked(text) if numbers else text


def masked_draft(draft: Draft) -> Draft:
    """The draft with its texts masked, and without its original where anything was found or the original itself holds a number."""
    numbers = draft.inbox.mask_numbers or True
    values: dict[str, Any] = {**draft.values, **_masked_values(draft.values, numbers)}
    parts = tuple(_masked_part(part, numbers) for part in draft.parts)
    original = draft.original
    if original:
        masked_original = _masked_bytes(original, numbers)
        if draft.values.get("kind") == "unparsed":
            original = masked_original
        elif values != dict(draft.values) or parts != tuple(draft.parts) or masked_original != original:
            original = b""
    return replace(draft, values=values, parts=parts, original=original)


def _masked_values(values: Mapping[str, Any], numbers: MaskNumbers) -> dict[str, Any]:
    return {name: masked_as(value, numbers) for name in _TEXTS if isinstance(value := values.get(name), str)}


def _masked_part(part: Part, numbers: MaskNumbers) -> Part:
    if not part.content_type.startswith("text/"):
        return part
    content = _masked_bytes(part.content, numbers, html=part.content_type.startswith("text/html"))
    return part if content == part.content else replace(part, content=content)


def _masked_bytes(content: bytes, numbers: MaskNumbers, *, html: bool = False) -> bytes:
    try:
        text, charset = content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        # Latin-1 keeps every byte, and the digits of every charset a mail uses are ASCII's.
        text, charset = content.decode("latin-1"), "latin-1"
    found = masked_cards_in_html(text) if html and numbers == "cards" else masked_as(text, numbers)
    return found.encode(charset)


def _masked_run(run: str) -> str:
    """Masks, from the left and the longest first, every stretch of whole groups that is such a number."""
    groups = [found.span() for found in _GROUP.finditer(run)]
    kept = list(run)
    start = 0
    while start < len(groups):
        # A group has a digit at least, so no number has more of them.
        farthest = min(len(groups), start + CARD_DIGITS.stop)
        end = next((end for end in range(farthest, start, -1) if _is_number(run, groups[start][0], groups[end - 1][1])), None)
        if end is None:
            start += 1
            continue
        for place in range(groups[start][0], groups[end - 1][1]):
            kept[place] = "*" if kept[place].isdigit() else kept[place]
        start = end
    return "".join(kept)


def _is_number(run: str, start: int, end: int) -> bool:
    if end - start > 2 * CARD_DIGITS.stop:
        return False
    digits = "".join(filter(str.isdigit, run[start:end]))
    return len(digits) >= _DIGITS_MIN and (is_card(digits) or is_tckn(digits))

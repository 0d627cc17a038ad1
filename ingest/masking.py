"""Card numbers and Turkish national ids taken out of a message before it is published. Pure.

Every digit becomes ``*``; spaces and dashes between them stay. A number that fails its check is left alone, so order numbers and
telephones survive. Encoded originals are not kept where anything was found; in binary files nothing is looked for.
Source: ISO/IEC 7812-1 Annex B (Luhn); the check digits of the Turkish identification number (T.C. kimlik numarası).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ingest.adapter import Draft, Part

CARD_DIGITS: Final = range(13, 20)
_TCKN_DIGITS: Final = 11
_RUN: Final = re.compile(r"(?<![0-9])[0-9](?:[ \u00a0\u2013-]?[0-9])+(?![0-9])", re.ASCII)
_GROUP: Final = re.compile(r"[0-9]+", re.ASCII)
_TEXTS: Final = ("subject", "text", "text_stripped")


def is_card(digits: str) -> bool:
    """Whether 13 to 19 digits hold Luhn's check; the same digit throughout is no card."""
    if len(digits) not in CARD_DIGITS or len(set(digits)) == 1:
        return False
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


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


def masked_draft(draft: Draft) -> Draft:
    """The draft with its texts masked, and without its original where anything was found or the original itself holds a number."""
    values: dict[str, Any] = {**draft.values, **_masked_values(draft.values)}
    parts = tuple(_masked_part(part) for part in draft.parts)
    original = draft.original
    if original:
        plain = original.decode("latin-1")
        if draft.values.get("kind") == "unparsed":
            original = masked(plain).encode("latin-1")
        elif values != dict(draft.values) or parts != tuple(draft.parts) or masked(plain) != plain:
            original = b""
    return replace(draft, values=values, parts=parts, original=original)


def _masked_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: masked(value) for name in _TEXTS if isinstance(value := values.get(name), str)}


def _masked_part(part: Part) -> Part:
    if not part.content_type.startswith("text/"):
        return part
    # Latin-1 keeps every byte, and the digits of every charset a mail uses are ASCII's.
    content = masked(part.content.decode("latin-1")).encode("latin-1")
    return part if content == part.content else replace(part, content=content)


def _masked_run(run: str) -> str:
    """Masks, from the left and the longest first, every stretch of whole groups that is such a number."""
    groups = [found.span() for found in _GROUP.finditer(run)]
    kept = list(run)
    start = 0
    while start < len(groups):
        end = next((end for end in range(len(groups), start, -1) if _is_number(run, groups[start][0], groups[end - 1][1])), None)
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
    digits = "".join(character for character in run[start:end] if character.isdigit())
    return is_card(digits) or is_tckn(digits)

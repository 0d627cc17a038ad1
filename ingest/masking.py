"""Card numbers and Turkish national ids taken out of a message before it is published. Pure.

What an inbox masks is ``cards``, payment cards but for their last four digits (`payment_cards.py`); or all numbers: whatever holds the check
of a card or a national id, each digit becoming ``*``, while spaces and dashes between them stay. A number that fails its check is left
alone, so order numbers and telephones survive. Encoded originals are not kept where anything was found; in binary files nothing is looked for.
Source: ISO/IEC 7812-1 Annex B (Luhn); the check digits of the Turkish identification number (T.C. kimlik numarası).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final

from ingest.adapter import Draft, MaskNumbers, Part
from ingest.looks import Looks, without_digits
from ingest.payment_cards import CARD_DIGITS, holds_luhn, luhn_rests, masked_cards
from ingest.payment_cards_html import masked_cards_in_html

_TCKN_DIGITS: Final = 11
# Possessive: what comes after it is no digit anyway, so there is nothing to go back for. It begins with a digit, and asks for as many characters as
# the shortest number has before anything else: words are passed over a character at a time.
_RUN: Final = re.compile(r"[0-9](?=[0-9 \u00a0\u2013-]{10})(?:[ \u00a0\u2013-]?[0-9])++")
_DIGITS_MIN: Final = 11
_GROUP: Final = re.compile(r"[0-9]+", re.ASCII)
_VALUES: Final = bytes.maketrans(b"0123456789", bytes(range(10)))
_NO_END: Final = 255
MASKED_VALUES: Final = ("subject", "text", "text_stripped")


def is_card(digits: str) -> bool:
    """Whether 13 to 19 digits hold Luhn's check; the same digit throughout is no card."""
    return len(digits) in CARD_DIGITS and len(set(digits)) > 1 and holds_luhn(digits)


def is_tckn(digits: str) -> bool:
    """Whether eleven digits hold the two checks of a Turkish identification number."""
    if len(digits) != _TCKN_DIGITS or digits[0] == "0":
        return False
    return _holds_tckn(digits.encode("ascii").translate(_VALUES))


def _holds_tckn(values: bytes) -> bool:
    """Eleven digits, by their values."""
    odd, even, tenth = sum(values[0:9:2]), sum(values[1:8:2]), values[9]
    return tenth == (odd * 7 - even) % 10 and values[10] == (odd + even + tenth) % 10


def masked(text: str, looks: Looks | None = None) -> str:
    """The text without such numbers, as long as before. Masking twice is masking once. Linear in the text's length.

    ``looks``: what is left of a message's; what stands beyond it loses all its digits.
    """
    looks = looks or Looks()
    pieces: list[str] = []
    at = 0
    for run in _RUN.finditer(text):
        if not looks.take(run.end() - run.start()):
            return "".join([*pieces, text[at : run.start()], without_digits(text[run.start() :])])
        if (found := _masked_run(run[0])) != run[0]:
            pieces += [text[at : run.start()], found]
            at = run.end()
    return "".join([*pieces, text[at:]])


def masked_as(text: str, numbers: MaskNumbers, looks: Looks | None = None) -> str:
    """The text without the numbers that an inbox masks; as it is where it masks none."""
    return masked_cards(text, looks) if numbers == "cards" else masked(text, looks) if numbers else text


def masked_draft(draft: Draft) -> Draft:
    """The draft with its texts masked, and without its original where anything was found or the original itself holds a number.

    One bound is for all of it (`looks.py`), the texts first.
    """
    numbers, looks = draft.inbox.mask_numbers or True, Looks()
    values: dict[str, Any] = {**draft.values, **_masked_values(draft.values, numbers, looks)}
    parts = tuple(_masked_part(part, numbers, looks) for part in draft.parts)
    original = draft.original
    if draft.values.get("kind") == "unparsed":
        original = _masked_bytes(original, numbers, looks)
    elif values != dict(draft.values) or parts != tuple(draft.parts) or _masked_bytes(original, numbers, looks) != original:
        original = b""
    return replace(draft, values=values, parts=parts, original=original)


def _masked_values(values: Mapping[str, Any], numbers: MaskNumbers, looks: Looks) -> dict[str, Any]:
    return {name: masked_as(value, numbers, looks) for name in MASKED_VALUES if isinstance(value := values.get(name), str)}


def _masked_part(part: Part, numbers: MaskNumbers, looks: Looks) -> Part:
    if not part.content_type.startswith("text/"):
        return part
    content = _masked_bytes(part.content, numbers, looks, html=part.content_type.startswith("text/html"))
    return part if content == part.content else replace(part, content=content)


def _masked_bytes(content: bytes, numbers: MaskNumbers, looks: Looks, *, html: bool = False) -> bytes:
    try:
        text, charset = content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        # Latin-1 keeps every byte, and the digits of every charset a mail uses are ASCII's.
        text, charset = content.decode("latin-1"), "latin-1"
    found = masked_cards_in_html(text, looks) if html and numbers == "cards" else masked_as(text, numbers, looks)
    return found.encode(charset)


def _masked_run(run: str) -> str:
    """Masks, from the left and the longest first, every stretch of whole groups that is such a number."""
    if len(run) < _DIGITS_MIN:
        return run
    groups = _GROUP.findall(run)
    digits = _Digits(groups)
    kept, first, found = bytearray(digits.plain), 0, False
    while first <= len(kept) - _DIGITS_MIN:
        end = digits.number_end(first)
        if end is None:
            first = digits.next_group(first)
            continue
        kept[first:end] = b"*" * (end - first)
        first, found = end, True
    if not found:
        return run
    shown = iter(kept.decode("ascii"))
    return "".join([next(shown) if character.isdigit() else character for character in run])


class _Digits:
    """A run's digits, with what makes each look at a stretch of them cheap: where groups end, and Luhn's rests there (`luhn_rests`)."""

    def __init__(self, groups: Sequence[str]) -> None:
        self.plain = "".join(groups).encode("ascii")
        self._values = self.plain.translate(_VALUES)
        self._rests = [luhn_rests(self.plain, parity) for parity in (0, 1)]
        self._ends = bytearray(len(self.plain) + 1)
        # By the parity of the last digit's place, which is one that counts single.
        self._rests_at_ends = [bytearray([_NO_END]) * (len(self.plain) + 1) for _ in self._rests]
        for end in accumulate(map(len, groups)):
            parity = 1 - end % 2
            self._ends[end] = 1
            self._rests_at_ends[parity][end] = self._rests[parity][end]

    def number_end(self, first: int) -> int | None:
        """Where the longest number ends that begins with this digit: with a group."""
        low, high = first + CARD_DIGITS.start, first + CARD_DIGITS.stop
        even, odd = self._rests_at_ends
        end = max(even.rfind(self._rests[0][first], low, high), odd.rfind(self._rests[1][first], low, high))
        # Where the longest is one digit throughout, so are the shorter.
        if end > first and self.plain.count(self.plain[first], first, end) < end - first:
            return end
        end = first + _TCKN_DIGITS
        return end if self._ends[end] and self._values[first] and _holds_tckn(self._values[first:end]) else None

    def next_group(self, first: int) -> int:
        """The first digit of the group after the one that this digit is in."""
        return self._ends.index(1, first + 1)

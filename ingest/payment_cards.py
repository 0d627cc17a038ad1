"""Numbers of payment cards found in a text and masked to their last four digits. Pure.

A number is a card's when it has 13 to 19 digits, holds Luhn's check, and has a prefix and a length that a scheme issues. It may be written
with spaces, hyphens or dots between its digits, in groups, and in the decimal digits of any script. Left alone: what stands inside a longer row of
digits, IBANs (which have a check of their own), and telephone numbers with ``+`` or ``00``, which end at fifteen digits.
Masked are all digits but the last four, each by ``*``; what stands between them stays, so the text is as long as before. PCI DSS 4.0.1
(3.4.1) would allow the first six too; nobody needs them to tell a customer which card is meant.
Sources: ISO/IEC 7812-1 (prefixes; Annex B: Luhn); the schemes' published ranges; ISO 13616 (IBAN); ITU-T E.164.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from itertools import accumulate, pairwise
from typing import Final

from ingest.looks import Looks, without_digits

CARD_DIGITS: Final = range(13, 20)
KEPT_DIGITS: Final = 4
_E164_DIGITS_MAX: Final = 15
_BETWEEN: Final = r" .\t\u00a0\u00ad\u2009\u200b\u2010-\u2013\u202f\u2060\u2212\ufeff-"
_GROUP: Final = re.compile(r"\d+")
# Groups of digits that may belong together. A group of more digits than any card has is none of them; `\d` is any script's.
# It begins with a digit, and asks for as many characters as a card has before anything else: words are passed over a character at a time.
_ROW: Final = re.compile(rf"\d(?<!\d\d)(?=[\d{_BETWEEN}]{{12}})\d{{0,18}}+(?!\d)(?:[{_BETWEEN}]{{1,3}}+\d{{1,19}}+(?!\d))*+")
_CALLED: Final = re.compile(r"(?:\+|(?<!\d)00)[ .-]?\Z")
_SINGLE: Final = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLE: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))

_SCHEMES: Final[tuple[tuple[str, tuple[tuple[str, str], ...], frozenset[int]], ...]] = (
    ("visa", (("4", "4"),), frozenset({13, 16, 19})),
    ("mastercard", (("51", "55"), ("2221", "2720")), frozenset({16})),
    ("amex", (("34", "34"), ("37", "37")), frozenset({15})),
    ("discover", (("6011", "6011"), ("644", "649"), ("65", "65")), frozenset({16, 17, 18, 19})),
    ("diners", (("300", "305"), ("3095", "3095"), ("36", "36"), ("38", "39")), frozenset({14, 15, 16, 17, 18, 19})),
    ("jcb", (("3528", "3589"),), frozenset({16, 17, 18, 19})),
    ("unionpay", (("62", "62"),), frozenset({16, 17, 18, 19})),
    ("maestro", (("5018", "5018"), ("5020", "5020"), ("5038", "5038"), ("56", "58"), ("6304", "6304"), ("67", "67")), frozenset(CARD_DIGITS)),
    ("troy", (("9792", "9792"),), frozenset({16})),
    ("mir", (("2200", "2204"),), frozenset({16, 17, 18, 19})),
)  # fmt: skip
"""Scheme, its prefixes from and to, its lengths in digits."""

_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}")
_IBAN_CHARS: Final = {
    15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_CHARS_OF: Final = {country: chars for chars, countries in _IBAN_CHARS.items() for country in countries.split()}
_IBAN_WRITTEN_MAX: Final = 2 * max(_IBAN_CHARS)  # one separator after each character is the widest


def holds_luhn(digits: str) -> bool:
    """Whether these ASCII digits hold Luhn's check."""
    backwards = digits.encode("ascii")[::-1]
    return (sum(backwards[::2].translate(_SINGLE)) + sum(backwards[1::2].translate(_DOUBLE))) % 10 == 0


def luhn_rests(digits: bytes, parity: int) -> bytes:
    """Luhn's sum of the first so many of these ASCII digits, its rest by ten, from none to all. ``parity``: of the places that count single.

    A number that ends at such a place holds the check where the rest after it is the rest before it.
    """
    values = bytearray(digits.translate(_DOUBLE))
    values[parity::2] = digits[parity::2].translate(_SINGLE)
    return bytes([total % 10 for total in accumulate(values, initial=0)])


def scheme_of(digits: str) -> str | None:
    """The scheme whose card has this number (ASCII digits only), by prefix, length and check; None: no card."""
    scheme = next((scheme for scheme, lengths in _issued(digits[:4]) if len(digits) in lengths), None)
    return scheme if scheme is not None and holds_luhn(digits) else None


def masked_cards(text: str, looks: Looks | None = None) -> str:
    """The text with each card's number masked but for its last four digits. As long as before; masking twice is masking once.

    Linear in the text's length. ``looks``: what is left of a message's; what stands beyond it loses all its digits.
    """
    masked, end = places_to_mask(text, looks or Looks())
    pieces: list[str] = []
    at = 0
    for place in masked:
        if place > at:
            pieces.append(text[at:place])
        pieces.append("*")
        at = place + 1
    return "".join([*pieces, text[at:end], without_digits(text[end:])]) if pieces or end < len(text) else text


def places_to_mask(text: str, looks: Looks) -> tuple[list[int], int]:
    """Where the digits of cards stand that are masked, from the left, and how far the text was looked at.

    The last four digits of one may be the first of the next, because they are what a second look would see.
    """
    found: list[int] = []
    for row in _ROW.finditer(text):
        groups = _GROUP.findall(row[0])
        if len("".join(groups)) < CARD_DIGITS.start:
            if not looks.take(1):
                return found, row.start()
            continue
        if not looks.take(row.end() - row.start()):
            return found, row.start()
        of_row = _Row(text, row, groups)
        for first, end in of_row.cards():
            found += of_row.places[first : end - KEPT_DIGITS]
    return found, len(text)


@cache
def _issued(head: str) -> tuple[tuple[str, frozenset[int]], ...]:
    """The schemes that issue numbers which begin with these four digits, with their lengths."""
    return tuple(
        (scheme, lengths)
        for scheme, prefixes, lengths in _SCHEMES
        if any(low <= head[: len(low)] <= high for low, high in prefixes)
    )


@cache
def _lengths(head: str) -> tuple[int, ...]:
    """The lengths of such numbers, the longest first."""
    return tuple(sorted({length for _, lengths in _issued(head) for length in lengths}, reverse=True))


class _Row:
    """Groups of digits that stand together, with what makes each look at a stretch of them cheap: Luhn's sums from the beginning."""

    def __init__(self, text: str, row: re.Match[str], groups: Sequence[str]) -> None:
        self._text, self._start, self._end = text, row.start(), row.end()
        self._digits = "".join(groups)
        if not self._digits.isascii():
            self._digits = "".join([str(int(digit)) for digit in self._digits])
        self._cuts = [0, *accumulate(map(len, groups))]
        self._ends = frozenset(self._cuts)
        plain = self._digits.encode("ascii")
        self._rests = luhn_rests(plain, 0), luhn_rests(plain, 1)

    def cards(self) -> Iterator[tuple[int, int]]:
        """Each card's first digit, and the one after its last."""
        digits, last, kept = self._digits, len(self._digits) - CARD_DIGITS.start, False
        cuts = iter(self._cuts)
        first = next(cuts)
        while first <= last:
            lengths = _lengths(digits[first : first + 4])
            end = self._card_end(first, lengths, kept=kept) if lengths else None
            if end is not None:
                yield first, end
                first, kept = end - KEPT_DIGITS, True
                continue
            while (cut := next(cuts)) <= first:
                pass
            first, kept = cut, False

    @cached_property
    def places(self) -> list[int]:
        """Where each digit stands in the text."""
        return [place for place in range(self._start, self._end) if self._text[place].isdecimal()]

    def _card_end(self, first: int, lengths: Sequence[int], *, kept: bool) -> int | None:
        """Where the longest card that begins with this digit ends: with a group. ``kept``: what stands before is masked."""
        for length in lengths:
            end = first + length
            if end not in self._ends:
                continue
            rests = self._rests[(end - 1) % 2]
            if rests[end] != rests[first] or not self._grouped(first, end):
                continue
            place = self.places[first]
            if not kept and length <= _E164_DIGITS_MAX and _CALLED.search(self._text, max(0, place - 4), place):
                continue
            return None if _in_iban(self._text, place, self.places[end - 1]) else end
        return None

    def _grouped(self, first: int, end: int) -> bool:
        """Whether somebody parts a number like this: four digits or more come first, or the groups are equal, but for the last.

        Else the last digits of what stands before would be taken for a card's first.
        """
        cuts = [first, *self._cuts[bisect_right(self._cuts, first) : bisect_left(self._cuts, end)], end]
        sizes = [after - before for before, after in pairwise(cuts)]
        return sizes[0] >= 4 or (len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0])


def _in_iban(text: str, start: int, last: int) -> bool:
    """Whether what stands there is part of an IBAN, whose length and check digits say so."""
    before = max(0, start - _IBAN_WRITTEN_MAX)
    for found in _IBAN.finditer(text, before, last + _IBAN_WRITTEN_MAX):
        if found.start() <= start and last < found.end() and _is_iban(found[0], last - found.start()):
            return True
    return False


def _is_iban(written: str, last: int) -> bool:
    """Whether the writing begins with an IBAN that reaches beyond ``last``, a place in it."""
    chars = _CHARS_OF.get(written[:2].upper())
    plain = [(place, character.upper()) for place, character in enumerate(written) if character.isalnum()]
    if chars is None or len(plain) < chars or plain[chars - 1][0] < last:
        return False
    iban = "".join(character for _, character in plain[:chars])
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1

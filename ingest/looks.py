"""How much of one message is looked at for numbers that are masked. Pure.

Whether digits that stand together are somebody's card costs up to a microsecond a character to say, and an attachment has room for fifty
million of them. So there is a bound for all of a message, which nothing that people write comes near. What stands beyond it is not looked at:
it loses all its digits, which costs nothing and lets no number through.
**Units**: one for each character of a row of digits that is looked at, for each row that is too short, for each mark of HTML.
"""

from __future__ import annotations

import re
from typing import Final

LOOKS_MAX: Final = 1_000_000
"""Some seconds' half. Sixty thousand cards, one to a line, or a table of as many long numbers."""
_DIGIT: Final = re.compile(r"\d")
_ASCII_DIGITS: Final = bytes.maketrans(b"0123456789", b"*" * 10)


class Looks:
    """What is left of one message's bound."""

    def __init__(self, most: int = LOOKS_MAX) -> None:
        self._left = most

    def take(self, count: int) -> bool:
        """Whether so much may be looked at. Once it may not, nothing may: what comes later is no cheaper."""
        enough = count <= self._left
        self._left = self._left - count if enough else 0
        return enough


def without_digits(text: str) -> str:
    """The text with each digit, of any script, masked. As long as before."""
    if text.isascii():
        return text.encode("ascii").translate(_ASCII_DIGITS).decode("ascii")
    return _DIGIT.sub("*", text)

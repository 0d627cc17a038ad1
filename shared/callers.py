"""Telephone numbers that name nobody: what a switchboard writes where a caller's number is withheld or not known. Pure.

Whoever calls so is a customer whom nobody can call back: no handle of theirs is a number, and no two such calls are one person's.

Source: RFC 3323 §4.1 (``anonymous@anonymous.invalid``), ETSI EN 300 659-3 (reasons for absence: ``P`` private, ``O`` out of area), and the
words that Asterisk, sipgate and carriers write; carriers without letters spell them on a keypad (``+266696687`` is ANONYMOUS).
**Identity**: none.
"""

from __future__ import annotations

import re
from typing import Final

CALL_SCOPE: Final = "call:"
"""How the scope begins of a handle that stands for one call: ``(visitor, call:{inbox}, {call})``. It is never linked with another."""
_SPELLED: Final = frozenset({"266696687", "86282452253", "7378742833"})  # anonymous, unavailable, restricted
_NO_NAMES: Final = frozenset({"anonymous", "asterisk", "private", "restricted", "unavailable", "unknown", "withheld"})
_NO_DIGIT: Final = re.compile(r"[^0-9]*")
_ZEROS: Final = re.compile(r"[+0-]*|-[0-9]")


def is_withheld(number: str) -> bool:
    """Whether this names nobody: no digit in it, only zeros, or a word for it spelled on a keypad. A domain behind ``@`` is no part of it."""
    user = number.strip().rpartition(":")[2].partition("@")[0]
    return bool(_NO_DIGIT.fullmatch(user) or _ZEROS.fullmatch(user)) or user.lstrip("+0") in _SPELLED


def is_no_name(name: str) -> bool:
    """Whether a caller's shown name is a word for having none, or has no letter in it."""
    return name.strip().casefold() in _NO_NAMES or not any(character.isalpha() for character in name)

"""Cells of files that people open in a spreadsheet: none begins a formula (OWASP, CSV injection), and what was written reads back the same."""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9 .,]*")


def cell(text: str) -> str:
    """A cell that a spreadsheet shows and does not reckon. Numbers, telephone numbers too, are what they were."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def text_of(read: str) -> str:
    """What :func:`cell` was given."""
    return read[1:] if read.startswith("'") and _FORMULA.match(read[1:]) else read

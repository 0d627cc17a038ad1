"""Cells of files that people open in a spreadsheet: none begins a formula (OWASP, CSV injection), and what was written reads back the same.

A spreadsheet of a place where the comma is in numbers cuts at semicolons, and knows no quotes but those right after one: what stands after a
semicolon, a tab or the end of a line begins a cell there, and quotes at its begin are no part of it.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_CUT: Final = r"(?<=[;\t\r\n])"
_FORMULA: Final = r"[=+\-@\t\r]"
_NUMBER: Final = r"[+-]?[0-9][0-9 .,]*(?:\Z|[;\t\r\n])"
_BARE: Final = re.compile(rf"""(?:\A(?='*{_FORMULA})|{_CUT}(?=['"]*{_FORMULA}))(?!{_NUMBER})""")
_MARKED: Final = re.compile(rf"""\A'(?='*{_FORMULA})|{_CUT}'(?=['"]*{_FORMULA})""")


def cell(text: str) -> str:
    """A cell that a spreadsheet shows and does not reckon. Numbers, telephone numbers too, are what they were."""
    return _BARE.sub("'", text)


def json_cell(value: Any) -> str:
    """A value as JSON in a cell: it stays JSON, and no spreadsheet cuts it."""
    return json.dumps(value, ensure_ascii=False).replace(";", "\\u003b")


def text_of(read: str) -> str:
    """What :func:`cell` was given."""
    return _MARKED.sub("", read)

"""How much a pattern grows when the engine makes a program of it: what is counted in braces is written out. Pure.

A program of few steps is run by table, at a price for each letter that does not depend on it; one of many may be run step by step at every
letter. So this number bounds what a pattern can cost on a text, whatever the text.

Source: RE2, "Syntax" and "WhyRE2". **Units**: steps of the program, roughly and rather too many; never an error, also for what is no pattern.
"""

from __future__ import annotations

import re
from typing import Final

STEPS_FREE: Final = 200
"""Up to here a pattern costs about the same as any."""
_PIECE: Final = re.compile(
    r"""
      (?P<quoted>\\Q.*?(?:\\E|\Z))
    | (?P<script>\\[pP](?:\{[^}]*\}|.))
    | (?P<escaped>\\(?:x\{[^}]*\}|.))
    | (?P<set>\[\^?\]?(?:\[:.*?:\]|\\.|[^\]\\])*\]?)
    | (?P<counted>\{(?P<least>\d{1,4})(?P<more>,(?P<most>\d{0,4}))?\})
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SCRIPT: Final = 400  # letters of a script are hundreds of ranges of bytes
_WIDE: Final = 6  # any letter at all, or one outside ASCII


def pattern_steps(pattern: str) -> int:
    """The steps of its program."""
    open_groups: list[int] = []
    done, last = 0, 0
    for found in _PIECE.finditer(pattern):
        piece = found[0]
        if found["counted"]:
            last *= max(1, int(found["most"] or 0), int(found["least"]) + bool(found["more"]))
        elif piece == "(":
            open_groups.append(done + last)
            done, last = 0, 0
        elif piece == ")" and open_groups:
            done, last = open_groups.pop(), done + last
        elif piece in ("*", "+", "?"):
            last += 1
        else:
            done, last = done + last, _steps(found)
    return sum(open_groups) + done + last


def _steps(found: re.Match[str]) -> int:
    piece = found[0]
    if found["quoted"]:
        return len(piece)
    if found["script"] or (found["set"] and re.search(r"\\[pP]", piece)):
        return _SCRIPT
    if piece == "." or not piece.isascii() or piece.startswith("[^"):
        return _WIDE * (1 + sum(not letter.isascii() for letter in piece))
    return 1

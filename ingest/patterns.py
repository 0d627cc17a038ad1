"""Patterns that operators write, matched in time that grows with the text and never explodes with the pattern. Pure.

The engine is RE2, as the expressions of rules have it, so that a pattern means the same in both. It has no look-around and no
back-references. A program is made once and kept: rules' own `matches` makes it anew for each text, which one post asks thousands of.

Source: RE2, "Syntax"; `google-re2`. **Identity**: the pattern's text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import re2

from shared.pattern_steps import pattern_steps

PATTERN_CHARS_MAX: Final = 1000
STEPS_MAX: Final = 2000
KEPT_MAX: Final = 64
_PROGRAM_BYTES_MAX: Final = 1 << 20
TEXT_CHARS_MAX: Final = 1000
"""Longer texts are of no pattern: what is asked are numbers and names."""


def is_pattern(pattern: str) -> bool:
    """Whether the engine takes it."""
    return len(pattern) <= PATTERN_CHARS_MAX and _program(pattern) is not None


def may_be_saved(pattern: str) -> bool:
    """Whether the engine takes it, and nobody waits for it: what it counts in braces is not written out into thousands of steps."""
    return len(pattern) <= PATTERN_CHARS_MAX and pattern_steps(pattern) <= STEPS_MAX and is_pattern(pattern)


def is_whole(text: str, pattern: str) -> bool:
    """Whether the whole text is of the pattern; never where it is none (`is_pattern`)."""
    program = _program(pattern) if len(text) <= TEXT_CHARS_MAX and len(pattern) <= PATTERN_CHARS_MAX else None
    try:
        return program is not None and program.fullmatch(text) is not None
    except UnicodeEncodeError:  # half of a character pair
        return False


@lru_cache(maxsize=KEPT_MAX)
def _program(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # they would go to this process's output
    options.never_capture = True
    options.max_mem = _PROGRAM_BYTES_MAX
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        return None

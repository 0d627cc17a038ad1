"""Patterns that operators write, matched in time that grows with the text and never explodes with the pattern. Pure.

The engine is RE2, as the expressions of rules have it, so that a pattern means the same in both. It has no look-around and no
back-references.

Source: RE2, "Syntax"; `cel-expr-python` (`matches`). **Identity**: the pattern's text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from shared.pattern_steps import pattern_steps

PATTERN_CHARS_MAX: Final = 1000
STEPS_MAX: Final = 2000
TEXT_CHARS_MAX: Final = 1000
"""Longer texts are of no pattern: what is asked are numbers and names."""


def is_pattern(pattern: str) -> bool:
    """Whether the engine takes it."""
    return len(pattern) <= PATTERN_CHARS_MAX and _asked("", pattern) is not None


def may_be_saved(pattern: str) -> bool:
    """Whether the engine takes it, and nobody waits for it: what it counts in braces is not written out into thousands of steps."""
    return is_pattern(pattern) and pattern_steps(pattern) <= STEPS_MAX


def is_whole(text: str, pattern: str) -> bool:
    """Whether the whole text is of the pattern; never where it is none (`is_pattern`)."""
    return len(text) <= TEXT_CHARS_MAX and _asked(text, pattern) is True


def _asked(text: str, pattern: str) -> bool | None:
    environment, matches = _matches()
    try:
        given = matches.eval(environment.Activation(data={"text": text, "pattern": rf"\A(?:{pattern})\z"}))
    except (RuntimeError, TypeError):  # half of a character pair
        return None
    return None if given.type() == cel.Type.ERROR else given.plain_value() is True


@lru_cache(maxsize=1)
def _matches() -> tuple[Any, Any]:
    environment = cel.NewEnv(variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING})
    return environment, environment.compile("text.matches(pattern)")

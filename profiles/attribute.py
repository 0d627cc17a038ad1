"""What a customer's attribute may hold: any JSON of a bounded size. Pure.

**Units**: characters of the value as a text, levels of lists and maps within each other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

CHARS_MAX: Final = 10_000
LEVELS_MAX: Final = 32


def unfit(value: Any) -> tuple[str, str] | None:
    """Why a value cannot be kept, and what to do about it; None where it can."""
    if isinstance(value, Mapping | list) and _levels_beyond(value, LEVELS_MAX):
        return "nested too deeply", f"at most {LEVELS_MAX} lists and maps within each other"
    if isinstance(value, float) and not math.isfinite(value):
        return "not a finite number", "write the number, or leave it out"
    try:
        written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
        written.encode()
    except UnicodeEncodeError:
        return "not text: half of a character pair", "write the character itself"
    except ValueError:
        return "a number in it is not finite", "write the number, or leave it out"
    return (f"{len(written)} characters", f"at most {CHARS_MAX}") if len(written) > CHARS_MAX else None


def _levels_beyond(value: Any, levels: int) -> bool:
    inside = [value]
    for _ in range(levels):
        inside = [part for one in inside for part in (one.values() if isinstance(one, Mapping) else one)]
        inside = [part for part in inside if isinstance(part, Mapping | list)]
        if not inside:
            return False
    return True

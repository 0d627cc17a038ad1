"""Work in counted calls, of Python and of C: a measure that no slow machine changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Calls:
    """How many were made."""

    count: int = 0


@contextmanager
def counted_calls() -> Iterator[Calls]:
    """Counts the calls that this thread makes within it."""
    calls, before = Calls(), sys.getprofile()

    def seen(frame: FrameType, event: str, of: object) -> None:
        calls.count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        yield calls
    finally:
        sys.setprofile(before)

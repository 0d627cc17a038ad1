"""Where the time comes from. Times are aware UTC; durations are seconds. Leases and deadlines use the database's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The wall clock and the monotonic one, so that a test or a simulation can hold both."""

    def now(self) -> datetime:
        """The time now, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

"""When to stop instead of draining a topic into quarantine: too many failures in a row, or too large a share of the last ones.

Counted are failures that a bad release or a broken database makes: records that cannot be decoded, exceptions, values the
database refuses. What a provider garbled or a workspace misconfigured is not: one sender must not stop everybody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from shared.errors import Unavailable

RUN_MAX: Final = 50
WINDOW: Final = 1000
RATIO_MAX: Final = 0.2
COUNTED: Final = frozenset({"undecodable", "refused_by_database", "failed"})


class QuarantineLimitReached(Unavailable):
    """Consumption stops; the topic keeps what was not taken."""

    kind = "quarantine-limit"


class QuarantineLimit:
    """Remembers what became of the last messages. One per reader."""

    def __init__(self, *, run_max: int = RUN_MAX, window: int = WINDOW, ratio_max: float = RATIO_MAX) -> None:
        self._run_max = run_max
        self._ratio_max = ratio_max
        self._last: deque[bool] = deque(maxlen=window)
        self._runs: dict[int, int] = {}

    def check(self, outcomes: Iterable[tuple[int, bool]]) -> None:
        """Raises `QuarantineLimitReached` when (partition, failed) in this order would pass the limit. Changes nothing."""
        outcomes = list(outcomes)
        if not any(failed for _, failed in outcomes):
            return
        runs, last = dict(self._runs), self._last.copy()
        for partition, failed in outcomes:
            runs[partition] = runs.get(partition, 0) + 1 if failed else 0
            last.append(failed)
            if runs[partition] > self._run_max:
                raise QuarantineLimitReached(
                    f"{runs[partition]} messages of partition {partition} failed one after another", remedy=_REMEDY
                )
            if last.maxlen is not None and len(last) == last.maxlen and sum(last) > self._ratio_max * last.maxlen:
                raise QuarantineLimitReached(f"{sum(last)} of the last {last.maxlen} messages failed", remedy=_REMEDY)

    def count(self, outcomes: Iterable[tuple[int, bool]]) -> None:
        """Remembers what was committed."""
        for partition, failed in outcomes:
            self._runs[partition] = self._runs.get(partition, 0) + 1 if failed else 0
            self._last.append(failed)


_REMEDY: Final = "look at the newest entries in quarantine, repair, then restart the router"

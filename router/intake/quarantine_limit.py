"""When to stop instead of draining a topic into quarantine: too many failures in a row, or too large a share of the last ones.

Counted are failures that a bad release or a broken database makes: records that cannot be decoded, exceptions, values the
database refuses. What a provider garbled or a workspace misconfigured is not, and what one workspace meets alone is no bad release,
whatever it is: neither one sender nor one workspace stops everybody.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from shared.errors import Unavailable

RUN_MAX: Final = 50
WINDOW: Final = 1000
RATIO_MAX: Final = 0.2
OTHERS_MIN: Final = 0.05
"""So much of a run, or of a window, is other workspaces' than the one that fails most, before it says anything."""
COUNTED: Final = frozenset({"undecodable", "refused_by_database", "failed"})


class QuarantineLimitReached(Unavailable):
    """Consumption stops; the topic keeps what was not taken."""

    kind = "quarantine-limit"


class Judged(NamedTuple):
    """What became of one message."""

    partition: int
    workspace: UUID
    failed: bool


class QuarantineLimit:
    """Remembers what became of the last messages. One per reader."""

    def __init__(self, *, run_max: int = RUN_MAX, window: int = WINDOW, ratio_max: float = RATIO_MAX) -> None:
        self._run_max = run_max
        self._window = window
        self._ratio_max = ratio_max
        self._last: deque[Judged] = deque(maxlen=window)
        self._runs: dict[int, Counter[UUID]] = {}

    def check(self, judged: Iterable[Judged], *, alone: bool) -> None:
        """Raises `QuarantineLimitReached` when these, in this order, would pass the limit. Changes nothing.

        ``alone``: there is one workspace only, so what it meets everybody meets.
        """
        judged = list(judged)
        if not any(one.failed for one in judged):
            return
        runs, last = {partition: run.copy() for partition, run in self._runs.items()}, self._last.copy()
        for one in judged:
            run = _continued(runs, one)
            last.append(one)
            others = run.total() - max(run.values(), default=0)
            if run.total() > self._run_max and (alone or others > self._run_max * OTHERS_MIN):
                raise QuarantineLimitReached(
                    f"{run.total()} messages of partition {one.partition} failed one after another", remedy=_REMEDY
                )
        if len(last) == self._window:
            self._check_share(last, alone=alone)

    def count(self, judged: Iterable[Judged]) -> None:
        """Remembers what was committed."""
        for one in judged:
            _continued(self._runs, one)
            self._last.append(one)

    def forget(self) -> None:
        """Begins anew: what failed was looked at, and was not the deployment's fault."""
        self._last.clear()
        self._runs.clear()

    def _check_share(self, last: Iterable[Judged], *, alone: bool) -> None:
        worst, _ = Counter(one.workspace for one in last if one.failed).most_common(1)[0]
        looked_at = [one.failed for one in last if alone or one.workspace != worst]
        if (alone or len(looked_at) > self._window * OTHERS_MIN) and sum(looked_at) > self._ratio_max * len(looked_at):
            raise QuarantineLimitReached(f"{sum(looked_at)} of the last {len(looked_at)} messages failed", remedy=_REMEDY)


def _continued(runs: dict[int, Counter[UUID]], one: Judged) -> Counter[UUID]:
    """The failures of a partition since its last success, by workspace."""
    run = runs.setdefault(one.partition, Counter())
    if one.failed:
        run[one.workspace] += 1
    else:
        run.clear()
    return run


_REMEDY: Final = "look at the newest entries in quarantine, repair, then restart the router"

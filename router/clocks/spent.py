"""What each workspace's clocks took of the processor in one look, so that nobody's calendars are everybody's wait. Pure but for that clock.

Whose time is over has its other clocks looked at next time: their rows still say what is to be done, and calendars keep the years they made.
**Units**: seconds of this thread's processor, which a busy machine does not stretch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

SPENT_MAX_S: Final = 0.1


class Spent:
    """Of one look. ``most_s``: after so much a workspace's others wait; the one it is at is finished."""

    def __init__(self, *, most_s: float = SPENT_MAX_S, clock: Callable[[], float] = time.thread_time) -> None:
        self._most_s = most_s
        self._clock = clock
        self._of: dict[UUID, float] = {}
        self.left_out = False

    def is_over(self, workspace_id: UUID) -> bool:
        """Whether the workspace's next clock waits for the next look, which is remembered."""
        over = self._of.get(workspace_id, 0.0) >= self._most_s
        self.left_out |= over
        return over

    @contextmanager
    def by(self, workspace_id: UUID) -> Iterator[None]:
        """Counts what is done within it; nothing may be awaited there."""
        began = self._clock()
        try:
            yield
        finally:
            self._of[workspace_id] = self._of.get(workspace_id, 0.0) + self._clock() - began

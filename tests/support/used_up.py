"""Workspaces that used up their share of a loop that is late, without any time passing."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from services.frame.processor_time import LATE_S, STORE_S, ProcessorTime, counts_for


class PlayedTime:
    """``times`` counts only what is said here, and who is put off is refused at once."""

    def __init__(self) -> None:
        self._taken_s = 0.0
        self.times = ProcessorTime(wait_s=0, taken_s=lambda: self._taken_s)

    async def use_up(self, loud: UUID, *, others: Iterable[UUID]) -> None:
        """The loop is late, and one has had all of it: its people and whoever asks it."""

        async def work(workspace: UUID, seconds: float, *, stranger: bool = False) -> None:
            counts_for(workspace, "somebody", stranger=stranger)
            self._taken_s += seconds

        for other in others:
            await self.times.of_work(work(other, 0.0))
        for stranger in (False, True):
            await self.times.of_work(work(loud, 4 * STORE_S, stranger=stranger))
        self.times.beat(2 * LATE_S)

"""When to look again, and at what.

One pending wake-up per object: an earlier one replaces it, a later one is left to the look at the earlier, so a lease
that is renewed every ten seconds does not fill the heap. Units: epoch seconds.
"""

from heapq import heapify, heappop, heappush
from typing import Protocol


class Wakes(Protocol):
    """Something that can be looked at again; ``wake_at`` belongs to the timers."""

    wake_at: float | None


class Timers:
    """A heap of wake-ups; dead ones are dropped on the way, and all at once when they are the majority."""

    __slots__ = ("_armed", "_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Wakes]] = []
        self._armed = 0
        self._number = 0

    def arm(self, what: Wakes, at: float) -> None:
        """Look at ``what`` at ``at`` the latest."""
        if what.wake_at is not None:
            if what.wake_at <= at:
                return
            self._armed -= 1
        what.wake_at = at
        self._armed += 1
        self._number += 1
        heappush(self._heap, (at, self._number, what))

    def disarm(self, what: Wakes) -> None:
        """Forget what was armed; harmless when nothing was."""
        if what.wake_at is None:
            return
        what.wake_at = None
        self._armed -= 1
        if len(self._heap) > 1024 + 2 * self._armed:
            self._heap = [one for one in self._heap if one[2].wake_at == one[0]]
            heapify(self._heap)

    def pop_due(self, now: float) -> list[Wakes]:
        """What is to be looked at by ``now``, earliest first; each is disarmed."""
        heap = self._heap
        due: list[Wakes] = []
        while heap and heap[0][0] <= now:
            at, _, what = heappop(heap)
            if what.wake_at == at:
                what.wake_at = None
                self._armed -= 1
                due.append(what)
        return due

    @property
    def next_at(self) -> float | None:
        """The earliest wake-up that is still meant."""
        heap = self._heap
        while heap and heap[0][2].wake_at != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

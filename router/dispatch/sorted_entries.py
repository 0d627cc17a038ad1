"""A ranking: entries kept in order, cheap to add, to remove and to walk from the best one.

Sorted runs of bounded length instead of a binary heap: the two costs a heap has here (dead entries after a removal,
pops and pushes to look past the head) do not exist, and adding is as fast in CPython. Identity: an entry is its
numbers; the integer before the value is unique, so values are never compared.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
Entry = tuple[float, float, float, int, T]

RUN_MAX = 1024


class Ranking(Generic[T]):
    """Entries in ascending order, ``size`` of them. Do not add or remove while walking."""

    __slots__ = ("_lasts", "_runs", "size")

    def __init__(self) -> None:
        self._runs: list[list[Entry[T]]] = [[]]
        self._lasts: list[Entry[T]] = []
        self.size = 0

    def __iter__(self) -> Iterator[Entry[T]]:
        for run in self._runs:
            yield from run

    def first(self) -> Entry[T]:
        """The best entry. Raises IndexError when empty."""
        return self._runs[0][0]

    def at(self, place: int) -> Entry[T] | None:
        """The entry with so many better ones, or None."""
        for run in self._runs:
            if place < len(run):
                return run[place]
            place -= len(run)
        return None

    def add(self, entry: Entry[T]) -> None:
        """Add an entry that is not in the ranking yet."""
        self.size += 1
        runs = self._runs
        if len(runs) == 1:
            run = runs[0]
            insort(run, entry)
            if len(run) > RUN_MAX:
                self._split(0)
            return
        at = min(bisect_left(self._lasts, entry), len(runs) - 1)
        run = runs[at]
        insort(run, entry)
        self._lasts[at] = run[-1]
        if len(run) > RUN_MAX:
            self._split(at)

    def remove(self, entry: Entry[T]) -> None:
        """Remove an entry. Raises KeyError when it is not in the ranking; nothing changed then."""
        runs = self._runs
        at = 0 if len(runs) == 1 else min(bisect_left(self._lasts, entry), len(runs) - 1)
        run = runs[at]
        index = bisect_left(run, entry)
        if index >= len(run) or run[index] != entry:
            raise KeyError(entry[3])
        del run[index]
        self.size -= 1
        if len(runs) == 1:
            return
        if run:
            self._lasts[at] = run[-1]
            return
        del runs[at]
        del self._lasts[at]
        if len(runs) == 1:
            self._lasts = []

    def _split(self, at: int) -> None:
        run = self._runs[at]
        half = len(run) // 2
        self._runs[at : at + 1] = [run[:half], run[half:]]
        if len(self._runs) == 2:
            self._lasts = [self._runs[0][-1], self._runs[1][-1]]
        else:
            self._lasts[at : at + 1] = [run[half - 1], run[-1]]

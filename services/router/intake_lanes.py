"""Lanes: what is fetched is taken in by two tasks at once, so that one decides while the database works for the other.

A partition stays in its lane, so its records are taken in one fetch after the other. A small fetch goes as a whole: two
transactions for a handful of records would cost more than they save.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from shared.kafka import Fetched

LANES: Final = 2
WHOLE_BELOW: Final = 64
Fetch = dict[int, list[Fetched]]


class Lanes:
    """Hands pieces of fetches to ``take``, at most one at a time per lane. Give from one task only."""

    def __init__(self, take: Callable[[Fetch], Coroutine[Any, Any, None]]) -> None:
        self._take = take
        self._lane_of: dict[int, int] = {}
        self._busy: dict[int, asyncio.Task[None]] = {}

    async def give(self, fetch: Mapping[int, Sequence[Fetched]]) -> None:
        """Returns when all of it is being worked on. Raises what an earlier piece raised; that piece was not taken in."""
        waiting = self._pieces(fetch)
        while True:
            self._reap()
            for lanes, piece in waiting.copy():
                if not self._busy.keys() & lanes:
                    task = asyncio.create_task(self._take(piece), name="intake-lane")
                    self._busy |= dict.fromkeys(lanes, task)
                    waiting.remove((lanes, piece))
            if not waiting:
                return
            await asyncio.wait(set(self._busy.values()), return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """Ends what is under way; a piece either committed or left nothing behind."""
        tasks = set(self._busy.values())
        self._busy.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reap(self) -> None:
        for task in {one for one in self._busy.values() if one.done()}:
            self._busy = {lane: one for lane, one in self._busy.items() if one is not task}
            task.result()

    def _pieces(self, fetch: Mapping[int, Sequence[Fetched]]) -> list[tuple[frozenset[int], Fetch]]:
        """The fetch by lanes; a small one in a single piece that needs every lane it touches."""
        pieces: dict[int, Fetch] = {}
        for partition, records in fetch.items():
            pieces.setdefault(self._lane(partition), {})[partition] = list(records)
        if len(pieces) > 1 and sum(map(len, fetch.values())) < WHOLE_BELOW:
            return [(frozenset(pieces), {partition: list(records) for partition, records in fetch.items()})]
        return [(frozenset({lane}), piece) for lane, piece in pieces.items()]

    def _lane(self, partition: int) -> int:
        if partition not in self._lane_of:
            used = [list(self._lane_of.values()).count(lane) for lane in range(LANES)]
            self._lane_of[partition] = used.index(min(used))
        return self._lane_of[partition]

"""Turns at what many share and one question keeps busy: each owner has one question there at a time, its others wait for it.

Whoever asks for masses waits behind themselves: another waits for one question of each at most.
**Identity** of an owner: a workspace's id, or a sender's address.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

from shared.errors import Throttled

WAITING_MAX: Final = 200
A_TURN: Final = 25


class Turns:
    """Of one shared thing in this process."""

    def __init__(self, *, waiting_max: int = WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        self._locks: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: Counter[Hashable] = Counter()

    @asynccontextmanager
    async def of(self, owner: Hashable) -> AsyncIterator[None]:
        """Waits for the owner's turn. Read what the question needs within it, so that what waits holds nothing.

        Raises `Throttled` at once where too many of the owner wait already.
        """
        if self._asked[owner] > self._waiting_max:
            raise Throttled("too many of these are asked for at once", retry_after_s=1, remedy="come again in a second")
        self._asked[owner] += 1
        try:
            async with self._locks[owner]:
                yield
        finally:
            self._asked[owner] -= 1
            if not self._asked[owner]:
                del self._asked[owner], self._locks[owner]


async def let_others(place: int) -> None:
    """Gives whoever else waits in this event loop a turn at every `A_TURN`-th of many small steps; ``place`` counts them."""
    if place % A_TURN == A_TURN - 1:
        await asyncio.sleep(0)

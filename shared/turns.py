"""Turns at what many share and one question keeps busy: each owner has one question there at a time, its others wait for it.

Whoever asks for masses waits behind themselves: another waits for one question of each at most. Of owners that are neighbours (`Share`) a few
have a question there at once.
**Identity** of an owner: a workspace's id, or the groups a sender's address is in.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from shared.errors import Throttled
from shared.shares import Share

WAITING_MAX: Final = 200
A_TURN: Final = 25
A_TURN_S: Final = 0.02


class Turns:
    """Of one shared thing in this process. ``places``: how many questions it answers at once; neighbours together have half of them at most.

    ``then`` is asked as each turn comes, however long it was waited for, and may refuse what waited.
    """

    def __init__(
        self, *, waiting_max: int = WAITING_MAX, places: int | None = None, then: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._then = then
        self._waiting_max = waiting_max
        self._places = places
        self._turns: dict[Hashable, asyncio.Semaphore] = {}
        self._asked: Counter[Hashable] = Counter()

    @asynccontextmanager
    async def of(self, *owners: Hashable) -> AsyncIterator[None]:
        """Waits for the turn of each owner, a workspace's id or a `Share`: the smaller group stands before the larger, in every question alike.

        Read what the question needs within it, so that what waits holds nothing.
        Raises `Throttled` at once where too many of the owner wait already.
        """
        shares = [one if isinstance(one, Share) else Share(one) for one in owners]
        if any(self._asked[one.owner] > self._waiting_max * one.times for one in shares):
            raise Throttled("too many of these are asked for at once", retry_after_s=1, remedy="come again in a second")
        for one in shares:
            self._asked[one.owner] += 1
        try:
            async with AsyncExitStack() as stack:
                for one in shares:
                    await stack.enter_async_context(self._turn(one))
                if self._then is not None:
                    await self._then()
                yield
        finally:
            for one in shares:
                self._asked[one.owner] -= 1
                if not self._asked[one.owner]:
                    del self._asked[one.owner]
                    self._turns.pop(one.owner, None)

    def _turn(self, share: Share) -> asyncio.Semaphore:
        return self._turns.setdefault(share.owner, asyncio.Semaphore(share.of(1, self._places)))


async def let_others(place: int) -> None:
    """Gives whoever else waits in this event loop a turn at every `A_TURN`-th of many small steps; ``place`` counts them."""
    if place % A_TURN == A_TURN - 1:
        await asyncio.sleep(0)


class Turn:
    """Steps of which some may be dear: whoever else waits in this event loop gets a turn when they took `A_TURN_S` together."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    async def over(self) -> None:
        """Called between the steps."""
        if time.monotonic() - self._began_s >= A_TURN_S:
            await asyncio.sleep(0)
            self._began_s = time.monotonic()

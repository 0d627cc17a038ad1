"""Strangers at a door: what they ask for is done a few at a time, each address's in turn, so that masses of it make nobody else wait.

Who shows a credential, and a provider's post to an inbox that there is, do not stand here. Everybody else stands in a line: a network of IPv6
(`peers.py:shares_of`) is one address in it, within which its lines have turns. From a few addresses come as many connections as they like; what
each asks for is cheap, but all of it in one round of the event loop would keep the loop from everybody for as long.

A **turn** is for what costs the loop: `STEPS` in a round of it. A **place** is for what costs the database: `PLACES` at once, so that most of
the pool's connections are never theirs. Who waits holds nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from shared.database import ACQUIRE_S
from shared.errors import Throttled
from shared.shares import Share

STEPS: Final = 4
PLACES: Final = 4

Key = TypeVar("Key")
Value = TypeVar("Value")
_Waiting = asyncio.Future[None]


class Strangers:
    """Of one process."""

    def __init__(self, *, steps: int = STEPS, places: int = PLACES, wait_s: float = ACQUIRE_S) -> None:
        self._steps, self._wait_s = steps, wait_s
        self._turns, self._looks = _Line(), _Line()
        self._free = places
        self._round_comes = False

    async def turn(self, whose: Sequence[Share]) -> None:
        """Waits for a later round of the loop in which it is their turn."""
        turn = self._turns.join(whose)
        if not self._round_comes:
            self._round_comes = True
            asyncio.get_running_loop().call_soon(self._round)
        await turn

    @asynccontextmanager
    async def place(self, whose: Sequence[Share]) -> AsyncIterator[None]:
        """While something of theirs is looked up. Raises `Throttled` where it had no place for too long."""
        if self._free:
            self._free -= 1
        else:
            await self._place(whose)
        try:
            yield
        finally:
            self._leave()

    async def _place(self, whose: Sequence[Share]) -> None:
        place = self._looks.join(whose)
        try:
            async with asyncio.timeout(self._wait_s):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._leave()  # it came in the very round in which nobody waited for it any more
            if isinstance(error, TimeoutError):
                raise Throttled(
                    "too many of these are asked for at once", retry_after_s=1, remedy="come again in a second"
                ) from error
            raise

    def _leave(self) -> None:
        following = self._looks.next()
        if following is None:
            self._free += 1
        else:
            following.set_result(None)

    def _round(self) -> None:
        for _ in range(self._steps):
            turn = self._turns.next()
            if turn is None:
                self._round_comes = False
                return
            turn.set_result(None)
        asyncio.get_running_loop().call_soon(self._round)


class _Line:
    """Who waits, by network and by address in it; each has its turn after the others."""

    def __init__(self) -> None:
        self._networks: dict[Hashable, dict[Hashable, deque[_Waiting]]] = {}

    def join(self, whose: Sequence[Share]) -> _Waiting:
        waiting: _Waiting = asyncio.get_running_loop().create_future()
        network, address = (whose[-1].owner, whose[0].owner) if whose else (None, None)
        self._networks.setdefault(network, {}).setdefault(address, deque()).append(waiting)
        return waiting

    def next(self) -> _Waiting | None:
        """The next who still waits; None when there is nobody."""
        while self._networks:
            network, addresses = _first(self._networks)
            address, own = _first(addresses)
            waiting = own.popleft()
            # What is put back stands behind the others.
            if own:
                addresses[address] = own
            if addresses:
                self._networks[network] = addresses
            if not waiting.done():
                return waiting
        return None


def _first(some: dict[Key, Value]) -> tuple[Key, Value]:
    key = next(iter(some))
    return key, some.pop(key)

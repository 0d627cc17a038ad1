"""The room for mail that is coming in: connections and bytes, in all and for each address; and how much is worked on at once.

A sender that is turned away with 421 or 451 comes again; nothing that was acknowledged is touched by it.
**Units**: bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Final

from shared.metrics import MAILS_REFUSED
from shared.shares import Held, Share
from shared.turns import Turns

CONNECTIONS_MAX: Final = 500
CONNECTIONS_EACH: Final = 50
COMING_BYTES_MAX: Final = 2 * 1024 * 1024 * 1024
COMING_BYTES_EACH: Final = 512 * 1024 * 1024
LARGE_BYTES: Final = 1024 * 1024
LARGE_AT_ONCE: Final = 4


class MailRoom:
    """What one gateway's listener lets in at once."""

    def __init__(
        self, *, connections: int = CONNECTIONS_MAX, connections_each: int = CONNECTIONS_EACH, coming_bytes: int = COMING_BYTES_MAX,
        coming_bytes_each: int = COMING_BYTES_EACH,
    ) -> None:  # fmt: skip
        self._connections, self._bytes = connections, coming_bytes
        self._open = Held(connections_each, connections)
        self._coming = Held(coming_bytes_each, coming_bytes)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._turns = Turns(places=LARGE_AT_ONCE)

    def enter(self, owners: Sequence[Share]) -> bool:
        """Whether one more connection is taken; then it has to `leave`."""
        if self._open.total >= self._connections or not self._open.take(owners):
            MAILS_REFUSED.labels(reason="connections").inc()
            return False
        return True

    def leave(self, owners: Sequence[Share]) -> None:
        """One less."""
        self._open.give(owners)

    def mail(self, owners: Sequence[Share]) -> HeldMail:
        """A mail that is beginning to come; a context."""
        return HeldMail(self, owners)

    @contextlib.asynccontextmanager
    async def working(self, owners: Sequence[Share], size: int) -> AsyncIterator[None]:
        """While a mail is in memory as a whole: only a few large ones are at once, and one of an address."""
        if size <= LARGE_BYTES:
            yield
            return
        async with self._turns.of(*owners), self._large:
            yield

    def grow(self, owners: Sequence[Share], size: int) -> bool:
        """Takes so many bytes more; False, and nothing taken, without room."""
        if self._coming.total + size > self._bytes or not self._coming.take(owners, size):
            MAILS_REFUSED.labels(reason="bytes").inc()
            return False
        return True

    def shrink(self, owners: Sequence[Share], size: int) -> None:
        """Gives bytes back."""
        self._coming.give(owners, size)


class HeldMail:
    """The room one mail takes, given back at its end however it ends."""

    def __init__(self, room: MailRoom, owners: Sequence[Share]) -> None:
        self._room = room
        self._owners = owners
        self._size = 0

    def __enter__(self) -> HeldMail:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._room.shrink(self._owners, self._size)
        self._size = 0

    def grow(self, size: int) -> bool:
        """Its size so far; False when there is no room for it."""
        more = max(0, size) - self._size
        if more > 0 and not self._room.grow(self._owners, more):
            return False
        self._size += max(0, more)
        return True

"""The room for mail that is coming in: connections and bytes, in all and for each address; and how much is worked on at once.

A sender that is turned away with 421 or 451 comes again; nothing that was acknowledged is touched by it.
**Units**: bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final

from shared.metrics import MAILS_REFUSED
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
        self._connections, self._connections_each = connections, connections_each
        self._bytes, self._bytes_each = coming_bytes, coming_bytes_each
        self._open: Counter[str] = Counter()
        self._coming: Counter[str] = Counter()
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._turns = Turns()

    def enter(self, owner: str) -> bool:
        """Whether one more connection is taken; then it has to `leave`."""
        if self._open.total() >= self._connections or self._open[owner] >= self._connections_each:
            MAILS_REFUSED.labels(reason="connections").inc()
            return False
        self._open[owner] += 1
        return True

    def leave(self, owner: str) -> None:
        """One less."""
        self._open[owner] -= 1
        if self._open[owner] <= 0:
            del self._open[owner]

    def mail(self, owner: str) -> HeldMail:
        """A mail that is beginning to come; a context."""
        return HeldMail(self, owner)

    @contextlib.asynccontextmanager
    async def working(self, owner: str, size: int) -> AsyncIterator[None]:
        """While a mail is in memory as a whole: only a few large ones are at once, and one of an address."""
        if size <= LARGE_BYTES:
            yield
            return
        async with self._turns.of(owner), self._large:
            yield

    def move(self, owner: str, size: int) -> bool:
        """Takes so many bytes more, or gives them back; False, and nothing taken, without room."""
        over = self._coming.total() + size > self._bytes or self._coming[owner] + size > self._bytes_each
        if size > 0 and over:
            MAILS_REFUSED.labels(reason="bytes").inc()
            return False
        self._coming[owner] += size
        if self._coming[owner] <= 0:
            del self._coming[owner]
        return True


class HeldMail:
    """The room one mail takes, given back at its end however it ends."""

    def __init__(self, room: MailRoom, owner: str) -> None:
        self._room = room
        self._owner = owner
        self._size = 0

    def __enter__(self) -> HeldMail:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._room.move(self._owner, -self._size)
        self._size = 0

    def grow(self, size: int) -> bool:
        """Its size so far; False when there is no room for it."""
        more = max(0, size) - self._size
        if more > 0 and not self._room.move(self._owner, more):
            return False
        self._size += max(0, more)
        return True

"""The room for mail that is coming in: connections and bytes, in all and for each address; and how much is worked on at once.

A sender that is turned away with 421 or 451 comes again; nothing that was acknowledged is touched by it. Where all of it is used up, a
session that waits for its sender makes room (`services/frame/making_room.py`), in the middle of a mail too.
**Units**: bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from typing import Final

from ingest.parse import SMALL_BYTES_MAX
from services.frame.making_room import Full, Place, Room
from shared.metrics import MAILS_REFUSED
from shared.shares import Share
from shared.worker_places import WorkerPlaces

CONNECTIONS_MAX: Final = 500
CONNECTIONS_EACH: Final = 50
COMING_BYTES_MAX: Final = 2 * 1024 * 1024 * 1024
COMING_BYTES_EACH: Final = 512 * 1024 * 1024
LARGE_BYTES: Final = SMALL_BYTES_MAX
"""Whatever is not parsed in the places for small mail: who has a place here waits behind no other mail of its workspace there."""
LARGE_AT_ONCE: Final = 4


class MailRoom:
    """What one gateway's listener lets in at once."""

    def __init__(
        self, *, connections: int = CONNECTIONS_MAX, connections_each: int = CONNECTIONS_EACH, coming_bytes: int = COMING_BYTES_MAX,
        coming_bytes_each: int = COMING_BYTES_EACH,
    ) -> None:  # fmt: skip
        self._open = Room(each=connections_each, most=connections)
        self._coming = Room(each=coming_bytes_each, most=coming_bytes)
        self._large = WorkerPlaces(LARGE_AT_ONCE)

    def enter(self, owners: Sequence[Share], ended: Callable[[], None]) -> Place | None:
        """A place for one more connection, where there is one; ``ended`` is told when it makes room."""
        place = Place(self._open, owners, ended)
        return place if _grown(place, 1, "connections") else None

    @contextlib.contextmanager
    def mail(self, owners: Sequence[Share], ended: Callable[[], None]) -> Iterator[HeldMail]:
        """A mail that is beginning to come."""
        with Place(self._coming, owners, ended) as place:
            yield HeldMail(place)

    @contextlib.asynccontextmanager
    async def working(
        self, owners: Sequence[Hashable], size: int, *, senders: Sequence[Share] = (), late: bool = False
    ) -> AsyncIterator[None]:
        """While a mail is in memory as a whole: only a few large ones are at once, one of each of ``owners``, and one of all that are late.

        What waits is in no memory and holds no place; ``senders`` have their turns one after the other. Raises `Throttled` where too many of
        an owner wait.
        """
        if size <= LARGE_BYTES:
            yield
            return
        async with self._large.of(*owners, senders=senders, late=late):
            yield


class HeldMail:
    """The room one mail takes."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._size = 0

    def grow(self, size: int) -> bool:
        """Its size so far; False when there is no room for it."""
        more = size - self._size
        if more > 0:
            if not _grown(self.place, more, "bytes"):
                return False
            self._size = size
        return True


def _grown(place: Place, more: int, what: str) -> bool:
    try:
        place.grow(more)
    except Full:
        MAILS_REFUSED.labels(reason=what).inc()
        return False
    return True

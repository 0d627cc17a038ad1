"""Room that many share, and who makes room when it is used up: of whoever holds most, what waits longest for its peer ends.

A share of its own keeps one owner from taking the whole; a handful of owners have the whole all the same. So a newcomer who holds less than
somebody else finds room: something of theirs that is idle is ended. Nobody is ended for who would then hold as much, so whoever holds one
thing stays, and no two end each other in turns. What waits for its peer (for a request, the rest of a body, a first word) was promised
nothing; what its peer waits for is never ended.

Who holds most is told by the groups of an address (`peers.py:shares_of`), each by what its share is: a /48 that holds eight is an address
that holds one. Groups stand in a heap, and an entry is put right when it is met, so all costs O(log n) in the mean.
**Units**: what is held, connections or bytes.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final, Literal

from shared.shares import Held, Share

Lack = Literal["share", "room"]
"""What there is not enough of: the owner's own share; room for anybody, and nobody makes room for this one."""
_SPARE: Final = 64


class Full(Exception):
    """Nothing was taken. For the door alone, which tells its peer in its own words."""

    def __init__(self, lack: Lack) -> None:
        super().__init__(lack)
        self.lack = lack


class Room:
    """So much for all, ``each`` of it for one owner at most."""

    def __init__(self, *, each: int, most: int) -> None:
        self._most = most
        self._held = Held(each, most)
        self._waiting: dict[Share, OrderedDict[Place, None]] = {}  # by group, the longest first
        self._heap: list[tuple[float, int, Share]] = []  # the heaviest first
        self._entered: dict[Share, float] = {}  # by how much a group stands there: what it holds, or more
        self._number = itertools.count()

    @property
    def held(self) -> int:
        """What all hold together."""
        return self._held.total

    def take(self, shares: Sequence[Share], size: int) -> None:
        """Takes so much. Raises `Full`; then nothing is taken."""
        if not self._held.fits(shares, size):
            raise Full("share")
        while self._held.total + size > self._most:
            most = self._who_holds_most()
            if most is None or self._held.weight(most) <= max((self._held.weight(one, size) for one in shares), default=size):
                raise Full("room")
            longest = next((one for one in self._waiting[most] if one.holds), None)
            if longest is None:
                raise Full("room")  # what it holds is worked on, and ending the others frees nothing
            longest.end()
        self._held.take(shares, size)
        for one in shares:
            self._enter(one)

    def give(self, shares: Sequence[Share], size: int) -> None:
        """What was taken, back."""
        self._held.give(shares, size)

    def waits(self, place: Place) -> None:
        """From now on it waits, for the shortest time of all."""
        for one in place.shares:
            places = self._waiting.setdefault(one, OrderedDict())
            places[place] = None
            places.move_to_end(place)
            self._enter(one)

    def works(self, place: Place) -> None:
        """From now on it does not wait."""
        for one in place.shares:
            places = self._waiting.get(one)
            if places is not None:
                places.pop(place, None)
                if not places:
                    del self._waiting[one]

    def _who_holds_most(self) -> Share | None:
        """The heaviest group of which something waits."""
        while self._heap:
            weight, _, share = self._heap[0]
            if share in self._waiting and self._held.weight(share) == -weight:
                return share
            heapq.heappop(self._heap)
            if self._entered.get(share) == -weight:
                del self._entered[share]
                self._enter(share)
        return None

    def _enter(self, share: Share) -> None:
        weight = self._held.weight(share)
        if share not in self._waiting or weight <= self._entered.get(share, -1):
            return
        if len(self._heap) > 2 * len(self._waiting) + _SPARE:
            self._entered = {one: self._held.weight(one) for one in self._waiting}
            self._heap = [(-by, next(self._number), one) for one, by in self._entered.items()]
            heapq.heapify(self._heap)
            return
        self._entered[share] = weight
        heapq.heappush(self._heap, (-weight, next(self._number), share))


class Place:
    """What one connection, body or socket holds of a room; a context, left at its end. ``ended`` is told, once at most, that it made room:
    it holds nothing then, and takes nothing any more.
    """

    def __init__(self, room: Room, shares: Sequence[Share], ended: Callable[[], None]) -> None:
        self.shares = shares
        self._room = room
        self._ended = ended
        self._size = 0
        self._waits = self._left = False

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.leave()

    @property
    def holds(self) -> bool:
        """Whether anything of the room is its."""
        return self._size > 0

    def grow(self, size: int = 1) -> None:
        """Takes so much more. Raises `Full`; then it is as large as before."""
        if self._left:
            raise Full("room")
        self._room.take(self.shares, size)
        self._size += size

    def waits(self) -> None:
        """What comes next is its peer's to do."""
        if not self._left:
            self._waits = True
            self._room.waits(self)

    def works(self) -> None:
        """What comes next is ours to do."""
        if self._waits:
            self._waits = False
            self._room.works(self)

    def used(self) -> None:
        """Its peer did something: where it waits, it waits from now on."""
        if self._waits:
            self._room.waits(self)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """It waits for the time of the block."""
        self.waits()
        try:
            yield
        finally:
            self.works()

    def leave(self) -> None:
        """Gives back all it holds; calling it again is safe."""
        self.works()
        self._left = True
        self._room.give(self.shares, self._size)
        self._size = 0

    def end(self) -> None:
        """Makes room."""
        self.leave()
        self._ended()

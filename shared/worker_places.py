"""Places at what answers a few questions at once: each owner has one place at a time, and takes it together with all whom the question is of.

Whoever waits holds nothing, so a sender whose mail waits for one workspace keeps no other workspace waiting. Of those who may have a place it is
whoever had none for longest: of the same owner's, whose sender had none. What is said to be late comes behind all others, and has one place for
all that is late.
**Identity** of an owner: a workspace's id, or the groups a sender's address is in (`Share`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from shared.errors import Throttled
from shared.shares import Held, Share
from shared.turns import WAITING_MAX

_LATE = Share("late")


@dataclass(eq=False, slots=True, kw_only=True)
class _Waiting:
    """``shares`` hold a place each while it is answered; by ``told`` it is known whose turn it is."""

    shares: tuple[Share, ...]
    told: tuple[Share, ...]
    late: bool
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class WorkerPlaces:
    """``count``: how many questions are answered at once; neighbours together have half of them at most."""

    def __init__(self, count: int, *, waiting_max: int = WAITING_MAX) -> None:
        self._count = count
        self._waiting_max = waiting_max
        self._held = Held(1, count)
        self._line: list[_Waiting] = []
        self._asked: Counter[Hashable] = Counter()
        self._served: dict[Hashable, int] = {}
        self._turns = 0

    @asynccontextmanager
    async def of(self, *owners: Hashable, senders: Sequence[Share] = (), late: bool = False) -> AsyncIterator[None]:
        """Waits for a place. ``senders`` have turns, and no place of their own: an address may be a relay's, who brings everybody's.

        Raises `Throttled` at once where too many of an owner wait already.
        """
        shares = tuple(one if isinstance(one, Share) else Share(one) for one in owners)
        if any(self._asked[one.owner] > self._waiting_max * one.times for one in shares):
            raise Throttled("too many of these are asked for at once", retry_after_s=1, remedy="come again in a second")
        told = tuple({share.owner: share for share in (*shares, *senders)}.values())
        one = _Waiting(shares=(*shares, _LATE) if late else shares, told=told, late=late)
        for share in told:
            self._asked[share.owner] += 1
        self._line.append(one)
        try:
            self._admit()
            await one.turn
            yield
        finally:
            if one in self._line:
                self._line.remove(one)
            else:
                self._held.give(one.shares)
            for share in told:
                self._asked[share.owner] -= 1
                if not self._asked[share.owner]:
                    del self._asked[share.owner]
                    self._served.pop(share.owner, None)
            self._admit()

    def _admit(self) -> None:
        """Places for whoever may have one now."""
        while self._held.total < self._count:
            able = [one for one in self._line if self._held.fits(one.shares)]
            if not able:
                return
            one = min(able, key=self._rank)
            self._line.remove(one)
            self._held.take(one.shares)
            self._turns += 1
            self._served |= {share.owner: self._turns for share in one.told if share.owner in self._asked}
            if not one.turn.done():
                one.turn.set_result(None)

    def _rank(self, one: _Waiting) -> tuple[bool, list[int]]:
        return one.late, sorted((self._served.get(share.owner, 0) for share in one.told), reverse=True)

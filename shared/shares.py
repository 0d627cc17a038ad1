"""What one owner may have of what many use, counted for each group that an owner is in: their own share, and their neighbours' together.

An address of IPv6 is in three groups (`services/frame/peers.py`), everybody else in one. What is taken counts in all of them, and is taken
only where all have room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Share(NamedTuple):
    """One group: who it is, and how many times one owner's share all of it has together."""

    owner: Hashable
    times: int = 1

    def of(self, each: int, most: int | None = None) -> int:
        """What the group may have where one owner may have ``each``: of ``most``, what there is for all, half at most where ``each`` is less."""
        if self.times == 1:
            return each
        whole = each * self.times
        return whole if most is None else max(each, min(whole, most // 2))


class Held:
    """Who holds how much. ``each`` is one owner's share, ``most`` what there is for all: others are to have room for the rest of it."""

    def __init__(self, each: int, most: int | None = None) -> None:
        self._each, self._most = each, most
        self._of: Counter[Hashable] = Counter()
        self.total = 0

    def fits(self, shares: Sequence[Share], size: int = 1) -> bool:
        """Whether every group has room for so much."""
        return all(self._of[one.owner] + size <= one.of(self._each, self._most) for one in shares)

    def weight(self, share: Share, more: int = 0) -> float:
        """What a group holds, and so much more, by what one owner would of one share."""
        return (self._of[share.owner] + more) / share.times

    def take(self, shares: Sequence[Share], size: int = 1) -> bool:
        """Takes so much for every group; False, and nothing taken, where one of them has no room. What was taken has to be given back."""
        if not self.fits(shares, size):
            return False
        self.total += size
        for one in shares:
            self._of[one.owner] += size
        return True

    def give(self, shares: Sequence[Share], size: int = 1) -> None:
        """What was taken, back."""
        self.total -= size
        for one in shares:
            self._of[one.owner] -= size
            if self._of[one.owner] <= 0:
                del self._of[one.owner]

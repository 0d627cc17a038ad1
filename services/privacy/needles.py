"""Many pieces of bytes looked for in a text at once: what it costs grows with the text, hardly with how many there are.

Of pieces none of which begins another, the only one that can begin at a place is the greatest that is not greater than what stands there,
so one search in a sorted list finds it. Places are few: by the first bytes of all pieces.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection
from heapq import merge
from typing import Final

HEAD_BYTES: Final = 5
"""No piece is shorter: shorter ones would stand everywhere."""


class Needles:
    """Pieces of at least `HEAD_BYTES`. Made beside the event loop, like what is asked of it, for there may be many."""

    def __init__(self, *parts: Collection[bytes]) -> None:
        kept: list[bytes] = []
        for one in merge(*(sorted(part) for part in parts)):
            assert len(one) >= HEAD_BYTES, "shorter ones stand everywhere"
            if not kept or not one.startswith(kept[-1]):
                kept.append(one)
        self._kept = kept
        self._heads = frozenset(one[:HEAD_BYTES] for one in kept)
        self.bytes_max = max(map(len, kept), default=0)
        self._sieve = _sieve(self._heads)

    def __bool__(self) -> bool:
        return bool(self._kept)

    def within(self, text: bytes) -> bool:
        """Whether one of them stands in it, also inside a longer word."""
        heads, kept, longest = self._heads, self._kept, self.bytes_max
        for found in self._sieve.finditer(text):
            place = found.start()
            if text[place : place + HEAD_BYTES] in heads:
                nearest = bisect_right(kept, text[place : place + longest])
                if nearest and text.startswith(kept[nearest - 1], place):
                    return True
        return False


def _sieve(heads: Collection[bytes]) -> re.Pattern[bytes]:
    """Any of the bytes that heads have at each of their places: where this finds nothing, no head stands."""
    columns = ["".join(f"\\x{byte:02x}" for byte in sorted(set(column))) for column in zip(*heads, strict=True)]
    if not columns:
        return re.compile(b"(?!)")
    first, *others = (f"[{column}]" for column in columns)
    return re.compile(f"{first}(?={''.join(others)})".encode())

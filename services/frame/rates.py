"""How often: what one key, workspace, address or visitor may ask for in a time, counted in this process.

Counted in fixed windows, each beginning with its first hit (`limits`). The counters are our own storage of that library: its one in memory
walks all counters at every hit, so many addresses would cost everybody time, and it keeps as many as there are addresses.
Source: draft-ietf-httpapi-ratelimit-headers-09 (``RateLimit-Policy``, ``RateLimit``); RFC 9110 §10.2.3 (``Retry-After``).
**Units**: seconds. **Identity** of a counter: the kind, and whose it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from shared.errors import Throttled
from shared.logs import get_log
from shared.metrics import THROTTLED
from shared.shares import Share

log = get_log(__name__)
Kind = Literal[
    "key", "workspace", "address", "visitor", "frames", "refused", "sessions", "exchange", "wrong-address", "wrong-token", "posts",
    "posts-address", "mails", "processor-time",
]  # fmt: skip
RATES: Final[Mapping[Kind, tuple[int, int]]] = {
    "key": (10_000, 1),
    "workspace": (20_000, 1),
    "address": (1_000, 10),
    "visitor": (60, 60),
    "frames": (600, 60),
    "refused": (60, 60),
    "sessions": (120, 60),
    "exchange": (30, 60),
    "wrong-address": (120, 60),
    "wrong-token": (10, 60),
    "posts": (50_000, 10),
    "posts-address": (20_000, 10),
    "mails": (60_000, 60),
}
"""How many in how many seconds: an API key or agent's token, a workspace, an address without a credential, a visitor's lines, an agent's
frames on a socket, frames of one token that were refused, chat sessions and codes of one address, wrong credentials of an address and of
one token at an address, posts of a provider to one inbox and from one address to one workspace, mails from one address. Of a workspace each
message that a post brings counts. How much of a loop a workspace may use is counted elsewhere (`processor_time.py`)."""
COUNTERS_MAX: Final = 50_000
_SAY_AGAIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a counter stands: ``left`` of ``amount`` in ``window_s``, all of it again after ``reset_s``."""

    kind: Kind
    amount: int
    window_s: int
    left: int
    reset_s: int


class Counters(Storage):
    """At most so many counters of one window, the oldest first: what has run out goes before a new one comes, and else the oldest."""

    STORAGE_SCHEME = None

    def __init__(self, *, counters_max: int, now_s: Callable[[], float]) -> None:
        super().__init__()
        self._max = counters_max
        self._now_s = now_s
        self._of: dict[str, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._of)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now_s = self._now_s()
        count, ends_s = self._of.get(key, (0, 0.0))
        if ends_s <= now_s:
            self._of.pop(key, None)
            self._make_room(now_s)
            count, ends_s = 0, now_s + expiry
        self._of[key] = (count + amount, ends_s)
        return count + amount

    def owe(self, key: str, expiry: int, count: int, most: int) -> None:
        """Counts so many whatever they come to: where that is over ``most`` of a window, the count stands for as many windows as pay for it."""
        before, now_s = self.get(key), self._now_s()
        counted = self.incr(key, expiry, count)
        if counted > most:
            _, ends_s = self._of.pop(key)
            # What was over before is in the end already: windows are added for what came on top.
            ends_s += expiry * (math.ceil(counted / most) - max(1, math.ceil(before / most)))
            self._of[key] = (counted, max(ends_s, now_s))

    def _make_room(self, now_s: float) -> None:
        # Two at most leave for one that comes, so no hit pays for many; one window, so the first to come is the first to end.
        for _ in range(2):
            oldest = next(iter(self._of), None)
            if oldest is not None and (self._of[oldest][1] <= now_s or len(self._of) >= self._max):
                del self._of[oldest]

    def get(self, key: str) -> int:
        count, ends_s = self._of.get(key, (0, 0.0))
        return count if ends_s > self._now_s() else 0

    def get_expiry(self, key: str) -> float:
        return self._of.get(key, (0, self._now_s()))[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._of)
        self._of.clear()
        return count

    def clear(self, key: str) -> None:
        self._of.pop(key, None)


class Rates:
    """The counters of a process. ``given`` replaces amounts of `RATES`; 0 of a kind counts nothing of it."""

    def __init__(
        self,
        given: Mapping[Kind, int] | None = None,
        *,
        counters_max: int = COUNTERS_MAX,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now_s = now_s
        self._said_s: dict[Kind, float] = {}
        self._amounts: dict[Kind, tuple[int, int]] = {}
        self._items: dict[tuple[Kind, int], RateLimitItem] = {}
        self._counters: dict[Kind, Counters] = {}
        for kind, (usual, window_s) in RATES.items():
            amount = usual if given is None else given.get(kind, usual)
            if amount > 0:
                self._amounts[kind] = (amount, window_s)
                self._counters[kind] = Counters(counters_max=counters_max, now_s=now_s)
        self._windows = {kind: FixedWindowRateLimiter(counters) for kind, counters in self._counters.items()}

    def take(self, kind: Kind, whose: str | Sequence[Share]) -> Standing | None:
        """Counts one for whom it is, of an address for each of its groups; None when this kind is off.

        Raises `Throttled` when it is one too many of any: then nothing was counted. Where the first stands is told.
        """
        self.require_room(kind, whose)
        if kind not in self._amounts:
            return None
        shares = _shares(whose)
        for one in shares:
            self._windows[kind].hit(self._item(kind, one), str(one.owner))
        return self._standing(kind, shares[0])

    def take_more(self, kind: Kind, whose: str, count: int) -> None:
        """Counts what turned out to be more than one was taken for. Never refuses: what is over the rate is a debt, and the next is refused
        until later windows have paid it."""
        if kind in self._amounts and count > 0:
            (share,) = _shares(whose)
            item = self._item(kind, share)
            self._counters[kind].owe(item.key_for(str(share.owner)), item.get_expiry(), count, item.amount)

    def require_room(self, kind: Kind, whose: str | Sequence[Share]) -> None:
        """Counts nothing. Raises `Throttled` when the next one would be one too many."""
        if kind in self._amounts:
            for one in _shares(whose):
                if not self._windows[kind].test(self._item(kind, one), str(one.owner)):
                    raise self._refusal(kind, one)

    def counted(self, kind: Kind) -> int:
        """How many counters of a kind are kept."""
        return len(self._counters.get(kind, ()))

    def _item(self, kind: Kind, share: Share) -> RateLimitItem:
        item = self._items.get((kind, share.times))
        if item is None:
            amount, window_s = self._amounts[kind]
            item = self._items[kind, share.times] = RateLimitItemPerSecond(share.of(amount), window_s)
        return item

    def _standing(self, kind: Kind, share: Share) -> Standing:
        item = self._item(kind, share)
        ends_s, left = self._windows[kind].get_window_stats(item, str(share.owner))
        reset_s = max(1, math.ceil(ends_s - self._now_s()))
        return Standing(kind=kind, amount=item.amount, window_s=item.get_expiry(), left=left, reset_s=reset_s)

    def _refusal(self, kind: Kind, share: Share) -> Throttled:
        THROTTLED.labels(kind=kind).inc()
        now_s = self._now_s()
        if self._said_s.get(kind, -math.inf) + _SAY_AGAIN_S <= now_s:
            self._said_s[kind] = now_s
            log.warning("more is asked for than the rate allows", action="throttled", kind=kind)
        standing = self._standing(kind, share)
        return Throttled(
            f"more than {standing.amount} in {standing.window_s} s", retry_after_s=standing.reset_s,
            remedy=f"come again in {standing.reset_s} s", standing=standing,
        )  # fmt: skip


def _shares(whose: str | Sequence[Share]) -> Sequence[Share]:
    return (Share(whose),) if isinstance(whose, str) else whose


def headers_of(standings: Sequence[Standing]) -> dict[str, str]:
    """``RateLimit-Policy`` and ``RateLimit`` as structured fields; nothing without standings."""
    if not standings:
        return {}
    return {
        "ratelimit-policy": ", ".join(f'"{one.kind}";q={one.amount};w={one.window_s}' for one in standings),
        "ratelimit": ", ".join(f'"{one.kind}";r={one.left};t={one.reset_s}' for one in standings),
    }

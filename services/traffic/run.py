"""A run of traffic: so many happenings a second, at random moments, each waited for; what was answered, and how fast.

The rate is kept as a clock keeps it, however slowly the deployment answers, up to `IN_FLIGHT_MAX` at once; beyond, it waits.
Units: seconds in, milliseconds out.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.traffic.people import Channel, Happening
from services.traffic.senders import Answer, Sender

IN_FLIGHT_MAX: Final = 500


@dataclass(slots=True, kw_only=True)
class Count:
    """One channel's numbers so far."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    errors: int = 0
    took_s: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def answered(self, answer: Answer, took_s: float) -> None:
        """One more answer; only acknowledgements count for the times."""
        if answer.state == "accepted":
            self.accepted += 1
            self.took_s.append(took_s)
            return
        self.reasons[answer.reason] += 1
        if answer.state == "refused":
            self.refused += 1
        else:
            self.errors += 1

    def shown(self) -> dict[str, float | int | None]:
        """As a row of the summary."""
        p50, p99 = (_quantile(self.took_s, share) for share in (0.5, 0.99))
        return {
            "sent": self.sent, "accepted": self.accepted, "refused": self.refused, "errors": self.errors, "p50_ms": p50, "p99_ms": p99,
        }  # fmt: skip


def _quantile(times_s: list[float], share: float) -> float | None:
    if not times_s:
        return None
    ordered = sorted(times_s)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)


async def send_traffic(
    source: Iterator[Happening],
    senders: Mapping[Channel, Sender],
    *,
    rate: float,
    for_s: float,
    seed: int,
    counts: dict[Channel, Count],
    show: Callable[[], None] = lambda: None,
) -> None:
    """Sends ``rate`` a second for ``for_s`` seconds and waits for every answer; ``counts`` grows meanwhile, also when cancelled."""
    chance = random.Random(f"moments {seed}")  # noqa: S311  believable, not secret
    room = asyncio.Semaphore(IN_FLIGHT_MAX)
    loop = asyncio.get_running_loop()
    begun = at = loop.time()

    async def one(happening: Happening) -> None:
        started = time.perf_counter()
        try:
            answer = await senders[happening.channel].send(happening)
        finally:
            room.release()
        counts[happening.channel].answered(answer, time.perf_counter() - started)
        show()

    async with asyncio.TaskGroup() as group:
        while (at := at + chance.expovariate(rate)) < begun + for_s:
            await asyncio.sleep(max(0.0, at - loop.time()))
            await room.acquire()
            happening = next(source)
            counts[happening.channel].sent += 1
            group.create_task(one(happening))

"""The moments of a call from local times without an offset. Pure.

In the hour that a clock shows twice, and in the one it leaves out, a local time says nothing certain; the seconds that the switchboard
counted (``duration`` from start to end, ``billsec`` from answer to end) say which was meant. What they leave open is settled by the time
of creation in the call's ids, and else the first of the two counts.

Source: IANA time zones by `zoneinfo`; PEP 495 (``fold``); Asterisk, "CDR Specification" (a unique id is the system's name, the epoch second
of its channel and a number). **Units**: seconds; moments aware UTC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise, product
from typing import Final
from zoneinfo import ZoneInfo

_CREATED: Final = re.compile(r"(?:.*[^0-9])?([0-9]{9,10})\.[0-9]+")
_SKEW_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When a path began, was answered and ended."""

    start: datetime
    answer: datetime | None
    end: datetime


def moments(
    zone: ZoneInfo,
    *,
    start: datetime,
    answer: datetime | None,
    end: datetime,
    duration_s: int | None = None,
    billsec_s: int | None = None,
    ids: Sequence[str] = (),
) -> Moments:
    """What these naive local times mean; without a measure that says otherwise, the first of two readings."""
    created = max((int(found[1]) for one in ids if (found := _CREATED.fullmatch(one))), default=0)

    def doubt(read: tuple[tuple[int, datetime], ...]) -> tuple[float, int, bool, int]:
        begun, ended = read[0][1], read[-1][1]
        misfit = 0.0 if duration_s is None else abs((ended - begun).total_seconds() - duration_s)
        if billsec_s is not None and len(read) == 3:
            misfit += abs((ended - read[1][1]).total_seconds() - billsec_s)
        order = [at for _, at in read]
        backwards = sum(later < earlier for earlier, later in pairwise(order))
        return misfit, backwards, begun.timestamp() < created - _SKEW_S, sum(place for place, _ in read)

    given = [start, *([] if answer is None else [answer]), end]
    best = min(product(*(_readings(local, zone) for local in given)), key=doubt)
    return Moments(start=best[0][1], answer=None if answer is None else best[1][1], end=best[-1][1])


def _readings(local: datetime, zone: ZoneInfo) -> list[tuple[int, datetime]]:
    """(place, moment) of what a local time may mean: two where the clock is put back or on, else one."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return [(0, first)] if first == second else [(0, first), (1, second)]

"""A deadline with the reckoning behind it: which spans were counted, which days were unusual. Pure.

**Units**: targets as ``90s``, ``30m``, ``4h``, ``2d``, ``1w``, together as ``1h30m``, or plain seconds. A day is 24 hours of open time, not a
working day. A start without an offset is a wall time of the calendar's zone; one that comes twice is the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Final

from router.calendars.calendar import Calendar, deadline, intervals, unusual_days
from shared.errors import Unprocessable

SPANS_MAX: Final = 400
DAYS_MAX: Final = 100
TARGET_S_MAX: Final = 20 * 366 * 24 * 3600
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhdw])")
_TARGET: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?[smhdw])+")
_REMEDY: Final = "like 90s, 30m, 4h, 2d or 1h30m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One open span that was counted, on the wall of the calendar's zone."""

    starts_at: datetime
    ends_at: datetime
    counted_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusual:
    """A day on which a holiday or an override changes the hours; ``holiday`` empty for an override."""

    date: date
    holiday: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """When it is due and why. Times carry the offset of the calendar's zone; ``spans_left_out`` says how many are not shown."""

    calendar: str
    time_zone: str
    start_at: datetime
    open_at_start: bool
    target_s: float
    due_at: datetime
    spans: tuple[Counted, ...]
    spans_left_out: int
    unusual_days: tuple[Unusual, ...]


def reckoned(calendar: Calendar, start: datetime, target_s: float) -> Reckoning:
    """The deadline and the spans that lead to it. Raises `Unprocessable` as `router/calendars/calendar.py` does."""
    zone = calendar.zone
    due_at = deadline(calendar, start, target_s)
    all_spans = intervals(calendar, start, due_at)
    spans = tuple(
        Counted(starts_at=first.astimezone(zone), ends_at=last.astimezone(zone), counted_s=(last - first).total_seconds())
        for first, last in islice(all_spans, SPANS_MAX)
    )
    unusual = (Unusual(date=day, holiday=name) for day, name in unusual_days(calendar, start, due_at))
    return Reckoning(
        calendar=calendar.name, time_zone=zone.key, start_at=start.astimezone(zone), open_at_start=calendar.is_open(start),
        target_s=target_s, due_at=due_at.astimezone(zone), spans=spans,
        spans_left_out=sum(1 for _ in all_spans), unusual_days=tuple(islice(unusual, DAYS_MAX)),
    )  # fmt: skip


def target_seconds(text: str) -> float:
    """The seconds of a target as people write it. Raises `Unprocessable`."""
    given = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", given):
        seconds = float(given)
    elif _TARGET.fullmatch(given):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(given))
    else:
        raise Unprocessable(f"not a target: {text[:40]!r}", field="target", remedy=_REMEDY)
    if seconds > TARGET_S_MAX:
        raise Unprocessable("a target of more than twenty years", field="target", remedy=_REMEDY)
    return seconds


def start_in(calendar: Calendar, text: str) -> datetime:
    """The moment a text means: with an offset that one, without it a wall time of the calendar's zone. Raises `Unprocessable`."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        remedy = "like 2026-03-28T22:00, or with an offset: 2026-03-28T22:00+01:00"
        raise Unprocessable(f"not a time: {text[:40]!r}", field="start", remedy=remedy) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=calendar.zone)

"""When a team works, and how long that is: open hours as intervals of time, deadlines and elapsed time counted in them. Pure.

A calendar is open while the clock on its wall shows a time within its hours. So a night shift over the change to summer time is an
hour shorter, the one over the change back an hour longer, and hours that the clock skips do not exist. A span whose end is not after
its start goes over midnight, and belongs to the day it begins on: a holiday takes the spans that begin on it and leaves the rest of
the night before.

Years are made as far as somebody asks, once for a calendar, each at a price that its spans do not raise (`open_time.py`).

**Units**: instants aware in, aware UTC out; inside, microseconds since 1970 in UTC, whole numbers, so that ``elapsed`` gives back to
the microsecond what ``deadline`` was asked for. Wall times are seconds since midnight, days are counted from 1970-01-01.
**Identity**: two calendars with equal fields are the same calendar.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from router.calendars.days import DAY_S, Days, Span
from router.calendars.open_time import SECOND, OpenYear, Stretch
from router.calendars.public_holidays import Holidays
from shared.errors import Unprocessable

YEARS_AHEAD_MAX: Final = 20
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_US: Final = timedelta(microseconds=1)
_KEPT_OFFSETS_MAX: Final = 16_384
_UTC_ZONE: Final = ZoneInfo("UTC")

ALWAYS: Final = "always"
"""The name of the calendar that counts every second; no other calendar can have it."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Calendar:
    """Open hours by weekday (0 is Monday), None for round the clock; ``overrides`` by day win over holidays and hours."""

    name: str = ""
    zone: ZoneInfo = _UTC_ZONE
    week: tuple[tuple[Span, ...], ...] | None = None
    holidays: Holidays | None = None
    overrides: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    _days: Days = field(init=False, compare=False, repr=False)
    _years: dict[int, OpenYear] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_days", Days(self.week, self.holidays, self.overrides))

    def is_open(self, at: datetime) -> bool:
        """Whether the team works at this moment."""
        wall = at.astimezone(self.zone)
        second = wall.hour * 3600 + wall.minute * 60 + wall.second
        return self._days.day(day_number(wall.date())).is_open(second * SECOND + wall.microsecond)

    def is_holiday(self, day: int) -> bool:
        """Whether the day is a public holiday, or closed by an override."""
        given = self.overrides.get(day)
        return given == () if given is not None else self.holidays is not None and self.holidays.closes(day)

    def facts(self, at: datetime) -> dict[str, Any]:
        """``now.*`` as rules see it: weekday 1 is Monday."""
        local = at.astimezone(self.zone)
        holiday = self.is_holiday(day_number(local.date()))
        return {"open": self.is_open(at), "weekday": local.isoweekday(), "hour": local.hour, "holiday": holiday}

    def spans(self, day: int) -> Sequence[Span]:
        """The spans that begin on a day."""
        return self._days.spans(day)

    def year(self, year: int) -> OpenYear:
        """The open time of a year (in UTC); made once."""
        known = self._years.get(year)
        if known is None:
            known = self._years[year] = OpenYear([self._stretch(*one) for one in _offsets(self.zone, year)])
        return known

    def _stretch(self, begins: int, ends: int, offset: int) -> Stretch:
        changes = self._days.changes((begins + offset) // DAY_S, (ends - 1 + offset) // DAY_S)
        return Stretch(begins * SECOND, ends * SECOND, offset * SECOND, changes=changes, usual=self._days.usual, day=self._days.day)


ROUND_THE_CLOCK_CALENDAR: Final = Calendar(name=ALWAYS)


def deadline(calendar: Calendar, start: datetime, target_s: float) -> datetime:
    """The first moment with ``target_s`` of open time since ``start``. A target of zero is due at once, open or not.

    Raises `Unprocessable`: a negative target, a year outside 1971..2200, or not that much open time within twenty years.
    """
    left = round(target_s * SECOND)
    if left < 0:
        raise Unprocessable("a negative target", field="target_s", remedy="zero or more seconds")
    if left == 0:
        return start.astimezone(UTC)
    begin, first = micros(start), _year_of(start, "start")
    left += calendar.year(first).before(begin)
    for year in range(first, min(first + YEARS_AHEAD_MAX, LAST_YEAR) + 1):
        opened = calendar.year(year)
        if left <= opened.total:
            return moment(opened.reached(left))
        left -= opened.total
    raise Unprocessable(
        f"the calendar is not open for {target_s:g} seconds within {YEARS_AHEAD_MAX} years",
        field="target_s", remedy="a shorter target, or a calendar that opens more",
    )  # fmt: skip


def elapsed(calendar: Calendar, start: datetime, end: datetime) -> float:
    """The open time between two moments, in seconds; zero where the end is not after the start. Raises as `deadline` does."""
    begin, stop = micros(start), micros(end)
    if stop <= begin:
        return 0.0
    first, last = _year_of(start, "start"), _year_of(end, "end")
    whole = sum(calendar.year(year).total for year in range(first, last))
    return (whole + calendar.year(last).before(stop) - calendar.year(first).before(begin)) / SECOND


def intervals(calendar: Calendar, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open intervals between two moments, in order, cut to them. Those that meet, at midnight or a new year, are joined."""
    begin, stop = micros(start), micros(end)
    held: Span | None = None
    for year in range(_year_of(start, "start"), _year_of(end, "end") + 1):
        for stretch in calendar.year(year).stretches:
            for first, last in stretch.pieces(begin, stop):
                if held is not None and held[1] == first:
                    held = (held[0], last)
                    continue
                if held is not None:
                    yield moment(held[0]), moment(held[1])
                held = (first, last)
    if held is not None:
        yield moment(held[0]), moment(held[1])


def unusual_days(calendar: Calendar, start: datetime, end: datetime) -> Iterator[tuple[date, str]]:
    """The days between two moments that an override or a holiday changes, with the holiday's name, empty for an override."""
    first, last = (day_number(at.astimezone(calendar.zone).date()) for at in (start, end))
    for day in range(first, last + 1):
        if day in calendar.overrides:
            yield day_date(day), ""
        elif calendar.holidays is not None and (name := calendar.holidays.name_of(day)) is not None:
            yield day_date(day), name


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (at - _EPOCH) // _US


def moment(instant: int) -> datetime:
    """The aware time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=instant)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH_DAY


def day_date(day: int) -> date:
    """The date of a day's number."""
    return date.fromordinal(day + _EPOCH_DAY)


def _year_of(at: datetime, field_name: str) -> int:
    year = at.astimezone(UTC).year
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Unprocessable(f"the year {year}", field=field_name, remedy=f"a year from {FIRST_YEAR} to {LAST_YEAR}")
    return year


@lru_cache(maxsize=_KEPT_OFFSETS_MAX)
def _offsets(zone: ZoneInfo, year: int) -> tuple[tuple[int, int, int], ...]:
    """The stretches of a year (UTC) with one offset each: from, until, seconds east of Greenwich."""
    begin, end = ((datetime(one, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) for one in (year, year + 1))
    found: list[tuple[int, int, int]] = []
    since = seen = begin
    offset = _offset(zone, begin)
    for point in (*range(begin + DAY_S, end, DAY_S), end - 1):
        now = _offset(zone, point)
        if now != offset:
            changed = _changed(zone, seen, point, offset)
            found.append((since, changed, offset))
            since, offset = changed, now
        seen = point
    found.append((since, end, offset))
    return tuple(found)


def _changed(zone: ZoneInfo, low: int, high: int, offset: int) -> int:
    """The second in which the offset is first another one, between ``low`` (still it) and ``high``."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, instant: int) -> int:
    return int((datetime.fromtimestamp(instant, zone).utcoffset() or timedelta()).total_seconds())

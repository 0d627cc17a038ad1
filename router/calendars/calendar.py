"""When a team works, and how long that is: open hours as intervals of time, deadlines and elapsed time counted in them. Pure.

A calendar is open while the clock on its wall shows a time within its hours. So a night shift over the change to summer time is an
hour shorter, the one over the change back an hour longer, and hours that the clock skips do not exist. A span whose end is not after
its start goes over midnight, and belongs to the day it begins on: a holiday takes the spans that begin on it and leaves the rest of
the night before.

**Units**: instants aware in, aware UTC out; inside, microseconds since 1970 in UTC, whole numbers, so that ``elapsed`` gives back to
the microsecond what ``deadline`` was asked for. Wall times are seconds since midnight, days are counted from 1970-01-01.
**Identity**: two calendars with equal fields are the same calendar.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from router.calendars.public_holidays import Holidays
from shared.errors import Unprocessable

DAY_S: Final = 24 * 3600
YEARS_AHEAD_MAX: Final = 20
FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_US: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
_UTC_ZONE: Final = ZoneInfo("UTC")

Span = tuple[int, int]
"""Seconds since midnight of the day it begins on; the end is after the start, and after 24 h where it goes over midnight."""
ROUND_THE_CLOCK: Final[tuple[Span, ...]] = ((0, DAY_S),)
ALWAYS: Final = "always"
"""The name of the calendar that counts every second; no other calendar can have it."""


@dataclass(frozen=True, slots=True)
class Open:
    """A year's open intervals, merged, with the open time before each."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    after: tuple[int, ...]  # open time of the year up to and with this interval

    @property
    def total(self) -> int:
        """The open time of the year."""
        return self.after[-1] if self.after else 0

    def before(self, at: int) -> int:
        """The open time of the year before an instant."""
        place = bisect_right(self.starts, at) - 1
        if place < 0:
            return 0
        return self.after[place] - max(0, self.stops[place] - at)

    def reached(self, open_us: int) -> int:
        """The first instant with that much open time before it, more than none and no more than the total."""
        place = bisect_left(self.after, open_us)
        return self.stops[place] - (self.after[place] - open_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Open hours by weekday (0 is Monday), None for round the clock; ``overrides`` by day win over holidays and hours."""

    name: str = ""
    zone: ZoneInfo = _UTC_ZONE
    week: tuple[tuple[Span, ...], ...] | None = None
    holidays: Holidays | None = None
    overrides: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    _years: dict[int, Open] = field(default_factory=dict, init=False, compare=False, repr=False)

    def is_open(self, at: datetime) -> bool:
        """Whether the team works at this moment."""
        instant, opened = micros(at), self.year(at.astimezone(UTC).year)
        place = bisect_right(opened.starts, instant) - 1
        return place >= 0 and instant < opened.stops[place]

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
        given = self.overrides.get(day)
        if given is not None:
            return given
        usual = ROUND_THE_CLOCK if self.week is None else self.week[(day + 3) % 7]
        return usual if self.holidays is None else self.holidays.left_of(day, usual)

    def year(self, year: int) -> Open:
        """The open intervals of a year (in UTC); computed once."""
        known = self._years.get(year)
        if known is None:
            known = self._years[year] = self._computed(year)
        return known

    def _computed(self, year: int) -> Open:
        pieces: list[Span] = []
        for begins, ends, offset in _offsets(self.zone, year):
            for day in range((begins + offset) // DAY_S - 1, (ends - 1 + offset) // DAY_S + 1):
                shift = day * DAY_S - offset
                for start, stop in self.spans(day):
                    first, last = max(shift + start, begins), min(shift + stop, ends)
                    if first < last:
                        pieces.append((first, last))
        starts: list[int] = []
        stops: list[int] = []
        for first, last in sorted(pieces):
            if stops and first <= stops[-1]:
                stops[-1] = max(stops[-1], last)
            else:
                starts.append(first)
                stops.append(last)
        total, after = 0, []
        for first, last in zip(starts, stops, strict=True):
            total += (last - first) * _SECOND
            after.append(total)
        return Open(tuple(one * _SECOND for one in starts), tuple(one * _SECOND for one in stops), tuple(after))


ROUND_THE_CLOCK_CALENDAR: Final = Calendar(name=ALWAYS)


def deadline(calendar: Calendar, start: datetime, target_s: float) -> datetime:
    """The first moment with ``target_s`` of open time since ``start``. A target of zero is due at once, open or not.

    Raises `Unprocessable`: a negative target, a year outside 1971..2200, or not that much open time within twenty years.
    """
    left = round(target_s * _SECOND)
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
    return (whole + calendar.year(last).before(stop) - calendar.year(first).before(begin)) / _SECOND


def intervals(calendar: Calendar, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open intervals between two moments, in order, cut to them. Those that meet at a new year (UTC) are joined."""
    begin, stop = micros(start), micros(end)
    held: Span | None = None
    for year in range(_year_of(start, "start"), _year_of(end, "end") + 1):
        opened = calendar.year(year)
        for first, last in zip(opened.starts, opened.stops, strict=True):
            first, last = max(first, begin), min(last, stop)
            if first >= last:
                continue
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


@lru_cache(maxsize=4096)
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

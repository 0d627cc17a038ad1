"""Open time by days and stretches: how much of it lies before an instant, and which instant has so much of it before. Pure.

A year is one stretch, or as many as the offset of its zone changes. In a stretch days follow one another without a gap, so that whole weeks
are counted by multiplication, and only the days that a holiday or an override changes one by one. What a day shows is made when it is asked
for. So hours of many spans cost hardly more than one span, also over twenty years.

**Units**: microseconds, whole numbers; of a day since its midnight on the wall, else since 1970 in UTC. Days are counted from 1970-01-01, a
Thursday. **Identity**: a stretch by where it begins.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

SECOND: Final = 1_000_000
DAY_US: Final = 24 * 3600 * SECOND

Piece = tuple[int, int]


@dataclass(frozen=True, slots=True)
class OpenDay:
    """When a wall clock shows open hours from one midnight to the next: merged, in order, with the open time up to and with each."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def total(self) -> int:
        """The open time of the day."""
        return self.after[-1] if self.after else 0

    def before(self, at: int) -> int:
        """The open time of the day before a time of it."""
        place = bisect_right(self.starts, at) - 1
        return 0 if place < 0 else self.after[place] - max(0, self.stops[place] - at)

    def reached(self, open_us: int) -> int:
        """The first time of the day with that much open time before it, more than none and no more than the total."""
        place = bisect_left(self.after, open_us)
        return self.stops[place] - (self.after[place] - open_us)

    def is_open(self, at: int) -> bool:
        """Whether a time of the day is within its hours."""
        place = bisect_right(self.starts, at) - 1
        return place >= 0 and at < self.stops[place]


def open_day(before: Sequence[Piece], own: Sequence[Piece]) -> OpenDay:
    """A day by its own spans and those of the day before, which may run over midnight; spans are seconds since their day's midnight."""
    pieces = [(start * SECOND - DAY_US, stop * SECOND - DAY_US) for start, stop in before]
    pieces += [(start * SECOND, stop * SECOND) for start, stop in own]
    starts: list[int] = []
    stops: list[int] = []
    for start, stop in sorted(pieces):
        first, last = max(start, 0), min(stop, DAY_US)
        if first >= last:
            continue
        if stops and first <= stops[-1]:
            stops[-1] = max(stops[-1], last)
        else:
            starts.append(first)
            stops.append(last)
    return OpenDay(tuple(starts), tuple(stops), tuple(accumulate(stop - start for start, stop in zip(starts, stops, strict=True))))


class Week:
    """The days of an unchanged week, 0 is Monday, with the open time before each of fourteen."""

    __slots__ = ("_before", "days", "total")

    def __init__(self, days: Sequence[OpenDay]) -> None:
        self.days = tuple(days)
        self._before = tuple(accumulate((day.total for day in self.days * 2), initial=0))
        self.total = self._before[7]

    def usual(self, day: int) -> OpenDay:
        """What a day shows where nothing changes it."""
        return self.days[weekday(day)]

    def open_time(self, first: int, until: int) -> int:
        """The open time of the days from ``first`` to before ``until``, were all of them usual."""
        weeks, rest = divmod(until - first, 7)
        begins = weekday(first)
        return weeks * self.total + self._before[begins + rest] - self._before[begins]


class Stretch:
    """A time with one offset: from, until, microseconds east of Greenwich. ``changes``: by how much some days differ from usual ones."""

    __slots__ = ("_before_first", "_changed", "_day", "_more", "_week", "begins", "ends", "offset", "total")

    def __init__(
        self, begins: int, ends: int, offset: int, *, usual: Week, changes: Mapping[int, int], day: Callable[[int], OpenDay]
    ) -> None:
        self.begins, self.ends, self.offset = begins, ends, offset
        self._week, self._day = usual, day
        self._changed = sorted(changes)
        self._more = list(accumulate((changes[one] for one in self._changed), initial=0))
        self._before_first = self._within(*self._wall(begins))
        self.total = self.before(ends)

    def before(self, at: int) -> int:
        """The open time of the stretch before an instant of it, or its end."""
        day, wall = self._wall(at)
        return self._until(day) + self._within(day, wall) - self._before_first

    def reached(self, open_us: int) -> int:
        """The first instant with that much open time of the stretch before it, more than none and no more than the total."""
        wanted = open_us + self._before_first
        first, last = self._wall(self.begins)[0], self._wall(self.ends - 1)[0]
        # The first day at whose end there is as much.
        day = first + bisect_left(range(first, last), wanted, key=lambda one: self._until(one + 1))
        return day * DAY_US - self.offset + self._day(day).reached(wanted - self._until(day))

    def pieces(self, since: int, until: int) -> Iterator[Piece]:
        """Its open intervals between two instants, cut to them, day by day."""
        since, until = max(since, self.begins), min(until, self.ends)
        if since >= until:
            return
        for day in range(self._wall(since)[0], self._wall(until - 1)[0] + 1):
            shift, shown = day * DAY_US - self.offset, self._day(day)
            for start, stop in zip(shown.starts, shown.stops, strict=True):
                first, last = max(shift + start, since), min(shift + stop, until)
                if first < last:
                    yield first, last

    def _wall(self, at: int) -> tuple[int, int]:
        """The day and its time that the wall shows at an instant."""
        return divmod(at + self.offset, DAY_US)

    def _within(self, day: int, wall: int) -> int:
        # Nobody asks for the day after the last one, with which another year of holidays would come.
        return self._day(day).before(wall) if wall else 0

    def _until(self, day: int) -> int:
        """The open time from the midnight before the stretch to that before a day."""
        first = (self.begins + self.offset) // DAY_US
        changed = self._more[bisect_left(self._changed, day)]
        return self._week.open_time(first, day) + changed


class OpenYear:
    """A year (UTC): its stretches, with the open time up to and with each."""

    __slots__ = ("_after", "_begins", "stretches", "total")

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self.stretches = tuple(stretches)
        self._begins = [one.begins for one in self.stretches]
        self._after = list(accumulate(one.total for one in self.stretches))
        self.total = self._after[-1]

    def before(self, at: int) -> int:
        """The open time of the year before an instant of it."""
        place = bisect_right(self._begins, at) - 1
        stretch = self.stretches[place]
        return self._after[place] - stretch.total + stretch.before(at)

    def reached(self, open_us: int) -> int:
        """The first instant with that much open time before it, more than none and no more than the total."""
        place = bisect_left(self._after, open_us)
        stretch = self.stretches[place]
        return stretch.reached(open_us - (self._after[place] - stretch.total))


def weekday(day: int) -> int:
    """0 is Monday."""
    return (day + 3) % 7

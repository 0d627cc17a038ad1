"""What each day of a calendar shows: its usual hours, or what a holiday or an override makes of them. Pure.

**Units**: spans are seconds since midnight of the day they begin on; days are counted from 1970-01-01. **Identity**: week, holidays, overrides.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

from router.calendars.open_time import OpenDay, Week, open_day, weekday
from router.calendars.public_holidays import Holidays

DAY_S: Final = 24 * 3600
Span = tuple[int, int]
"""Seconds since midnight of the day it begins on; the end is after the start, and after 24 h where it goes over midnight."""
ROUND_THE_CLOCK: Final[tuple[Span, ...]] = ((0, DAY_S),)


class Days:
    """Of one calendar. ``usual`` is its week where nothing changes it."""

    __slots__ = ("_changed", "_holidays", "_overrides", "_week", "usual")

    def __init__(
        self, week: Sequence[tuple[Span, ...]] | None, holidays: Holidays | None, overrides: Mapping[int, tuple[Span, ...]]
    ) -> None:
        self._week = (ROUND_THE_CLOCK,) * 7 if week is None else tuple(week)
        self._holidays = holidays
        self._overrides = overrides
        self._changed = sorted(overrides)
        self.usual = Week([open_day(self._week[place - 1], self._week[place]) for place in range(7)])

    def spans(self, day: int) -> Sequence[Span]:
        """The spans that begin on a day."""
        given = self._overrides.get(day)
        if given is not None:
            return given
        usual = self._week[weekday(day)]
        return usual if self._holidays is None else self._holidays.left_of(day, usual)

    def day(self, day: int) -> OpenDay:
        """What the wall clock shows of a day. Of an unusual one it is made anew, so that nobody keeps thousands."""
        if self._is_unusual(day) or self._is_unusual(day - 1):
            return open_day(self.spans(day - 1), self.spans(day))
        return self.usual.usual(day)

    def changes(self, first: int, last: int) -> dict[int, int]:
        """By how much open time the unusual days from one to another, both counted, differ from usual ones."""
        changed = self._changed[bisect_left(self._changed, first - 1) : bisect_right(self._changed, last)]
        held = [] if self._holidays is None else self._holidays.days_between(first - 1, last)
        # A night that begins on a changed day ends on the next.
        days = {day for one in (*changed, *held) for day in (one, one + 1) if first <= day <= last}
        return {day: self.day(day).total - self.usual.usual(day).total for day in days}

    def _is_unusual(self, day: int) -> bool:
        return day in self._overrides or (self._holidays is not None and self._holidays.name_of(day) is not None)

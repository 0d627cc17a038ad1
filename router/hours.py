"""A workspace's calendar: when it is open. Pure.

Settings: ``hours`` ``{"mon": [["09:00", "18:00"]], …}`` (a day that is missing is closed; none at all: always open), ``holidays``
a list of ISO dates, ``time_zone`` an IANA name. A span whose end is before its start goes over midnight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.errors import Unprocessable

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_Span = tuple[time, time]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Opening hours by weekday (0 is Monday), None for always open."""

    zone: tzinfo = UTC
    hours: Mapping[int, tuple[_Span, ...]] | None = None
    holidays: frozenset[date] = field(default_factory=frozenset)

    def is_open(self, at: datetime) -> bool:
        """Whether the workspace works at this moment."""
        local = at.astimezone(self.zone)
        if local.date() in self.holidays:
            return False
        if self.hours is None:
            return True
        now = local.time()
        for start, end in self.hours.get(local.weekday(), ()):
            if (start <= now < end) or (end <= start <= now):
                return True
        return any(end <= start and now < end for start, end in self.hours.get((local.weekday() - 1) % 7, ()))

    def facts(self, at: datetime) -> dict[str, Any]:
        """``now.*`` as rules see it: weekday 1 is Monday."""
        local = at.astimezone(self.zone)
        return {
            "open": self.is_open(at),
            "weekday": local.isoweekday(),
            "hour": local.hour,
            "holiday": local.date() in self.holidays,
        }


def calendar_of(settings: Mapping[str, Any]) -> Calendar:
    """The calendar in a workspace's settings. Raises `Unprocessable` naming the setting."""
    try:
        zone = ZoneInfo(str(settings.get("time_zone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Unprocessable(str(error), field="time_zone", remedy="like Europe/Istanbul") from error
    try:
        holidays = frozenset(date.fromisoformat(str(day)) for day in settings.get("holidays") or ())
    except ValueError as error:
        raise Unprocessable(str(error), field="holidays", remedy="dates like 2026-10-29") from error
    given = settings.get("hours")
    if not given:
        return Calendar(zone=zone, holidays=holidays)
    try:
        hours = {
            DAYS.index(day): tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in spans)
            for day, spans in given.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise Unprocessable(str(error), field="hours", remedy='like {"mon": [["09:00", "18:00"]]}') from error
    return Calendar(zone=zone, hours=hours, holidays=holidays)

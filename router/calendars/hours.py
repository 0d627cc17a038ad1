"""Calendars as they are written down: the document, its checks, and the calendar it becomes. Pure.

``hours`` ``{"mon": [["09:00", "12:30"], ["13:30", "18:00"]], …}``: a day that is missing is closed; left out altogether, the calendar is
open round the clock. A span whose end is not after its start goes over midnight; ``24:00`` is the end of the day.
``holidays`` names a country (and part) whose public holidays close it, ``overrides`` gives a date hours of its own, ``[]`` for none.

A workspace's default calendar is the one named ``default``. Where there is none, its settings make one: ``time_zone``, and ``hours`` and
``holidays`` (a list of dates) of settings that were stored before calendars existed.

**Units**: wall times ``HH:MM``, dates ISO 8601. Identity: a calendar by its name in a workspace.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, Literal
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, ValidationError, WithJsonSchema

from router.calendars.calendar import Calendar, day_number, intervals
from router.calendars.days import DAY_S, Span
from router.calendars.public_holidays import PUBLIC, Holidays, checked_holidays, countries
from shared.errors import Unprocessable
from shared.given import Given
from shared.time_zones import zone_of

DEFAULT: Final = "default"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPENS_WITHIN: Final = timedelta(days=400)
OVERRIDES_MAX: Final = 1000
_SPANS_MAX: Final = 24
_WALL: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"
_HELD: Final[WeakValueDictionary[bytes, Calendar]] = WeakValueDictionary()
_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Wall = Annotated[str, Field(pattern=_WALL)]
Begin = Annotated[Wall, WithJsonSchema({"type": "string", "pattern": _WALL.partition("|^24")[0]})]
"""The end of a day begins nothing, which is told with its remedy below."""
Spans = Annotated[list[tuple[Begin, Wall]], Field(max_length=_SPANS_MAX)]


class HolidaysDocument(Given):
    """Whose public holidays close the calendar. On a half day work ends at ``half_day_until``."""

    model_config = ConfigDict(frozen=True)

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", json_schema_extra=lambda schema: schema.update(enum=sorted(countries())))]
    subdivision: Annotated[str, Field(max_length=20)] | None = None
    categories: Annotated[list[str], Field(min_length=1, max_length=20)] = Field(default_factory=lambda: [PUBLIC])
    half_day_until: Wall = "13:00"


class CalendarDocument(Given):
    """When a team works."""

    model_config = ConfigDict(frozen=True)

    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    hours: dict[Day, Spans] | None = None
    holidays: HolidaysDocument | None = None
    overrides: Annotated[dict[Annotated[str, Field(pattern=_DATE)], Spans], Field(max_length=OVERRIDES_MAX)] = Field(
        default_factory=dict
    )


def calendar_from(document: Mapping[str, Any], *, name: str = "") -> Calendar:
    """The calendar a stored or given document says. Raises `Unprocessable` naming the member and the remedy."""
    try:
        parsed = CalendarDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise Unprocessable(first["msg"], field=where or "calendar", remedy=_REMEDIES.get(where.split(".")[0])) from error
    return Calendar(
        name=name,
        zone=_zone(parsed.time_zone),
        week=None if parsed.hours is None else tuple(_spans(parsed.hours.get(day, ()), f"hours.{day}") for day in DAYS),
        holidays=_holidays(parsed.holidays),
        overrides={_day(given): _spans(spans, f"overrides.{given}") for given, spans in parsed.overrides.items()},
    )


def kept_calendar(document: Mapping[str, Any], *, name: str = "") -> Calendar:
    """The same, for what is read again and again: while anybody holds the calendar of an equal document, that one, with its years.

    Nothing is kept that the configuration in memory does not hold. Raises as `calendar_from`. For any thread.
    """
    said = json.dumps([name, document], sort_keys=True, ensure_ascii=False, default=str)
    key = hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()
    calendar = _HELD.get(key)
    if calendar is None:
        calendar = _HELD[key] = calendar_from(document, name=name)
    return calendar


def checked_calendar(document: Mapping[str, Any], *, name: str = "", now: datetime) -> Calendar:
    """The same for a calendar that somebody saves: also refuses hours that overlap and one that does not open in 400 days."""
    calendar = calendar_from(document, name=name)
    _check_week(calendar.week)
    if next(intervals(calendar, now, now + OPENS_WITHIN), None) is None:
        raise Unprocessable(
            f"the calendar does not open in the coming {OPENS_WITHIN.days} days",
            field="overrides" if calendar.week is None or any(calendar.week) else "hours",
            remedy='give it hours, like {"mon": [["09:00", "18:00"]]}; leave hours out for round the clock',
        )  # fmt: skip
    return calendar


def calendar_of(settings: Mapping[str, Any]) -> Calendar:
    """The default calendar in a workspace's settings. Raises `Unprocessable` naming the setting."""
    document: dict[str, Any] = {"time_zone": str(settings.get("time_zone") or "UTC")}
    if settings.get("hours"):
        document["hours"] = settings["hours"]
    days = settings.get("holidays") or ()
    if isinstance(days, str) or not isinstance(days, Sequence):
        raise Unprocessable("not a list", field="holidays", remedy=_REMEDIES["overrides"])
    document["overrides"] = {str(day): [] for day in days}
    return kept_calendar(document, name=DEFAULT)


_REMEDIES: Final[Mapping[str, str]] = {
    "time_zone": "like Europe/Istanbul",
    "hours": 'like {"mon": [["09:00", "12:30"], ["13:30", "18:00"]]}',
    "holidays": 'like {"country": "TR", "categories": ["public", "half_day"]}',
    "overrides": 'dates like {"2026-10-29": [], "2026-12-31": [["09:00", "13:00"]]}',
}


def _zone(name: str) -> ZoneInfo:
    zone = zone_of(name)
    if zone is None:
        raise Unprocessable(f"no time zone {name!r}", field="time_zone", remedy=_REMEDIES["time_zone"])
    return zone


def _holidays(given: HolidaysDocument | None) -> Holidays | None:
    if given is None:
        return None
    return checked_holidays(
        Holidays(
            country=given.country, subdivision=given.subdivision, categories=tuple(dict.fromkeys(given.categories)),
            half_day_until_s=_seconds(given.half_day_until),
        )
    )  # fmt: skip


def _day(given: str) -> int:
    try:
        return day_number(date.fromisoformat(given))
    except ValueError as error:
        raise Unprocessable(f"no such date: {given}", field=f"overrides.{given}", remedy=_REMEDIES["overrides"]) from error


def _seconds(wall: str) -> int:
    return int(wall[:2]) * 3600 + int(wall[3:]) * 60


def _spans(given: Sequence[tuple[str, str]], where: str) -> tuple[Span, ...]:
    """Spans in order. Raises `Unprocessable` where two of a day overlap, or one begins at its end of the day."""
    spans: list[Span] = []
    for start, end in given:
        first, last = _seconds(start), _seconds(end)
        if first == DAY_S:
            raise Unprocessable("a span begins at 24:00", field=where, remedy="let it begin at 00:00 of the next day")
        spans.append((first, last if last > first else last + DAY_S))
    spans.sort()
    for one, other in pairwise(spans):
        if other[0] < one[1]:
            raise Unprocessable(f"{_said(one)} and {_said(other)} overlap", field=where, remedy="join them, or part them")
    return tuple(spans)


def _check_week(week: Sequence[Sequence[Span]] | None) -> None:
    """Refuses a night that runs into the next day's hours."""
    for place, spans in enumerate(week or ()):
        after = (place + 1) % 7
        nights = [span for span in spans if span[1] > DAY_S]
        for night in nights:
            for span in (week or ())[after]:
                if span[0] < night[1] - DAY_S:
                    raise Unprocessable(
                        f"{_said(night)} of {DAYS[place]} runs into {_said(span)}",
                        field=f"hours.{DAYS[after]}", remedy="end the night where the day begins",
                    )  # fmt: skip


def _said(span: Span) -> str:
    start, end = (f"{one % DAY_S // 3600:02}:{one % 3600 // 60:02}" for one in span)
    return f"{start}–{'24:00' if span[1] == DAY_S else end}"

"""What a calendar costs whoever counts by it: as much with many spans as with one, over twenty years, and no more when it is read again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from router.calendars.calendar import Calendar, deadline, elapsed
from router.calendars.deadline import SPANS_MAX, reckoned
from router.calendars.hours import DAYS, calendar_from, calendar_of
from router.calendars.store import calendars_of

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTES = {day: [[f"{hour:02}:00", f"{hour:02}:01"] for hour in range(24)] for day in DAYS}
NINETEEN_YEARS_S = 24 * 60 * 365 * 19
WORKSPACE = UUID(int=7)


class CountedDays(dict[int, Any]):
    """Overrides that say how often a day is looked up."""

    looked_at = 0

    def get(self, day: int, default: Any = None) -> Any:
        self.looked_at += 1
        return super().get(day, default)

    def __contains__(self, day: object) -> bool:
        self.looked_at += 1
        return super().__contains__(day)


def test_nineteen_years_are_counted_by_whole_weeks() -> None:
    closed = CountedDays({10_000: ()})
    week = tuple(tuple((hour * 3600, hour * 3600 + 60) for hour in range(24)) for _ in DAYS)
    calendar = Calendar(zone=ZoneInfo("Europe/Istanbul"), week=week, overrides=closed)
    due = deadline(calendar, NOW, NINETEEN_YEARS_S)
    assert due == datetime(2045, 11, 18, 8, 1, tzinfo=UTC), "365 days of 24 minutes, nineteen times"
    assert closed.looked_at < 25 * 12, "some days of each year, of which one has 365"
    before = closed.looked_at
    assert elapsed(calendar, NOW, due) == NINETEEN_YEARS_S
    assert deadline(calendar, NOW + timedelta(days=1), NINETEEN_YEARS_S) > due
    assert closed.looked_at - before < 40, "years are made once"


def test_now_is_looked_up_without_a_year() -> None:
    closed = CountedDays()
    calendar = Calendar(overrides=closed)
    assert calendar.facts(NOW) == {"open": True, "weekday": 1, "hour": 9, "holiday": False}
    assert closed.looked_at <= 4


def test_the_worst_calendar_is_nobodys_wait() -> None:
    documents: Iterator[dict[str, Any]] = iter(
        [
            {"time_zone": "Europe/Berlin", "hours": MINUTES},
            {"time_zone": "America/New_York", "hours": MINUTES, "holidays": {"country": "US", "subdivision": "CA"}},
            {
                "time_zone": "Europe/Istanbul", "hours": MINUTES,
                "overrides": {(date(2026, 11, 23) + timedelta(days=2 * n)).isoformat(): MINUTES["mon"] for n in range(1000)},
            },
        ]
    )  # fmt: skip
    for document in documents:
        calendar = calendar_from(document)
        began = time.thread_time()
        deadline(calendar, NOW, NINETEEN_YEARS_S)
        assert time.thread_time() - began < 0.3
        began = time.thread_time()
        for _ in range(100):
            deadline(calendar, NOW, NINETEEN_YEARS_S)
        assert time.thread_time() - began < 0.3, "again"


def row(**values: Any) -> dict[str, Any]:
    return {
        "workspace_id": WORKSPACE, "name": "magaza", "time_zone": "UTC", "hours": MINUTES, "holidays": None, "overrides": {}, **values,
    }  # fmt: skip


def test_a_calendar_that_did_not_change_is_the_same_when_it_is_read_again() -> None:
    held = calendars_of([row()])["magaza"]
    assert calendars_of([row(title="x")])["magaza"] is held
    for other in (row(name="baska"), row(time_zone="Europe/Istanbul"), row(overrides={"2026-12-01": []}), row(hours=None)):
        (made,) = calendars_of([other]).values()
        assert made is not held
    settings = {"time_zone": "Europe/Istanbul", "holidays": ["2026-12-01"]}
    usual = calendar_of(settings)
    assert calendar_of({**settings}) is usual


def test_nothing_is_kept_that_nobody_holds() -> None:
    calendar = calendars_of([row()])["magaza"]
    deadline(calendar, NOW, NINETEEN_YEARS_S)
    made = calendar.year(2027)
    del calendar
    again = calendars_of([row()])["magaza"]
    assert again.year(2027) is not made


def test_a_reckoning_shows_its_first_spans_and_counts_the_others() -> None:
    found = reckoned(calendar_from({"hours": MINUTES}), NOW, 60 * 1000)
    assert (len(found.spans), found.spans_left_out) == (SPANS_MAX, 1000 - SPANS_MAX)

"""Calendars: cases computed by hand, and properties against the definition itself, tested minute by minute."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.calendars.calendar import ROUND_THE_CLOCK_CALENDAR, Calendar, deadline, elapsed, intervals, unusual_days
from router.calendars.hours import DAYS, calendar_from, checked_calendar
from shared.errors import Unprocessable

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OFFICE = {day: [["09:00", "18:00"]] for day in DAYS[:5]}
SPLIT = {day: [["09:00", "12:30"], ["13:30", "18:00"]] for day in DAYS[:5]}
NIGHTS = {day: [["22:00", "06:00"]] for day in DAYS}
HOUR = 3600


def local(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def due(document: dict[str, Any], start: str, hours: float) -> str:
    """The deadline on the wall of the calendar's zone, with its offset."""
    calendar = calendar_from(document)
    return deadline(calendar, local(document["time_zone"], start), hours * HOUR).astimezone(calendar.zone).isoformat()


BERLIN = "Europe/Berlin"
ISTANBUL = "Europe/Istanbul"
BY_HAND = [
    # inside a day; over the end of a day; over a weekend
    (BERLIN, OFFICE, "2026-11-23T10:00", 4, "2026-11-23T14:00:00+01:00"),
    (BERLIN, OFFICE, "2026-11-23T16:00", 4, "2026-11-24T11:00:00+01:00"),
    (BERLIN, OFFICE, "2026-11-20T17:00", 2, "2026-11-23T10:00:00+01:00"),
    # exactly to the end of the hours, and one minute more
    (BERLIN, OFFICE, "2026-11-23T14:00", 4, "2026-11-23T18:00:00+01:00"),
    (BERLIN, OFFICE, "2026-11-23T14:01", 4, "2026-11-24T09:01:00+01:00"),
    # a start outside the hours counts from the opening; a target of zero is due at once
    (BERLIN, OFFICE, "2026-11-21T03:00", 4, "2026-11-23T13:00:00+01:00"),
    (BERLIN, OFFICE, "2026-11-21T03:00", 0, "2026-11-21T03:00:00+01:00"),
    # split shifts: the break does not count
    (ISTANBUL, SPLIT, "2026-11-23T11:30", 4, "2026-11-23T16:30:00+03:00"),
    (ISTANBUL, SPLIT, "2026-11-23T12:45", 0.5, "2026-11-23T14:00:00+03:00"),
    (ISTANBUL, SPLIT, "2026-11-20T17:00", 5, "2026-11-23T14:00:00+03:00"),
    # the hour that is skipped (02:00 to 03:00 on 29 March): the night has seven hours
    (BERLIN, NIGHTS, "2026-03-28T22:00", 4, "2026-03-29T03:00:00+02:00"),
    (BERLIN, NIGHTS, "2026-03-28T22:00", 7, "2026-03-29T06:00:00+02:00"),
    (BERLIN, NIGHTS, "2026-03-28T22:00", 8, "2026-03-29T23:00:00+02:00"),
    # the hour that comes twice (02:00 to 03:00 on 25 October): the night has nine
    (BERLIN, NIGHTS, "2026-10-24T22:00", 8, "2026-10-25T05:00:00+01:00"),
    (BERLIN, NIGHTS, "2026-10-24T22:00", 9, "2026-10-25T06:00:00+01:00"),
    (BERLIN, None, "2026-03-28T22:00", 4, "2026-03-29T03:00:00+02:00"),
    (BERLIN, None, "2026-03-01T12:00", 24 * 30, "2026-03-31T13:00:00+02:00"),
    ("America/New_York", None, "2026-03-07T22:00", 4, "2026-03-08T03:00:00-04:00"),
    ("America/New_York", None, "2026-10-31T22:00", 4, "2026-11-01T01:00:00-05:00"),
    ("America/New_York", OFFICE, "2026-03-06T17:00", 2, "2026-03-09T10:00:00-04:00"),
    ("America/New_York", NIGHTS, "2026-03-07T22:00", 8, "2026-03-08T23:00:00-04:00"),
    # Lord Howe moves by half an hour: 02:00 to 02:30 on 4 October is skipped, 01:30 to 02:00 on 5 April comes twice
    ("Australia/Lord_Howe", None, "2026-10-04T01:00", 2, "2026-10-04T03:30:00+11:00"),
    ("Australia/Lord_Howe", NIGHTS, "2026-10-03T22:00", 7.5, "2026-10-04T06:00:00+11:00"),
    ("Australia/Lord_Howe", NIGHTS, "2026-04-04T22:00", 8.5, "2026-04-05T06:00:00+10:30"),
    # Istanbul has had one offset since 2016
    (ISTANBUL, NIGHTS, "2026-03-28T22:00", 8, "2026-03-29T06:00:00+03:00"),
    (ISTANBUL, NIGHTS, "2026-10-24T22:00", 8, "2026-10-25T06:00:00+03:00"),
    # hours that the clock skips do not exist, those that it shows twice are worked twice
    (BERLIN, {"sun": [["02:15", "02:45"], ["09:00", "10:00"]]}, "2026-03-29T00:00", 1, "2026-03-29T10:00:00+02:00"),
    (BERLIN, {"sun": [["02:15", "02:45"], ["09:00", "10:00"]]}, "2026-10-25T00:00", 1, "2026-10-25T02:45:00+01:00"),
]


@pytest.mark.parametrize(("zone", "hours", "start", "target_h", "expected"), BY_HAND)
def test_deadlines_computed_by_hand(zone: str, hours: Any, start: str, target_h: float, expected: str) -> None:
    assert due({"time_zone": zone, "hours": hours}, start, target_h) == expected


def test_turkish_holidays_close_and_half_days_end_at_one() -> None:
    turkey: dict[str, Any] = {
        "time_zone": ISTANBUL, "hours": SPLIT, "holidays": {"country": "TR", "categories": ["public", "half_day"]},
    }  # fmt: skip
    # Wednesday 28 October ends at 13:00 (so at 12:30, the break), the 29th is Republic Day, the 30th a Friday.
    assert due(turkey, "2026-10-28T12:00", 1) == "2026-10-30T09:30:00+03:00"
    # Kurban Bayramı 2026: half of the 26th of May (Tuesday), closed from the 27th to the 30th, then a weekend.
    assert due(turkey, "2026-05-26T09:00", 4) == "2026-06-01T09:30:00+03:00"
    assert due(turkey | {"holidays": None}, "2026-05-26T09:00", 4) == "2026-05-26T14:00:00+03:00"
    assert due(turkey | {"hours": OFFICE}, "2026-10-28T12:00", 2) == "2026-10-30T10:00:00+03:00"
    until = {"country": "TR", "categories": ["public", "half_day"], "half_day_until": "15:30"}
    assert due(turkey | {"hours": OFFICE, "holidays": until}, "2026-10-28T12:00", 4) == "2026-10-30T09:30:00+03:00"
    # Only public ones: the eve is worked to its end.
    public = turkey | {"holidays": {"country": "TR"}}
    assert due(public, "2026-10-28T12:00", 1) == "2026-10-28T14:00:00+03:00"
    # What the workspace says of a date wins over the estimate.
    said = turkey | {"overrides": {"2026-05-27": [["10:00", "12:00"]], "2026-06-01": []}}
    assert due(said, "2026-05-26T09:00", 4) == "2026-05-27T10:30:00+03:00"
    assert due(said, "2026-05-26T09:00", 6) == "2026-06-02T09:30:00+03:00"
    calendar = calendar_from(said)
    named = dict(unusual_days(calendar, local(ISTANBUL, "2026-05-26T00:00"), local(ISTANBUL, "2026-05-28T12:00")))
    assert list(named) == [date(2026, 5, 26), date(2026, 5, 27), date(2026, 5, 28)]
    assert named[date(2026, 5, 27)] == ""
    assert named[date(2026, 5, 28)] == "Eid al-Adha"
    assert calendar.facts(local(ISTANBUL, "2026-05-28T10:30")) == {"open": False, "weekday": 4, "hour": 10, "holiday": True}
    assert calendar.facts(local(ISTANBUL, "2026-05-27T10:30"))["holiday"] is False
    assert calendar.facts(local(ISTANBUL, "2026-05-26T10:30")) == {"open": True, "weekday": 2, "hour": 10, "holiday": False}


def test_holidays_of_a_part_of_a_country() -> None:
    bavaria = {"time_zone": BERLIN, "hours": OFFICE, "holidays": {"country": "DE", "subdivision": "BY"}}
    assert due(bavaria, "2026-01-05T17:00", 2) == "2026-01-07T10:00:00+01:00"  # Epiphany
    assert due(bavaria | {"holidays": {"country": "DE"}}, "2026-01-05T17:00", 2) == "2026-01-06T10:00:00+01:00"


def test_a_night_belongs_to_the_day_it_begins_on() -> None:
    calendar = calendar_from({"time_zone": ISTANBUL, "hours": NIGHTS, "overrides": {"2026-11-25": []}})
    assert calendar.is_open(local(ISTANBUL, "2026-11-25T05:59"))
    assert not calendar.is_open(local(ISTANBUL, "2026-11-25T23:00"))
    assert not calendar.is_open(local(ISTANBUL, "2026-11-26T05:59"))


SPANS = st.lists(st.integers(0, 47), min_size=0, max_size=6, unique=True).map(sorted).map(
    lambda cuts: [[_wall(a), _wall(b)] for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
)  # fmt: skip
ZONES = st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", ISTANBUL, "Asia/Kathmandu", "UTC"])


def _wall(half_hours: int) -> str:
    return f"{half_hours // 2:02}:{half_hours % 2 * 30:02}"


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    hours = {day: draw(SPANS) for day in DAYS}
    nights = draw(st.sets(st.sampled_from(DAYS)))
    for day in nights:
        hours[day] = [[start, end] for start, end in hours[day] if end <= "20:00"] + [
            ["22:00", draw(st.sampled_from(["01:30", "05:00"]))]
        ]
    document: dict[str, Any] = {"time_zone": draw(ZONES), "hours": {**hours, "wed": [["09:00", "12:00"]]}}
    if draw(st.booleans()):
        document["holidays"] = {"country": "TR", "categories": ["public", "half_day"]}
    days = draw(st.lists(st.dates(date(2026, 3, 1), date(2026, 11, 30)), max_size=4))
    document["overrides"] = {day.isoformat(): draw(SPANS) for day in days}
    return calendar_from(document)


STARTS = st.datetimes(datetime(2026, 2, 1), datetime(2026, 12, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
CHANGES = st.sampled_from(
    [datetime(2026, month, day, 12, tzinfo=UTC) for month, day in ((3, 7), (3, 28), (4, 4), (10, 3), (10, 24), (10, 31))]
)
NEAR_A_CHANGE = st.builds(lambda at, minutes: at + timedelta(minutes=minutes), CHANGES, st.integers(-600, 1200))
TARGETS = st.integers(0, 300 * HOUR * 1_000_000).map(lambda us: us / 1_000_000)


def _open_by_definition(calendar: Calendar, at: datetime) -> bool:
    """Whether the clock on the wall shows a time within the hours, asked of the document's words alone."""
    wall = at.astimezone(calendar.zone)
    second = wall.hour * HOUR + wall.minute * 60 + wall.second
    day = wall.date().toordinal() - date(1970, 1, 1).toordinal()
    return any(start <= second < stop for start, stop in calendar.spans(day)) or any(
        start <= second + 24 * HOUR < stop for start, stop in calendar.spans(day - 1)
    )


@given(calendars(), NEAR_A_CHANGE)
@settings(max_examples=60)
def test_elapsed_is_what_the_wall_clock_shows(calendar: Calendar, start: datetime) -> None:
    start = start.replace(minute=start.minute - start.minute % 15, second=0, microsecond=0)
    minutes = [start + timedelta(minutes=15 * n) for n in range(4 * 36)]
    opened = [one for one in minutes if _open_by_definition(calendar, one)]
    assert [one for one in minutes if calendar.is_open(one)] == opened
    assert elapsed(calendar, start, minutes[-1] + timedelta(minutes=15)) == 900 * len(opened)


@given(calendars(), STARTS | NEAR_A_CHANGE, TARGETS, TARGETS)
@settings(max_examples=200)
def test_deadline_and_elapsed_agree(calendar: Calendar, start: datetime, target_s: float, more_s: float) -> None:
    end = deadline(calendar, start, target_s)
    assert end >= start
    assert elapsed(calendar, start, end) == target_s
    if target_s > 0:  # the first such moment
        assert elapsed(calendar, start, end - timedelta(microseconds=1)) < target_s
    later = deadline(calendar, end, more_s)
    assert later == deadline(calendar, start, round(target_s * 1e6 + more_s * 1e6) / 1e6)
    assert deadline(calendar, start, max(target_s, more_s)) >= deadline(calendar, start, min(target_s, more_s))
    assert sum((stop - first).total_seconds() for first, stop in intervals(calendar, start, end)) == pytest.approx(target_s)


@given(calendars(), STARTS, STARTS, TARGETS)
def test_a_later_start_is_never_due_earlier(calendar: Calendar, one: datetime, other: datetime, target_s: float) -> None:
    assert deadline(calendar, min(one, other), target_s) <= deadline(calendar, max(one, other), target_s)
    middle = min(one, other) + (max(one, other) - min(one, other)) / 2
    parts = elapsed(calendar, min(one, other), middle) + elapsed(calendar, middle, max(one, other))
    assert parts == pytest.approx(elapsed(calendar, min(one, other), max(one, other)), abs=1e-5)
    assert elapsed(calendar, max(one, other), min(one, other)) == 0.0


@given(STARTS, TARGETS)
def test_round_the_clock_is_plain_time(start: datetime, target_s: float) -> None:
    assert deadline(ROUND_THE_CLOCK_CALENDAR, start, target_s) == start + timedelta(seconds=target_s)


def test_a_year_ahead_takes_less_than_a_millisecond() -> None:
    calendar = calendar_from({"time_zone": BERLIN, "hours": SPLIT, "holidays": {"country": "TR"}})
    start = datetime(2026, 1, 5, tzinfo=UTC)
    deadline(calendar, start, 2000 * HOUR)
    best = min(_took_s(calendar, start) for _ in range(20))
    assert best < 0.001
    assert deadline(calendar, start, 2000 * HOUR).year == 2026


def _took_s(calendar: Calendar, start: datetime) -> float:
    began = time.process_time()
    deadline(calendar, start, 2000 * HOUR)
    return time.process_time() - began


REFUSED = [
    ({"time_zone": "Mars/Base"}, "time_zone"),
    ({"time_zone": "../etc/passwd"}, "time_zone"),
    ({"hours": {"monday": []}}, "hours.monday"),
    ({"hours": {"mon": [["9:00", "18:00"]]}}, "hours.mon.0.0"),
    ({"hours": {"mon": [["09:00", "25:00"]]}}, "hours.mon.0.1"),
    ({"hours": {"mon": [["24:00", "02:00"]]}}, "hours.mon"),
    ({"hours": {"mon": [["09:00", "13:00"], ["12:30", "18:00"]]}}, "hours.mon"),
    ({"hours": {"mon": [["22:00", "06:00"]], "tue": [["05:00", "09:00"]]}}, "hours.tue"),
    ({"hours": {"sun": [["22:00", "06:00"]], "mon": [["05:00", "09:00"]]}}, "hours.mon"),
    ({"hours": {}}, "hours"),
    ({"hours": {"mon": []}}, "hours"),
    ({"hours": OFFICE, "holidays": {"country": "XX"}}, "holidays.country"),
    ({"hours": OFFICE, "holidays": {"country": "DE", "subdivision": "XX"}}, "holidays.subdivision"),
    ({"hours": OFFICE, "holidays": {"country": "TR", "categories": ["bank"]}}, "holidays.categories"),
    ({"overrides": {"2026-02-30": []}}, "overrides.2026-02-30"),
    ({"overrides": {"30.10.2026": []}}, "overrides.30.10.2026"),
    ({"overrides": {"2026-10-30": [["10:00", "12:00"], ["11:00", "13:00"]]}}, "overrides.2026-10-30"),
    ({"hours": {"mon": [["09:00", "18:00"]]}, "surprise": 1}, "surprise"),
    ({"overrides": {(date(2026, 11, 22) + timedelta(days=n)).isoformat(): [] for n in range(410)}}, "overrides"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "field"), REFUSED)
def test_bad_calendars_are_refused_with_field_and_remedy(document: dict[str, Any], field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        checked_calendar(document, now=NOW)
    assert refused.value.field == field
    assert refused.value.remedy or "surprise" in field


def test_good_calendars_pass() -> None:
    for hours in (None, OFFICE, SPLIT, NIGHTS, {"mon": [["00:00", "24:00"]], "tue": [["00:00", "00:00"]]}):
        assert checked_calendar({"time_zone": BERLIN, "hours": hours}, now=NOW)


def test_what_cannot_be_computed_is_said() -> None:
    closed = calendar_from({"hours": {}})
    with pytest.raises(Unprocessable, match="within 20 years"):
        deadline(closed, NOW, 1)
    assert deadline(closed, NOW, 0) == NOW
    assert elapsed(closed, NOW, NOW + timedelta(days=1000)) == 0
    with pytest.raises(Unprocessable, match="negative"):
        deadline(closed, NOW, -1)
    with pytest.raises(Unprocessable, match="the year 9999"):
        deadline(ROUND_THE_CLOCK_CALENDAR, datetime(9999, 12, 31, tzinfo=UTC), 10)

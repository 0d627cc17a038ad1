"""Local times of a call in the hours that a clock shows twice, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ingest.phone.times import moments

BERLIN = ZoneInfo("Europe/Berlin")
BACK, ON = "2026-10-25 ", "2026-03-29 "


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007


@pytest.mark.parametrize(
    ("start", "answer", "end", "duration_s", "billsec_s", "ids", "found"),
    [
        (BACK + "02:50:00", BACK + "02:51:00", BACK + "02:10:00", 1200, 1140, (), ("00:50", "00:51", "01:10")),
        (BACK + "02:50:00", BACK + "02:05:00", BACK + "02:10:00", 1200, 300, (), ("00:50", "01:05", "01:10")),
        (BACK + "02:10:00", BACK + "02:11:00", BACK + "02:20:00", 600, 540, (), ("00:10", "00:11", "00:20")),
        (BACK + "02:10:00", BACK + "02:11:00", BACK + "02:20:00", 4200, 4140, (), ("00:10", "00:11", "01:20")),
        (BACK + "02:10:00", "", BACK + "02:20:00", 600, 0, ("pbx-1792890600.4",), ("01:10", None, "01:20")),
        (BACK + "02:10:00", "", BACK + "02:20:00", 600, 0, ("1792887000.4",), ("00:10", None, "00:20")),
        (BACK + "01:50:00", BACK + "01:51:00", BACK + "03:10:00", 8400, 8340, (), ("23:50", "23:51", "02:10")),
        (BACK + "02:50:00", "", BACK + "02:10:00", None, None, (), ("00:50", None, "01:10")),
        (ON + "01:50:00", ON + "01:51:00", ON + "03:10:00", 1200, 1140, (), ("00:50", "00:51", "01:10")),
        (ON + "02:30:00", ON + "02:31:00", ON + "03:40:00", 600, 540, (), ("01:30", "01:31", "01:40")),
        (ON + "02:30:00", ON + "02:31:00", ON + "03:40:00", 4200, 4140, (), ("00:30", "00:31", "01:40")),
        (ON + "01:50:00", ON + "01:51:00", ON + "02:10:00", 1200, 1140, (), ("00:50", "00:51", "01:10")),
        ("2026-07-01 12:00:00", "2026-07-01 12:00:10", "2026-07-01 12:01:00", 0, 0, (), ("10:00", "10:00", "10:01")),
    ],
)
def test_what_was_counted_says_which_hour_was_meant(
    start: str, answer: str, end: str, duration_s: int | None, billsec_s: int | None, ids: tuple[str, ...], found: tuple[str, ...]
) -> None:
    when = moments(
        BERLIN,
        start=at(start),
        answer=at(answer) if answer else None,
        end=at(end),
        duration_s=duration_s,
        billsec_s=billsec_s,
        ids=ids,
    )
    shown = tuple(None if one is None else one.astimezone(UTC).strftime("%H:%M") for one in (when.start, when.answer, when.end))
    assert shown == found

"""The governor of loops: its limits at their edges, and that no stream of messages ever gets past one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.commands.loop_governor import LIMITS, LOOKED_AT, Stop, stop_of

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def ago(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=one) for one in seconds]


@pytest.mark.parametrize(("most", "minutes"), LIMITS)
def test_a_limit_holds_until_its_oldest_message_is_out_of_the_window(most: int, minutes: int) -> None:
    inside = minutes * 60 - 1
    # Everything at the far end of the window, where no shorter limit looks.
    assert stop_of(ago(*[inside] * (most - 1)), NOW) is None
    assert stop_of(ago(*[inside] * most), NOW) == Stop(reason="too_many", messages=most, minutes=minutes, again_s=2)
    assert stop_of(ago(*[minutes * 60] * most), NOW) is None or most < LOOKED_AT


def test_a_machine_is_not_answered_even_once() -> None:
    assert stop_of([], NOW, machine_wrote=True) == Stop(reason="machine_wrote")
    assert stop_of([], NOW, forbidden=True) == Stop(reason="forbidden")
    assert stop_of([], NOW) is None


@given(st.lists(st.integers(0, 1200), min_size=1, max_size=300))
def test_whatever_is_tried_no_window_holds_more_than_its_limit(gaps_s: list[int]) -> None:
    at, sent = NOW, list[datetime]()
    for gap in gaps_s:
        at += timedelta(seconds=gap)
        if stop_of(sent[:LOOKED_AT], at) is None:
            sent.insert(0, at)
    for most, minutes in LIMITS:
        for place, one in enumerate(sent):
            within = [other for other in sent[place:] if one - other < timedelta(minutes=minutes)]
            assert len(within) <= most


@given(st.lists(st.integers(0, 40_000), max_size=120))
def test_after_the_time_it_tells_it_may_go(seconds: list[int]) -> None:
    sent = ago(*sorted(seconds))
    stop = stop_of(sent, NOW)
    if stop is not None:
        assert stop.again_s is not None
        assert stop_of(sent, NOW + timedelta(seconds=stop.again_s)) is None

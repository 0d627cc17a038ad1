"""Service levels: which target holds, and what a clock does in the life of an item."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.calendars.calendar import ROUND_THE_CLOCK_CALENDAR, Calendar, elapsed
from router.calendars.hours import calendar_from
from router.calendars.sla import Chosen, Clock, Sla, Target, Work, looked_at, moved, started, target_for

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OFFICE = calendar_from({"time_zone": "UTC", "hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}})
HOUR = timedelta(hours=1)


def chosen(target_s: int = 4 * 3600, kind: str = "first_response", warn_s: int | None = None) -> Chosen:
    return Chosen(
        sla="", kind="resolution" if kind == "resolution" else "first_response", target_s=target_s,
        warn_s=target_s * 8 // 10 if warn_s is None else warn_s, calendar=None, escalate_to=None,
    )  # fmt: skip


def work(**values: object) -> Work:
    return replace(Work(state="queued", channel="email", started_at=MONDAY), **values)  # type: ignore[arg-type]


def seconds(slas: dict[str, Sla], *, kind: str = "first_response", **item: object) -> int | None:
    about = {"channel": "email", "queue": "genel", "queue_targets_s": {}, **item}
    found = target_for("resolution" if kind == "resolution" else "first_response", slas=slas, **about)  # type: ignore[arg-type]
    return None if found is None else found.target_s


def test_shipped_targets() -> None:
    assert [seconds({}, channel=one) for one in ("email", "chat", "phone", "social", "fax")] == [86400, 60, 15, 3600, 86400]
    assert seconds({}, kind="resolution") is None


def test_the_target_that_says_most_of_the_item_holds() -> None:
    default = Sla(
        name="default",
        targets=(
            Target(first_response_s=1),
            Target(channel="email", first_response_s=2, resolution_s=20),
            Target(queue="complaints", first_response_s=3),
            Target(queue="complaints", channel="email", first_response_s=4),
            Target(tier="gold", first_response_s=5),
            Target(tier="gold", queue="complaints", channel="email", first_response_s=6),
        ),
    )
    slas = {"default": default, "vip": Sla(name="vip", targets=(Target(channel="email", first_response_s=7),))}
    assert seconds(slas, channel="chat") == 1
    assert seconds(slas) == 2
    assert seconds(slas, queue="complaints", channel="chat") == 3
    assert seconds(slas, queue="complaints") == 4
    assert seconds(slas, tier="gold") == 5
    assert seconds(slas, tier="gold", queue="complaints") == 6
    assert seconds(slas, kind="resolution", tier="gold") == 20
    # what the policy asked for wins, where it speaks of the item; the queue's own counts like a target of queue and channel
    assert seconds(slas, asked="vip", tier="gold") == 7
    assert seconds(slas, asked="vip", channel="chat") == 1
    assert seconds(slas, asked="nobody knows it") == 2
    assert seconds(slas, queue_targets_s={"email": 99}) == 99
    assert seconds(slas, queue_targets_s={"email": 99}, tier="gold") == 5
    assert seconds({}, queue_targets_s={"email": 0}) == 0


def test_a_clock_warns_at_its_share_and_is_breached_when_due() -> None:
    clock = started(chosen(), OFFICE, work(started_at=MONDAY + 7 * HOUR))  # 16:00: one hour today, three tomorrow
    assert clock.due_at == MONDAY + 27 * HOUR
    assert clock.warn_at == clock.next_at == MONDAY + timedelta(hours=26, minutes=12)
    waiting = work(started_at=clock.started_at)
    assert looked_at(clock, OFFICE, waiting, MONDAY + 26 * HOUR) == (clock, ())
    warned, happened = looked_at(clock, OFFICE, waiting, MONDAY + timedelta(hours=26, minutes=12))
    assert (happened, warned.next_at) == (("warned",), clock.due_at)
    assert looked_at(warned, OFFICE, waiting, MONDAY + timedelta(hours=26, minutes=59)) == (warned, ())
    breached, happened = looked_at(warned, OFFICE, waiting, MONDAY + 30 * HOUR)
    assert (happened, breached.breached_at, breached.next_at) == (("breached",), clock.due_at, None)
    assert looked_at(breached, OFFICE, waiting, MONDAY + 99 * HOUR) == (breached, ())
    answered, happened = looked_at(breached, OFFICE, replace(waiting, replied_at=MONDAY + 28 * HOUR), MONDAY + 31 * HOUR)
    assert happened == ("met",)
    assert answered.elapsed_s == 5 * 3600


def test_no_warning_comes_with_the_breach_and_zero_is_due_at_once() -> None:
    clock = started(chosen(), OFFICE, work())
    assert looked_at(clock, OFFICE, work(), MONDAY + 100 * HOUR)[1] == ("breached",)
    assert looked_at(started(chosen(0), OFFICE, work()), OFFICE, work(), MONDAY)[1] == ("breached",)


def test_an_answer_in_time_is_in_time_however_late_it_is_seen() -> None:
    clock = started(chosen(), OFFICE, work())
    parked = work(state="parked", replied_at=MONDAY + HOUR, parked_at=MONDAY + HOUR)
    met, happened = looked_at(clock, OFFICE, parked, MONDAY + 1000 * HOUR)
    assert (happened, met.met_at, met.elapsed_s) == (("met",), MONDAY + HOUR, 3600)
    slow = replace(parked, replied_at=MONDAY + 5 * HOUR, parked_at=MONDAY + 5 * HOUR)
    late, happened = looked_at(clock, OFFICE, slow, MONDAY + 1000 * HOUR)
    assert (happened, late.breached_at) == (("breached", "met"), MONDAY + 4 * HOUR)


def test_our_own_first_message_is_no_answer() -> None:
    clock = started(chosen(), OFFICE, work())
    stopped, happened = looked_at(clock, OFFICE, work(replied_at=MONDAY - HOUR), MONDAY + HOUR)
    assert (stopped.met_at, stopped.stopped_at, happened) == (None, MONDAY, ())
    assert looked_at(clock, OFFICE, work(replied_at=MONDAY), MONDAY + HOUR)[1] == ("met",)


def test_the_telephone_is_answered_when_the_call_is_taken() -> None:
    clock = started(chosen(15), ROUND_THE_CLOCK_CALENDAR, work(channel="phone"))
    taken = work(channel="phone", state="assigned", assigned_at=MONDAY + timedelta(seconds=10))
    assert looked_at(clock, ROUND_THE_CLOCK_CALENDAR, taken, MONDAY + HOUR)[1] == ("met",)
    assert looked_at(clock, ROUND_THE_CLOCK_CALENDAR, replace(taken, channel="chat"), MONDAY + HOUR)[1] == ("breached",)


@pytest.mark.parametrize(("state", "met"), [("completed", True), ("abandoned", False), ("canceled", False)])
def test_the_end_of_the_work_ends_every_clock(state: str, met: bool) -> None:
    for kind in ("first_response", "resolution"):
        clock = started(chosen(kind=kind), OFFICE, work())
        ended, happened = looked_at(clock, OFFICE, work(state=state, closed_at=MONDAY + HOUR), MONDAY + 2 * HOUR)
        assert (ended.met_at is not None, ended.stopped_at is not None) == (met, not met)
        assert happened == (("met",) if met else ())
        assert looked_at(ended, OFFICE, work(state=state, closed_at=MONDAY + HOUR), MONDAY + 3 * HOUR) == (ended, ())


def test_a_pause_that_nobody_saw_is_taken_from_the_row() -> None:
    clock = started(chosen(kind="resolution"), OFFICE, work())
    woken = work(state="assigned", parked_at=MONDAY + HOUR, woken_at=MONDAY + 6 * HOUR)
    running, happened = looked_at(clock, OFFICE, woken, MONDAY + 7 * HOUR)
    assert happened == ()
    assert (running.elapsed_s, running.resumed_at) == (3600, MONDAY + 6 * HOUR)
    assert running.due_at == MONDAY + 25 * HOUR  # two hours today, one tomorrow
    assert looked_at(running, OFFICE, woken, MONDAY + 7 * HOUR) == (running, ())


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=8),
    st.sampled_from([OFFICE, ROUND_THE_CLOCK_CALENDAR]),
    st.integers(1, 400).map(lambda h: h * 3600),
)
def test_what_is_counted_is_the_time_outside_the_pauses(steps: list[int], calendar: Calendar, target_s: int) -> None:
    """Parked and woken in turn, seen each time: elapsed is the sum of the stretches between, and a second look is nothing new."""
    clock: Clock = started(chosen(target_s, "resolution"), calendar, work())
    now, item, counted, breached = MONDAY, work(), 0.0, False
    for place, hours in enumerate(steps):
        was, now = now, now + hours * HOUR
        if place % 2 == 0:
            counted += elapsed(calendar, was, now)
            item = replace(item, state="parked", parked_at=now)
        else:
            item = replace(item, state="queued", woken_at=now)
        clock, happened = looked_at(clock, calendar, item, now)
        assert looked_at(clock, calendar, item, now) == (clock, ())
        assert clock.elapsed_s == pytest.approx(counted)
        breached = breached or "breached" in happened
        assert breached == (counted >= target_s or clock.breached_at is not None)
        assert (clock.breached_at is not None) == (counted >= target_s)
        assert clock.runs == (item.state != "parked")


def test_in_another_queue_what_was_waited_goes_on_under_its_target() -> None:
    clock = started(chosen(4 * 3600), OFFICE, work())
    at = MONDAY + HOUR
    longer = moved(clock, chosen(8 * 3600), before=OFFICE, calendar=ROUND_THE_CLOCK_CALENDAR, work=work(), at=at)
    assert longer is not None
    assert (longer.started_at, longer.elapsed_s, longer.due_at, longer.target_s) == (MONDAY, 3600, at + 7 * HOUR, 8 * 3600)
    shorter = moved(clock, chosen(1800), before=OFFICE, calendar=OFFICE, work=work(), at=at)
    assert shorter is not None
    assert looked_at(shorter, OFFICE, work(), at)[1] == ("breached",)
    assert shorter.due_at == at


def test_in_another_queue_a_miss_is_told_again_only_where_it_is_another() -> None:
    missed, happened = looked_at(started(chosen(3600), OFFICE, work()), OFFICE, work(), MONDAY + 2 * HOUR)
    assert happened == ("breached",)
    at = MONDAY + 2 * HOUR
    same = moved(missed, chosen(1800), before=OFFICE, calendar=OFFICE, work=work(), at=at)
    later = moved(missed, chosen(3 * 3600), before=OFFICE, calendar=OFFICE, work=work(), at=at)
    assert same is not None
    assert later is not None
    assert looked_at(same, OFFICE, work(), at + HOUR)[1] == ()
    assert looked_at(later, OFFICE, work(), at + HOUR)[1] == ("breached",)


def test_in_another_queue_clocks_end_begin_and_stay_over() -> None:
    at = MONDAY + HOUR
    ended = moved(started(chosen(), OFFICE, work()), None, before=OFFICE, calendar=OFFICE, work=work(), at=at)
    assert ended is not None
    assert (ended.stopped_at, ended.due_at, ended.next_at, ended.breached_at) == (at, None, None, None)
    again = moved(ended, chosen(), before=OFFICE, calendar=OFFICE, work=work(), at=at + 2 * HOUR)
    assert again is not None
    assert (again.elapsed_s, again.due_at, again.ended) == (3600, at + 5 * HOUR, False)
    begun = moved(None, chosen(kind="resolution"), before=OFFICE, calendar=OFFICE, work=work(replied_at=MONDAY), at=at)
    assert begun is not None
    assert (begun.started_at, begun.due_at) == (at, at + 4 * HOUR)
    assert moved(None, chosen(), before=OFFICE, calendar=OFFICE, work=work(replied_at=MONDAY), at=at) is None
    assert moved(None, None, before=OFFICE, calendar=OFFICE, work=work(), at=at) is None
    met, _ = looked_at(started(chosen(), OFFICE, work()), OFFICE, work(replied_at=MONDAY + HOUR), at)
    assert moved(met, chosen(60), before=OFFICE, calendar=OFFICE, work=work(replied_at=MONDAY + HOUR), at=at) == met

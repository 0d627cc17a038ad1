"""Consent and contact: what a merge may widen (nothing), and the one answer before writing first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.consent import EVERY, Statement, consent_for
from profiles.contact import PREFERENCES, checked_preference, may_contact, quiet_until
from shared.errors import Unprocessable
from shared.ids import HandleId

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = START + timedelta(days=10)
ISTANBUL = ZoneInfo("Europe/Istanbul")


def said(
    granted: bool, *, day: float = 0, explicit: bool = True, purpose: str = "marketing", channel: str = "email",
    until: float | None = None, number: int = 1,
) -> Statement:  # fmt: skip
    return Statement(
        id=UUID(int=number), handle_id=HandleId(UUID(int=1)), purpose=purpose, channel=channel, granted=granted, explicit=explicit,
        source="form", actor=None, stated_at=START + timedelta(days=day),
        expires_at=None if until is None else START + timedelta(days=until),
    )  # fmt: skip


@st.composite
def statements(draw: st.DrawFn) -> list[Statement]:
    return [
        said(
            draw(st.booleans()), day=draw(st.integers(0, 12)), explicit=draw(st.booleans()), number=place + 1,
            purpose=draw(st.sampled_from(["marketing", "survey", EVERY])), channel=draw(st.sampled_from(["email", "phone", EVERY])),
            until=draw(st.none() | st.integers(1, 12)),
        )
        for place in range(draw(st.integers(0, 8)))
    ]  # fmt: skip


def asked(given: list[Statement]) -> bool | None:
    return consent_for(given, purpose="marketing", channel="email", as_of=NOW).granted


def relevant(given: list[Statement]) -> list[Statement]:
    return [
        one
        for one in given
        if one.purpose in ("marketing", EVERY)
        and one.channel in ("email", EVERY)
        and one.stated_at <= NOW
        and (one.expires_at is None or one.expires_at > NOW)
    ]


@given(statements(), statements(), st.randoms(use_true_random=False))
def test_a_merge_is_never_wider_than_the_latest_explicit_statement_nor_without_one_than_any(one, other, random) -> None:  # type: ignore[no-untyped-def]
    both = [*one, *other]
    random.shuffle(both)
    merged = asked(both)
    assert merged == asked([*one, *other])
    counting = relevant(both)
    explicit = [statement for statement in counting if statement.explicit]
    if not counting:
        assert merged is None
    if merged:
        if explicit:
            latest = max(statement.stated_at for statement in explicit)
            assert all(statement.granted for statement in explicit if statement.stated_at == latest)
        else:
            assert all(statement.granted for statement in counting)


@given(statements(), st.booleans())
def test_what_the_person_says_now_holds_whatever_was_before(given, granted) -> None:  # type: ignore[no-untyped-def]
    before = [statement for statement in given if statement.stated_at < NOW]
    assert asked([*before, said(granted, day=10, number=99)]) is granted


@given(statements(), st.booleans())
def test_what_is_carried_over_only_narrows(given, granted) -> None:  # type: ignore[no-untyped-def]
    before = asked(given)
    after = asked([*given, said(granted, day=9, explicit=False, number=99)])
    assert (after or False) <= (before if before is not None else granted)


def test_a_no_that_is_carried_over_later_narrows_a_yes_and_an_earlier_one_does_not() -> None:
    assert asked([said(True), said(False, day=1, explicit=False)]) is False
    assert asked([said(True, day=1), said(False, explicit=False)]) is True
    assert asked([said(False), said(True, day=1, explicit=False)]) is False
    assert asked([said(True, explicit=False), said(False, day=1, explicit=False), said(True, day=2, explicit=False)]) is False


def test_an_expired_statement_says_nothing_and_the_answer_names_its_statement() -> None:
    assert asked([said(True, until=5)]) is None
    by = consent_for([said(True, number=7)], purpose="marketing", channel="email", as_of=NOW).by
    assert by is not None
    assert by.id == UUID(int=7)
    assert asked([said(True), said(False, channel=EVERY, purpose=EVERY, day=1)]) is False


@pytest.mark.parametrize(
    ("given", "attributes", "purpose", "reason"),
    [
        ([], {}, "service", ""),
        ([], {}, "marketing", "consent_missing"),
        ([said(True)], {}, "marketing", ""),
        ([said(False, purpose=EVERY)], {}, "service", "consent_denied"),
        ([said(True)], {"preferred_channel": "phone"}, "marketing", "other_channel"),
        ([], {"preferred_channel": "phone"}, "service", ""),
        ([], {"quiet_hours": "13:00-17:00", "time_zone": "Europe/Istanbul"}, "service", "quiet_hours"),
        ([], {"quiet_hours": "13:00-17:00", "time_zone": "America/New_York"}, "service", ""),
        ([], {"quiet_hours": "13:00-17:00", "time_zone": "Mars/Olympus"}, "service", "quiet_hours"),
        ([], {"quiet_hours": "nonsense"}, "service", ""),
    ],
)
def test_a_first_contact_is_refused_with_its_reason(
    given: list[Statement], attributes: dict[str, object], purpose: str, reason: str
) -> None:
    verdict = may_contact(given, attributes, purpose=purpose, channel="email", now=NOW, time_zone="Europe/Istanbul")
    assert (verdict.allowed, verdict.reason) == (not reason, reason)
    assert bool(verdict.remedy) == bool(reason)
    assert (verdict.not_before is not None) == (reason == "quiet_hours")


@given(st.integers(0, 7 * 24 * 60), st.integers(0, 1439), st.integers(0, 1439))
def test_after_the_quiet_hours_it_is_no_longer_quiet(minutes: int, begin: int, end: int) -> None:
    hours = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    now = START + timedelta(minutes=minutes)
    ends = quiet_until(hours, now=now, zone=ISTANBUL)
    at = (now.astimezone(ISTANBUL).hour * 60 + now.astimezone(ISTANBUL).minute) % 1440
    inside = (at - begin) % 1440 < (end - begin) % 1440
    assert (ends is not None) == inside
    if ends is not None:
        assert now < ends <= now + timedelta(days=1)
        assert quiet_until(hours, now=ends, zone=ISTANBUL) is None


def test_preferences_are_checked_when_they_are_given() -> None:
    for name in PREFERENCES:
        with pytest.raises(Unprocessable) as refused:
            checked_preference(name, "?!", field=f"traits.{name}")
        assert refused.value.field == f"traits.{name}"
        checked_preference(name, None, field="x")
    checked_preference("city", "?!", field="x")
    checked_preference("quiet_hours", "22:00-08:00", field="x")
    checked_preference("language", "pt-BR", field="x")

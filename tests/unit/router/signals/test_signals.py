"""Signals, languages, goals, hours and the limit of quarantine: pure words about one message or one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.calendars.hours import calendar_of
from router.item.goals import BOOST_MAX_S, due_key, goal_s
from router.signals.signals import folded_text, only_thanks, signals_of, words_of
from shared.errors import Unprocessable
from shared.message import Automatic, InboundMessage
from shared.text import fold_turkish

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def message_of(**values: Any) -> InboundMessage:
    base = {"id": uuid4(), "workspace_id": uuid4(), "inbox_id": uuid4(), "external_id": "x", "channel": "email", "provider": "smtp"}
    return InboundMessage.model_validate({**base, "accepted_at": NOW, **values})


@pytest.mark.parametrize(
    ("text", "complaint", "urgent"),
    [
        ("Şikayetçiyim, BU BİR REZALET", True, False),
        ("ACİL! Siparişim nerede", False, True),
        ("acıl dönüş bekliyorum", False, True),
        ("This is unacceptable, I need it ASAP", True, True),
        ("Merhaba, kargom nerede?", False, False),
        ("placid lakes", False, False),  # a stem inside a word is not the word
    ],
)
def test_words_are_found_whatever_their_case_and_dots(text: str, complaint: bool, urgent: bool) -> None:
    seen = signals_of(message_of(text=text), words=words_of(), languages=("tr", "en"))
    assert (seen.complaint, seen.urgency >= 0.6) == (complaint, urgent)


def test_a_workspace_adds_its_own_words() -> None:
    words = words_of({"complaint": ["YAKIT İADESİ"]})
    assert signals_of(message_of(text="yakıt iadesi istiyorum"), words=words).complaint
    assert words_of({"complaint": ["YAKIT İADESİ"]}) is words


def test_own_words_stand_in_one_list_or_by_language() -> None:
    words = words_of({"complaint": {"tr": ["yakıt"], "en": ["fuel"]}, "urgent": ["depo"], "person": {}})
    seen = signals_of(message_of(text="Fuel, yakıt, depo"), words=words)
    assert (seen.complaint, seen.urgency, list(seen.keywords)) == (True, 0.6, ["fuel", "depo"])
    assert not signals_of(message_of(text="tr en"), words=words).complaint, "the name of a language is no word"


@pytest.mark.parametrize(
    ("text", "thanks"),
    [
        ("Teşekkürler!", True),
        ("çok teşekkür ederim, iyi günler", True),
        ("Sağ olun", True),
        ("thank you so much", True),
        ("THX", True),
        ("tamam", False),
        ("ok", False),
        ("teşekkürler ama hala gelmedi", False),
        ("thanks, and my second order?", False),
        ("thanks 1042", False),
        ("", False),
    ],
)
def test_only_thanks_is_thanks(text: str, thanks: bool) -> None:
    assert only_thanks(text) is thanks


@pytest.mark.parametrize(
    ("kind", "name"),
    [("out_of_office", "auto_reply"), ("auto_reply", "auto_reply"), ("bounce", "bounce"), ("bulk", "bulk"), ("echo", "echo")],
)
def test_machines_are_recognized(kind: Any, name: str) -> None:
    seen = signals_of(message_of(text="x", automatic=Automatic(kind=kind)), words=words_of())
    assert seen.automatic
    assert getattr(seen, name)
    assert seen.do_not_answer


@pytest.mark.parametrize("kind", ["auto_reply", "bulk"])
def test_what_is_only_marked_is_a_machines_or_a_persons_as_the_workspace_says(kind: Any) -> None:
    marked = message_of(text="ACİL!", automatic=Automatic(kind=kind, marked_only=True, evidence=("List-Id", "Precedence: list")))
    aside, work = (signals_of(marked, words=words_of(), marked_mail=one) for one in ("aside", "work"))
    assert signals_of(marked, words=words_of()) == aside, "where nothing is said it stays as it was"
    assert aside.automatic
    assert not work.automatic
    assert not any((work.bulk, work.auto_reply, work.bounce, work.echo))
    for seen in (aside, work):
        assert (seen.do_not_answer, seen.values()["do_not_answer"]) == (True, True)
        assert seen.values()["marks"] == ["List-Id", "Precedence: list"]
    assert work.urgency == aside.urgency
    machine = message_of(text="x", automatic=Automatic(kind=kind, evidence=("Auto-Submitted",)))
    assert signals_of(machine, words=words_of(), marked_mail="work").automatic, "a machine's word is a machine's everywhere"


def test_a_persons_mail_without_a_mark_may_be_answered() -> None:
    seen = signals_of(message_of(text="x"), words=words_of(), marked_mail="work")
    assert (seen.do_not_answer, seen.values()["marks"]) == (False, [])


def test_shouting_and_exclamation_add_up() -> None:
    assert signals_of(message_of(text="SİPARİŞİM NEREDE KALDI!!"), words=words_of()).urgency == 0.4


@given(st.text(max_size=60))
def test_the_short_fold_is_the_fold(text: str) -> None:
    assert fold_turkish(folded_text(text)) == fold_turkish(text)


@given(st.integers(-(10**7), 10**7), st.sampled_from(["email", "chat", "phone", "social", "fax"]), st.integers(-5, 10**7))
def test_the_key_stays_within_its_bound(boost: int, channel: str, own: int) -> None:
    key = due_key(NOW, channel=channel, goals={channel: own}, boost_s=boost)
    assert NOW + timedelta(seconds=1 - BOOST_MAX_S) <= key.due_at <= NOW + timedelta(days=7)


def test_goals_have_defaults() -> None:
    assert [goal_s(channel, {}) for channel in ("email", "chat", "phone", "social")] == [14400, 60, 15, 3600]
    assert goal_s("chat", {"chat": "soon"}) == 60
    assert due_key(NOW, channel="chat", goals={"chat": 30}, boost_s=10, strict=True).due_class == 0
    assert due_key(NOW, channel="chat", goals={"chat": 30}, boost_s=10).due_at == NOW + timedelta(seconds=20)


def test_hours_follow_the_workspace() -> None:
    istanbul = calendar_of(
        {
            "time_zone": "Europe/Istanbul",
            "hours": {"mon": [["09:00", "18:00"]], "fri": [["22:00", "02:00"]]},
            "holidays": ["2026-11-30"],
        }
    )
    assert istanbul.facts(NOW) == {"open": True, "weekday": 1, "hour": 12, "holiday": False}
    assert not istanbul.is_open(NOW + timedelta(hours=7))
    assert not istanbul.is_open(NOW + timedelta(days=7))  # a holiday
    assert istanbul.is_open(datetime(2026, 11, 27, 22, 0, tzinfo=UTC))  # Saturday 01:00 of Friday's night
    assert calendar_of({}).is_open(NOW)
    with pytest.raises(Unprocessable, match="time_zone"):
        calendar_of({"time_zone": "Mars/Base"})

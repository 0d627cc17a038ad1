"""Stems: what Python's pattern of them finds, without its price."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from router.signals.signals import TEXT_LOOKED_AT, Words, signals_of, words_of
from router.signals.stems import Places, Stems
from shared.message import InboundMessage

TEXTS = st.text(alphabet="ab c_!#é\n1", max_size=40)


def by_definition(stems: list[str], text: str) -> str | None:
    longest_first = sorted({stem for stem in stems if stem}, key=len, reverse=True)
    if not longest_first:
        return None
    found = re.search(r"\b(?:" + "|".join(map(re.escape, longest_first)) + ")", text)
    return None if found is None else found[0]


@given(st.lists(st.text(alphabet="ab c_!#é", max_size=6), max_size=12), TEXTS)
@settings(max_examples=500)
def test_it_finds_what_a_pattern_of_them_finds(stems: list[str], text: str) -> None:
    assert Stems(stems).first_in(Places(text)) == by_definition(stems, text)


def test_the_longest_of_those_at_the_first_place() -> None:
    assert Stems(["a", "a b", "a b c", "abx", "z"]).first_in(Places("x a b d z")) == "a b"
    assert Stems([]).first_in(Places("a")) is None
    assert Stems(["a"]).first_in(Places("")) is None


def took_s(words: Words, text: str) -> float:
    message = InboundMessage(
        id=uuid4(), workspace_id=uuid4(), inbox_id=uuid4(), external_id="x", channel="chat", provider="api", text=text,
        accepted_at=datetime(2026, 11, 23, tzinfo=UTC), subject=text[:TEXT_LOOKED_AT],
    )  # fmt: skip
    spent: list[float] = []
    for _ in range(3):
        began = time.thread_time()
        signals_of(message, words=words, languages=("tr",))
        spent.append(time.thread_time() - began)
    return min(spent)


def test_what_a_workspace_configures_costs_others_no_wait() -> None:
    began = time.thread_time()
    alike = [("a " * 46) + f"{n:03}x" for n in range(500)]
    nested = ["a" * length for length in range(2, 101)]
    lists = {
        "alike": words_of({"complaint": alike, "urgent": alike, "person": alike}),
        "nested": words_of({"complaint": nested, "urgent": nested, "person": nested}),
    }
    assert time.thread_time() - began < 0.2, "made ready"
    assert took_s(lists["alike"], "a " * 6000) < 0.1
    assert took_s(lists["nested"], "ab " * 6000) < 0.1
    # Signs that unfold to eighteen letters each.
    assert took_s(words_of(), "\ufdfa" * 6000) < 0.03

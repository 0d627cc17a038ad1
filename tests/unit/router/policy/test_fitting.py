"""Facts of any JSON: what one value holds is no matter to a rule that does not ask it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.policy.agent_filter import Filters, filter_skill, skills_with_filters
from router.policy.condition import to_cel
from router.policy.expressions import Answer, compiled, facts_of
from router.policy.fields import MEMBERS_SEEN, TEXT_CHARS_SEEN
from router.policy.fitting import LEVELS_MAX, fitting


def nested(levels: int, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"in": value} if kind is dict else [value]
    return value


HUGE: dict[str, Any] = {
    "20 digits": 10**20, "-20 digits": -(10**20), "2^63": 2**63, "-2^63 - 1": -(2**63) - 1, "4300 digits": int("9" * 4300),
    "-400 digits": -(10**400), "in a list": [1, 10**20], "in a map": {"x": {"y": 10**400}}, "inf": math.inf, "nan": math.nan, "1e308": 1e308,
    "long": "x" * 10**6, "long name": {"x" * 10**6: 1}, "surrogate": "\ud83d", "surrogate name": {"\ud83d": 1}, "nul": "a\x00b",
    "deep map": nested(900, dict), "deep list": nested(900, list), "date": "99999-99-99T99:99:99Z", "nothing": None, "number name": {1: 2},
    "long list": ["x"] * 10**5,
}  # fmt: skip


def facts(root: str, name: str, value: Any) -> Any:
    whole: dict[str, Any] = {
        "message": {"channel": "email", "text": "x"},
        "profile": {"known": True, "tags": [], "attributes": {"ok": "yes", "n": 5}},
        "conversation": {"messages": 1, "channels": ["email"]}, "signals": {"urgency": 0.5, "keywords": []},
        "queue": {"genel": {"waiting": 2}}, "now": {"hour": 9},
    }  # fmt: skip
    (whole["profile"]["attributes"] if root == "attributes" else whole[root])[name] = value
    return facts_of(whole)


@pytest.mark.parametrize("root", ["attributes", "message", "profile", "conversation", "signals", "queue", "now"])
@pytest.mark.parametrize("what", sorted(HUGE))
def test_a_rule_that_does_not_ask_it_is_answered(root: str, what: str) -> None:
    given = facts(root, "huge", HUGE[what])
    for source in (
        'profile.attributes.ok == "yes"', "profile.attributes.n > 3", 'message.channel == "email"', "signals.urgency < 1.0",
        "conversation.messages == 1", "queue.genel.waiting > 1", "now.hour == 9",
    ):  # fmt: skip
        assert compiled(source).ask(given) == Answer(matched=True), source
    assert given.values["profile"]["attributes"]["ok"] == "yes"


@pytest.mark.parametrize(
    ("value", "op", "than", "matched"),
    [
        (10**20, "more", 5, True), (10**20, "less", 5, False), (-(10**20), "less", 5, True), (2**63, "at_least", 2**53, True),
        (int("9" * 4300), "more", 1e308, True), (-(10**400), "less", -1e308, True), (10**20, "is", 1e20, True), (10**20, "is_not", 5, True),
        (10**20, "in", [5, 1e20], True), ([1, 10**20], "has", 1e20, True), ("x" * 10**6, "starts_with", "xx", True),
        ("x" * 10**6 + "y", "ends_with", "y", False),  # rules see the beginning of a text
        (nested(LEVELS_MAX - 4, list), "known", None, True),
    ],
)  # fmt: skip
def test_who_asks_it_compares_the_nearest(value: Any, op: str, than: Any, matched: bool) -> None:
    leaf = {"field": "profile.attributes.huge", "op": op} | ({} if than is None else {"value": than})
    assert compiled(to_cel(leaf)).ask(facts("attributes", "huge", value)) == Answer(matched=matched)


def test_who_asks_what_it_is_not_errs_alone() -> None:
    given = facts("attributes", "huge", {"x": 10**400})
    assert compiled("profile.attributes.huge > 3").ask(given).error
    assert compiled('profile.attributes.date_is == "x"').ask(given).error
    dated = facts("attributes", "date", "99999-99-99T99:99:99Z")
    assert compiled('timestamp(profile.attributes.date) > timestamp("2026-01-01T00:00:00Z")').ask(dated).error
    assert compiled('profile.attributes.ok == "yes"').ask(dated).matched


def test_a_list_is_seen_to_its_thousandth_member_and_recorded_whole() -> None:
    given = facts("attributes", "many", [*range(MEMBERS_SEEN), "last"])
    assert compiled(f"size(profile.attributes.many) == {MEMBERS_SEEN}").ask(given).matched
    assert given.values["profile"]["attributes"]["many"][-1] == "last"


def test_an_agents_attribute_of_twenty_digits_keeps_every_filter() -> None:
    filters = {filter_skill(one): one for one in ('agent.attributes["team"] == "vip"', 'agent.attributes["n"] > 5')}
    agent = {
        "id": 1, "name": "Ece", "title": "", "kind": "human", "languages": ["tr"], "skills": {}, "attributes": {"team": "vip", "n": 10**20},
    }  # fmt: skip
    assert set(filters) <= set(skills_with_filters(agent, ["genel"], Filters(filters)))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**62, 2**2000) | st.floats() | st.text(max_size=5) | st.just("\ud83d"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=20,
)  # fmt: skip


@given(_JSON)
@example({"": None, "\x00": None})
def test_any_json_fits(value: Any) -> None:
    assert compiled("profile.attributes.n == 5").ask(facts("attributes", "huge", value)).matched
    once = fitting(value)
    assert json.dumps(fitting(once)) == json.dumps(once)


@given(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=TEXT_CHARS_SEEN, alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_fits_stays(value: Any) -> None:
    assert fitting({"a": [value]}) == {"a": [value]}

"""Which value of an attribute counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.rules import profile_rules
from profiles.survivorship import STRATEGIES, VERIFIED_ONLY, Observation, Strategy, effective, materialized
from shared.handle import ASSURANCES

START = datetime(2026, 1, 1, tzinfo=UTC)
SOURCES = ["identify:crm", "import:2", "agent:3"]
observations = st.builds(
    Observation,
    name=st.sampled_from(["name", "city", "tier"]),
    value=st.one_of(st.none(), st.text(max_size=3), st.integers(0, 3), st.lists(st.integers(0, 2), max_size=2)),
    source=st.sampled_from(SOURCES),
    assurance=st.sampled_from(ASSURANCES),
    observed_at=st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours)),
)
strategies = st.builds(Strategy, name=st.sampled_from(list(STRATEGIES)), sources=st.permutations(SOURCES[:2]).map(tuple))


def said(
    value: Any, *, name: str = "city", source: str = "key:1", assurance: str = "channel_verified", hours: int = 0
) -> Observation:
    return Observation(name=name, value=value, source=source, assurance=assurance, observed_at=START + timedelta(hours=hours))


def chosen(strategy: str, *seen: Observation, sources: tuple[str, ...] = ()) -> Any:
    return effective(seen, default=Strategy(name=strategy, sources=sources))["city"].value


@given(st.lists(observations, max_size=12), st.randoms(use_true_random=False), strategies)
def test_any_order_of_observations_gives_the_same_values(seen, random, default) -> None:  # type: ignore[no-untyped-def]
    shuffled = [*seen, *seen[:2]]
    random.shuffle(shuffled)
    assert materialized(effective(seen, default=default)) == materialized(effective(shuffled, default=default))


@given(st.lists(observations, max_size=12), observations, strategies)
def test_an_unverified_claim_never_replaces_a_verified_value(seen, claim, default) -> None:  # type: ignore[no-untyped-def]
    claim = Observation(
        name=claim.name, value=claim.value, source=claim.source, assurance="asserted", observed_at=claim.observed_at
    )
    before, after = effective(seen, default=default), effective([*seen, claim], default=default)
    for name, value in before.items():
        assert value.assurance == "asserted" or after[name] == value
    assert not any(name in VERIFIED_ONLY and value.assurance == "asserted" for name, value in after.items())


@given(st.lists(observations, max_size=12), strategies)
def test_what_is_chosen_was_observed_and_says_something(seen, default) -> None:  # type: ignore[no-untyped-def]
    for name, value in effective(seen, default=default).items():
        assert value in seen
        assert value.name == name
        assert value.value not in (None, "", [])


def test_assurance_outranks_time_and_time_outranks_value() -> None:
    assert chosen("highest_assurance", said("a", assurance="authenticated"), said("b", hours=9)) == "a"
    assert chosen("highest_assurance", said("b"), said("a", hours=1)) == "a"
    assert chosen("highest_assurance", said("a", source="z"), said("b", source="a")) == "b"
    latest = effective(
        [said("a", assurance="authenticated"), said("b", hours=9)], strategies={"city": Strategy(name="most_recent")}
    )
    assert latest["city"].value == "b"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ties_are_broken_by_source_then_time_then_value(strategy: str) -> None:
    trusted = ("crm", "shop")
    rivals = [said("x", source="identify:shop", hours=0), said("y", source="identify:crm", hours=0)]
    assert chosen(strategy, *rivals, sources=trusted) == "y"
    if strategy != "trusted_source":
        assert chosen(strategy, said("x", source="agent:1"), said("y", source="agent:2")) == "y"
    same = [said("x", source="identify:crm", hours=1), said("y", source="import:crm", hours=0)]
    assert chosen(strategy, *same, sources=trusted) == "x"


def test_a_trusted_source_outranks_what_came_later_and_what_is_better_vouched_for() -> None:
    seen = [said("İzmir", source="identify:crm"), said("Ankara", source="import:7", hours=5, assurance="authenticated")]
    assert chosen("trusted_source", *seen, sources=("crm",)) == "İzmir"
    assert chosen("trusted_source", *seen, sources=("import", "crm")) == "Ankara"


def test_the_most_complete_value_says_most() -> None:
    assert chosen("most_complete", said("Ayşe", hours=3), said("Ayşe Yılmaz")) == "Ayşe Yılmaz"
    whole = {"street": "Moda Cad. 1", "city": "İstanbul"}
    assert chosen("most_complete", said({"street": "", "city": "İstanbul"}, hours=3), said(whole)) == whole


def test_the_majority_is_of_sources_not_of_repetitions() -> None:
    seen = [said("a", source="1", hours=1), said("a", source="1", hours=2), said("b", source="2"), said("b", source="3")]
    assert chosen("majority", *seen) == "b"


def test_an_empty_value_takes_back_what_its_source_said() -> None:
    assert chosen("most_recent", said("a", source="1"), said(None, source="2", hours=5), said(" ", source="3", hours=6)) == "a"
    assert effective([said(None)]) == {}


def test_a_workspace_names_its_strategies() -> None:
    rules = profile_rules({"attributes": {"city": {"strategy": "trusted_source", "sources": ["crm"]}, "x": {"strategy": "dice"}}})
    assert dict(rules.strategies) == {"city": Strategy(name="trusted_source", sources=("crm",))}
    assert profile_rules(None).strategies == {}
    assert profile_rules({"limits": {"external_id": 9, "email": 2}}).identity.limits == {"external_id": 1, "email": 2}

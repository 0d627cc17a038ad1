"""Which value of an attribute counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from profiles.survivorship import Observation, effective, materialized
from shared.handle import ASSURANCES

START = datetime(2026, 1, 1, tzinfo=UTC)
observations = st.builds(
    Observation,
    name=st.sampled_from(["name", "city", "tier"]),
    value=st.one_of(st.text(max_size=3), st.integers(0, 3), st.lists(st.integers(0, 2), max_size=2)),
    source=st.sampled_from(["key:1", "import:2"]),
    assurance=st.sampled_from(ASSURANCES),
    observed_at=st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours)),
)


def said(
    value: str, *, name: str = "city", source: str = "key:1", assurance: str = "channel_verified", hours: int = 0
) -> Observation:
    return Observation(name=name, value=value, source=source, assurance=assurance, observed_at=START + timedelta(hours=hours))


@given(st.lists(observations, max_size=12), st.randoms(use_true_random=False), st.sampled_from(["assurance", "most_recent"]))
def test_any_order_of_observations_gives_the_same_values(seen, random, default) -> None:  # type: ignore[no-untyped-def]
    shuffled = [*seen, *seen[:2]]
    random.shuffle(shuffled)
    assert materialized(effective(seen, default=default)) == materialized(effective(shuffled, default=default))


@given(st.lists(observations, max_size=12), observations)
def test_an_unverified_claim_never_replaces_a_verified_value(seen, claim) -> None:  # type: ignore[no-untyped-def]
    claim = Observation(
        name=claim.name, value=claim.value, source=claim.source, assurance="asserted", observed_at=claim.observed_at
    )
    before, after = effective(seen), effective([*seen, claim])
    for name, value in before.items():
        assert value.assurance == "asserted" or after[name] == value
    assert "tier" not in after or after["tier"].assurance != "asserted"


def test_assurance_outranks_time_and_time_outranks_source() -> None:
    assert effective([said("a", assurance="authenticated"), said("b", hours=9)])["city"].value == "a"
    assert effective([said("a", source="z"), said("b", hours=1)])["city"].value == "b"
    assert effective([said("a", source="z"), said("b", source="a")])["city"].value == "a"
    latest = effective([said("a", assurance="authenticated"), said("b", hours=9)], strategies={"city": "most_recent"})
    assert latest["city"].value == "b"

"""Suggestions: forms and levels, weights and their evidence, blocking, learning, and how good all of it is on labelled sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.matching.automatic import automatic_pairs
from profiles.matching.blocking import candidates, keys_of
from profiles.matching.columns import guessed_fields, mapped_fields
from profiles.matching.learning import learned_model, measured_model
from profiles.matching.levels import LEVELS, MISSING, level_of, likeness
from profiles.matching.matching import Evidence, Field, default_model, field_of, probability, record_of
from profiles.matching.report import Truth, at_thresholds, comparable
from profiles.matching.values import KINDS, Kind, compared
from shared.errors import InputRejected
from tests.support.duplicates import Row, contacts, people, restaurants

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)


def quality(rows: Sequence[Row], fields: Sequence[Field], *, learn: bool = False, threshold: float = 2.0) -> Mapping[str, float]:
    records = [record_of(fields, row) for row in rows]
    pairs = list(candidates(fields, records))
    model = measured_model(fields, records)
    if learn:
        model = learned_model(model, records, pairs)
    truth = Truth(clusters=[row["cluster"] for row in rows])
    weighed = [(model.weigh(records[a], records[b]).weight, truth.same(a, b)) for a, b in pairs]
    scores: dict[str, float] = at_thresholds(weighed, truth.total(), [threshold])[0]
    scores["completeness"] = sum(same for _, same in weighed) / truth.total()
    scores["reduction"] = 1 - len(pairs) / comparable(len(rows), None)
    return scores


@given(st.sampled_from(KINDS), TEXT, TEXT)
def test_levels_are_symmetric_and_equal_values_reach_the_top(kind: Kind, one: str, other: str) -> None:
    a, b = compared(kind, one), compared(kind, other)
    assert level_of(kind, a, b) == level_of(kind, b, a)
    if a:
        assert level_of(kind, a, a) == len(LEVELS[kind]) - 1
    assert level_of(kind, a, "") == MISSING


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("given_name", "İSMAİL", "ismail"),
        ("family_name", "Işık", "ISIK"),
        ("name", "Dr. Ayşe Yılmaz", "ayse yilmaz"),
        ("email", "Ayse.Yilmaz+crm@Gmail.com", "ayseyilmaz@googlemail.com"),
        ("phone", "+90 532 123 45 67", "0532 1234567"),
        ("date", "1980-03-07", "07.03.1980"),
        ("date", "19800307", "7 Mart 1980"),
        ("address", "Atatürk Caddesi No: 5", "ataturk cad. no 5"),
        ("company", "Ege Seramik San. ve Tic. A.Ş.", "EGE SERAMİK"),
        ("postcode", "SW1A 1AA", "sw1a1aa"),
    ],
)
def test_spelling_does_not_count(kind: Kind, one: str, other: str) -> None:
    assert compared(kind, one) == compared(kind, other) != ""


@pytest.mark.parametrize("value", ["", "  ", "null", "N/A", "nan", None])
def test_what_says_nothing_is_missing(value: str | None) -> None:
    assert [compared(kind, value) for kind in KINDS] == [""] * len(KINDS)


def test_a_placeholder_is_no_evidence() -> None:
    assert compared("email", "noreply@ornek.com") == ""
    assert compared("phone", "000 000 0000") == ""
    assert compared("identifier", "0000") == ""


def test_words_count_in_any_order_and_rare_ones_more() -> None:
    assert likeness("yilmaz ayse", "ayse yilmaz") == 1
    rare = {"canon": 1.0, "dsc": 1.0, "camera": 1.0, "w5": 6.0, "w7": 6.0}
    assert likeness("canon camera w5", "canon w5", rare.__getitem__) > likeness(
        "canon camera w5", "canon camera w7", rare.__getitem__
    )


def test_exchanged_names_are_one_person_still() -> None:
    fields = [field_of("ad", "given_name"), field_of("soyad", "family_name")]
    model = default_model(fields)
    one, other = record_of(fields, {"ad": "Ayşe", "soyad": "Demir"}), record_of(fields, {"ad": "Demir", "soyad": "Ayse"})
    assert {said.level for said in model.weigh(one, other).evidence} == {"swapped"}
    assert model.weigh(one, other).weight > model.prior


def test_evidence_adds_up_and_holds_no_value() -> None:
    fields = [field_of("email", "email"), field_of("surname", "family_name"), field_of("dob", "date")]
    model = default_model(fields, records=1024)
    one = record_of(fields, {"email": "ayse@ornek.com", "surname": "Demir", "dob": "1980-03-07"})
    other = record_of(fields, {"email": "ayse@ornek.com", "surname": "Yılmaz"})
    said = model.weigh(one, other)
    assert said.evidence[0] == Evidence("email", "equal", round(math.log2(0.55 / 0.00003), 2))
    assert [part.field for part in said.evidence] == ["email", "surname"]
    assert said.weight == pytest.approx(-10 + sum(part.weight for part in said.evidence), abs=0.02)
    assert "ayse" not in repr(said)


@given(st.lists(st.sampled_from(["ayse", "fatma", "elif", ""]), min_size=6, max_size=6))
def test_a_pair_has_no_order(values: list[str]) -> None:
    fields = [field_of("a", "given_name"), field_of("b", "family_name"), field_of("c", "place")]
    model = measured_model(fields, [tuple(values[:3]), tuple(values[3:])])
    assert model.weigh(tuple(values[:3]), tuple(values[3:])).weight == pytest.approx(
        model.weigh(tuple(values[3:]), tuple(values[:3])).weight
    )


def test_a_common_name_weighs_less_than_a_rare_one() -> None:
    fields = [field_of("surname", "family_name")]
    records = [("yilmaz",)] * 50 + [(f"ad{number}",) for number in range(48)] + [("zorlutuna",)] * 2
    model = measured_model(fields, records)
    assert model.weigh(("zorlutuna",), ("zorlutuna",)).weight > model.weigh(("yilmaz",), ("yilmaz",)).weight + 1


@given(st.floats(-2000, 2000))
def test_probabilities_are_probabilities(weight: float) -> None:
    assert 0 <= probability(weight) <= 1
    assert probability(0) == 0.5


def test_blocking_compares_few_pairs_and_each_once() -> None:
    rows = people(400, seed=5)
    fields = guessed_fields([name for name in rows[0] if name not in ("cluster", "rec_id")])
    records = [record_of(fields, row) for row in rows]
    pairs = list(candidates(fields, records))
    assert len(pairs) == len(set(pairs))
    assert all(one < other for one, other in pairs)
    assert len(pairs) < len(rows) * 26


def test_blocking_across_two_lists_compares_nothing_inside_one() -> None:
    fields = [field_of("surname", "family_name")]
    records = [("demir",), ("demir",), ("demir",)]
    assert list(candidates(fields, records, sources=[0, 0, 1])) == [(0, 2), (1, 2)]


def test_values_everybody_shares_make_no_block() -> None:
    fields = [field_of("state", "category"), field_of("surname", "family_name")]
    records = [("nsw", "demir")] * 200
    assert list(candidates(fields, records, block_max=60)) == []
    assert "n:demir" in keys_of(fields, ("nsw", "demir"))


@pytest.mark.parametrize("seed", [1, 2])
def test_suggestions_on_people_with_slips(seed: int) -> None:
    rows = people(700, seed=seed, slips=5)
    fields = guessed_fields([name for name in rows[0] if name not in ("cluster", "rec_id")])
    scores = quality(rows, fields)
    assert scores["f1"] > 0.98
    assert scores["precision"] > 0.99
    assert scores["completeness"] > 0.995
    assert scores["reduction"] > 0.9


def test_suggestions_on_turkish_contacts_with_households() -> None:
    rows = contacts(700, seed=4)
    scores = quality(rows, guessed_fields([name for name in rows[0] if name not in ("cluster", "rec_id")]))
    assert scores["f1"] > 0.96


def test_suggestions_on_restaurants() -> None:
    rows = restaurants(500, seed=4)
    scores = quality(rows, guessed_fields([name for name in rows[0] if name not in ("cluster", "rec_id", "guide")]))
    assert scores["f1"] > 0.97


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_learning_without_labels_is_no_worse() -> None:
    pytest.importorskip("splink", reason="the extra duplicates is not installed")
    rows = contacts(500, seed=8)
    fields = guessed_fields([name for name in rows[0] if name not in ("cluster", "rec_id")])
    assert quality(rows, fields, learn=True)["f1"] >= quality(rows, fields)["f1"] - 0.002


def test_automatic_rules_never_merge_two_people() -> None:
    rows = contacts(1500, seed=11)
    fields = guessed_fields([name for name in rows[0] if name not in ("cluster", "rec_id")])
    records = [record_of(fields, row) for row in rows]
    merged = list(automatic_pairs(fields, records))
    assert len(merged) > 100
    assert all(rows[one]["cluster"] == rows[other]["cluster"] for one, other in merged)


def test_a_household_at_one_number_is_not_merged() -> None:
    fields = [field_of("ad", "given_name"), field_of("soyad", "family_name"), field_of("tel", "phone")]
    rows = [{"ad": "Ali", "soyad": "Kaya", "tel": "5321234567"}, {"ad": "Veli", "soyad": "Kaya", "tel": "5321234567"}]
    assert list(automatic_pairs(fields, [record_of(fields, row) for row in rows])) == []
    assert list(automatic_pairs(fields, [record_of(fields, rows[0])] * 2)) == [(0, 1)]


def test_columns_are_understood_by_their_names() -> None:
    kinds = {spec.name: spec.kind for spec in guessed_fields(["First Name", "Soyadı", "E-Posta", "cust_ref", "PostCode"])}
    assert kinds == {"First Name": "given_name", "Soyadı": "family_name", "E-Posta": "email", "PostCode": "postcode"}


@pytest.mark.parametrize("given", ["surname", "family_name=nothing", "colour=surname"])
def test_a_wrong_mapping_names_the_option(given: str) -> None:
    with pytest.raises(InputRejected, match="--map"):
        mapped_fields([given], ["surname"])


def test_records_of_a_thousand_missing_values_are_compared_with_nobody() -> None:
    fields = [field_of(f"c{number}", "text") for number in range(1000)]
    blank = record_of(fields, {})
    assert default_model(fields).weigh(blank, blank).evidence == ()
    assert list(candidates(fields, [blank] * 5)) == []


def test_the_same_seed_gives_the_same_set() -> None:
    assert people(20, seed=3) == people(20, seed=3) != people(20, seed=4)

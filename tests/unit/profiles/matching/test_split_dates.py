"""One date of birth is one piece of evidence, in however many columns it stands; years and ages beside it add nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from profiles.matching.automatic import automatic_pairs
from profiles.matching.blocking import candidates
from profiles.matching.columns import guessed_fields, mapped_fields
from profiles.matching.learning import measured_model
from profiles.matching.matching import Field, Record, default_model, field_of, record_of
from profiles.matching.repeats import without_repeats
from profiles.matching.report import Truth, at_thresholds
from profiles.matching.split_dates import Part, agree, split_date
from profiles.matching.values import Kind
from profiles.suggestions.people import given_person
from shared.errors import InputRejected
from tests.support.duplicates import Row, contacts, people

PEOPLE = people(90, seed=3, slips=6)
CONTACTS = contacts(80, seed=4)


def scores(rows: Sequence[Row], fields: Sequence[Field]) -> Mapping[str, float]:
    """What `santral profiles evaluate` says of the rows."""
    fields, records, _ = without_repeats(fields, [record_of(fields, row) for row in rows])
    model = measured_model(fields, records)
    truth = Truth(clusters=[row["cluster"] for row in rows])
    weighed = [(model.weigh(records[a], records[b]).weight, truth.same(a, b)) for a, b in candidates(fields, records)]
    found: dict[str, float] = at_thresholds(weighed, truth.total(), [2.0])[0]
    return found


def guessed(rows: Sequence[Row]) -> tuple[Field, ...]:
    return guessed_fields([name for name in rows[0] if name not in ("cluster", "rec_id")])


def age(born: str) -> str:
    return str(2026 - int(born[:4])) if born[:4].isdigit() else ""


def kept(rows: Sequence[Row], fields: Sequence[Field]) -> tuple[list[Kind], list[Record]]:
    """What is compared of the rows."""
    fields, records, _ = without_repeats(fields, [record_of(fields, row) for row in rows])
    return [one.kind for one in fields], records


def test_a_redundant_year_makes_suggestions_no_worse() -> None:
    """Counted twice, F1 of FEBRL-like people fell; now it is the same to the last digit."""
    rows = [{**row, "birth_year": row["date_of_birth"][:4], "age": age(row["date_of_birth"])} for row in PEOPLE]
    with_year, without = scores(rows, guessed(rows)), scores(PEOPLE, guessed(PEOPLE))
    assert with_year["f1"] >= without["f1"] > 0.95


@pytest.mark.parametrize("year", ["birth_year", "Yob", "doğum yılı"])
def test_a_year_and_an_age_beside_the_date_change_nothing(year: str) -> None:
    rows = [{**row, year: row["date_of_birth"][:4], "age": age(row["date_of_birth"])} for row in PEOPLE]
    assert kept(rows, guessed(rows)) == kept(PEOPLE, guessed(PEOPLE))
    maps = ["given_name=given_name", "family_name=surname", "date=date_of_birth"]
    twice = mapped_fields([*maps, f"date={year}", "number=age"], list(rows[0]))
    assert kept(rows, twice) == kept(rows, mapped_fields(maps, list(rows[0])))


def test_what_repeats_a_date_is_seen_whatever_it_is_called() -> None:
    """A name says nothing here, so the values do; what does not follow from the date stays."""
    rows = [
        {
            **row,
            "x": row["date_of_birth"][:4],
            "y": age(row["date_of_birth"]),
            "z": row["date_of_birth"][4:6],
            "n": row["street_number"],
        }
        for row in PEOPLE
    ]
    maps = ["given_name=given_name", "family_name=surname", "date=date_of_birth"]
    fields = mapped_fields([*maps, "number=x", "number=y", "category=z", "number=n"], list(rows[0]))
    _, _, left_out = without_repeats(fields, [record_of(fields, row) for row in rows])
    assert left_out == ["x", "y", "z"]
    assert kept(rows, fields) == kept(rows, mapped_fields([*maps, "number=n"], list(rows[0])))


def split(row: Row, *, year: str, month: str, day: str) -> Row:
    parts = row["dob"].split(".") if row["dob"] else ["", "", ""]
    return {**{name: value for name, value in row.items() if name != "dob"}, day: parts[0], month: parts[1], year: parts[2]}


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [("by", "bm", "bd"), ("birth_year", "birth_month", "birth_day"), ("Doğum Yılı", "Doğum Ayı", "Doğum Günü")],
)
def test_a_date_in_three_columns_is_that_date(year: str, month: str, day: str) -> None:
    rows = [split(row, year=year, month=month, day=day) for row in CONTACTS]
    assert scores(rows, guessed(rows)) == scores(CONTACTS, guessed(CONTACTS))
    assert [{*one.columns[1:]} for one in guessed(rows) if one.kind == "date"] == [{year, month, day}]


def test_a_date_in_columns_of_any_name_is_mapped() -> None:
    rows = [split(row, year="j", month="m", day="t") for row in CONTACTS]
    others = ["given_name=first_name", "family_name=surname", "email=email", "phone=phone", "place=city"]
    fields = mapped_fields([*others, "birth_year=j", "birth_month=m", "birth_day=t"], list(rows[0]))
    assert scores(rows, fields) == scores(CONTACTS, mapped_fields([*others, "date=dob"], list(CONTACTS[0])))


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (["family_name=a", "birth_month=b"], "without its year.*birth_year=COLUMN"),
        (["birth_year=a", "birth_year=b"], "two columns are the year of birth"),
        (["birth_year=a", "number=a"], "mapped twice"),
        (["birth_hour=a"], "unknown kind.*birth_year"),
    ],
)
def test_a_wrong_mapping_of_a_date_names_the_remedy(maps: list[str], said: str) -> None:
    with pytest.raises(InputRejected, match=f"(?s){said}") as caught:
        mapped_fields(maps, ["a", "b"])
    assert caught.value.field == "--map"


@pytest.mark.parametrize(
    ("year", "month", "day", "form"),
    [
        ("1980", "3", "7", "19800307"), ("80", "March", "07", "19800307"), ("12", "Ağustos", "1.", "20120801"), ("1980", "", "", "19800000"),
        ("1980", "5", "", "19800500"), ("", "5", "7", ""), ("?", "5", "7", ""),
    ],
)  # fmt: skip
def test_parts_say_a_date(year: str, month: str, day: str, form: str) -> None:
    said: dict[Part, str] = {"year": year, "month": month, "day": day}
    assert split_date(said) == form


def test_the_fuller_of_a_date_and_its_parts_counts() -> None:
    fields = guessed_fields(["surname", "dob", "birth_year"])
    assert record_of(fields, {"surname": "Kaya", "dob": "7.3.1980", "birth_year": "1981"})[1] == "19800307"
    assert record_of(fields, {"surname": "Kaya", "dob": "", "birth_year": "1981"})[1] == "19810000"


def test_a_common_year_is_not_a_common_day() -> None:
    """Without measured chances a year that two have in common weighs as much as one year of some seventy."""
    fields = (field_of("dob", "date"),)
    model = default_model(fields)
    year = model.weigh(("19800000",), ("19800000",)).weight - model.prior
    assert 5 <= year <= 6 < model.weigh(("19800307",), ("19800307",)).weight - model.prior


def test_a_year_does_not_contradict_a_day_of_it() -> None:
    assert agree("19800000", "19800307")
    assert not agree("19810000", "19800307")
    fields = (field_of("n", "name"), field_of("e", "email"), field_of("dob", "date"))
    mail = "ayse.kaya@ornek.com"
    assert list(automatic_pairs(fields, [("ayse kaya", mail, "19800000"), ("ayse kaya", mail, "19800307")])) == [(0, 1)]
    assert not list(automatic_pairs(fields, [("ayse kaya", mail, "19810000"), ("ayse kaya", mail, "19800307")]))


@pytest.mark.parametrize(
    ("traits", "born"),
    [
        ({"birth_year": 1980, "date_of_birth": "1980-03-07"}, "1980-03-07"),
        ({"birth_year": "1980", "birth_month": "3", "birth_day": "7"}, "19800307"),
        ({"birth_year": 1980}, "19800000"),
    ],
)
def test_attributes_of_a_profile_are_one_date_too(traits: dict[str, object], born: str) -> None:
    known = given_person(
        {"name": "Ayşe Kaya", "traits": traits, "handles": [{"kind": "email", "scope": "", "value": "a@ornek.com"}]}
    )
    fields = (field_of("date_of_birth", "date"),)
    assert record_of(fields, known.values) == record_of(fields, {"date_of_birth": born})

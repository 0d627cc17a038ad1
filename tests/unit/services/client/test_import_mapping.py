"""Columns of a customer list: a date of birth in three of them is one attribute."""

from __future__ import annotations

import pytest

from services.client.import_mapping import import_mapping
from shared.errors import InputRejected

COLUMNS = ["email", "birth_year", "birth_month", "birth_day"]
MAPS = ["email=e", "birth_year=y", "birth_month=m", "birth_day=d"]


def test_three_columns_are_one_date_guessed_or_mapped() -> None:
    row = {"email": "a@ornek.com", "birth_year": "1980", "birth_month": "Mart", "birth_day": "7"}
    assert import_mapping((), COLUMNS).row(1, row)["traits"] == {"date_of_birth": "1980-03-07"}
    mapped = import_mapping(MAPS, list("eymd")).row(1, {"e": "a@ornek.com", "y": "80", "m": "3", "d": "07"})
    assert mapped["traits"] == {"date_of_birth": "1980-03-07"}
    assert import_mapping(MAPS, list("eymd")).row(1, {"e": "a@ornek.com", "y": "", "m": "", "d": ""})["traits"] == {}


def test_beside_a_whole_date_its_parts_are_attributes_as_they_are() -> None:
    mapping = import_mapping((), ["email", "dob", "birth_year", "birth_month", "birth_day", "age"])
    assert {column: target for target, column in mapping.pairs}["birth_year"] == "trait.birth_year"
    assert mapping.ignored == ("age",)
    assert dict(import_mapping((), ["email", "birth_year"]).pairs)["trait.birth_year"] == "birth_year"


@pytest.mark.parametrize(
    ("cells", "column", "said"),
    [
        (("1980", "2", "30"), "d", "no day of the calendar"),
        (("1980", "13", "3"), "d", "no day of the calendar"),
        (("1980", "", "3"), "m", "not whole"),
        (("", "1", "3"), "y", "not whole"),
    ],
)
def test_a_row_without_a_date_is_left_out_with_column_and_remedy(cells: tuple[str, str, str], column: str, said: str) -> None:
    with pytest.raises(InputRejected, match=said) as caught:
        import_mapping(MAPS, list("eymd")).row(1, {"e": "a@ornek.com", **dict(zip("ymd", cells, strict=True))})
    assert caught.value.field == column
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (MAPS[:3], "birth_day is missing"),
        ([*MAPS, "birth_day=e"], "birth_day is given twice"),
        ([*MAPS, "trait.date_of_birth=e"], "in one column and in several"),
    ],
)
def test_a_mapping_that_is_no_date_is_refused(maps: list[str], said: str) -> None:
    with pytest.raises(InputRejected, match=said) as caught:
        import_mapping(maps, list("eymd"))
    assert caught.value.field == "--map"

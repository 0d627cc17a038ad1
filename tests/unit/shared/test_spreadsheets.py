"""Cells of files that spreadsheets open: nothing begins a formula, and everything reads back as it was."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.spreadsheets import cell, json_cell, text_of


@pytest.mark.parametrize("text", ["=1+1", "+a", "-b", "@sum", "\tx", "\rx", "=HYPERLINK(1)", "-1+cmd"])
def test_what_would_be_reckoned_is_shown(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Ayşe", "+905321234567", "-5", "+90 532 123 45 67", "a=b", "'tis", "O'Hara"])
def test_what_is_none_stays(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a;=1", "a;'=1"),
        ("a\n@b", "a\n'@b"),
        ("a\t-b;=c", "a\t'-b;'=c"),
        (";'=1", ";''=1"),
        ("a;+90 532;-5", "a;+90 532;-5"),
        ('a;"=1', "a;'\"=1"),
        ('"=1', '"=1'),
    ],
)
def test_nor_what_stands_after_another_places_separator(text: str, shown: str) -> None:
    assert (cell(text), text_of(shown)) == (shown, text)


@given(st.lists(st.text(alphabet="; \t\r\n'\"=@5a,", max_size=12), min_size=1, max_size=3))
def test_no_cell_of_another_place_is_reckoned(texts: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(["id", *map(cell, texts)])
    read = csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=";")
    assert not [one for row in read for one in row if one.startswith(("=", "@"))]


def test_json_stays_json_and_is_not_cut() -> None:
    value = {"not": ["a;=1", "b\n=2", "ş"], "sayı": -5}
    assert json.loads(json_cell(value)) == value
    assert not set(";\n\t\r") & set(json_cell(value))


@given(st.text() | st.text(alphabet=";\t\r\n'\"=+-@5a ") | st.from_regex(r"'*[=+\-@]?[0-9 ]*", fullmatch=True))
def test_it_reads_back_as_it_was(text: str) -> None:
    assert text_of(cell(text)) == text
    assert cell(text)[:1] not in ("=", "@", "\t", "\r")

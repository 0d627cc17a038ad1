"""Cells of files that spreadsheets open: nothing begins a formula, and everything reads back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.spreadsheets import cell, text_of


@pytest.mark.parametrize("text", ["=1+1", "+a", "-b", "@sum", "\tx", "\rx", "=HYPERLINK(1)", "-1+cmd"])
def test_what_would_be_reckoned_is_shown(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Ayşe", "+905321234567", "-5", "+90 532 123 45 67", "a=b", "'tis", "O'Hara"])
def test_what_is_none_stays(text: str) -> None:
    assert cell(text) == text


@given(st.text() | st.from_regex(r"'*[=+\-@]?[0-9 ]*", fullmatch=True))
def test_it_reads_back_as_it_was(text: str) -> None:
    assert text_of(cell(text)) == text
    assert cell(text)[:1] not in ("=", "@", "\t", "\r")

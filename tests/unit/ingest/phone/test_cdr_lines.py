"""Records of a call log cut from its text, each line looked at once."""

from __future__ import annotations

from typing import SupportsIndex

import pytest

from ingest.phone.cdr import lines_of


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("a\nb\r\n\n  \nc", ["a", "b", "c"]),
        ('"a\nb"\nc', ['"a\nb"', "c"]),
        ('"a\n\n  \nb"\n"c""d"', ['"a\n\n  \nb"', '"c""d"']),
        ('a\n"open\nand\nso on', ["a", '"open\nand\nso on']),
        ("", []),
    ],
)
def test_a_record_ends_where_its_quotes_do(text: str, records: list[str]) -> None:
    assert list(lines_of(text)) == records


class Line(str):
    """A line that counts how often it is searched."""

    searched = 0

    def count(self, sub: str, start: SupportsIndex | None = None, end: SupportsIndex | None = None, /) -> int:
        self.searched += 1
        return super().count(sub, start, end)


class Text(str):
    """A text that gives such lines."""

    __slots__ = ("lines",)

    def splitlines(self, keepends: bool = False) -> list[str]:
        self.lines = [Line(line) for line in super().splitlines(keepends)]
        return list(self.lines)


def test_a_quote_that_nobody_closes_is_looked_for_once_in_each_line() -> None:
    text = Text('"' + "a,b\n" * 50_000)
    assert list(lines_of(text)) == [text.strip()]
    assert {line.searched for line in text.lines} == {1}

"""Patterns: what is counted in braces counts as often as it is written out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pattern_steps import pattern_steps


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("", 0), ("abc", 3), ("a{9}", 9), ("a{2,9}", 9), ("a{9,}", 10), ("a{0}", 1), ("(ab){5}c", 11), ("((ab){5}c){2}", 22), ("[a-z]{4}", 4),
        ("a+b*", 4), (r"\{3}", 3), ("[{3}]", 1), (r"\Qa{9}\E", 8), ("(((", 0), (")))", 3), ("{9}", 0), ("a{x}", 4), ("a|b", 3),
    ],
)  # fmt: skip
def test_steps_are_counted(pattern: str, steps: int) -> None:
    assert pattern_steps(pattern) == steps


def test_letters_of_a_script_are_many_steps() -> None:
    assert pattern_steps(r"\p{L}{10}") == pattern_steps(r"[\pL]{10}") > 1000
    assert pattern_steps(".{10}") == pattern_steps("ş{10}") / 2 == 60


@given(st.text(alphabet="ab(){}[]\\,19+*?|.^ş:pQEx", max_size=60))
def test_any_text_is_answered(pattern: str) -> None:
    assert 0 <= pattern_steps(pattern) <= 10_000 ** max(1, pattern.count("{")) * 400 * (1 + len(pattern))

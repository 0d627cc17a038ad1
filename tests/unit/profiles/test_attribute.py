"""What an attribute may hold."""

from __future__ import annotations

import math
from typing import Any

import pytest

from profiles.attribute import CHARS_MAX, LEVELS_MAX, unfit


def nested(levels: int) -> Any:
    value: Any = "x"
    for place in range(levels):
        value = [value] if place % 2 else {"in": value}
    return value


@pytest.mark.parametrize("value", ["x" * CHARS_MAX, 10**20, 1e308, None, True, [], {"a": [1]}, nested(LEVELS_MAX)])
def test_any_json_of_a_bounded_size(value: Any) -> None:
    assert unfit(value) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x" * (CHARS_MAX + 1), "characters"), (list(range(CHARS_MAX)), "characters"), ({"x" * CHARS_MAX: 1}, "characters"),
        (math.inf, "finite"), ({"a": [math.nan]}, "finite"), ("\ud83d", "not text"), ({"\ud83d": 1}, "not text"),
        (nested(LEVELS_MAX + 1), "deeply"), (nested(900), "deeply"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_a_remedy(value: Any, message: str) -> None:
    why = unfit(value)
    assert why is not None
    assert message in why[0]
    assert why[1]

"""JSON is bounded before it is parsed: every bound, with the place it names; and what is stored deeper is read."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SantralError, TooLarge, Unprocessable
from shared.json_bounds import CUT, Bounds, bounded_json, require_bounded, shallow

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES, st.booleans())
def test_what_is_within_the_bounds_passes_unchanged(value: Any, ascii_only: bool) -> None:
    assert bounded_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("content", "error", "field"),
    [
        (b'{"traits": {"a": ' + b"[" * 31, TooLarge, "body.traits.a.0.0.0.0.0.0"),
        (b"[" * 10_000, TooLarge, "body.0.0.0.0.0.0.0.0"),
        (b'{"a":' * 10_000, TooLarge, "body.a.a.a.a.a.a.a.a"),
        (b"[" + b"1," * 20_001 + b"1]", TooLarge, "body"),
        (b'{"a": [1, 1e400]}', Unprocessable, "body.a.1"),
        (b'{"a": 9223372036854775808}', Unprocessable, "body.a"),
        (b'{"a": ' + b"1" * 5000 + b"}", Unprocessable, "body.a"),
        (b'{"exp": -Infinity}', Unprocessable, "body.exp"),
        (b'{"b": NaN}', Unprocessable, "body.b"),
        (b'{"b": ["x", "a\\u0000b"]}', Unprocessable, "body.b.1"),
        (b'{"b": "\\ud83d"}', Unprocessable, "body.b"),
        (b'{"b": "\\ud83d x \\ude00"}', Unprocessable, "body.b"),
        (b'{"b": "\\ude00"}', Unprocessable, "body.b"),
    ],
)  # fmt: skip
def test_what_is_over_a_bound_is_refused_by_its_place(content: bytes, error: type[SantralError], field: str) -> None:
    with pytest.raises(error) as caught:
        require_bounded(content)
    assert caught.value.field == field
    assert caught.value.remedy


@pytest.mark.parametrize(
    "content",
    [
        b'"\\\\u0000"',
        b'"\\ud83d\\ude00"',
        b'"[[[["',
        b'"\\"[[[["',
        b"]]]]",
        b'"no end',
        b"-",
        b"1e",
        b"",
        b"\xff\xfe",
        b"[1.5e300]",
    ],
)
def test_what_only_looks_like_it_passes(content: bytes) -> None:
    require_bounded(content, Bounds(depth=2))


def test_a_long_text_is_bounded_too() -> None:
    with pytest.raises(TooLarge, match="too long"):
        require_bounded(b'{"a": "' + b"x" * 101 + b'"}', Bounds(string_bytes=100))


def test_a_million_members_are_refused_with_flat_memory() -> None:
    content = b"{" + b",".join(b'"k%d":0' % number for number in range(1_000_000)) + b"}"
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            require_bounded(content)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@given(VALUES)
def test_what_is_shallow_is_stored_and_read_as_it_is(value: Any) -> None:
    text = json.dumps(value)
    assert shallow(text) is text


def test_what_is_stored_too_deeply_is_cut_where_it_is_read() -> None:
    text = '{"city": "İzmir", "bad": ' + '{"a": [' * 200 + '"]}"' + "]}" * 200 + ', "tier": "gold"}'
    found = json.loads(shallow(text, 5))
    assert found == {"city": "İzmir", "bad": {"a": [{"a": [CUT]}]}, "tier": "gold"}
    assert json.loads(shallow("[" * 3000 + "]" * 3000))

"""Many addresses looked for at once: found where each would be found by itself, in time that grows with the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.privacy.needles import HEAD_BYTES, Needles

LETTERS = st.sampled_from([b"a", b"b", b"-", b"]", b"^", b"\\", b"\n", b"\xc3"])
PIECES = st.lists(LETTERS, min_size=HEAD_BYTES, max_size=9).map(b"".join)


@given(st.lists(st.lists(PIECES, max_size=5), max_size=3), st.lists(LETTERS, max_size=60).map(b"".join))
def test_a_text_holds_one_of_many_where_it_holds_one_of_them(parts: list[list[bytes]], text: bytes) -> None:
    assert Needles(*parts).within(text) == any(piece in text for part in parts for piece in part)
    assert bool(Needles(*parts)) == any(parts)


@given(st.lists(PIECES, min_size=1, max_size=5), st.binary(max_size=20), st.binary(max_size=20), st.data())
def test_each_is_found_inside_a_longer_word(pieces: list[bytes], before: bytes, behind: bytes, data: st.DataObject) -> None:
    assert Needles(pieces).within(before + data.draw(st.sampled_from(pieces)) + behind)


def test_what_a_search_costs_grows_with_the_text_and_not_with_how_many_are_looked_for() -> None:
    compared = 0

    class Counted(bytes):
        def __gt__(self, other: bytes) -> bool:
            nonlocal compared
            compared += 1
            return bytes(self) > other

    needles = Needles([Counted(b"a" * length + b"@ornek.com") for length in range(HEAD_BYTES, 500)])
    assert not needles.within(b"a" * 10_000)
    assert 10_000 < compared < 10_000 * 12

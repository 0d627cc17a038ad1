import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text import KEY_BYTES_MAX, clean_line, clean_text, fold_turkish, key_text

ANY_TEXT = st.text(alphabet=st.characters(categories=None))


@pytest.mark.parametrize(
    ("raw", "clean"),
    [("a\x00b", "a\ufffdb"), ("a\udc80b", "a\ufffdb"), ("satır\nsatır\ttab", "satır\nsatır\ttab"), ("😀", "😀")],
)
def test_text_loses_only_what_no_store_accepts(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Konu\r\n Bcc: x@y", "Konu Bcc: x@y"),
        ("a\u2028b\x85c", "a b c"),
        ("bir \r\n\t iki", "bir iki"),
        ("iki  boşluk", "iki  boşluk"),
        ("\x07zil\x00 ", "zil\ufffd"),
    ],
)
def test_line_is_one_line(raw: str, clean: str) -> None:
    assert clean_line(raw) == clean


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ISPARTA", "ısparta"),
        ("İstanbul", "ISTANBUL"),
        ("istanbul", "İSTANBUL"),
        ("Şikâyet", "sikayet"),
        ("GÜMÜŞÇÜ", "gumuscu"),
        ("Straße", "STRASSE"),
        ("ﬁyat", "FİYAT"),
    ],
)
def test_fold_makes_equal(one: str, other: str) -> None:
    assert fold_turkish(one) == fold_turkish(other)


def test_fold_keeps_different_words_apart() -> None:
    assert fold_turkish("kart") != fold_turkish("kırt")


@given(ANY_TEXT)
def test_cleaning_twice_is_cleaning_once(raw: str) -> None:
    for clean in (clean_text, clean_line):
        once = clean(raw)
        assert clean(once) == once
        assert "\x00" not in once
        json.dumps(once).encode("utf-8")
        once.encode("utf-8")


@given(ANY_TEXT)
def test_a_line_has_no_line_break(raw: str) -> None:
    assert len(clean_line(raw).splitlines()) <= 1


@given(st.text())
def test_folding_twice_is_folding_once(raw: str) -> None:
    once = fold_turkish(raw)
    assert fold_turkish(once) == once
    assert not set("İIı") & set(once)


def test_a_run_of_blanks_costs_linear_time() -> None:
    # Quadratic patterns need minutes for this; the test's own time limit is the assertion.
    assert clean_line("a" + " " * 300_000 + "b").endswith("b")


def test_a_name_reads_as_it_is_written() -> None:
    """Letters that turn the direction would let a stranger's name read as another's; marks of a script's own direction stay."""
    assert clean_line("\u202emoc.knab\u202c \u2066Ay\u015fe\u2069") == "moc.knab   Ay\u015fe"
    assert clean_line("ay\u202ese@ornek.com") == "ay se@ornek.com", "a stranger's address is no customer's"
    assert clean_line("\u05d0\u200f\u05d1") == "\u05d0\u200f\u05d1"


@given(st.text(max_size=50), st.integers(0, 1500))
def test_a_key_is_short_and_stays_what_it_is(end: str, length: int) -> None:
    one, other = "\U0002a000" * length + end, "\U0002a000" * length + end + "x"
    key = key_text(one)
    assert len(key.encode()) <= KEY_BYTES_MAX
    assert key_text(key) == key
    assert key != key_text(other)
    assert "\x00" not in key
    assert key == clean_text(one) or len(clean_text(one).encode()) > KEY_BYTES_MAX

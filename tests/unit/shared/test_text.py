import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text import clean_line, clean_text, fold_turkish

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

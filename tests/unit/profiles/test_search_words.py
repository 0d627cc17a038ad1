"""The words by which people are found: the same fold on both sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.search_words import Named, attribute_word, search_query, search_text

AYSE = [Named("email", "ayse.yilmaz@ornek.com", "Ayşe YILMAZ"), Named("phone", "+905321234567", "")]


def finds(query: str, text: str) -> bool:
    """What PostgreSQL does with both, for words without quotes."""
    words = text.split()
    for term in query.split(" & "):
        either = [(one.rpartition("'")[0][1:], one.endswith(":*")) for one in term.strip("()").split(" | ")]
        if not any(one.startswith(word) if prefix else one == word for one in words for word, prefix in either):
            return False
    return bool(query)


@pytest.mark.parametrize(
    "asked",
    ["ayşe", "AYŞE", "ayse yil", "Ayşe'nin", "yılmaz", "YILMAZ", "yilmaz AYŞE", "ayse.yilmaz@ornek.com", "AYSE.YILMAZ@ÖRNEK.com",
     "ornek", "0532 123 45 67", "+90 (532) 123 45 67", "532123", "4567"],
)  # fmt: skip
def test_a_person_is_found_however_it_is_typed(asked: str) -> None:
    assert finds(search_query(asked), search_text(AYSE, {}))


@pytest.mark.parametrize(
    ("kind", "value", "asked"),
    [
        ("phone", "+541123456789", "+54 9 11 2345-6789"),
        ("phone", "+541123456789", "11 2345-6789"),
        ("wa_id", "5491123456789", "+54 11 2345-6789"),
        ("wa_id", "5491123456789", "5491123456789"),
        ("wa_id", "5215512345678", "+52 55 1234 5678"),
        ("wa_id", "555481234567", "(54) 98123-4567"),
        ("phone", "+5554981234567", "+55 54 8123-4567"),
    ],
)
def test_a_number_is_found_in_either_of_its_forms(kind: str, value: str, asked: str) -> None:
    assert finds(search_query(asked), search_text([Named(kind, value, "")], {}))


@pytest.mark.parametrize("asked", ["ayşegül", "fatma", "ayse fatma", "0533", "kim@ornek.com"])
def test_nobody_else_is(asked: str) -> None:
    assert not finds(search_query(asked), search_text(AYSE, {}))


def test_attributes_are_words_and_filters() -> None:
    text = search_text([], {"city": {"value": "İzmir Karşıyaka"}, "tags": {"value": ["VIP", "toptan"]}, "n": {"value": None}})
    assert finds(search_query("karsiyaka"), text)
    assert finds(search_query("", {"city": "izmir karşıyaka", "tags": "vip"}), text)
    assert not finds(search_query("", {"city": "İzmir"}), text)
    assert attribute_word("City", "İZMİR") == "city=izmir"


def test_nothing_asked_is_no_query() -> None:
    assert search_query("  '' -- ") == ""


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_stored_is_words_between_single_blanks(name: str, value: str) -> None:
    text = search_text([Named("visitor", value, name)], {name: {"value": value}})
    assert "" not in text.split(" ") or text == ""
    assert search_text([Named("visitor", value, name)], {name: {"value": value}}) == text


@given(st.text(max_size=40))
def test_a_name_finds_its_owner(name: str) -> None:
    query = search_query(name)
    if query and "@" not in name and "'" not in name and "’" not in name and not any(c.isdigit() for c in name):
        assert finds(query, search_text([Named("visitor", "v", name)], {}))

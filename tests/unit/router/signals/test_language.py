"""The language of short texts: what says too little keeps what is known, what says enough changes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.signals.language import NOTHING, Heard, language_of
from router.signals.signals import Signals

SPOKEN = (("tr", "en"), ("tr", "en", "de"), ("tr", "en", "de", "ar", "ru"), ("en", "tr", "fr", "es", "ar", "ru", "el"))


def after(text: str, languages: tuple[str, ...], before: str) -> str:
    """The language of a conversation once the text is in."""
    heard = language_of(text, languages)
    return Signals(language=heard.language, language_sure=heard.is_sure).said_after(before).language


@pytest.mark.parametrize("languages", SPOKEN)
@pytest.mark.parametrize(
    "text",
    ["olur", "super", "ok", "OK!", "okey", "Okay", "tamam", "👍", "12345", "", "   ", "?!", "hahaha", "jajaja", "hmm", "mmm", "saol", "sağ ol",
     "DHL 1Z999AA10123456784", "TR12 3456 7890", "https://shop.example/where-is-my-order", "see@where-is-my-order.example", "iPhone 14 Pro",
     "great", "thanks", "danke", "merci", "hola", "Mehmet Kaya", "Ayşe Yılmaz", "Istanbul", "да", "\ud83d", "ﷺ"],
)  # fmt: skip
def test_what_says_too_little_keeps_what_is_known(text: str, languages: tuple[str, ...]) -> None:
    for before in languages:
        assert after(text, languages, before) == before


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        ("Siparişim hâlâ gelmedi, nerede?", "tr", SPOKEN),
        ("kargom nerede kaldi acaba", "tr", SPOKEN),
        ("ne zaman gelecek", "tr", SPOKEN),
        ("iade istiyorum", "tr", SPOKEN),
        ("Hello, where is my order?", "en", SPOKEN),
        ("please call me", "en", SPOKEN),
        ("ok, what is the price", "en", SPOKEN),
        ("wo ist mein Paket", "de", SPOKEN[1:3]),
        ("Ich möchte eine Rückerstattung", "de", SPOKEN[1:3]),
        ("funktioniert nicht", "de", SPOKEN[1:3]),
        ("أين طلبي", "ar", SPOKEN[2:]),
        ("شكرا", "ar", SPOKEN[2:]),
        ("где мой заказ", "ru", SPOKEN[2:]),
        ("привет", "ru", SPOKEN[2:]),
        ("iPhone где мой заказ", "ru", SPOKEN[2:]),
        ("πού είναι η παραγγελία μου", "el", SPOKEN[3:]),
        ("où est ma commande", "fr", SPOKEN[3:]),
        ("¿dónde está mi pedido?", "es", SPOKEN[3:]),
    ],
)
def test_what_says_enough_changes_it(text: str, language: str, spoken: tuple[tuple[str, ...], ...]) -> None:
    for languages in spoken:
        for before in ("", *languages):
            assert after(text, languages, before) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Merhaba", "tr"), ("selam", "tr"), ("tamam", "tr"), ("hayır", "tr"), ("teşekkürler", "tr"), ("iyi günler", "tr"), ("çok kötü", "tr"),
        ("fiyat nedir", "tr"), ("hello", "en"), ("thanks", "en"), ("good morning", "en"), ("how much", "en"), ("not working", "en"),
    ],
)  # fmt: skip
def test_a_guess_is_better_than_nothing_where_nobody_knows(text: str, language: str) -> None:
    heard = language_of(text, ("tr", "en"))
    assert (heard.language, heard.is_sure) == (language, False if len(text) < 12 else heard.is_sure)


@pytest.mark.parametrize("text", ["olur", "super", "ok", "👍", "12345", "saol", "أين طلبي", "где мой заказ", "注文はどこですか"])
def test_nothing_is_said_where_it_is_chance_or_another_script(text: str) -> None:
    assert language_of(text, ("tr", "en")) == NOTHING


def test_what_the_workspace_speaks_bounds_it() -> None:
    assert language_of("anything", ()) == NOTHING
    assert language_of("anything", ("de",)) == Heard(language="de", confidence=1.0, is_sure=True)
    assert after("anything at all", ("tlh", "xx"), "tr") == "tr"
    assert after("anything at all", ("tlh", "xx"), "") == "tlh"


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    heard = language_of(text, SPOKEN[2])
    assert heard.language in ("", *SPOKEN[2])
    assert heard.is_sure <= bool(heard.language)

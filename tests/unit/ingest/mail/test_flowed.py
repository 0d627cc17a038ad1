"""Paragraphs that were broken for the wire are joined; what only looks like one is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.flowed import join_flowed, without_cleartext_signature
from ingest.mail.mime import read_mail


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        ("bir \niki \nüç", "bir iki üç"),
        ("bir \n\niki", "bir \n\niki"),
        (" From x\n >y\n  z", "From x\n>y\n z"),
        ("Selam \n-- \nAli \nVeli", "Selam \n-- \nAli Veli"),
        ("> -- \n> Ali", "> -- \n> Ali"),
        (">> iç \n>> alıntı \n> dış\nyeni", ">> iç alıntı \n> dış\nyeni"),
        ("> bir \n>\n> iki", "> bir \n>\n> iki"),
        ("> > elle yazılmış \n> > iki", "> > elle yazılmış > iki"),
        ("son ", "son "),
        ("", ""),
    ],
)
def test_soft_breaks(wire: str, text: str) -> None:
    assert join_flowed(wire, delete_space=False) == text


def test_delsp_takes_the_added_blank() -> None:
    assert join_flowed("日本 \n語  \nです", delete_space=True) == "日本語 です"


def test_only_where_the_part_says_so() -> None:
    body = "\n\nbir \niki"
    assert read_mail(f"From: a@b.c\nContent-Type: text/plain; Format=Flowed{body}".encode()).text == "bir iki"
    assert read_mail(f"From: a@b.c\nContent-Type: text/plain; format=fixed{body}".encode()).text == "bir \niki"
    assert read_mail(f"From: a@b.c\nContent-Type: text/plain{body}".encode()).text == "bir \niki"


@given(st.text(alphabet="> a\n-", max_size=80))
def test_no_word_is_lost(wire: str) -> None:
    joined = join_flowed(wire, delete_space=False)
    assert joined.count("a") == wire.count("a")


SIGNED = (
    "önce\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\nHash: SHA1\n\nMerhaba\n\n- -- \nAli\n- -----x\n"
    "-----BEGIN PGP SIGNATURE-----\nVersion: x\n\niQEz\n=abcd\n-----END PGP SIGNATURE-----\nsonra"
)


def test_a_cleartext_signature_leaves_the_words() -> None:
    assert without_cleartext_signature(SIGNED) == "önce\nMerhaba\n\n-- \nAli\n-----x\nsonra"
    assert without_cleartext_signature("- a\n-----BEGIN PGP SIGNATURE-----") == "- a\n-----BEGIN PGP SIGNATURE-----"
    assert without_cleartext_signature("Ali: a\n- b") == "Ali: a\n- b"

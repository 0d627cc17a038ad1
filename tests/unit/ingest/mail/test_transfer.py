"""Transfer encodings: as labelled, and as the bytes of a text say where the label cannot be right."""

import quopri
from base64 import encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.transfer import decode_transfer

TEXT = "Şikâyetim var: sipariş üç haftadır gelmedi, lütfen bakın.".encode()


@pytest.mark.parametrize(
    "footer",
    [
        b"--\nThis mail was checked\n",
        b"_______________\nList mailing list\nhttps://liste.example/\n",
        "Bu ileti tarandı.\n".encode(),
    ],
    ids=["after padding", "rule", "letters"],
)
@pytest.mark.parametrize("text", [TEXT, TEXT[:-1], TEXT[:-2], b"Selam!"], ids=len)
def test_a_footer_behind_base64_is_no_base64(text: bytes, footer: bytes) -> None:
    assert decode_transfer(encodebytes(text) + footer, "base64", is_text=True) == text
    assert decode_transfer(encodebytes(text) + footer, "base64") == text


def test_after_padding_any_foreign_letter_is_a_footer() -> None:
    assert decode_transfer(b"U2VsYW0=\nChecked-by-TheAntivirusGatewayOfTheCompany\n", "base64", is_text=True) == b"Selam"


def test_base64_goes_on_after_padding_and_over_foreign_letters() -> None:
    assert decode_transfer(encodebytes(b"bir\n") + encodebytes(b"iki"), "base64", is_text=True) == b"bir\niki"
    assert decode_transfer(b"!TWVy * \tYWJh\n", "base64", is_text=True) == b"Meraba"


@pytest.mark.parametrize(
    "words",
    [
        "Merhaba", "OK", "tesekkurler", "Evet tamam", "Merhaba,\n\nfatura gelmedi.\nAli", "<html><body>selam</body></html>", "Sipariş nerede?",
        "Fatura gelmedi, yardim eder misiniz?",
    ],
)  # fmt: skip
def test_clear_text_labelled_base64_stays(words: str) -> None:
    assert decode_transfer(words.encode(), "base64", is_text=True) == words.encode()


@pytest.mark.parametrize("charset", ["iso8859-9", "cp1254", "utf-16-le", "utf-8"])
@pytest.mark.parametrize("words", ["ığş", "Şikâyetim var", "abc"])
def test_base64_of_other_charsets_is_base64(words: str, charset: str) -> None:
    assert decode_transfer(encodebytes(words.encode(charset)), "base64", is_text=True) == words.encode(charset)


@pytest.mark.parametrize("label", ["", "7bit", "8bit", "quoted-printable", "x-nothing"])
def test_base64_under_another_label(label: str) -> None:
    assert decode_transfer(encodebytes(TEXT), label, is_text=True) == TEXT
    assert decode_transfer(encodebytes(TEXT), label) != TEXT


@pytest.mark.parametrize("label", ["", "7bit", "base64"])
def test_quoted_printable_under_another_label(label: str) -> None:
    assert decode_transfer(quopri.encodestring(TEXT), label, is_text=True) == TEXT


@pytest.mark.parametrize(
    "words",
    [b"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", b"a=C3=BC", b"1=2 ve =C3=BC =C3=BC", b"SIPARIS\nNUMARASI\n12345678", b"A" * 80, b"", b"\n\n"],
)
def test_what_may_be_meant_stays(words: bytes) -> None:
    assert decode_transfer(words, "", is_text=True) == words


def test_an_address_in_clear_text_is_no_escape() -> None:
    address = b"bkz. https://ornek.example/x?id=ABCD&no=12 tesekkurler"
    assert decode_transfer(address, "quoted-printable", is_text=True) == address
    assert decode_transfer(b"?id=3DABCD caf=C3=A9", "quoted-printable", is_text=True) == "?id=ABCD café".encode()
    assert decode_transfer(b"?x=20", "quoted-printable") == b"?x "


def test_blanks_behind_a_soft_break() -> None:
    assert decode_transfer(b"bir =  \r\niki=\t\n son", "quoted-printable", is_text=True) == b"bir iki son"


@given(st.binary(max_size=300), st.sampled_from(["", "7bit", "base64", "quoted-printable", "uuencode"]), st.booleans())
def test_nothing_raises(body: bytes, encoding: str, is_text: bool) -> None:
    decode_transfer(body, encoding, is_text=is_text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=200).map(str.encode))
def test_what_was_encoded_is_decoded(body: bytes) -> None:
    assert decode_transfer(encodebytes(body), "base64", is_text=True) == body


@pytest.mark.parametrize("encoding", ["", "base64"])
def test_a_run_of_blanks_is_read_in_time_that_grows_with_it(encoding: str) -> None:
    # In time that grew with its square this took longer than a test may.
    body = b"a" * 80 + b" " * 300_000 + b"!"
    assert decode_transfer(body, encoding, is_text=True).rstrip() in (
        body,
        b"a" * 80 + b" " * 300_000 + b"!",
        decode_transfer(body, encoding),
    )

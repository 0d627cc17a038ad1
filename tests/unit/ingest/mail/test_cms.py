"""Signed envelopes are opened without a key, whole or in pieces; anything else stays a file."""

from base64 import encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.cms import ENVELOPED_DATA, SIGNED_DATA, content_kind, signed_content
from ingest.mail.mime import ENCRYPTED_TEXT, read_mail

DATA = bytes.fromhex("2a864886f70d010701")
PART = "Content-Type: text/plain; charset=utf-8\r\n\r\nİmzalı metin.\r\n".encode()


def _element(tag: int, *inner: bytes, endless: bool = False) -> bytes:
    content = b"".join(inner)
    if endless:
        return bytes([tag, 0x80]) + content + b"\0\0"
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content


def _envelope(content: bytes | None, *, kind: bytes = SIGNED_DATA, endless: bool = False) -> bytes:
    if content is None:
        held = b""
    elif endless:
        pieces = [_element(0x04, content[at : at + 7]) for at in range(0, len(content), 7)]
        held = _element(0xA0, _element(0x24, *pieces, endless=True), endless=True)
    else:
        held = _element(0xA0, _element(0x04, content))
    digests = _element(0x31, _element(0x30, _element(0x06, DATA)), endless=endless)
    signed = _element(
        0x30, _element(0x02, b"\1"), digests, _element(0x30, _element(0x06, DATA), held, endless=endless), endless=endless
    )
    return _element(0x30, _element(0x06, kind), _element(0xA0, signed, endless=endless), endless=endless)


def _mail(content_type: str, content: bytes) -> bytes:
    return f"From: a@b.c\nContent-Type: {content_type}\nContent-Transfer-Encoding: base64\n\n".encode() + encodebytes(content)


@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize(
    "content_type",
    [
        "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", "application/x-pkcs7-mime", "application/octet-stream; name=smime.p7m"
    ],
)  # fmt: skip
def test_what_a_signed_envelope_holds_is_read(content_type: str, endless: bool) -> None:
    mail = read_mail(_mail(content_type, _envelope(PART, endless=endless)))
    assert (mail.text, mail.attachments, mail.warnings) == ("İmzalı metin.", (), ())


def test_envelopes_in_envelopes_are_opened_five_deep() -> None:
    part = PART
    for depth in range(1, 8):
        part = _mail("application/pkcs7-mime; smime-type=signed-data", _envelope(part)).partition(b"\n")[2]
        mail = read_mail(b"From: a@b.c\n" + part)
        assert (mail.text == "İmzalı metin.") == (depth <= 5)
        assert len(mail.attachments) == (depth > 5)


def test_a_signed_document_and_certificates_stay_files() -> None:
    document = read_mail(_mail("application/pkcs7-mime; name=fatura.pdf.p7m; smime-type=signed-data", _envelope(b"%PDF-1.4")))
    assert ([part.name for part in document.attachments], document.text) == (["fatura.pdf.p7m"], "")
    certificates = read_mail(_mail("application/pkcs7-mime; smime-type=certs-only; name=smime.p7c", _envelope(None)))
    assert ([part.name for part in certificates.attachments], certificates.text) == (["smime.p7c"], "")


def test_encrypted_is_told_by_its_bytes() -> None:
    sealed = _envelope(b"x" * 40, kind=ENVELOPED_DATA)
    assert content_kind(sealed) == ENVELOPED_DATA
    assert signed_content(sealed) is None
    assert read_mail(_mail("application/pkcs7-mime", sealed)).text == ENCRYPTED_TEXT


def test_a_cut_envelope_gives_what_is_there() -> None:
    whole = _envelope(PART)
    assert signed_content(whole[:-10]) == PART[:-10]
    assert signed_content(whole[:20]) is None


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x30\x80" * 100_000,
        _envelope(b"", endless=True)[:24] + b"\x31\x80" * 50_000,
        _envelope(b"x")[:-3] + b"\x24\x80" * 50_000,
        b"\x30\x89" + b"\xff" * 9,
        b"\x30\x84\xff\xff\xff\xff",
        b"\x3f" * 50,
    ],
)
def test_bombs_hold_nothing(bomb: bytes) -> None:
    assert signed_content(bomb) is None


@given(st.integers(0, 90), st.binary(max_size=6))
def test_damage_never_raises(at: int, piece: bytes) -> None:
    whole = _envelope(PART, endless=True)
    signed_content(whole[:at] + piece + whole[at + len(piece) :])
    content_kind(whole[:at] + piece)

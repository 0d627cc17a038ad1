"""``winmail.dat``: its files and words; rich text back to what it was; nothing raises, nothing grows. Fixtures by our own writer."""

from __future__ import annotations

import base64
import struct
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.mime import read_mail
from ingest.mail.rtf import RTF_BYTES_MAX, RichText, read_rtf, unpacked
from ingest.mail.tnef import read_tnef
from ingest.parse import is_small
from tests.support.tnef import STRING8, File, enclosed, literal, named, prop, stored

RAPOR = File(name="Rapor ğüş.pdf", content=b"%PDF-1.4 ...", kind="application/pdf")
EXAMPLE = bytes.fromhex(  # MS-OXRTFCP §3.1.1: simple compressed RTF
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
REPEATED = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")  # §3.1.2: it refers to what it is writing
HTML_KEPT = (  # after MS-OXRTFEX §3.1
    rb"{\rtf1\ansi\ansicpg1254\fromhtml1 \fbidi \deff0{\fonttbl{\f0\fswiss Arial;}}{\colortbl\red0\green0\blue0;}\uc1\pard\plain"
    rb"{\*\htmltag19 <html>}{\*\htmltag64 <p class=\'22a\'22>}\htmlrtf {\htmlrtf0 Say\'fdn \u351?ahin \{1\}{\*\htmltag84 <b>}"
    rb"\htmlrtf {\b\htmlrtf0 kal\'fdn\htmlrtf }\htmlrtf0{\*\htmltag92 </b>}\htmlrtf \par}\htmlrtf0" + b"\r\n"
    rb"{\*\mhtmltag84 <b>no</b>}{\*\htmltag72 </p>}{\*\htmltag27 </html>}}"
)


def mail(part: bytes, *, kind: str = "application/ms-tnef", name: str = "winmail.dat", text: str = "") -> bytes:
    words = f"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n" if text else ""
    return (
        "From: a@ornek.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        f"{words}--x\r\nContent-Type: {kind}; name={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.encodebytes(part).decode()}\r\n--x--\r\n"
    ).encode()


def test_files_and_words_of_the_part_are_the_mails() -> None:
    picture = File(name="logo.png", content=b"\x89PNG", kind="image/png", content_id="logo@x")
    page = '<p>Sayın yetkili <img src="cid:logo@x"></p>'.encode()
    found = read_mail(mail(enclosed(text="Sayın yetkili", html=page, files=[RAPOR, picture])))
    assert (found.text, found.html) == ("Sayın yetkili", page.decode())
    assert [(one.name, one.content_type, one.content, one.content_id, one.inline) for one in found.attachments] == [
        ("Rapor ğüş.pdf", "application/pdf", b"%PDF-1.4 ...", None, False),
        ("logo.png", "image/png", b"\x89PNG", "logo@x", True),
    ]


def test_a_mail_that_says_something_itself_keeps_its_words() -> None:
    found = read_mail(mail(enclosed(text="Başka", files=[RAPOR]), text="Merhaba"))
    assert found.text == "Merhaba"
    assert [one.name for one in found.attachments] == ["Rapor ğüş.pdf"]


@pytest.mark.parametrize(("kind", "name"), [("application/octet-stream", "winmail.dat"), ("application/vnd.ms-tnef", "x.bin")])
def test_it_is_known_by_type_or_name(kind: str, name: str) -> None:
    assert read_mail(mail(enclosed(text="Merhaba"), kind=kind, name=name)).text == "Merhaba"


def test_what_only_says_so_stays_a_file() -> None:
    (file,) = read_mail(mail(b"no such thing")).attachments
    assert (file.name, file.content) == ("winmail.dat", b"no such thing")


def test_the_oldest_programs_write_attributes_without_properties() -> None:
    found = read_tnef(enclosed(body="Şikâyet\r\nvar".encode("cp1254"), files=[File(name="", title="eski.doc", content=b"x")]))
    assert found is not None
    assert found.text == "Şikâyet\nvar"
    assert [(one.name, one.content) for one in found.files] == [("eski.doc", b"x")]


def test_names_of_their_own_are_passed_over() -> None:
    found = read_tnef(enclosed(text="Merhaba", more=[named(STRING8, "Keywords", b"abc\x00"), prop(STRING8, 0x0070, b"konu\x00")]))
    assert found is not None
    assert found.text == "Merhaba"


def test_an_enclosed_message_is_opened_once() -> None:
    deepest = enclosed(subject="Dip", text="en derin", files=[File(name="dip.txt", content=b"d")])
    inner = enclosed(
        subject="İç", text="iç söz", files=[File(name="iç.txt", content=b"i"), File(name="", content=deepest, message=True)]
    )
    found = read_tnef(enclosed(text="dış", files=[File(name="Konu", content=inner, message=True)]))
    assert found is not None
    assert found.text == "dış"
    assert [(one.name, one.content if one.content != deepest else "deepest") for one in found.files] == [
        ("İç.txt", "iç söz".encode()), ("iç.txt", b"i"), ("", "deepest"),
    ]  # fmt: skip


def test_the_examples_of_the_standard_are_unpacked() -> None:
    assert unpacked(EXAMPLE) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert unpacked(REPEATED) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    assert unpacked(stored(b"{\\rtf1 x}")) == b"{\\rtf1 x}"
    assert unpacked(literal(b"{\\rtf1 1234567}")) == b"{\\rtf1 1234567}"
    assert unpacked(b"LZFu") is None


def test_rich_text_is_what_it_was_made_of() -> None:
    assert read_rtf(HTML_KEPT) == RichText(html='<html><p class="a">Sayın şahin {1}<b>kalın</b></p></html>')
    kept = (
        rb"{\rtf1\ansi\ansicpg1252\fromtext \fbidi \deff0{\fonttbl{\f0 Arial;}}\pard\plain bir\'fc\par "
        + b"\r\n"
        + rb"iki\tab x\par}"
    )
    assert read_rtf(kept) == RichText(text="birü\niki\tx")
    plain = rb"{\rtf1\ansi\ansicpg1254{\info{\title gizli}}{\*\generator Word;}\pard Say\'fdn \u-10179?\u-8704? {\pict\bin4 }}}}}son\par}"
    assert read_rtf(plain).text.startswith("Sayın 😀")
    assert read_rtf(plain).text.endswith("son")
    assert read_rtf(b"{\\rtf1\\ansi\\ansicpg1 a\\'e7}").text == "aç"
    assert "gizli" not in read_rtf(plain).text
    assert read_mail(mail(enclosed(rtf=literal(HTML_KEPT)))).text.strip() == "Sayın şahin {1}kalın"


@given(st.binary(max_size=300), st.integers(0, 400))
def test_nothing_raises_and_what_can_be_read_is(noise: bytes, cut: int) -> None:
    whole = enclosed(text="Merhaba", rtf=stored(HTML_KEPT), files=[RAPOR])
    read_tnef(whole[:cut])
    read_tnef(whole[:cut] + noise + whole[cut:])
    read_tnef(b"\x78\x9f\x3e\x22\x00\x00" + noise)
    unpacked(b"\xff\xff\xff\xff\xff\xff\xff\xffLZFu\x00\x00\x00\x00" + noise)
    read_rtf(b"{\\rtf1" + noise)


@pytest.mark.parametrize(
    "rtf",
    [
        struct.pack("<IIII", 2_000_000, 0xFFFFFFFF, 0x75465A4C, 0) + b"\xff" + b"\x00\x1f" * 1_000_000,
        stored(b"{\\rtf1" + b"{" * 2_000_000),
        stored(b"{\\rtf1" + b"\\u1?" * 500_000),
        stored(b"{\\rtf1\\ansi" + b"\\'e7" * 500_000),
    ],
    ids=["references", "groups", "letters", "bytes"],
)
def test_it_stays_small_and_quick(rtf: bytes) -> None:
    began = time.process_time()
    found = read_tnef(enclosed(rtf=rtf))
    assert time.process_time() - began < 8
    assert found is not None
    assert len(found.text) <= RTF_BYTES_MAX
    assert not is_small(mail(enclosed(text="x")))  # and none of it holds up the event loop
    assert not is_small(mail(enclosed(text="x"), kind="application/octet-stream"))


def test_a_public_reader_says_the_same() -> None:
    """tnefparse (LGPL, a development tool only) reads what our writer wrote as our reader does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tnefparse

        whole = enclosed(
            text="Merhaba ğ", html=b"<p>x</p>", rtf=literal(HTML_KEPT), files=[RAPOR, File(name="b.txt", content=b"b" * 99)]
        )
        theirs = tnefparse.TNEF(whole)
        ours = read_tnef(whole)
        assert ours is not None
        assert [(one.long_filename(), bytes(one.data)) for one in theirs.attachments] == [
            (one.name, one.content) for one in ours.files
        ]

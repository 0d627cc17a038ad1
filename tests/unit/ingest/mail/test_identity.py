"""Two deliveries of one mail are one, two mails are two, whatever a parser makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.identity import mail_identity

MAIL = (
    b"Received: from a by b; Mon, 23 Nov 2026 10:00:01 +0000\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    b"From: =?utf-8?Q?Ay=C5=9Fe?= <ayse@ornek.example>\r\nSubject: Sipari=?utf-8?Q?=C5=9F?=\r\n im\r\n"
    b"Message-ID: <1@ornek.example>\r\n\r\nMerhaba\r\n"
)


def identity(raw: bytes, message_id: str | None = "1@ornek.example") -> str:
    return mail_identity(raw, message_id)


@pytest.mark.parametrize(
    "again",
    [
        MAIL.replace(b"\r\n", b"\n"),
        MAIL.replace(b"\r\n", b"\r"),
        b"Received: by c\r\nX-Spam: 0\r\nAuthentication-Results: c; dmarc=pass\r\n" + MAIL,
        MAIL.replace(b"\r\n im", b" im"),
        MAIL.replace(b"\r\n im", b"\r\n\t im"),
        MAIL.replace(b"Subject:", b"SUBJECT :"),
        MAIL + b"\r\n",
    ],
    ids=[
        "line feeds",
        "carriage returns",
        "fields of servers",
        "unfolded",
        "folded otherwise",
        "the name's letters",
        "a line at the end",
    ],
)
def test_another_delivery_is_the_same_mail(again: bytes) -> None:
    assert identity(again) == identity(MAIL)


@pytest.mark.parametrize(
    "other",
    [
        MAIL.replace(b"Merhaba", b"merhaba"),
        MAIL.replace(b"10:00:00 +0000\r\nFrom", b"10:00:01 +0000\r\nFrom"),
        MAIL.replace(b"<ayse@", b"<ali@"),
        MAIL.replace(b"Sipari", b"Cevap"),
    ],
    ids=["its words", "its date", "its writer", "its subject"],
)
def test_another_mail_under_the_same_message_id_is_another(other: bytes) -> None:
    """An alarm with a constant Message-ID comes every day with the same words: only its date differs."""
    assert identity(other) != identity(MAIL)


def test_without_a_message_id_the_date_tells_and_without_both_nothing_does() -> None:
    nameless = MAIL.replace(b"Message-ID: <1@ornek.example>\r\n", b"")
    assert identity(nameless, None).startswith("#")
    assert identity(nameless, None) == identity(b"Received: by c\r\n" + nameless, None)
    undated = nameless.replace(b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n", b"")
    assert identity(undated, None) == ""
    assert identity(b"", None) == identity(b"\n\nwords", None) == ""


def test_a_long_message_id_leaves_room_for_what_tells_mails_apart() -> None:
    long = "x" * 2000
    assert len(identity(MAIL, long)) < 1024
    assert identity(MAIL, long) != identity(MAIL + b"more", long)


@given(st.binary(max_size=400).map(lambda raw: raw.replace(b"\r", b"")))
def test_any_bytes_have_an_identity_that_ends_of_lines_do_not_change(raw: bytes) -> None:
    assert mail_identity(raw, "a@b") == mail_identity(raw.replace(b"\n", b"\r\n"), "a@b")
    assert mail_identity(raw, "a@b").startswith("a@b#")

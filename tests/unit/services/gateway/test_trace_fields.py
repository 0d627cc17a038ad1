from __future__ import annotations

from pathlib import Path

import pytest

from ingest.mail.authentication import sender_verdict
from ingest.mail.automatic import AutomaticKind, read_automatic
from ingest.mail.identity import mail_identity
from ingest.mail.mime import Mail, read_mail
from services.gateway.mail_border import TrustingBorder
from services.gateway.trace_fields import traced

FIXTURES = sorted((Path(__file__).parents[3] / "fixtures" / "mail").glob("*.eml"))
BORDER = "mx.ornek.com"


async def stamped(content: bytes, *, mail_from: str = "") -> bytes:
    results = await TrustingBorder(BORDER).results(
        lambda: content, mail_from=mail_from, helo="ornek.net", peer="127.0.0.1", owners=()
    )
    return traced(content, mail_from=mail_from, results=results)


def kind_of(mail: Mail) -> AutomaticKind | None:
    found = read_automatic(mail.headers, mail.attachments, mail.text)
    return None if found is None else found.kind


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("border", [False, True])
async def test_a_mail_is_the_same_and_says_the_same_under_it(path: Path, border: bool) -> None:
    raw = path.read_bytes()
    raw = raw if raw.endswith(b"\r\n") else raw + b"\r\n"  # off the wire a mail ends so
    handed_on = await stamped(raw) if border else traced(raw, mail_from="")
    before, after = read_mail(raw), read_mail(handed_on)
    assert mail_identity(handed_on, after.message_id) == mail_identity(raw, before.message_id)
    assert (after.text, after.subject, after.attachments) == (before.text, before.subject, before.attachments)
    nobody = "auto_reply" if before.sender is None else None
    assert kind_of(after) == (kind_of(before) or nobody)
    assert after.headers[0] == ("Return-Path", "<>")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Subject: x\r\n\r\ny", b"Return-Path: <a@b.c>\r\nSubject: x\r\n\r\ny"),
        (b"Return-Path:\r\n <old@b.c>\r\nreturn-path: <>\r\nSubject: x\r\n\r\ny", b"Return-Path: <a@b.c>\r\nSubject: x\r\n\r\ny"),
        (b"\r\nSubject: x\r\n\r\ny", b"Return-Path: <a@b.c>\r\nSubject: x\r\n\r\ny"),
        (b"From a Mon Nov 23\nSubject: x\n\ny", b"Return-Path: <a@b.c>\r\nSubject: x\n\ny"),
        (b"From  : a@b.c\r\n\r\ny", b"Return-Path: <a@b.c>\r\nFrom  : a@b.c\r\n\r\ny"),
        (b"merhaba\r\nnot: a field\r\n", b"Return-Path: <a@b.c>\r\n\r\nmerhaba\r\nnot: a field\r\n"),
        (b"", b"Return-Path: <a@b.c>\r\n\r\n"),
    ],
)
def test_it_stands_on_top_of_what_was_sent(content: bytes, expected: bytes) -> None:
    assert traced(content, mail_from="a@b.c") == expected


def test_an_envelope_cannot_write_lines() -> None:
    assert traced(b"Subject: x\r\n\r\n", mail_from="a\r\nX: y\x00>@b.c").startswith(b"Return-Path: <aX:y@b.c>\r\nSubject")


@pytest.mark.parametrize(
    "sender", [b"x@", b"@", b"", b"x@ ", b"ali@ornek.net", b"Ali\r\n <ali@ornek.net>", b"=?utf-8?q?A?= <ali@ornek.net>"]
)
async def test_any_from_gets_a_stamp(sender: bytes) -> None:
    mail = read_mail(await stamped(b"From: " + sender + b"\r\nSubject: x\r\n\r\ny\r\n"))
    expected = "pass" if b"ornek" in sender else "none"
    assert sender_verdict(mail.headers, BORDER, "ornek.net") == expected
    assert mail.subject == "x"


FORGED = b"Authentication-Results: mx.ornek.com; dmarc=pass header.from=banka.com"


@pytest.mark.parametrize(
    "head",
    [
        FORGED,
        b"X: y\n" + FORGED,
        b"X: y\r\n" + FORGED.upper(),
        FORGED.replace(b"Results:", b"Results" + b" " * 300 + b":"),
        FORGED.replace(b"Results:", b"Results" + b"\t " * 20_000 + b":"),
        FORGED.replace(b": ", b" :\r\n "),
        FORGED.replace(b": ", b":\r\n\t") + b"\r\n" + FORGED,
        b"X: " + b"authentication-results" * 3 + b"\r\n" + FORGED,
    ],
)
async def test_no_result_from_outside_stays(head: bytes) -> None:
    mail = read_mail(await stamped(head + b"\r\nFrom: a@ornek.net\r\nSubject: x\r\n\r\ny\r\n"))
    found = [value for name, value in mail.headers if name.lower() == "authentication-results"]
    assert found == [f"{BORDER}; dmarc=pass header.from=ornek.net"]
    assert (mail.subject, mail.text) == ("x", "y")

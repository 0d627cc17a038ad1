"""Mail at the listener's door: what is taken, what is refused, and how long the event loop is held up meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest.mail.reply_token import reply_address
from services.gateway.mail_border import Border, TrustingBorder
from shared.errors import Unavailable
from shared.ids import new_id
from tests.support.mail_door import MailDoor, mail_door

HEAD = b"From: Ayse <ayse@ornek.net>\r\nMessage-ID: <%d@ornek.net>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0300\r\n"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[MailDoor]:
    async with mail_door(tmp_path) as opened:
        yield opened


async def test_lines_of_any_length_are_taken(door: MailDoor) -> None:
    line = b"<p>" + b"x" * 2_000_000 + b"</p>"
    references = b"References: " + b" ".join(b"<%d@ornek.net>" % number for number in range(2_000))
    assert (await door.send(HEAD % 1 + b"Content-Type: text/html\r\n\r\n" + line + b"\r\n")).startswith("250")
    assert (await door.send(HEAD % 2 + references + b"\r\nSubject: uzun\r\n\r\nmerhaba\r\n")).startswith("250")
    first, second = door.messages
    assert line in await door.original(first)
    assert second.subject == "uzun"
    assert "mid:1999@ornek.net" in second.refs


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
async def test_dots_and_what_follows_the_end_arrive_as_they_were_sent(door: MailDoor, piece: int) -> None:
    mail = HEAD % 3 + b"\r\n.\r\n..\r\nbir\r\n.iki.\r\n\n.\nbitti\r\n"
    assert (await door.send(mail, piece=piece)).startswith("250")
    (message,) = door.messages
    assert (await door.original(message)).endswith(mail)


async def test_too_large_is_the_one_refusal_for_good(door: MailDoor) -> None:
    assert (await door.send(HEAD % 4 + b"\r\n" + b"x" * 51 * 1024 * 1024 + b"\r\n")).startswith("552")
    assert door.messages == []


@pytest.mark.parametrize(
    "mail",
    [
        b"From: x@\r\nSubject: y\r\n\r\nmerhaba\r\n",
        b"From: <>\r\nSubject: y\r\n\r\nmerhaba\r\n",
        b"From: " + b"a" * 600 + b"@ornek.net\r\n\r\nmerhaba\r\n",
        b"From: a@ornek.net\r\nTo: " + b", ".join(b"kisi-%d@ornek.net" % n for n in range(4_000)) + b"\r\n\r\nmerhaba\r\n",
        b"\r\n",
        b"",
        b"\x00\xff\r\n",
        b"Message-ID: <" + b"x" * 3_000 + b">\r\nFrom: a@ornek.net\r\n\r\nmerhaba\r\n",
    ],
    ids=["half-address", "no-address", "long-address", "many-recipients", "blank", "nothing", "bytes", "long-id"],
)
@pytest.mark.parametrize("border", [None, TrustingBorder("mx.ornek.com")], ids=["no-border", "border"])
async def test_whatever_it_is_it_is_taken(tmp_path: Path, mail: bytes, border: Border | None) -> None:
    async with mail_door(tmp_path, border=border) as door:
        assert (await door.send(mail)).startswith("250")
        (message,) = door.messages
        assert message.kind in ("text", "unparsed")
        assert (await door.original(message)).endswith(mail.strip(b"\r\n") + (b"\r\n" if mail else b""))


async def test_a_subject_too_long_is_cut_and_all_of_it_kept(door: MailDoor) -> None:
    subject = b"konu " * 500 + b"son"
    assert (await door.send(HEAD % 5 + b"Subject: " + subject + b"\r\n\r\nmerhaba\r\n")).startswith("250")
    (message,) = door.messages
    assert message.kind == "text"
    assert len(message.subject) <= 2000
    assert message.subject.startswith("konu konu")
    assert subject in await door.original(message)


async def test_what_takes_too_long_is_kept_with_its_reason(tmp_path: Path) -> None:
    mail = HEAD % 6 + b"\r\n" + b"satir\r\n" * 20_000
    async with mail_door(tmp_path, timeout_s=0.0) as door:
        assert (await door.send(mail)).startswith("250")
        (message,) = door.messages
        assert message.kind == "unparsed"
        assert "seconds" in message.reason
        assert (await door.original(message)).endswith(mail)


async def test_what_takes_too_long_puts_its_inbox_behind_others_and_no_sender(tmp_path: Path) -> None:
    """Behind a relay all mail is of one sender."""
    async with mail_door(tmp_path, timeout_s=0.0) as door:
        for number in (20, 21):
            assert (await door.send(HEAD % number + b"\r\n" + b"satir\r\n" * 20_000)).startswith("250")
        assert door.parser._small.is_late(door.inbox.id)
        assert not door.parser._small.is_late("127.0.0.1")


async def test_a_killed_parser_is_replaced_and_a_closed_one_sends_nobody_away_for_good(door: MailDoor) -> None:
    mail = HEAD % 7 + b"\r\n" + b"satir\r\n" * 20_000
    assert (await door.send(mail)).startswith("250")
    for child in list(door.parser._small._children):
        await child.kill()
    assert (await door.send(mail)).startswith("250")
    assert [one.kind for one in door.messages] == ["text", "text"]
    await door.parser.close()
    assert (await door.send(mail)).startswith("451")


async def test_not_durable_is_451(door: MailDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(door.kept, "publish", away)
    assert (await door.send(HEAD % 8 + b"\r\nx\r\n")).startswith("451")


async def test_the_envelope_stands_on_top(door: MailDoor) -> None:
    for number, sender in enumerate(("", "ayse+x@ornek.net")):
        top = b"Return-Path: <baskasi@ornek.org>\r\n"
        await door.send(top + HEAD % (10 + number) + b"Subject: soru\r\n\r\nSiparisim nerede?\r\n", sender=sender)
    first, second = [await door.original(one) for one in door.messages]
    assert first.startswith(b"Return-Path: <>\r\nFrom: ")
    assert second.startswith(b"Return-Path: <ayse+x@ornek.net>\r\nFrom: ")
    assert [one.automatic for one in door.messages] == [None, None]


BIG = {
    "tiny lines": b"\r\n" + b"a\r\n" * 1_700_000,
    "one folded field": b"X-Long: a" + b"\r\n b" * 1_250_000 + b"\r\n\r\nmerhaba\r\n",
    "many fields": b"X: y\r\n" * 800_000 + b"\r\nmerhaba\r\n",
    "a calendar": b"Content-Type: text/calendar\r\n\r\n" + b"UID:a\r\n b\r\n" * 450_000,
    "one line": b"\r\n" + b"x" * 5_000_000 + b"\r\n",
    "a file": b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + (b"QUJD" * 19 + b"\r\n") * 250_000,
}


@pytest.mark.parametrize("name", BIG)
async def test_the_event_loop_goes_on_while_big_mails_are_taken(door: MailDoor, name: str) -> None:
    await door.send(HEAD % 20 + b"\r\n" + b"satir\r\n" * 20_000)
    with door.watching():
        assert (await door.send(HEAD % 21 + BIG[name], piece=1 << 16)).startswith("250")
    print(f"{name}: {len(BIG[name]) / 1e6:.1f} MB, longest gap {max(door.gaps_s) * 1000:.0f} ms")
    assert max(door.gaps_s) < 0.25


@pytest.mark.parametrize("configured", ["destek@müşteri.example", "Destek@xn--mteri-kva70e.example"])
@pytest.mark.parametrize("to", ["destek@xn--mteri-kva70e.example", "destek@XN--MTERI-KVA70E.example", "destek+x@müşteri.example"])
async def test_an_inbox_at_an_international_domain_is_found_by_either_form(tmp_path: Path, configured: str, to: str) -> None:
    async with mail_door(tmp_path, address=configured) as door:
        head = HEAD % 7 + f"To: Destek <{to}>, Ali <ali@ornek.net>\r\n".encode()
        assert (await door.send(head + b"\r\nmerhaba\r\n", to=to)).startswith("250")
        (message,) = door.messages
        assert [one.value for one in message.participants] == ["ali@ornek.net"]  # our own mailbox is nobody's
        assert (await door.send(HEAD % 8 + b"\r\n", to="destek@xn--mteri-000.example")).startswith("550")


async def test_an_answer_to_the_signed_address_finds_its_conversation_in_either_form(tmp_path: Path) -> None:
    conversation = new_id()
    signed = reply_address("destek@xn--mteri-kva70e.example", conversation, b"s" * 32)
    async with mail_door(tmp_path, address="destek@müşteri.example") as door:
        for number, to in enumerate((signed, signed.replace("xn--mteri-kva70e", "müşteri"))):
            assert (await door.send(HEAD % (9 + number) + f"To: {to}\r\n\r\nmerhaba\r\n".encode(), to=to)).startswith("250")
        assert [f"conversation:{conversation}" in message.refs for message in door.messages] == [True, True]

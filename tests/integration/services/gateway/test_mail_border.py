"""Mail to a listener that is the border: who is believed, what a sender writes in our name, and what a name server in trouble does to it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from ingest.border.worker import EvaluatingBorder
from services.frame.mail_border import MailBorder
from services.frame.peers import shares_of
from services.gateway.mail_border import border_of
from shared.errors import Unavailable
from shared.message import InboundMessage
from shared.metrics import MAILS_JUDGED
from tests.support.mail_door import MailDoor, mail_door
from tests.support.played_names import PlayedNames, played_names
from tests.support.signed_mails import junk, key_record, mail, signed

OURS = "mx.ornek.com"
ZONE = {
    "TXT _dmarc.banka.example": ["v=DMARC1; p=reject"],
    "TXT banka.example": ["v=spf1 ip4:192.0.2.1 -all"],
    "TXT s1._domainkey.banka.example": [key_record()],
}
FORGED = "dmarc=pass header.from=banka.example"
AUTHOR = "Banka <ali@banka.example>"


@contextlib.asynccontextmanager
async def open_door(
    folder: Path, zone: Mapping[str, list[str]] = ZONE, trouble: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[MailDoor, PlayedNames]]:
    with played_names(zone, trouble) as names:
        asked = MailBorder(authserv_id=OURS, evaluates=True, nameserver=names.nameserver)
        async with border_of(asked) as border, mail_door(folder, border=border, authserv_id=OURS) as door:
            yield door, names


async def taken(door: MailDoor, content: bytes, sender: str = "ali@banka.example") -> InboundMessage:
    assert (await door.send(content, sender=sender)).startswith("250")
    return door.messages[-1]


def believed(message: InboundMessage) -> tuple[object, str, str]:
    assert message.sender is not None
    return message.traits["verdict"], message.sender.assurance, message.sender.scope


async def test_a_signed_mail_is_believed_and_a_spoofed_one_denied(tmp_path: Path) -> None:
    async with open_door(tmp_path) as (door, _):
        assert believed(await taken(door, signed(mail(AUTHOR), "banka.example"))) == ("pass", "channel_verified", "")
        assert believed(await taken(door, mail(AUTHOR))) == ("fail", "asserted", "unverified")
        assert believed(await taken(door, mail("x@kimse.example"), "x@kimse.example")) == ("none", "asserted", "")


@pytest.mark.parametrize(
    "field",
    [
        f"Authentication-Results: {OURS}; {FORGED}",
        f"authentication-results : {OURS.upper()}.; {FORGED}",
        f'Authentication-Results:\r\n "{OURS}"; {FORGED}',
        f"Authentication-Results: (x (y)) {OURS} (z) 1; {FORGED}",
        f"Authentication-Results: mx.\u00f6rnek.com; {FORGED}",
        f"X: y\rAuthentication-Results: {OURS}; {FORGED}",
        f"ARC-Authentication-Results: i=1; {OURS}; {FORGED}",
        f"Received-SPF: pass\r\nAuthentication-Results: {OURS}; spf=pass smtp.mailfrom=banka.example; dkim=pass header.d=banka.example",
    ],
    ids=["plain", "case", "quoted", "comments", "international", "bare-return", "arc", "several"],
)
async def test_what_a_sender_writes_in_our_name_is_not_believed(tmp_path: Path, field: str) -> None:
    async with open_door(tmp_path) as (door, _):
        message = await taken(door, mail(AUTHOR, extra=field.encode() + b"\r\n"))
        assert believed(message) == ("fail", "asserted", "unverified")
        kept = (await door.original(message)).lower()
        assert kept.startswith(b"return-path: <ali@banka.example>\r\nauthentication-results: mx.ornek.com; ")


async def test_a_spoofed_mail_with_names_that_do_not_answer_is_denied_all_the_same(tmp_path: Path) -> None:
    content = mail(AUTHOR, extra=b"".join(junk("saldirgan.example", f"s{n}") for n in range(8)))
    silent = ["saldirgan.example", "_dmarc.saldirgan.example", *(f"s{n}._domainkey.saldirgan.example" for n in range(8))]
    async with open_door(tmp_path, trouble=dict.fromkeys(silent, "silence")) as (door, _):
        assert believed(await taken(door, content, "x@saldirgan.example")) == ("fail", "asserted", "unverified")


@pytest.mark.parametrize(
    "authors", [f"{AUTHOR}, x@saldirgan.example", f"{AUTHOR}\r\nFrom: x@saldirgan.example"], ids=["two", "twice"]
)
async def test_whoever_names_somebody_else_beside_themselves_is_not_taken_for_them(tmp_path: Path, authors: str) -> None:
    async with open_door(tmp_path, {**ZONE, "TXT s1._domainkey.saldirgan.example": [key_record()]}) as (door, _):
        message = await taken(door, signed(mail(authors), "saldirgan.example"), "x@saldirgan.example")
        assert believed(message) == ("fail", "asserted", "unverified")


async def test_a_name_server_that_is_silent_denies_nobody_and_holds_nothing_up(tmp_path: Path) -> None:
    trouble = dict.fromkeys(["_dmarc.banka.example", "banka.example", "s1._domainkey.banka.example"], "silence")
    async with open_door(tmp_path, trouble=trouble) as (door, _):
        began = time.monotonic()
        message = await taken(door, signed(mail(AUTHOR), "banka.example"))
        assert time.monotonic() - began < 6
        assert believed(message) == ("none", "asserted", "")


async def test_answers_are_kept_from_mail_to_mail(tmp_path: Path) -> None:
    async with open_door(tmp_path) as (door, names):
        for _ in range(3):
            await taken(door, signed(mail(AUTHOR), "banka.example"))
        assert len(names.asked) == len(set(names.asked))


async def test_a_strangers_slow_names_take_the_verdict_from_nobody() -> None:
    """One address has one mail judged at a time: another's forged mail is denied at once, and what was not judged comes again."""
    slow = {f"{name}yavas{n}.example": "silence" for n in range(8) for name in ("", "_dmarc.")}
    with played_names(ZONE, slow) as names:
        async with EvaluatingBorder(OURS, nameserver=names.nameserver, workers=2, timeout_s=2.0, wait_s=3.0) as border:

            async def judged(content: bytes, sender: str, peer: str) -> str:
                return await border.results(lambda: content, mail_from=sender, helo="", peer=peer, owners=shares_of(peer))

            # Both processes are there by now, so their start is nobody's wait.
            await asyncio.gather(*(judged(mail(AUTHOR), "", f"192.0.2.{n}") for n in range(2)))
            many = [
                asyncio.create_task(judged(mail(f"A <a@yavas{n}.example>"), f"a@yavas{n}.example", "203.0.113.9")) for n in range(8)
            ]
            await asyncio.sleep(0)
            forged = await judged(mail(AUTHOR), "x@saldirgan.example", "198.51.100.7")
            assert "dmarc=fail" in forged
            assert sum(one.done() for one in many) <= 1, "nobody waited for the masses"
            said = await asyncio.gather(*many, return_exceptions=True)
            assert isinstance(said[-1], Unavailable), "a mail that no process looked at is not told to be undecided"
            assert all(isinstance(one, Unavailable) or "dmarc=pass" not in str(one) for one in said)


async def test_a_mail_that_takes_all_of_its_time_is_not_believed_and_the_next_is() -> None:
    content = signed(mail(AUTHOR), "banka.example")
    slow = mail(AUTHOR, extra=b"".join(junk("banka.example", f"yavas{n}") for n in range(5)))
    with played_names(ZONE, {f"yavas{n}._domainkey.banka.example": "silence" for n in range(5)}) as names:
        async with EvaluatingBorder(OURS, nameserver=names.nameserver, workers=1, timeout_s=1.0) as border:

            async def judged(one: bytes) -> str:
                return await border.results(lambda: one, mail_from="", helo="", peer="192.0.2.9", owners=shares_of("192.0.2.9"))

            passed = MAILS_JUDGED.labels(dmarc="pass")._value.get()
            said = await asyncio.gather(*(judged(one) for one in (slow, slow, content)))
            assert ["dmarc=temperror" in one for one in said] == [True, True, False]
            assert "dmarc=pass" in said[2], "the wait for those before it is no part of its time"
            assert MAILS_JUDGED.labels(dmarc="pass")._value.get() == passed + 1


async def test_a_mail_that_no_process_can_judge_comes_again(tmp_path: Path) -> None:
    with played_names(ZONE) as names:
        async with EvaluatingBorder(OURS, nameserver=names.nameserver) as border:
            pass
        async with mail_door(tmp_path, border=border, authserv_id=OURS) as door:
            assert (await door.send(mail(AUTHOR))).startswith("451 ")
            assert not door.messages

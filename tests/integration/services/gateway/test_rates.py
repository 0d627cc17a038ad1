"""Posts and mails that come too often are put off before anything of them is read, so that their sender comes again: none is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import aiosmtplib
import httpx
import pytest

from ingest.adapter import Draft, Inbox, Request, Target
from services.frame.bodies import Bodies
from services.frame.doors import listening_socket
from services.frame.rates import RATES, Kind, Rates
from services.gateway.app import create_gateway
from services.gateway.smtp import MailHandler, listen
from shared.clock import SystemClock
from tests.support.mail_door import ADDRESS, MailDoor, OneInbox, mail_door

MAIL = b"From: a@ornek.net\r\nSubject: x\r\n\r\nmerhaba\r\n"


class Trusting:
    """Replays are nobody's concern here."""

    async def check(self, *_: object) -> None: ...

    async def remember(self, *_: object) -> None: ...


def stopped(kind: Kind, amount: int) -> Rates:
    return Rates({kind: amount}, now_s=lambda: 1_000.0)


def client(door: MailDoor, rates: Rates, address: str = "192.0.2.1", *, parser: Any = None) -> httpx.AsyncClient:
    app = create_gateway(
        directory=OneInbox(door.inbox), receiver=door.receiver, parser=parser or door.parser, replays=cast("Any", Trusting()),
        clock=SystemClock(), bodies=Bodies(), rates=rates,
    )  # fmt: skip
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://gateway")


@pytest.mark.parametrize("kind", ["posts", "posts-address", "workspace"])
async def test_a_post_too_many_is_put_off_and_taken_when_it_comes_again(tmp_path: Path, kind: Kind) -> None:
    async with mail_door(tmp_path) as door:
        async with client(door, stopped(kind, 2)) as sender:
            for number in range(2):
                assert (await sender.post("/in/in", content=MAIL + b"%d" % number)).status_code == 200
            late = await sender.post("/in/in", content=MAIL + b"late", headers={"x-forwarded-for": "198.51.100.7"})
        assert late.status_code == 503
        assert late.headers["retry-after"] == str(RATES[kind][1])
        assert len(door.messages) == 2
        async with client(door, Rates()) as sender:
            assert (await sender.post("/in/in", content=MAIL + b"late")).status_code == 200
        assert len(door.messages) == 3


class Taken:
    """A parser that takes a post apart into as many messages as its body says."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def parse(self, _: Target, request: Request, **_senders: object) -> list[Draft]:
        first, count = (int(word) for word in request.body.split())
        return [Draft(inbox=self._inbox, external_id=str(first + one), values={"text": "merhaba"}) for one in range(count)]


async def test_each_message_of_a_post_counts_for_its_workspace(tmp_path: Path) -> None:
    now_s = [1_000.0]
    async with mail_door(tmp_path) as door:
        rates = Rates({"workspace": 10}, now_s=lambda: now_s[0])
        async with client(door, rates, parser=Taken(door.inbox)) as sender:
            assert (await sender.post("/in/in", content=b"0 4")).status_code == 200
            assert (await sender.post("/in/in", content=b"10 0")).status_code == 200
            # What a post brings is known once it was taken apart: it is taken, and those that come next wait for its debt.
            assert (await sender.post("/in/in", content=b"20 30")).status_code == 200
            late = await sender.post("/in/in", content=b"60 1")
            assert (late.status_code, late.headers["retry-after"]) == (503, "4")
            assert len(door.messages) == 34
            now_s[0] += 4.0
            assert (await sender.post("/in/in", content=b"60 1")).status_code == 200
        assert len(door.messages) == 35


async def test_a_mail_too_many_of_an_address_is_answered_451_and_nothing_is_kept(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door:
        handler = MailHandler(directory=OneInbox(door.inbox), receiver=door.receiver, clock=SystemClock(), parser=door.parser)
        server = await listen(handler, listening_socket("127.0.0.1", 0, setting="port"), rates=stopped("mails", 1))
        port = server.sockets[0].getsockname()[1]
        async with server, aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as sender:
            await sender.sendmail("a@ornek.net", [ADDRESS], MAIL)
            with pytest.raises(aiosmtplib.SMTPDataError) as refused:
                await sender.sendmail("a@ornek.net", [ADDRESS], MAIL)
        assert refused.value.code == 451
        assert len(door.messages) == 1

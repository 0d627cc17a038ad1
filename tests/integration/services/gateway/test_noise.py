"""One workspace's flood and another's posts and mails at the same gateway: the one is put off, the other is served."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import aiosmtplib
import httpx
import pytest

from ingest.adapter import Inbox, Request, Target
from ingest.directory import Directory
from ingest.mailboxes import Mailboxes, named
from services.frame.bodies import Bodies
from services.frame.doors import listening_socket
from services.frame.processor_time import CountedApp, ProcessorTime
from services.frame.rates import Rates
from services.gateway.app import create_gateway
from services.gateway.smtp import MailHandler, listen
from shared.clock import SystemClock
from shared.errors import NotFound
from shared.ids import new_id
from tests.support.mail_door import MailDoor, mail_door
from tests.support.used_up import PlayedTime

MAIL = b"From: a@ornek.net\r\nSubject: x\r\n\r\nmerhaba %d\r\n"
QUOTA = 20
FLOOD = 100 * QUOTA


class Trusting:
    """Replays are nobody's concern here."""

    async def check(self, *_: object) -> None: ...

    async def remember(self, *_: object) -> None: ...


class Two(Directory):
    """Two workspaces' mail inboxes: ``loud`` and ``quiet``."""

    def __init__(self, door: MailDoor) -> None:
        super().__init__(cast("Any", None), cast("Any", None))
        self.known = {
            name: replace(
                door.inbox,
                id=new_id(),
                workspace_id=new_id(),
                name=name,
                address=f"{name}@ornek.com",
                secrets={"post_secret": name * 4},
            )
            for name in ("loud", "quiet")
        }
        self._mailboxes = Mailboxes([one for inbox in self.known.values() if (one := named(inbox, kept=None, at=None)) is not None])
        self.loaded = True

    def target(self, path_token: str) -> Target:
        inbox = self.known.get(path_token)
        if inbox is None:
            raise NotFound("no such address")
        return Target(
            id=inbox.id,
            workspace_id=inbox.workspace_id,
            provider=inbox.provider,
            inboxes=(inbox,),
            settings=inbox.settings,
            secrets=inbox.secrets,
        )


class Counted:
    """A parser that counts what it is given, by workspace."""

    def __init__(self, door: MailDoor) -> None:
        self._door = door
        self.asked: Counter[UUID] = Counter()

    async def parse(self, target: Target, request: Request) -> Any:
        self.asked[target.workspace_id] += 1
        return await self._door.parser.parse(target, request)


def kept(door: MailDoor, inbox: Inbox) -> int:
    return sum(message.workspace_id == inbox.workspace_id for message in door.messages)


def with_quota(quota: int = QUOTA) -> Rates:
    """In one moment that does not end."""
    return Rates({"workspace": quota, "posts-address": 2 * quota}, now_s=lambda: 1_000.0)


async def test_a_flood_of_one_workspace_refuses_nothing_of_another(tmp_path: Path) -> None:
    """A hundred times its quota from one, all the while posts to the other: each of those is taken, and of the flood no more than the quota."""
    async with mail_door(tmp_path) as door:
        directory, parser = Two(door), Counted(door)
        app = create_gateway(
            directory=directory,
            receiver=door.receiver,
            parser=cast("Any", parser),
            replays=cast("Any", Trusting()),
            clock=SystemClock(),
            bodies=Bodies(),
            rates=with_quota(),
        )
        transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))  # one address for both: a relay's, a provider's
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as sender:

            async def post(name: str, number: int) -> httpx.Response:
                headers = {"authorization": f"Bearer {name * 4}"}
                return await sender.post(f"/in/{name}", content=MAIL % number, headers=headers)

            async def flood() -> list[httpx.Response]:
                return [await post("loud", number) for number in range(FLOOD // 10)]

            loud = [asyncio.create_task(flood()) for _ in range(10)]
            quiet = [await post("quiet", number) for number in range(QUOTA)]
            answers = [one for some in await asyncio.gather(*loud) for one in some]
        assert Counter(one.status_code for one in answers) == {200: QUOTA, 503: FLOOD - QUOTA}
        assert {one.headers["retry-after"] for one in answers if one.status_code == 503} == {"1"}
        assert [one.status_code for one in quiet] == [200] * QUOTA
        loud_inbox, quiet_inbox = directory.known["loud"], directory.known["quiet"]
        assert parser.asked == {loud_inbox.workspace_id: QUOTA, quiet_inbox.workspace_id: QUOTA}, "what is put off is not read"
        assert kept(door, quiet_inbox) == QUOTA


@asynccontextmanager
async def mail_to_two(
    door: MailDoor, directory: Two, rates: Rates, times: ProcessorTime | None = None
) -> AsyncIterator[aiosmtplib.SMTP]:
    handler = MailHandler(directory=directory, receiver=door.receiver, clock=SystemClock(), parser=door.parser)
    server = await listen(handler, listening_socket("127.0.0.1", 0, setting="port"), rates=rates, processor_time=times)
    async with server, aiosmtplib.SMTP(hostname="127.0.0.1", port=server.sockets[0].getsockname()[1]) as sender:
        yield sender


async def test_posts_to_nobody_are_put_off_too(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door:
        app = create_gateway(
            directory=Two(door), receiver=door.receiver, parser=door.parser, replays=cast("Any", Trusting()), clock=SystemClock(),
            bodies=Bodies(), rates=with_quota(1),
        )  # fmt: skip
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as sender:
            assert [(await sender.post(f"/in/{number}")).status_code for number in range(4)] == [404, 404, 503, 503]


async def test_mails_to_one_workspace_over_its_quota_are_put_off_and_anothers_are_taken(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door:
        directory = Two(door)
        loud, quiet = directory.known["loud"], directory.known["quiet"]
        async with mail_to_two(door, directory, with_quota(3)) as sender:
            for number in range(3):
                await sender.sendmail("a@ornek.net", [loud.address], MAIL % number)
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
                await sender.sendmail("a@ornek.net", [loud.address], MAIL % 4)
            assert [one.code for one in refused.value.recipients] == [451]
            await sender.sendmail("a@ornek.net", [quiet.address], MAIL % 5)
            late, _ = await sender.sendmail("a@ornek.net", [loud.address, quiet.address], MAIL % 6)
        assert set(late) == {loud.address}, "the other recipient of the same mail has it"
        assert (kept(door, loud), kept(door, quiet)) == (3, 2)


async def test_who_used_up_their_share_of_a_late_loop_is_put_off_at_both_doors(tmp_path: Path) -> None:
    """Posts are 503 and mails 451, so they come again; the other workspace's are taken."""
    played = PlayedTime()
    async with mail_door(tmp_path) as door:
        directory = Two(door)
        loud, quiet = directory.known["loud"], directory.known["quiet"]
        await played.use_up(loud.workspace_id, others=[quiet.workspace_id])
        app = create_gateway(
            directory=directory, receiver=door.receiver, parser=door.parser, replays=cast("Any", Trusting()), clock=SystemClock(),
            bodies=Bodies(),
        )  # fmt: skip
        transport = httpx.ASGITransport(CountedApp(app, times=played.times))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as sender:
            answers = {
                name: await sender.post(f"/in/{name}", content=MAIL % 1, headers={"authorization": f"Bearer {name * 4}"})
                for name in ("loud", "quiet")
            }
        assert {name: one.status_code for name, one in answers.items()} == {"loud": 503, "quiet": 200}
        assert int(answers["loud"].headers["retry-after"]) >= 1
        async with mail_to_two(door, directory, Rates(), played.times) as smtp:
            late, _ = await smtp.sendmail("a@ornek.net", [loud.address, quiet.address], MAIL % 2)
        assert {address: one.code for address, one in late.items()} == {loud.address: 451}
        assert (kept(door, loud), kept(door, quiet)) == (0, 2)

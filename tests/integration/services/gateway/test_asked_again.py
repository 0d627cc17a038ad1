"""An inbox that ends, or gets another secret, while a post or a mail for it is coming: what counts is what stands at the end of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, cast

import pytest

from ingest.adapter import Inbox, Target
from ingest.directory import Directory
from services.frame.bodies import Bodies
from services.frame.doors import WebDoor, listening_socket
from services.gateway.app import create_gateway
from services.gateway.smtp import MailHandler, listen
from shared.clock import SystemClock
from shared.errors import NotFound
from shared.ids import new_id
from tests.integration.services.gateway.test_posts import Trusting
from tests.support.mail_door import MailDoor, mail_door

SECRET: Final = "a secret of an inbox here"
ROW: Final = b'"a","row"\n'
ANSWER_S: Final = 20


class Changing(Directory):
    """A telephone inbox at ``in``, and mail inboxes by their addresses, that can be taken away or get another secret."""

    def __init__(self) -> None:
        super().__init__(cast("Any", None), cast("Any", None))
        self.loaded, self.secret, self.there = True, SECRET, True
        self._workspace = new_id()
        self._calls = self._made_up("asterisk", "phone", settings={"time_zone": "UTC"})
        self.mail = {
            one.address: one for one in (self._made_up("smtp", "email", address=f"{name}@ornek.com") for name in ("bir", "iki"))
        }

    def _made_up(self, provider: str, channel: Any, **more: Any) -> Inbox:
        return Inbox(
            workspace_id=self._workspace, id=new_id(), name=provider, channel=channel, provider=provider, region="TR", **more
        )

    def target(self, path_token: str) -> Target:
        if not self.there:
            raise NotFound("no inbox or connection has this address")
        inbox = self._calls
        return Target(
            id=inbox.id, workspace_id=inbox.workspace_id, provider=inbox.provider, inboxes=(inbox,), settings=inbox.settings,
            secrets={"post_secret": self.secret},
        )  # fmt: skip

    def mailbox(self, address: str) -> Inbox | None:
        return self.mail.get(address)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[MailDoor]:
    async with mail_door(tmp_path) as opened:
        yield opened


@contextlib.asynccontextmanager
async def _held(door: MailDoor, directory: Changing) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A post whose head was let in."""
    app = create_gateway(
        directory=directory, receiver=door.receiver, parser=door.parser, replays=cast("Any", Trusting()), clock=SystemClock(),
        bodies=Bodies(),
    )  # fmt: skip
    web = WebDoor(app, host="127.0.0.1", port=0, setting="test")
    await web.open()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        head = f"POST /in/in HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ROW)}\r\nAuthorization: Bearer {SECRET}\r\nExpect: 100-continue\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(ANSWER_S):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        yield reader, writer
        writer.close()
    finally:
        await web.close(0)


@pytest.mark.parametrize(
    ("changed", "status"),
    [({}, 200), ({"there": False}, 404), ({"secret": SECRET[::-1]}, 401)],
    ids=["not", "gone", "another-secret"],
)
async def test_a_held_post_is_asked_for_its_inbox_again(door: MailDoor, changed: dict[str, Any], status: int) -> None:
    directory = Changing()
    async with _held(door, directory) as (reader, writer):
        for name, value in changed.items():
            setattr(directory, name, value)
        writer.write(ROW)
        async with asyncio.timeout(ANSWER_S):
            assert int((await reader.readline()).split()[1]) == status
    assert len(door.kept.records) == (status == 200)


@pytest.mark.parametrize("gone", [("bir@ornek.com",), ("bir@ornek.com", "iki@ornek.com")], ids=["one", "all"])
async def test_a_mail_to_an_inbox_that_ended_meanwhile_is_not_acknowledged(door: MailDoor, gone: tuple[str, ...]) -> None:
    """Nothing of it is kept, so that it comes again whole: then who is gone is refused, and the others have it once."""
    directory = Changing()
    handler = MailHandler(directory=directory, receiver=door.receiver, clock=SystemClock(), parser=door.parser)
    server = await listen(handler, listening_socket("127.0.0.1", 0, setting="port"))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])

        async def said(command: str) -> str:
            writer.write(command.encode() + b"\r\n")
            async with asyncio.timeout(ANSWER_S):
                while (answer := await reader.readline())[3:4] == b"-":
                    pass
            return answer.decode()

        async def to_all() -> list[str]:
            await said("MAIL FROM:<ayse@ornek.net>")
            return [(await said(f"RCPT TO:<{name}@ornek.com>"))[:3] for name in ("bir", "iki")]

        await reader.readline()
        await said("EHLO x")
        assert await to_all() == ["250", "250"]
        assert (await said("DATA")).startswith("354")
        for address in gone:
            del directory.mail[address]
        mail = "From: ayse@ornek.net\r\nMessage-ID: <1@ornek.net>\r\n\r\nmerhaba\r\n."
        assert (await said(mail)).startswith("451")
        assert door.messages == []
        assert await to_all() == ["550", "550" if len(gone) > 1 else "250"]
        if len(gone) == 1:
            assert (await said("DATA")).startswith("354")
            assert (await said(mail)).startswith("250")
            assert [one.inbox_id for one in door.messages] == [one.id for one in directory.mail.values()]
        writer.close()
    finally:
        server.close()

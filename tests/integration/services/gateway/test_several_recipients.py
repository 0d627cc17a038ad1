"""A mail to several of our inboxes is read once, and is a message of its own in each of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.adapter import Draft, Inbox, Parsed, Request, Target, Unparsed
from ingest.adapters.smtp import LISTENER
from ingest.mailboxes import Mailboxes, named
from ingest.parse import INLINE_BYTES_MAX, Parser
from services.frame.doors import listening_socket
from services.gateway.smtp import MailHandler, listen
from shared.clock import SystemClock
from shared.ids import new_id
from tests.support.mail_door import MailDoor, OneInbox, mail_door

HEAD = (
    b"From: Ay\xc5\x9fe <a@ornek.net>\r\nTo: birinci@ornek.com, ikinci@ornek.com, ucuncu@baska.example\r\nMessage-ID: <1@ornek.net>\r\n"
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
)
FILE = b"\r\n--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\ndosya\r\n--b--\r\n"
SMALL, LARGER = HEAD + b"merhaba" + FILE, HEAD + b"merhaba\r\n" * (INLINE_BYTES_MAX // 8) + FILE
ADDRESSES = ("birinci@ornek.com", "ikinci@ornek.com", "ucuncu@baska.example")


class Several(OneInbox):
    """Two inboxes of one workspace and one of another: two targets."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(inbox)
        workspaces = (inbox.workspace_id, inbox.workspace_id, new_id())
        self.known = [
            replace(inbox, id=new_id(), workspace_id=workspace, address=address, provider="smtp")
            for workspace, address in zip(workspaces, ADDRESSES, strict=True)
        ]
        self._mailboxes = Mailboxes(filter(None, (named(one, kept=None, at=None) for one in self.known)))


class Counted(Parser):
    """A parser that keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Target, bytes]] = []

    async def parse(self, target: Target, request: Request) -> Any:
        self.asked.append((target, request.body))
        return await super().parse(target, request)


async def sent(door: MailDoor, directory: Several, parser: Parser, mail: bytes) -> str:
    handler = MailHandler(directory=directory, receiver=door.receiver, clock=SystemClock(), parser=parser)
    server = await listen(handler, listening_socket("127.0.0.1", 0, setting="port"))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        await reader.readline()
        recipients = (f"RCPT TO:<{one}>" for one in (*ADDRESSES, ADDRESSES[0]))
        for command in ("HELO x", "MAIL FROM:<a@ornek.net>", *recipients, "DATA"):
            writer.write(command.encode() + b"\r\n")
            assert (await reader.readline())[:1] in b"23", command
        writer.write(mail + b".\r\n")
        return (await reader.readline()).decode()
    finally:
        writer.close()
        server.close()


@pytest.mark.parametrize("mail", [SMALL, LARGER], ids=["small", "larger"])
async def test_a_mail_to_several_inboxes_is_parsed_once_for_each_workspace(tmp_path: Path, mail: bytes) -> None:
    parser = Counted()
    async with mail_door(tmp_path) as door, parser:
        directory = Several(door.inbox)
        assert (await sent(door, directory, parser, mail)).startswith("250")
        assert [(target.workspace_id, [one.id for one in target.inboxes]) for target, _ in parser.asked] == [
            (directory.known[0].workspace_id, [one.id for one in directory.known[:2]]),
            (directory.known[2].workspace_id, [directory.known[2].id]),
        ]
        assert [(one.inbox_id, one.workspace_id) for one in door.messages] == [
            (inbox.id, inbox.workspace_id) for inbox in directory.known
        ]
        assert len({one.id for one in door.messages}) == len(ADDRESSES)
        for one, inbox in zip(door.messages, directory.known, strict=True):
            (file,) = [part for part in one.parts if part.name == "a.txt"]
            assert file.blob.startswith(f"{inbox.workspace_id}/{one.id}/")
            assert await door.blobs.get(file.blob) == b"dosya"
            assert await door.original(one) == parser.asked[0][1]
            assert {person.value for person in one.participants} == {address for address in ADDRESSES if address != inbox.address}


def request_of(body: bytes) -> Request:
    return Request(method=LISTENER, url="", headers={}, query={}, body=body, received_at=datetime.now(UTC), proven=True)


def target_of(inboxes: list[Inbox]) -> Target:
    return Target(id=inboxes[0].id, workspace_id=inboxes[0].workspace_id, provider="smtp", inboxes=inboxes, every=True)


@pytest.mark.parametrize("mail", [SMALL, LARGER, b"\r\n"], ids=["small", "larger", "empty"])
async def test_each_inbox_gets_what_it_would_get_alone(tmp_path: Path, mail: bytes) -> None:
    async with mail_door(tmp_path) as door, Parser() as parser:
        inboxes = Several(door.inbox).known
        together = await parser.parse(target_of(inboxes), request_of(mail))
        alone = [one for inbox in inboxes for one in await parser.parse(target_of([inbox]), request_of(mail))]
        assert list(together) == alone
        assert [one.inbox for one in together] == inboxes


async def test_of_many_recipients_a_small_mail_is_read_beside_the_loop(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door, Parser(timeout_s=0.001) as parser:
        (one, *_), many = Several(door.inbox).known, 100
        inboxes = [replace(one, id=new_id()) for _ in range(many)]
        # A process that has no time for anything shows which of them goes there.
        assert _kinds(await parser.parse(target_of(inboxes[:3]), request_of(SMALL))) == {Draft}
        assert _kinds(await parser.parse(target_of(inboxes), request_of(SMALL))) == {Unparsed}


def _kinds(found: Any) -> set[type[Parsed]]:
    return {type(one) for one in found}

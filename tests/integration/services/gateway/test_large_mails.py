"""Large mails that wait, for whatever they wait, hold no place that another workspace's, or another sender's, could be worked on in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ingest.adapter import Inbox, Parsed, Request, Target
from ingest.mailboxes import Mailboxes, named
from ingest.parse import Parser
from services.frame.doors import listening_socket
from services.frame.peers import shares_of
from services.gateway.mail_room import LARGE_AT_ONCE, LARGE_BYTES, MailRoom
from services.gateway.smtp import MailHandler, listen
from shared.clock import SystemClock
from shared.ids import new_id
from shared.shares import Share
from tests.support.mail_door import ADDRESS, MailDoor, OneInbox, mail_door

END_S = 20
SLOW, QUICK = "yavas@ornek.com", "hizli@ornek.com"
SENDERS = [f"127.0.0.{one}" for one in range(2, 3 + LARGE_AT_ONCE)]
OTHER = "127.0.0.99"
LARGE = b"From: a@ornek.net\r\nSubject: x\r\n\r\n" + b"merhaba\r\n" * (LARGE_BYTES // 8)


class Two(OneInbox):
    """A directory of the door's inbox and another workspace's."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(inbox)
        self.slow = replace(inbox, id=new_id(), workspace_id=new_id(), address=SLOW, provider="smtp")
        self.quick = replace(inbox, address=QUICK, provider="smtp")
        both = (named(one, kept=None, at=None) for one in (self.slow, self.quick))
        self._mailboxes = Mailboxes(filter(None, both))


class Gate:
    """Where some wait until they are told to go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.waiting: asyncio.Queue[None] = asyncio.Queue()

    async def passed(self) -> None:
        self.waiting.put_nowait(None)
        await self.go_on.wait()


class SlowOfOne(Parser):
    """A parser that one workspace's mails wait in."""

    def __init__(self, gate: Gate, slow: UUID) -> None:
        super().__init__()
        self._gate, self._slow_one = gate, slow

    async def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        if target.workspace_id == self._slow_one:
            await self._gate.passed()
        return await super().parse(target, request)


class SlowForSome:
    """A border that some addresses' mails wait at."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def results(self, content: Callable[[], bytes], *, mail_from: str, helo: str, peer: str, owners: Sequence[Share]) -> str:
        if peer in SENDERS:
            await self._gate.passed()
        return "mx.ornek.com; dmarc=none"


class Asked(MailRoom):
    """Tells whose large mail asks for a place."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: asyncio.Queue[None] = asyncio.Queue()

    @contextlib.asynccontextmanager
    async def working(self, *arguments: Any, **options: Any) -> AsyncIterator[None]:
        self.asked.put_nowait(None)
        async with super().working(*arguments, **options):
            yield


@contextlib.asynccontextmanager
async def listening(door: MailDoor, room: MailRoom, directory: Two, parser: Parser, **border: Any) -> AsyncIterator[int]:
    handler = MailHandler(directory=directory, receiver=door.receiver, clock=SystemClock(), parser=parser, **border)
    server = await listen(handler, listening_socket("127.0.0.1", 0, setting="port"), room=room)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def send(port: int, address: str, to: str, mail: bytes = LARGE) -> str:
    """The answer to one large mail."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        await reader.readline()
        for command in ("HELO x", "MAIL FROM:<a@ornek.net>", f"RCPT TO:<{to}>", "DATA"):
            writer.write(command.encode() + b"\r\n")
            assert (await reader.readline())[:1] in b"23", command
        writer.write(mail + b".\r\n")
        return (await reader.readline()).decode()
    finally:
        writer.close()


async def all_of(tasks: Sequence[asyncio.Task[str]]) -> list[str]:
    async with asyncio.timeout(END_S):
        return await asyncio.gather(*tasks)


@pytest.mark.parametrize("judged", [False, True], ids=["behind a border", "at the border"])
async def test_large_mails_of_a_slow_workspace_keep_no_other_workspaces_waiting(tmp_path: Path, judged: bool) -> None:
    async with mail_door(tmp_path) as door:
        gate, room, directory = Gate(), Asked(), Two(door.inbox)
        border = {"border": SlowForSome(open_gate())} if judged else {}
        async with (
            SlowOfOne(gate, directory.slow.workspace_id) as parser,
            listening(door, room, directory, parser, **border) as port,
        ):
            slow = [asyncio.create_task(send(port, one, SLOW)) for one in SENDERS]
            async with asyncio.timeout(END_S):
                for _ in SENDERS:
                    await room.asked.get()
                assert (await send(port, OTHER, QUICK)).startswith("250")
            assert not any(one.done() for one in slow)
            gate.go_on.set()
            assert all(one.startswith("250") for one in await all_of(slow))


async def test_large_mails_that_wait_to_be_judged_keep_no_other_senders_waiting(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door, Parser() as parser:
        gate, directory = Gate(), Two(door.inbox)
        async with listening(door, MailRoom(), directory, parser, border=SlowForSome(gate)) as port:
            slow = [asyncio.create_task(send(port, one, SLOW)) for one in SENDERS[:LARGE_AT_ONCE]]
            async with asyncio.timeout(END_S):
                for _ in slow:
                    await gate.waiting.get()
                assert (await send(port, OTHER, QUICK)).startswith("250")
            gate.go_on.set()
            assert all(one.startswith("250") for one in await all_of(slow))


async def test_large_mails_that_one_relay_brings_are_each_their_workspaces(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door:
        gate, directory = Gate(), Two(door.inbox)
        async with SlowOfOne(gate, directory.slow.workspace_id) as parser, listening(door, MailRoom(), directory, parser) as port:
            slow = asyncio.create_task(send(port, OTHER, SLOW))
            async with asyncio.timeout(END_S):
                await gate.waiting.get()
                assert (await send(port, OTHER, QUICK)).startswith("250")
            gate.go_on.set()
            assert (await all_of([slow]))[0].startswith("250")


async def test_mails_full_of_numbers_keep_their_workspaces_other_senders_waiting_for_moments(tmp_path: Path) -> None:
    numbers = b"From: a@ornek.net\r\nSubject: x\r\n\r\n" + (b"67 " * 300 + b"\r\n") * 6_500
    async with mail_door(tmp_path, mask_numbers="cards") as door:
        # Half a minute each where every number is looked at.
        loud = [asyncio.create_task(send(door.port, one, ADDRESS, numbers)) for one in SENDERS[:3]]
        async with asyncio.timeout(END_S):
            await asyncio.wait(loud, return_when=asyncio.FIRST_COMPLETED)
            assert (await send(door.port, OTHER, ADDRESS)).startswith("250")
        assert all(one.startswith("250") for one in await all_of(loud))
        assert len(door.messages) == 4


async def test_what_comes_late_has_one_place_for_all_of_it() -> None:
    room, leave = MailRoom(), asyncio.Event()
    inside: asyncio.Queue[str] = asyncio.Queue()

    async def work(owner: str, *, late: bool) -> None:
        async with room.working(shares_of(owner), LARGE_BYTES + 1, late=late):
            inside.put_nowait(owner)
            await leave.wait()

    tasks = [asyncio.create_task(work(f"late {one}", late=True)) for one in range(LARGE_AT_ONCE)]
    tasks.append(asyncio.create_task(work("in time", late=False)))
    async with asyncio.timeout(END_S):
        assert {await inside.get(), await inside.get()} == {"late 0", "in time"}
        assert inside.empty()
        leave.set()
        await asyncio.gather(*tasks)


def open_gate() -> Gate:
    gate = Gate()
    gate.go_on.set()
    return gate

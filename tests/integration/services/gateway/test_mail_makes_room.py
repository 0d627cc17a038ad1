"""A few addresses that hold all of the mail's room and send nothing keep no other sender out, and no mail that came is lost by it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from services.frame.doors import listening_socket
from services.gateway.mail_room import MailRoom
from services.gateway.smtp import MailHandler, listen
from shared.clock import SystemClock
from tests.support.mail_door import ADDRESS, MailDoor, OneInbox, mail_door

CONNECTIONS, EACH = 20, 2
HOLDERS = [f"127.0.0.{one}" for one in range(2, 2 + CONNECTIONS // EACH)]
NEWCOMER = "127.0.0.99"
END_S = 10
MIB = 1024 * 1024
HEAD = ("EHLO x", "MAIL FROM:<a@ornek.net>", f"RCPT TO:<{ADDRESS}>", "DATA")


class Sender:
    """One session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> str:
        """The last line of an answer; empty at the end."""
        async with asyncio.timeout(END_S):
            while (line := await self.reader.readline())[3:4] == b"-":
                pass
        return line.decode()

    async def says(self, *lines: str) -> str:
        """Says one after the other: the last answer."""
        answer = ""
        for line in lines:
            self.writer.write(line.encode() + b"\r\n")
            answer = await self.answer()
        return answer


class Listener:
    """A listener with a small room."""

    def __init__(self, port: int, stack: contextlib.AsyncExitStack) -> None:
        self._port, self._stack = port, stack

    async def session(self, address: str) -> tuple[Sender, str]:
        """A session, and the first that was said in it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
        self._stack.callback(writer.close)
        sender = Sender(reader, writer)
        return sender, await sender.answer()


@contextlib.asynccontextmanager
async def listening(door: MailDoor, room: MailRoom, **hooks: Any) -> AsyncIterator[Listener]:
    handler = Slow(directory=OneInbox(door.inbox), receiver=door.receiver, clock=SystemClock(), parser=door.parser, **hooks)
    server = await listen(handler, listening_socket("127.0.0.1", 0, setting="port"), room=room)
    try:
        async with contextlib.AsyncExitStack() as stack:
            yield Listener(server.sockets[0].getsockname()[1], stack)
    finally:
        server.close()


class Slow(MailHandler):
    """Tells when a mail came to its end, and waits to be told to go on."""

    def __init__(self, *, come: asyncio.Event | None = None, go_on: asyncio.Event | None = None, **collaborators: Any) -> None:
        super().__init__(**collaborators)
        self._come, self._go_on = come, go_on

    async def _traced(self, *arguments: Any) -> bytes:
        if self._come is not None and self._go_on is not None:
            self._come.set()
            await self._go_on.wait()
        return await super()._traced(*arguments)


@pytest.mark.parametrize(
    "said", [(), ("EHLO x",), HEAD[:3], HEAD], ids=["nothing", "hello", "half a mail", "a mail without an end"]
)
async def test_who_holds_most_makes_room_for_who_holds_less(tmp_path: Path, said: tuple[str, ...]) -> None:
    come, go_on = asyncio.Event(), asyncio.Event()
    async with (
        mail_door(tmp_path) as door,
        listening(door, MailRoom(connections=CONNECTIONS, connections_each=EACH), come=come, go_on=go_on) as listener,
    ):
        busy, _ = await listener.session(HOLDERS[0])
        assert (await busy.says(*HEAD)).startswith("354")
        busy.writer.write(b"Subject: x\r\n\r\nilk\r\n.\r\n")
        async with asyncio.timeout(END_S):
            await come.wait()
        held = []
        for address in [HOLDERS[0], *(one for one in HOLDERS[1:] for _ in range(EACH))]:
            sender, greeting = await listener.session(address)
            assert greeting.startswith("220")
            await sender.says(*said)
            held.append(sender)
        newcomer, greeting = await listener.session(NEWCOMER)
        assert greeting.startswith("220"), "as long as somebody holds two"
        assert (await held[0].answer()).startswith("421 4.3.2")
        assert await held[0].answer() == ""
        go_on.set()
        assert (await busy.answer()).startswith("250"), "what came is taken, whoever holds how much"
        assert (await newcomer.says(*HEAD)).startswith("354")
        assert (await newcomer.says("Subject: x\r\n\r\nyeni\r\n.")).startswith("250")
        assert [one.text for one in door.messages] == ["ilk", "yeni"]


async def test_one_session_each_is_ended_for_nobody(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door, listening(door, MailRoom(connections=3, connections_each=EACH)) as listener:
        held = [(await listener.session(address))[0] for address in HOLDERS[:3]]
        _, greeting = await listener.session(NEWCOMER)
        assert greeting.startswith("421")
        for one in held:
            assert (await one.says("NOOP")).startswith("250")


async def test_mails_that_never_end_make_room_for_one_that_does(tmp_path: Path) -> None:
    room = MailRoom(coming_bytes=4 * MIB, coming_bytes_each=MIB + 64 * 1024)
    async with mail_door(tmp_path) as door, listening(door, room) as listener:
        held = []
        for address in HOLDERS[:4]:
            sender, _ = await listener.session(address)
            assert (await sender.says(*HEAD)).startswith("354")
            sender.writer.write(b"x" * (MIB - 1000))
            await sender.writer.drain()
            held.append(sender)
        async with asyncio.timeout(END_S):
            while room._coming.held < 4 * (MIB - 1100):
                await asyncio.sleep(0)
        newcomer, _ = await listener.session(NEWCOMER)
        await newcomer.says(*HEAD)
        assert (await newcomer.says("Subject: x\r\n\r\n" + "merhaba\r\n" * 5_000 + ".")).startswith("250")
        answers = [asyncio.create_task(one.answer()) for one in held]
        done, waiting = await asyncio.wait(answers, timeout=END_S, return_when=asyncio.FIRST_COMPLETED)
        assert [(await one)[:9] for one in done] == ["421 4.3.2"], "one makes room enough"
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def test_all_of_it_in_the_loop_that_runs_in_production(tmp_path: Path) -> None:
    """Its transports are no subclass of asyncio's."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_who_holds_most_makes_room_for_who_holds_less(tmp_path, HEAD))
        runner.run(test_one_session_each_is_ended_for_nobody(tmp_path))
        runner.run(test_mails_that_never_end_make_room_for_one_that_does(tmp_path))

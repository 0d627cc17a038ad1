"""Who is answered before all that they send was read may send it to its end and reads the answer: their connection is not reset."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from services.frame.connections import HEAD_BYTES_MAX, Connections, protocol_of
from services.frame.doors import WebDoor
from tests.support.api import Api, listening

END_S = 10
REST = b"x" * 4096
PIECES = 100
UNREAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (len(REST) * PIECES)
BROKEN = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nno size\r\n"
BEGUN = [
    (UNREAD, b"401"), (b"GET /" + b"a" * HEAD_BYTES_MAX, b"431"), (b"no request at all\r\n", b"400"), (b"GET / HT", b"408")
]  # fmt: skip


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads nothing, as where no credential is shown."""
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class Late:
    """Answers once it is let; what became of that is ``done``."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.let.wait()
        try:
            await refuse(scope, receive, send)
        except RuntimeError as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


@contextlib.asynccontextmanager
async def open_door(*, linger_s: float, app: ASGIApp = refuse) -> AsyncIterator[int]:
    door = WebDoor(app, host="127.0.0.1", port=0, setting="test", http=protocol_of(Connections(40, head_s=0.5, linger_s=linger_s)))
    await door.open()
    try:
        yield door.port
    finally:
        await door.close(0)


async def answered(port: int, begun: bytes) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    async with asyncio.timeout(END_S):
        return await reader.readuntil(b"\r\n\r\n"), reader, writer


async def rest_sent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """What is read to the end by who sends all they have first. Raises `ConnectionError` where they may not."""
    try:
        async with asyncio.timeout(END_S):
            for _ in range(PIECES):
                writer.write(REST)
                await writer.drain()
            writer.write_eof()
            return await reader.read()
    finally:
        writer.close()


async def sent_for_ever(writer: asyncio.StreamWriter) -> None:
    """Raises `ConnectionError` once that is over."""
    async with asyncio.timeout(END_S):
        while True:
            writer.write(REST)
            await writer.drain()


@pytest.mark.parametrize(("begun", "said"), BEGUN, ids=["unread", "too large", "no request", "too slow"])
async def test_what_still_comes_resets_nothing(begun: bytes, said: bytes) -> None:
    async with open_door(linger_s=END_S) as port:
        head, reader, writer = await answered(port, begun)
        assert said in head[:12]
        await rest_sent(reader, writer)


@pytest.mark.parametrize(("begun", "said"), BEGUN, ids=["unread", "too large", "no request", "too slow"])
def test_nor_in_the_loop_that_runs_in_production(begun: bytes, said: bytes) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_what_still_comes_resets_nothing(begun, said))


async def test_who_never_ends_is_ended() -> None:
    async with open_door(linger_s=0.2) as port:
        _, _, writer = await answered(port, UNREAD)
        with pytest.raises(ConnectionError):
            await sent_for_ever(writer)
        writer.close()


async def test_an_answer_that_comes_after_the_end_is_dropped() -> None:
    late = Late()
    async with open_door(linger_s=END_S, app=late) as port:
        head, _, writer = await answered(port, BROKEN)
        assert b"400" in head[:12]
        late.let.set()
        async with asyncio.timeout(END_S):
            await late.done
        writer.close()


async def test_who_said_nothing_is_not_waited_for() -> None:
    door = WebDoor(refuse, host="127.0.0.1", port=0, setting="test", http=protocol_of(Connections(40, linger_s=60 * END_S)))
    await door.open()
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    async with asyncio.timeout(END_S):
        await door.close(2 * END_S)
    writer.close()


async def test_a_body_that_the_api_does_not_read(api: Api) -> None:
    async with listening(api) as address:
        head, reader, writer = await answered(int(address.rpartition(":")[2]), UNREAD.replace(b" / ", b" /v1/queues "))
        assert b"401" in head[:12]
        assert b"no bearer token" in await rest_sent(reader, writer)

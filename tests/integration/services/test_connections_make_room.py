"""A few addresses that hold a server's connections and do nothing with them keep nobody out, and nobody who is being answered is ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from services.frame.doors import WebDoor
from shared.metrics import CONNECTIONS_REFUSED

LIMIT = 40
EACH = LIMIT // 4
HOLDERS = [f"127.0.0.{one}" for one in range(2, 6)]
NEWCOMER = "127.0.0.9"
END_S = 10
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = GET.replace(b" / ", b" /slow ")
LARGE = GET.replace(b" / ", b" /large ")
HALF = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class App:
    """Answers at once; ``/slow`` when it is told to, ``/large`` by more than any buffer takes, what brings a body when it has it."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.asked: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.put_nowait(scope["path"])
        if scope["path"] == "/slow":
            await self.go_on.wait()
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        size = 100_000_000 if scope["path"] == "/large" else 2
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(size).encode())]})
        for _ in range(size // 1_000_000):
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
        await send({"type": "http.response.body", "body": b"ok" if size == 2 else b""})


@contextlib.asynccontextmanager
async def open_door() -> AsyncIterator[tuple[App, WebDoor]]:
    app = App()
    door = WebDoor(app, host="127.0.0.1", port=0, setting="test", limit_concurrency=LIMIT)
    await door.open()
    try:
        yield app, door
    finally:
        await door.close(0)


async def connected(stack: contextlib.AsyncExitStack, door: WebDoor, address: str, sent: bytes = b"") -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, local_addr=(address, 0), limit=1024)
    stack.callback(writer.close)
    writer.write(sent)
    return reader, writer


async def answered(stack: contextlib.AsyncExitStack, door: WebDoor, address: str) -> Connection:
    """A connection with an answer behind it."""
    reader, writer = await connected(stack, door, address, GET)
    async with asyncio.timeout(END_S):
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    return reader, writer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What was said before the end."""
    async with asyncio.timeout(END_S):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


def made_room() -> float:
    (metric,) = CONNECTIONS_REFUSED.collect()
    return sum(one.value for one in metric.samples if one.name.endswith("_total") and one.labels == {"reason": "made_room"})


@pytest.mark.parametrize(
    ("sent", "said"),
    [(b"", b"503"), (b"GET / HT", b"503"), (GET, b"200"), (HALF, b"503"),
     (GET + b"GET / HT", b"200"), (LARGE, b"200")],
    ids=["silent", "half a head", "kept alive", "half a body", "half a second head", "an answer not taken"],
)  # fmt: skip
async def test_who_holds_most_makes_room_for_who_holds_less(sent: bytes, said: bytes) -> None:
    async with open_door() as (app, door), contextlib.AsyncExitStack() as stack:
        held = [await connected(stack, door, address, sent) for address in HOLDERS for _ in range(EACH - 1)]
        if sent.endswith((b"\r\n\r\n", b"x")):
            async with asyncio.timeout(END_S):
                for _ in held:
                    await app.asked.get()
        busy, _ = await connected(stack, door, HOLDERS[0], SLOW)
        async with asyncio.timeout(END_S):
            while await app.asked.get() != "/slow":
                pass
        before = made_room()
        for _ in range(EACH // 2):
            await answered(stack, door, NEWCOMER)
        assert made_room() - before >= 2, "as many as there was no place for"
        assert said in (await ended(held[0][0]))[:12], "the longest of the first who held most"
        app.go_on.set()
        async with asyncio.timeout(END_S):
            assert (await busy.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_one_connection_each_is_ended_for_nobody() -> None:
    async with open_door() as (_, door), contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*(answered(stack, door, f"127.0.1.{one}") for one in range(1, LIMIT)))
        before = made_room()
        reader, _ = await connected(stack, door, NEWCOMER, GET)
        assert b"503" in await ended(reader)
        assert made_room() == before


async def test_what_is_being_answered_is_never_ended() -> None:
    """As long as all are busy a newcomer is told to come again; the first that is not makes room."""
    async with open_door() as (app, door), contextlib.AsyncExitStack() as stack:
        places = [address for address in HOLDERS for _ in range(EACH)][: LIMIT - 1]
        busy = [await connected(stack, door, address, SLOW) for address in places]
        async with asyncio.timeout(END_S):
            for _ in busy:
                await app.asked.get()
        reader, _ = await connected(stack, door, NEWCOMER, GET)
        assert b"503" in await ended(reader)
        app.go_on.set()
        async with asyncio.timeout(END_S):
            for reader, _ in busy:
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        await answered(stack, door, NEWCOMER)


@pytest.mark.parametrize(("sent", "said"), [(b"", b"503"), (GET, b"200"), (HALF, b"503"), (LARGE, b"200")])
def test_all_of_it_in_the_loop_that_runs_in_production(sent: bytes, said: bytes) -> None:
    """Its transports write and close a moment later."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_who_holds_most_makes_room_for_who_holds_less(sent, said))
        runner.run(test_what_is_being_answered_is_never_ended())

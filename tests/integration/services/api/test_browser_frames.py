"""Frames that a browser never sends, and that are worked off before the app sees anything, end their connection."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect

from services.frame.browser_frames import COUNTED_MAX
from shared.database import Database
from tests.support.api import listening, running_api

END_S = 10
PING, PONG, TEXT, MORE = 0x89, 0x8A, 0x01, 0x00


@pytest.fixture
async def url(api_db: Database, worker_db: Database) -> AsyncIterator[str]:
    async with running_api(api_db, worker_db) as api, listening(api) as address:
        yield address


def frame(kind: int, content: bytes = b"") -> bytes:
    return bytes([kind, 0x80 | len(content)]) + b"\0\0\0\0" + content


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is a socket by now."""
    host, _, port = url.removeprefix("ws://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /v1/stream HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    yield reader, writer
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("first", "many"),
    [(b"", frame(PING)), (b"", frame(PING, b"x" * 125)), (b"", frame(PONG)), (frame(TEXT), frame(MORE)), (frame(TEXT, b"{"), frame(MORE, b" "))],
    ids=["pings", "long pings", "pongs", "empty pieces", "small pieces"],
)  # fmt: skip
async def test_frames_that_no_browser_sends_end_the_connection(url: str, first: bytes, many: bytes) -> None:
    answered = 0
    async with opened(url) as (reader, writer), asyncio.timeout(END_S):
        writer.write(first + many * 5_000)
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                answered += len(piece)
    assert answered <= COUNTED_MAX * (2 + 125)


async def test_a_client_that_pings_now_and_then_stays(url: str) -> None:
    async with connect(f"{url}/v1/stream", proxy=None) as socket:
        for _ in range(COUNTED_MAX // 2):
            await asyncio.wait_for(await socket.ping(), END_S)
        assert socket.close_code is None

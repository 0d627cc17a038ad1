"""Agents' sockets in tests: the workers behind them, the first frames, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.support.api import Api

FRAME_S = 10


@contextlib.asynccontextmanager
async def workers(api: Api) -> AsyncIterator[None]:
    """The fan-out and the guard, as the process runs them."""
    tasks = [
        asyncio.create_task(api.app.state.fanout.run(api.hints.waiter("stream"))),
        asyncio.create_task(api.app.state.guard.run()),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def hello_of(socket: ClientConnection, headers: Mapping[str, str]) -> dict[str, Any]:
    """Says hello with the token of a header; the welcome. Raises ``ConnectionClosed`` when there is none."""
    await socket.send(json.dumps({"type": "hello", "token": headers["authorization"].removeprefix("Bearer ")}))
    async with asyncio.timeout(FRAME_S):
        frame: dict[str, Any] = json.loads(await socket.recv())
    assert frame["type"] == "welcome", frame
    return frame


async def closed_with(socket: ClientConnection, *, within_s: float) -> int:
    """The code with which the server closes; other frames are read over."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else 1006

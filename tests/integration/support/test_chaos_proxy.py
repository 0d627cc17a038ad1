"""The proxy itself: a test that leans on it must know that it does what it says."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.support.chaos_proxy import ChaosProxy


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[ChaosProxy]:
    """A server that says what it hears, behind a proxy."""
    open_ones: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        with contextlib.suppress(ConnectionError):
            while heard := await reader.read(65536):
                writer.write(heard)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with ChaosProxy("127.0.0.1", port) as proxy:
        yield proxy
    server.close()
    for writer in open_ones:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def client_of(proxy: ChaosProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield reader, writer
    writer.transport.abort()


async def test_ok_latency_and_blackhole_on_one_open_connection() -> None:
    async with echo() as proxy, client_of(proxy) as (reader, writer):
        writer.write(b"one")
        assert await asyncio.wait_for(reader.readexactly(3), 2) == b"one"
        await proxy.set("latency", latency_s=0.1)
        begun = time.monotonic()
        writer.write(b"two")
        assert await asyncio.wait_for(reader.readexactly(3), 2) == b"two"
        assert time.monotonic() - begun >= 0.2
        await proxy.set("blackhole")
        writer.write(b"thr")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(3), 0.2)
        await proxy.set("ok")
        assert await asyncio.wait_for(reader.readexactly(3), 2) == b"thr"


async def test_a_blackhole_takes_connections_and_says_nothing() -> None:
    async with echo() as proxy:
        await proxy.set("blackhole")
        async with client_of(proxy) as (reader, writer):
            writer.write(b"x")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.2)


async def test_rst_resets_open_and_new_connections() -> None:
    async with echo() as proxy:
        async with client_of(proxy) as (reader, writer):
            writer.write(b"x")
            await reader.readexactly(1)
            await proxy.set("rst")
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(1), 2)
        async with client_of(proxy) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(1), 2)


async def test_refuse_lets_open_connections_live() -> None:
    async with echo() as proxy, client_of(proxy) as (reader, writer):
        writer.write(b"x")
        await reader.readexactly(1)
        await proxy.set("refuse")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"y")
        assert await asyncio.wait_for(reader.readexactly(1), 2) == b"y"
        await proxy.set("ok")
        async with client_of(proxy) as (again, more):
            more.write(b"z")
            assert await asyncio.wait_for(again.readexactly(1), 2) == b"z"


async def test_cut_closes_after_so_many_bytes() -> None:
    async with echo() as proxy:
        await proxy.set("cut", cut_bytes=10)
        async with client_of(proxy) as (reader, writer):
            writer.write(b"x" * 25)
            assert await asyncio.wait_for(reader.read(-1), 2) == b"x" * 10

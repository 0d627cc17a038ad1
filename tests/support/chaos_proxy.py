"""A TCP proxy that misbehaves on demand, between a client and a real server, both on loopback.

Modes: ``ok`` passes on · ``latency`` passes on after a delay each way · ``blackhole`` takes everything and says nothing ·
``rst`` resets connections, new and open · ``refuse`` stops listening (open connections live) · ``cut`` closes after so many bytes to
the client. A change takes effect at once on open connections. Units: seconds, bytes.

A Kafka broker tells clients its own address, and they would go around the proxy: with ``kafka`` the proxy's port is put in its place.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

Mode = Literal["ok", "latency", "blackhole", "rst", "refuse", "cut"]
_CHUNK_BYTES = 64 * 1024


@dataclass(slots=True, eq=False)
class _Pair:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    sent_bytes: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class ChaosProxy:
    """``async with ChaosProxy("127.0.0.1", 9092) as proxy``: clients connect to ``proxy.address``."""

    def __init__(self, host: str, port: int, *, kafka: bool = False) -> None:
        self._upstream = (host, port)
        self._kafka = kafka
        self._mode: Mode = "ok"
        self._open = asyncio.Event()
        self._open.set()
        self._latency_s = 0.0
        self._cut_bytes = 0
        self._pairs: set[_Pair] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.connections = 0

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stop_listening()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        await self._drop(list(self._pairs))

    async def set(self, mode: Mode, *, latency_s: float = 0.0, cut_bytes: int = 0) -> None:
        """Changes how it behaves from now on."""
        self._mode, self._latency_s, self._cut_bytes = mode, latency_s, cut_bytes
        if mode == "blackhole":
            self._open.clear()
        else:
            self._open.set()
        if mode == "refuse":
            await self._stop_listening()
        elif self._server is None:
            await self._listen()
        if mode == "rst":
            await self._drop(list(self._pairs), reset=True)
        for pair in self._pairs:
            pair.sent_bytes = 0

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connecting.add(task)
        try:
            self.connections += 1
            if self._mode == "rst":
                _reset(writer)
                return
            await self._open.wait()
            try:
                there, back = await asyncio.open_connection(*self._upstream)
            except OSError:
                _reset(writer)
                return
            pair = _Pair(client=writer, server=back)
            self._pairs.add(pair)
            pair.tasks = [
                asyncio.create_task(self._pass_on(pair, reader, back, to_client=False)),
                asyncio.create_task(self._pass_on(pair, there, writer, to_client=True)),
            ]
        except asyncio.CancelledError:
            _reset(writer)
        finally:
            self._connecting.discard(task)

    async def _pass_on(self, pair: _Pair, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, to_client: bool) -> None:
        try:
            while chunk := await source.read(_CHUNK_BYTES):
                if self._mode == "latency":
                    await asyncio.sleep(self._latency_s)
                await self._open.wait()
                if self._kafka and to_client:
                    chunk = chunk.replace(self._told(self._upstream[1]), self._told(self.port))
                if self._mode == "cut" and to_client:
                    left = self._cut_bytes - pair.sent_bytes
                    sink.write(chunk[: max(0, left)])
                    if len(chunk) >= left:
                        break
                else:
                    sink.write(chunk)
                pair.sent_bytes += len(chunk) if to_client else 0
                await sink.drain()
        except (ConnectionError, OSError):
            sink.transport.abort()
        finally:
            self._pairs.discard(pair)
            for writer in (pair.client, pair.server):
                writer.close()

    def _told(self, port: int) -> bytes:
        return self._upstream[0].encode() + struct.pack(">i", port)

    async def _drop(self, pairs: list[_Pair], *, reset: bool = False) -> None:
        tasks = [task for pair in pairs for task in pair.tasks]
        for pair in pairs:
            for writer in (pair.client, pair.server):
                if reset:
                    _reset(writer)
                else:
                    writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pairs.difference_update(pairs)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST instead of FIN (zero linger)."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

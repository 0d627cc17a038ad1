"""Connections of an HTTP server: how many one address may hold, how long a request's head may take, how large it may be, how many
requests may wait behind the one that is answered.

A server counts idle connections against its limit for everybody, so without a share of its own for each address one machine closes it to
all. Who sits behind a trusted proxy is that proxy's to count.
Source: RFC 6585 §5 (431), RFC 9110 §15.5.9 (408).
**Units**: bytes, seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.frame.browser_frames import BrowserFrames
from services.frame.peers import is_within, shares_of
from shared.metrics import CONNECTIONS_REFUSED
from shared.shares import Held

HEAD_S: Final = 15.0
HEAD_BYTES_MAX: Final = 64 * 1024
PIECE_BYTES: Final = 4096
WAITING_MAX: Final = 10
_SHARE: Final = 0.25
_ANSWERS: Final = {408: b"Request Timeout", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}


class Connections:
    """Who holds how many of a server's connections."""

    def __init__(self, limit: int, *, trusted: Sequence[str] = (), head_s: float = HEAD_S) -> None:
        self.head_s = head_s
        self.each = max(1, int(limit * _SHARE))
        self._trusted = tuple(trusted)
        self._held = Held(self.each, limit)

    def enter(self, address: str) -> bool:
        """Whether one more is taken; then it has to `leave`."""
        if is_within(address, self._trusted):
            return True
        if self._held.take(shares_of(address)):
            return True
        CONNECTIONS_REFUSED.labels(reason="share_of_address").inc()
        return False

    def leave(self, address: str) -> None:
        """One less."""
        if not is_within(address, self._trusted):
            self._held.give(shares_of(address))


class Bounded(HttpToolsProtocol):
    """The server's protocol, bounded. Of one server: `protocol_of` gives it its connections."""

    bounds: Connections

    _address = ""
    _entered = False
    _head: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._entered = self.bounds.enter(self._address)
        if not self._entered:
            self._refuse(503)
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._head_came()
        super().handle_websocket_upgrade()
        socket = self.transport.get_protocol()
        assert isinstance(socket, BrowserFrames)
        socket.ended = self._leave  # until then the connection is one of its address's

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self._head is None:
            self._await_head()
        # In pieces, so that of requests sent without waiting for answers no more are read than may wait.
        for at in range(0, len(data), PIECE_BYTES):
            super().data_received(data[at : at + PIECE_BYTES])
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_came()
        if len(self.pipeline) >= WAITING_MAX and not self.transport.is_closing():
            CONNECTIONS_REFUSED.labels(reason="too_many_waiting").inc()
            self.transport.abort()
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()

    def _await_head(self) -> None:
        self._head = asyncio.get_running_loop().call_later(self.bounds.head_s, self._refuse, 408)

    def _head_came(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        self._head_came()
        if self.transport.is_closing():
            return
        if status != 503:
            CONNECTIONS_REFUSED.labels(reason={408: "head_too_slow", 431: "head_too_large"}[status]).inc()
        self.transport.write(b"HTTP/1.1 %d %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % (status, _ANSWERS[status]))
        self.transport.close()

    def _leave(self) -> None:
        self._head_came()
        if self._entered:
            self._entered = False
            self.bounds.leave(self._address)


def protocol_of(connections: Connections) -> type[Bounded]:
    """The protocol of one server."""
    return type("Bounded", (Bounded,), {"bounds": connections})

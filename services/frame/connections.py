"""Connections of an HTTP server: how many one address may hold, which of them end when others find no place, how long a request's head may
take, how large it may be, how many requests may wait behind the one that is answered.

A server counts idle connections against its limit for everybody, so without a share of its own for each address one machine closes it to
all, and without making room (`making_room.py`) a few machines do. It is made by what waits for its peer: a connection without a request,
one whose head or body has not come, one whose answer is not taken. An open socket is its own door's (`services/api/socket_places.py`). Who
sits behind a trusted proxy is that proxy's to count.

Who is answered before all that they send was read is let finish: what still comes is read and thrown away for a while, because ending the
connection at once would reset it, and a reset takes the answer away from who has not read it yet.
Source: RFC 6585 §5 (431), RFC 9110 §15.5.9 (408), RFC 9112 §9.6 (ending in stages).
**Units**: bytes, seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.frame.browser_frames import BrowserFrames
from services.frame.making_room import Full, Place, Room
from services.frame.peers import is_within, shares_of
from shared.metrics import CONNECTIONS_REFUSED

HEAD_S: Final = 15.0
HEAD_BYTES_MAX: Final = 64 * 1024
PIECE_BYTES: Final = 4096
WAITING_MAX: Final = 10
LINGER_S: Final = 5.0
_SHARE: Final = 0.25
_LEAVING: Final = 0.01
_ANSWERS: Final = {408: b"Request Timeout", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}


class Connections:
    """Who holds how many of a server's connections."""

    def __init__(self, limit: int, *, trusted: Sequence[str] = (), head_s: float = HEAD_S, linger_s: float = LINGER_S) -> None:
        self.head_s, self.linger_s = head_s, linger_s
        self.each = max(1, int(limit * _SHARE))
        self._trusted = tuple(trusted)
        # The server refuses what comes at its limit, and those that are ended leave it a moment later.
        self._room = Room(each=self.each, most=max(1, limit - 1 - int(limit * _LEAVING)))

    def enter(self, address: str, ended: Callable[[], None]) -> Place | None:
        """A place for one more, where there is one; ``ended`` is told when it makes room for another. A trusted proxy's makes none."""
        trusted = is_within(address, self._trusted)
        place = Place(self._room, () if trusted else shares_of(address), ended)
        try:
            place.grow()
        except Full as full:
            if not trusted:
                CONNECTIONS_REFUSED.labels(reason={"share": "share_of_address", "room": "no_room"}[full.lack]).inc()
                return None
        return place


class Ending:
    """A connection's transport. Told to close while something is ``unread``, it ends in stages, and within ``linger_s``."""

    def __init__(self, transport: asyncio.Transport, unread: Callable[[], bool], linger_s: float) -> None:
        self._transport = transport
        self._unread = unread
        self._linger_s = linger_s
        self._lingers: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._lingers is not None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """What is said once it ends is dropped, as by any transport that closes: an answer may be on its way meanwhile."""
        if self._lingers is None:
            self._transport.write(data)

    def close(self) -> None:
        if self.is_closing():
            return
        if not self._unread():
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        self._lingers = asyncio.get_running_loop().call_later(self._linger_s, self.end)

    def end(self) -> None:
        """Closes now; what was written is sent all the same."""
        if self._lingers is not None:
            self._lingers.cancel()
        self._transport.close()


class Bounded(HttpToolsProtocol):
    """The server's protocol, bounded. Of one server: `protocol_of` gives it its connections."""

    bounds: Connections

    _ending: Ending
    _place: Place | None = None
    _head: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _silent = True

    def connection_made(self, transport: Any) -> None:
        self._ending = Ending(transport, self._is_unread, self.bounds.linger_s)
        super().connection_made(cast("asyncio.Transport", self._ending))
        self._place = self.bounds.enter(self.client[0] if self.client else "", self._make_room)
        if self._place is None:
            self._refuse(503)
            return
        self._await_head()
        self._note()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._ending.end()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._head_came()
        if self._place is not None:
            self._place.works()
        super().handle_websocket_upgrade()
        socket = self.transport.get_protocol()
        assert isinstance(socket, BrowserFrames)
        socket.ended = self._leave  # until then the connection is one of its address's

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._silent = False
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self._head is None:
            self._await_head()
        # In pieces, so that of requests sent without waiting for answers no more are read than may wait.
        for at in range(0, len(data), PIECE_BYTES):
            super().data_received(data[at : at + PIECE_BYTES])
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
        self._note()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._note()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._note()

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

    def _note(self) -> None:
        """Notes whether the connection waits for its peer, each time the one or the other did something."""
        if self._place is None:
            return
        cycle = self.cycle
        at_rest = not self.pipeline and (
            cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started)
        )
        if at_rest or self.flow.write_paused:
            self._place.waits()
        else:
            self._place.works()

    def _is_unread(self) -> bool:
        """Whether a request has begun that was not read to its end."""
        begun = self._head is not None and not self._silent
        return begun or bool(self.pipeline) or (self.cycle is not None and self.cycle.more_body)

    def _make_room(self) -> None:
        CONNECTIONS_REFUSED.labels(reason="made_room").inc()
        self._head_came()
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # what is not taken would hold the connection
        elif not self.transport.is_closing() and (self.cycle is None or not self.cycle.response_complete):
            self._say(503)
        self._ending.end()

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
        if self.transport.is_closing():
            return
        if status != 503:
            CONNECTIONS_REFUSED.labels(reason={408: "head_too_slow", 431: "head_too_large"}[status]).inc()
        self._say(status)
        self.transport.close()
        self._head_came()

    def _say(self, status: int) -> None:
        self.transport.write(b"HTTP/1.1 %d %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % (status, _ANSWERS[status]))

    def _leave(self) -> None:
        self._head_came()
        if self._place is not None:
            self._place.leave()


def protocol_of(connections: Connections) -> type[Bounded]:
    """The protocol of one server."""
    return type("Bounded", (Bounded,), {"bounds": connections})

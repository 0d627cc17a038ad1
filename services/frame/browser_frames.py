"""Browsers' sockets as bytes: what costs an answer before the app sees anything is bounded here.

A browser answers pings and sends none, and it sends a message of at most 64 kB whole. Who sends pings, pongs nobody asked for, or a message in
many pieces has each of them worked off in the event loop, thousands to one read, and its pongs kept for as long as nobody reads them.
So what comes is taken in small pieces, and a connection with too many of these frames ends at once.

Source: RFC 6455 §5.4 (fragments), §5.5 (control frames), §7.1.7 (a connection may be failed). **Units**: bytes, seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from shared.metrics import CONNECTIONS_REFUSED

PIECE_BYTES: Final = 1024
COUNTED_MAX: Final = 50
WINDOW_S: Final = 10.0


class BrowserFrames(WebSocketsSansIOProtocol):
    """uvicorn's protocol with these bounds; its ``ws``. ``ended`` is called when the connection is no more."""

    ended: Callable[[], None] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._counted = 0
        self._until_s = 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.ended is not None:
            self.ended()

    async def send(self, message: Any) -> None:
        await super().send(message)
        # uvicorn takes a handshake that was answered for one that was forgotten, and each of them would be an error in the log.
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        for at in range(0, len(data), PIECE_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[at : at + PIECE_BYTES])

    def handle_ping(self) -> None:
        if self._takes():
            super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        if self._takes():
            super().handle_pong(event)

    def handle_cont(self, event: Any) -> None:
        if self._takes():
            super().handle_cont(event)

    def _takes(self) -> bool:
        """Whether one more of these frames is looked at; the connection ends with the first that is too many."""
        if self.transport.is_closing():
            return False
        now_s = self.loop.time()
        if now_s > self._until_s:
            self._counted, self._until_s = 0, now_s + WINDOW_S
        self._counted += 1
        if self._counted <= COUNTED_MAX:
            return True
        CONNECTIONS_REFUSED.labels(reason="control_frames").inc()
        self.transport.abort()  # what waits to be read by the peer is not waited for
        return False

"""Where a process takes work in from outside: HTTP servers and other listeners, opened with a clear error, closed without haste.

A door that is told to close takes nothing new and finishes what it took, within the time it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, Protocol

import uvicorn
from uvicorn._types import ASGIApplication

from services.frame.connections import Connections, protocol_of
from shared.errors import Conflict, InputRejected, SantralError

_LOOK_S: Final = 0.01
CONNECTIONS_MAX: Final = 1000
ACCEPTED_AT_ONCE: Final = 32
"""Connections in a round of the loop. The loop takes one of a listener each time (uvloop does), so that in rounds that last what comes anew, from
whomever, stands behind all that came before: the same listener is given to it so many times."""


class Door(Protocol):
    """Something that listens."""

    async def open(self) -> None:
        """Listens when it returns. Raises `Conflict` when the port is taken."""
        ...

    async def ended(self) -> None:
        """Returns only if the door closed by itself."""
        ...

    async def close(self, patience_s: float) -> None:
        """Takes nothing new; returns when what was taken is done, at the latest after ``patience_s``. Calling it again is safe."""
        ...


def listening_socket(host: str, port: int, *, setting: str) -> socket.socket:
    """A socket bound to the port; 0 takes a free one. Raises `Conflict` or `InputRejected`, naming ``setting``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        # Listening at once, so that a second process learns here that the port is taken.
        found.listen(1024)
        found.setblocking(False)
    except OSError as error:
        found.close()
        raise _refused(error, f"{host}:{port}", setting) from error
    return found


def listeners(bound: socket.socket) -> list[socket.socket]:
    """A listening socket as often as the loop is to take a connection of it in a round; the first is itself."""
    return [bound, *(bound.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]


def _refused(error: OSError, place: str, setting: str) -> SantralError:
    if error.errno == errno.EADDRINUSE:
        return Conflict(f"{place} is taken by another program", field=setting, remedy="stop it, or name another port")
    reason = error.strerror or str(error)
    return InputRejected(
        f"cannot listen on {place}: {reason}", field=setting, remedy="an address of this machine, a port you may use"
    )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process decides when it stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebDoor:
    """An ASGI app on a port. ``options`` are uvicorn's. Who is behind a proxy is believed of ``trusted_proxies`` only."""

    def __init__(
        self, app: Any, *, host: str, port: int, setting: str, trusted_proxies: Sequence[str] = (), **options: Any
    ) -> None:
        self._app: ASGIApplication = app
        self._host = host
        self._port = port
        self._setting = setting
        self._options: dict[str, Any] = {
            "log_config": None, "access_log": False, "lifespan": "off", "server_header": False, "date_header": False, "ws": "none",
            "proxy_headers": bool(trusted_proxies), "forwarded_allow_ips": list(trusted_proxies),
            "http": protocol_of(Connections(options.get("limit_concurrency") or CONNECTIONS_MAX, trusted=trusted_proxies)), **options,
        }  # fmt: skip
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port, once it is open; the one that was free when 0 was asked for."""
        return self._port

    async def open(self) -> None:
        bound = listening_socket(self._host, self._port, setting=self._setting)
        self._port = bound.getsockname()[1]
        self._server = _Server(uvicorn.Config(self._app, host=self._host, port=self._port, **self._options))
        self._task = asyncio.create_task(self._server.serve(sockets=listeners(bound)), name=f"door-{self._port}")
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - uvicorn tells it by a flag only
            await asyncio.sleep(_LOOK_S)
        if self._task.done():
            await self._task

    async def ended(self) -> None:
        assert self._task is not None, "open the door first"
        await asyncio.shield(self._task)

    async def close(self, patience_s: float) -> None:
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        done, _ = await asyncio.wait([self._task], timeout=patience_s)
        if not done:
            self._server.force_exit = True
            await asyncio.wait([self._task], timeout=2)
            self._task.cancel()


class ListenerDoor:
    """Plain listeners of the event loop on one port, made by ``listen``; what their connections were doing ends with the process."""

    def __init__(self, listen: Callable[[socket.socket], Awaitable[asyncio.Server]], *, host: str, port: int, setting: str) -> None:
        self._listen = listen
        self._host, self._port = host, port
        self._setting = setting
        self._servers: list[asyncio.Server] = []

    async def open(self) -> None:
        bound = listening_socket(self._host, self._port, setting=self._setting)
        self._servers = [await self._listen(one) for one in listeners(bound)]

    async def ended(self) -> None:
        await asyncio.Event().wait()

    async def close(self, patience_s: float) -> None:
        for server in self._servers:
            server.close()

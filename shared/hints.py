"""Wake-ups between processes: hints, never data. PostgreSQL's NOTIFY, coalesced, off the write path.

One statement on a connection of its own, on the leading edge and then at most every 5 ms, whatever was woken meanwhile. A lost hint
costs what the reader's own look costs: every waiter has a time-out. Nothing here raises: a database that is away wakes nobody.
"""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import asyncpg

from shared.database import CONNECT_S, driver_url
from shared.logs import get_log
from shared.metrics import HINTS_SENT

log = get_log(__name__)
Topic = Literal["dispatch", "outbox", "delivery", "stream", "config", "intake", "privacy"]
CHANNEL: Final = "santral_hint"
GAP_S: Final = 0.005
RECONNECT_S: Final = 1.0
_PAYLOAD_BYTES_MAX: Final = 7000
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Waiter:
    """One reader's bell. Hints that come while nobody waits are kept until the next wait."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._details: set[str] = set()

    def ring(self, details: set[str]) -> None:
        """Wakes the reader."""
        self._details |= details
        self._rung.set()

    async def wait(self, timeout_s: float) -> set[str]:
        """Returns at the next hint or after ``timeout_s``, with the details that came; empty means look by yourself."""
        if not self._rung.is_set():
            try:
                await asyncio.wait_for(self._rung.wait(), timeout_s)
            except TimeoutError:
                return set()
        self._rung.clear()
        details, self._details = self._details, set()
        return details


class Hints:
    """Sends and receives. One per process; `start` in `main()`, `stop` at the end."""

    def __init__(self, url: str, *, listening: bool = True) -> None:
        self._url = url
        self._listening = listening
        self._waiters: dict[str, weakref.WeakSet[Waiter]] = {}
        self._pending: dict[str, set[str]] = {}
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to send, and to listen; returns at once, a database that is away is tried again and again."""
        self._tasks.append(asyncio.create_task(self._send()))
        if self._listening:
            self._tasks.append(asyncio.create_task(self._listen()))

    async def stop(self) -> None:
        """Ends both; hints not sent yet are lost, which is what hints may be."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def wake(self, topic: Topic, detail: str = "") -> None:
        """Wakes all readers of a topic, here at once and in other processes within milliseconds. Never waits, never raises."""
        self._ring(topic, {detail} if detail else set())
        self._pending.setdefault(topic, set()).update({detail} if detail else ())
        self._due.set()

    def waiter(self, topic: Topic) -> Waiter:
        """A new reader of a topic; keep it for as long as you read."""
        waiter = Waiter()
        self._waiters.setdefault(topic, weakref.WeakSet()).add(waiter)
        return waiter

    def _ring(self, topic: str, details: set[str]) -> None:
        for waiter in list(self._waiters.get(topic, ())):
            waiter.ring(details)

    async def _send(self) -> None:
        while True:
            try:
                async with self._connected() as connection:
                    while True:
                        await self._due.wait()
                        self._due.clear()
                        await connection.execute("select pg_notify($1, $2)", CHANNEL, self._payload())
                        HINTS_SENT.inc()
                        await asyncio.sleep(GAP_S)
            except _AWAY as error:
                log.debug("hints are lost", action="dependency_down", error=str(error))
            await asyncio.sleep(RECONNECT_S)

    def _payload(self) -> str:
        pending, self._pending = self._pending, {}
        payload = json.dumps({topic: sorted(details) for topic, details in pending.items()}, separators=(",", ":"))
        return payload if len(payload) <= _PAYLOAD_BYTES_MAX else json.dumps({topic: [] for topic in pending})

    async def _listen(self) -> None:
        while True:
            try:
                async with self._connected() as connection:
                    closed = asyncio.Event()
                    connection.add_termination_listener(lambda _, closed=closed: closed.set())
                    await connection.add_listener(CHANNEL, self._heard)
                    self._ring_all()
                    while not closed.is_set():
                        try:
                            await asyncio.wait_for(closed.wait(), 5)
                        except TimeoutError:
                            await connection.fetchval("select 1", timeout=5)
            except _AWAY as error:
                log.debug("hints are not heard", action="dependency_down", error=str(error))
            await asyncio.sleep(RECONNECT_S)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection of its own, dropped without a goodbye: a black-holed server would not hear it."""
        settings = {"application_name": "santral-hints", "tcp_keepalives_idle": "5"}
        connection = await asyncpg.connect(driver_url(self._url), timeout=CONNECT_S, command_timeout=5, server_settings=settings)
        try:
            yield connection
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        try:
            hints = {str(topic): {str(one) for one in details} for topic, details in json.loads(str(payload)).items()}
        except (ValueError, TypeError, AttributeError):
            log.debug("a hint that is not ours", action="hint_ignored", count=len(str(payload)))
            return
        for topic, details in hints.items():
            self._ring(topic, details)

    def _ring_all(self) -> None:
        """After a gap nobody knows what was missed: all look by themselves."""
        for topic in self._waiters:
            self._ring(topic, set())

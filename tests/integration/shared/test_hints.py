"""Hints between processes: heard within milliseconds, coalesced, and never missed for long when they are lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from shared.embedded.postgres import PostgresUrls
from shared.hints import CHANNEL, Hints
from tests.support.chaos_proxy import ChaosProxy


@contextlib.asynccontextmanager
async def started(url: str, *, listening: bool = True) -> AsyncIterator[Hints]:
    hints = Hints(url, listening=listening)
    await hints.start()
    try:
        yield hints
    finally:
        await hints.stop()


async def hears(sender: Hints, hints: Hints) -> None:
    """Waits until the other's hints arrive: connecting takes its time."""
    waiter = hints.waiter("intake")
    async with asyncio.timeout(30):
        while "there" not in await waiter.wait(0.1):
            sender.wake("intake", "there")


async def test_another_process_hears_at_once_with_the_details(database_urls: PostgresUrls) -> None:
    async with started(database_urls.api, listening=False) as sender, started(database_urls.worker) as hints:
        await hears(sender, hints)
        waiter, other = hints.waiter("stream"), hints.waiter("dispatch")
        begun = time.monotonic()
        sender.wake("stream", "workspace one")
        sender.wake("stream", "workspace two")
        assert await waiter.wait(5) == {"workspace one", "workspace two"}
        assert time.monotonic() - begun < 0.5
        assert await other.wait(0.01) == set()


async def test_readers_in_the_same_process_hear_without_the_database(database_urls: PostgresUrls) -> None:
    hints = Hints(database_urls.worker, listening=False)
    one, two = hints.waiter("dispatch"), hints.waiter("dispatch")
    hints.wake("dispatch", "x")
    assert await one.wait(0) == {"x"}
    assert await two.wait(0) == {"x"}
    assert await one.wait(0) == set()


async def test_ten_thousand_wakes_are_few_notifications(database_urls: PostgresUrls) -> None:
    heard: list[str] = []
    connection = await asyncpg.connect(database_urls.worker)
    await connection.add_listener(CHANNEL, lambda *given: heard.append(str(given[-1])))
    async with started(database_urls.worker) as sender:
        await hears(sender, sender)
        heard.clear()
        waiter = sender.waiter("outbox")
        for turn in range(100):
            for _ in range(100):
                sender.wake("outbox", f"{turn}")
            await asyncio.sleep(0)
        details: set[str] = set()
        async with asyncio.timeout(10):
            while len(details) < 100:
                details |= await waiter.wait(1)
        sender.wake("delivery", "last")
        async with asyncio.timeout(10):
            while not any("last" in one for one in heard):
                await asyncio.sleep(0.01)
    await connection.close()
    assert len(heard) < 60


async def test_details_that_do_not_fit_become_look_by_yourself(database_urls: PostgresUrls) -> None:
    async with started(database_urls.worker, listening=False) as sender, started(database_urls.worker) as hints:
        await hears(sender, hints)
        waiter = hints.waiter("stream")
        for number in range(500):
            sender.wake("stream", f"workspace {number:040}")
        begun = time.monotonic()
        assert await waiter.wait(5) == set()
        assert time.monotonic() - begun < 1


async def test_a_lost_hint_costs_the_readers_own_look(database_urls: PostgresUrls) -> None:
    hints = Hints(database_urls.worker)
    begun = time.monotonic()
    assert await hints.waiter("dispatch").wait(0.2) == set()
    assert 0.15 < time.monotonic() - begun < 2


async def test_a_line_that_breaks_is_mended_and_everybody_looks(database_urls: PostgresUrls) -> None:
    parts = urlsplit(database_urls.worker)
    assert parts.hostname
    assert parts.port
    async with ChaosProxy(parts.hostname, parts.port) as proxy:
        there = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@{proxy.address}"))
        async with started(database_urls.worker, listening=False) as sender, started(there) as hints:
            await hears(sender, hints)
            waiter = hints.waiter("stream")
            await proxy.set("rst")
            sender.wake("stream", "lost")
            hints.wake("dispatch", "never raises")
            assert await waiter.wait(0.3) == set()
            begun = time.monotonic()
            await proxy.set("ok")
            assert await waiter.wait(10) == set()
            assert time.monotonic() - begun < 9
            await hears(sender, hints)


async def test_what_others_notify_is_ignored(database_urls: PostgresUrls) -> None:
    async with started(database_urls.worker) as hints:
        await hears(hints, hints)
        connection = await asyncpg.connect(database_urls.worker)
        for payload in ("", "not json", "[1]", '{"stream": 3}', '{"unknown": ["x"]}'):
            await connection.execute("select pg_notify($1, $2)", CHANNEL, payload)
        await connection.close()
        await hears(hints, hints)

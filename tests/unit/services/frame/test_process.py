"""`run_process`: order of a start and a stop, workers that fail, dependencies that are away, ports that are taken."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.frame.doors import ListenerDoor, WebDoor, listening_socket
from services.frame.process import Process, run_for_ever, run_process
from shared.errors import Conflict, InputRejected, Unavailable


class Story:
    """What happened, in order; and a process that writes it down."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.entered = asyncio.Event()
        self.working = asyncio.Event()
        self.stop = asyncio.Event()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    async def entry(self) -> None:
        self.lines.append("entry")
        self.entered.set()

    async def worker(self) -> None:
        self.lines.append("worker")
        self.working.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.lines.append("worker cancelled")

    async def open(self) -> None:
        self.lines.append("door")

    async def ended(self) -> None:
        await asyncio.Event().wait()

    async def close(self, patience_s: float) -> None:
        self.lines.append("door closed")

    def process(self, **changes: object) -> Process:
        parts: dict[str, object] = {
            "name": "gateway", "host": "127.0.0.1", "health_port": self.port, "checks": {"database": self.check},
            "entry": self.entry, "doors": [self], "workers": {"one": self.worker},
        }  # fmt: skip
        return Process(**(parts | changes))  # type: ignore[arg-type]

    async def check(self) -> str:
        return "answers"

    @asynccontextmanager
    async def running(self, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
        task = asyncio.create_task(run_process(self.process(**changes), stop=self.stop))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as client:
                yield client
        finally:
            self.stop.set()
            await task


async def eventually(ask: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not ask():
            await asyncio.sleep(0.005)


async def test_starts_entry_doors_workers_and_stops_doors_first() -> None:
    story = Story()
    async with story.running() as client:
        await story.working.wait()
        assert (await client.get("/readyz")).status_code == 200
    assert story.lines[:3] == ["entry", "door", "worker"]
    assert story.lines.index("door closed") < story.lines.index("worker cancelled")


async def test_waits_for_a_dependency_that_is_away_and_is_not_ready_meanwhile() -> None:
    story = Story()
    away = True

    async def entry() -> None:
        await story.entry()
        if away:
            raise Unavailable("the database cannot be reached")

    async with story.running(entry=entry) as client:
        await story.entered.wait()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["output"]) == (503, "starting")
        assert (await client.get("/livez")).status_code == 200
        assert "door" not in story.lines
        away = False
        await story.working.wait()
        assert (await client.get("/readyz")).status_code == 200


async def test_stops_while_it_still_waits_for_a_dependency() -> None:
    story = Story()

    async def entry() -> None:
        await story.entry()
        raise Unavailable("the database cannot be reached")

    async with story.running(entry=entry):
        await story.entered.wait()
    assert "door" not in story.lines


async def test_ends_with_the_sentence_of_an_entry_that_refuses() -> None:
    story = Story()

    async def entry() -> None:
        raise Conflict("the schema is at 0000", remedy="run: santral migrate")

    with pytest.raises(Conflict, match="santral migrate"):
        await run_process(story.process(entry=entry), stop=story.stop)


async def test_a_worker_that_fails_is_started_again() -> None:
    runs = asyncio.Semaphore(0)
    count = 0

    async def worker() -> None:
        nonlocal count
        count += 1
        runs.release()
        if count == 1:
            raise ZeroDivisionError
        if count == 2:
            raise Unavailable("away")

    async with asyncio.timeout(5):
        await run_for_ever("one", worker)
    assert count == 3


async def test_readyz_names_the_check_that_fails() -> None:
    story = Story()

    async def broken() -> str:
        raise Unavailable("no broker answers")

    async with story.running(checks={"broker": broken}) as client:
        await story.working.wait()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["failed"]) == (503, {"broker": "no broker answers"})


async def test_a_taken_port_is_one_sentence_with_the_setting() -> None:
    story = Story()
    with listening_socket("127.0.0.1", 0, setting="SANTRAL_X") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=rf"SANTRAL_WEBHOOK_PORT: 127\.0\.0\.1:{port} is taken"):
            await WebDoor(Starlette(), host="127.0.0.1", port=port, setting="SANTRAL_WEBHOOK_PORT").open()
        with pytest.raises(Conflict, match="SANTRAL_GATEWAY_HEALTH_PORT"):
            await run_process(story.process(health_port=port), stop=story.stop)

        async def listen(bound: socket.socket) -> asyncio.Server:
            return await asyncio.get_running_loop().create_server(asyncio.Protocol, sock=bound)

        with pytest.raises(Conflict, match="SANTRAL_SMTP_PORT"):
            await ListenerDoor(listen, host="127.0.0.1", port=port, setting="SANTRAL_SMTP_PORT").open()


async def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InputRejected, match="SANTRAL_HOST"):
        listening_socket("203.0.113.1", 0, setting="SANTRAL_HOST")


async def test_a_closing_door_finishes_the_request_it_took() -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Response:
        begun.set()
        await finish.wait()
        return PlainTextResponse("done")

    door = WebDoor(Starlette(routes=[Route("/", slow)]), host="127.0.0.1", port=0, setting="SANTRAL_X")
    await door.open()
    async with httpx.AsyncClient(trust_env=False) as client:
        asking = asyncio.create_task(client.get(f"http://127.0.0.1:{door.port}/"))
        await begun.wait()
        closing = asyncio.create_task(door.close(5))
        await eventually(lambda: _refused(door.port))
        finish.set()
        assert (await asking).text == "done"
        await closing


def _refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

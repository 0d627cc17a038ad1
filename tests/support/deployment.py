"""A deployment without `santral serve`: each process started by itself, of any release, on ports of its own.

async with deployment(urls, kafka, topics, tmp_path) as there:
    gateway = await there.start(TODAY, "gateway")
    await there.run(TODAY, "migrate")
    await gateway.stop()
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import httpx

from shared.embedded.postgres import PostgresUrls
from shared.topics import Topics
from tests.support.releases import Release
from tests.support.serving import santral
from tests.support.waiting import eventually

Name = Literal["gateway", "router", "api", "courier"]
NAMES: Final[tuple[Name, ...]] = ("gateway", "router", "api", "courier")
_DOORS: Final = {"gateway": ("WEBHOOK", "SMTP"), "api": ("HTTP",), "router": (), "courier": ()}
_READY_S: Final = 60.0
_STOP_S: Final = 25.0


@dataclass(slots=True, kw_only=True)
class Running:
    """A process of a release. ``ports`` by what they are called in the settings; ``said`` is all it said so far."""

    name: Name
    process: asyncio.subprocess.Process
    ports: dict[str, int]
    said: list[str]
    hearing: asyncio.Task[None]

    @property
    def url(self) -> str:
        """The base address of its HTTP door."""
        return f"http://127.0.0.1:{self.ports['HTTP' if self.name == 'api' else 'WEBHOOK']}"

    @property
    def health(self) -> str:
        """The base address of its health port."""
        return f"http://127.0.0.1:{self.ports[f'{self.name.upper()}_HEALTH']}"

    async def readiness(self, client: httpx.AsyncClient) -> tuple[int, Any]:
        """Status and body of ``/readyz``; 0 when it does not answer."""
        try:
            answer = await client.get(f"{self.health}/readyz")
        except httpx.HTTPError:
            return 0, None
        return answer.status_code, answer.json()

    async def stop(self) -> None:
        """SIGTERM; it has to end well within its time."""
        self.process.send_signal(signal.SIGTERM)
        assert await self.ended() == 0, "\n".join(self.said[-20:])

    async def ended(self) -> int:
        """The exit status, once it ended and was heard to the end. Killed when that takes too long."""
        try:
            status = await asyncio.wait_for(self.process.wait(), _STOP_S)
        except TimeoutError:
            self.process.kill()
            status = await self.process.wait()
        await self.hearing
        return status


@dataclass(slots=True, kw_only=True)
class Deployment:
    """What the processes share. ``running`` are those that were started and not stopped."""

    urls: PostgresUrls
    kafka: str
    topics: Topics
    folder: Path
    running: list[Running] = field(default_factory=list)

    def _environment(self, release: Release, settings: dict[str, str]) -> dict[str, str]:
        ours = {
            "DATABASE_URL": self.urls.api,
            "DATABASE_WORKER_URL": self.urls.worker,
            "DATABASE_OWNER_URL": self.urls.owner,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "TOPIC_PREFIX": self.topics.messages.removesuffix(".messages.v1"),
            "SECRET": "the secret of a deployment in a test",
            "BLOB_DIR": str(self.folder / "blobs"),
        }
        return {**{f"SANTRAL_{name}": value for name, value in {**ours, **settings}.items()}, **release.environment}

    async def run(self, release: Release, *words: str, **settings: str) -> tuple[int, str]:
        """A verb to its end: exit status and all it said."""
        process = await santral(*words, environment=self._environment(release, settings), program=release.program)
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode(errors="replace").strip()

    async def start(self, release: Release, name: Name, **settings: str) -> Running:
        """A process, once it is ready."""
        ports = dict(zip((f"{name.upper()}_HEALTH", *_DOORS[name]), free_ports(3), strict=False))
        places = {f"{port}_PORT": str(number) for port, number in ports.items()}
        process = await santral(name, environment=self._environment(release, places | settings), program=release.program)
        assert process.stdout is not None
        said: list[str] = []

        async def hear(stream: asyncio.StreamReader) -> None:
            async for line in stream:
                text = line.decode(errors="replace")
                said.append(text.rstrip())

        running = Running(name=name, process=process, ports=ports, said=said, hearing=asyncio.create_task(hear(process.stdout)))
        self.running.append(running)
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:

            async def ready() -> bool:
                assert process.returncode is None, f"the {name} ended:\n" + "\n".join(said[-20:])
                return (await running.readiness(client))[0] == 200

            await eventually(ready, _READY_S, f"the {name} is ready")
        return running

    async def stop(self, running: Running) -> None:
        """Ends one process in order."""
        self.running.remove(running)
        await running.stop()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in taken]


@contextlib.asynccontextmanager
async def deployment(urls: PostgresUrls, kafka: str, topics: Topics, folder: Path) -> AsyncIterator[Deployment]:
    """A deployment with nothing started; what still runs at the end is killed."""
    made = Deployment(urls=urls, kafka=kafka, topics=topics, folder=folder)
    try:
        yield made
    finally:
        for one in made.running:
            with contextlib.suppress(ProcessLookupError):
                one.process.kill()
            await one.ended()

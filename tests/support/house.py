"""What tests ask of a running Santral's own processes: metrics, ids, another router beside the first."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx

from tests.support.desks import Desks
from tests.support.effects import connect
from tests.support.serving import Served
from tests.support.waiting import eventually

_AT_WORK = "select count(*) from santral.work_item where state in ('queued', 'offered', 'assigned', 'wrapping')"


async def metric(health_url: str, sample: str) -> float:
    """The sum of a metric's samples whose line starts with ``sample``; 0 when the process does not answer."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        try:
            lines = (await client.get(f"{health_url}/metrics")).text.splitlines()
        except httpx.HTTPError:
            return 0.0
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample))


def environment_of(pid: int) -> dict[str, str]:
    """The environment a process was started with."""
    pairs = (one.partition("=") for one in Path(f"/proc/{pid}/environ").read_text().split("\0") if one)
    return {name: value for name, _, value in pairs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A running router and the id under which it holds leases."""

    pid: int
    owner: UUID
    health: str


@contextlib.asynccontextmanager
async def second_router(house: Served) -> AsyncIterator[Router]:
    """Another router, started as serve starts its own, on a health port of its own; ended with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = environment_of(house.child("router")) | {"SANTRAL_ROUTER_HEALTH_PORT": str(port)}
    with (house.folder / "log" / "second-router.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "services.cli.main", "router", env=environment, stdout=log, stderr=log
        )
    try:
        health = f"http://127.0.0.1:{port}"
        yield await router_of(house, process.pid, health)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 25)
        except TimeoutError:
            process.kill()
            await process.wait()


async def router_of(house: Served, pid: int, health: str) -> Router:
    """The router with this process id, once it has partitions."""

    async def found() -> UUID | None:
        connection = await connect(house.facts["postgres"])
        try:
            owner: UUID | None = await connection.fetchval(
                "select h.id from santral.host h where h.pid = $1 and h.process = 'router' and exists"
                " (select from santral.partition_lease l where l.owner = h.id) order by h.started_at desc limit 1",
                pid,
            )  # fmt: skip
        finally:
            await connection.close()
        return owner

    owner = await eventually(found, 40, f"router {pid} holds partitions")
    assert owner is not None
    return Router(pid=pid, owner=owner, health=health)


async def everything_finished(house: Served, desks: Desks) -> None:
    """Agents work until no item waits or is in work, so that nothing changes by itself any more."""

    async def finished() -> bool:
        connection = await connect(house.facts["postgres"])
        try:
            return bool(await connection.fetchval(_AT_WORK) == 0)
        finally:
            await connection.close()

    async with desks.working(pause_s=0.1):
        await eventually(finished, 60, "no item waits or is in work")


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process stands still while the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)

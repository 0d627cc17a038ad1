"""What every main does, in one place: `run_process` from the first check to the last goodbye.

A process's `run(settings)` builds its collaborators, puts them in a `Process` and awaits `run_process(process)`:

    entry     checks that must hold before anything is taken in; a dependency that is away is waited for, a wrong role, revision or
              cluster ends the process with its sentence
    doors     what listens for the outside (`services/frame/doors.py`); opened after the entry, closed first
    workers   loops that run for ever; one that fails unforeseen is started again after a log line, cancelled at the end
    checks    what ``/readyz`` asks, each answered within a second

SIGTERM or Ctrl-C: not ready at once, doors close and finish what they took, workers are cancelled, `run_process` returns; all that
within 20 s. A second signal does not wait for the doors. Closing the collaborators is the caller's (an ``AsyncExitStack``).
Units: seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID

from aiokafka.client import AIOKafkaClient

from services.frame.doors import Door, WebDoor
from services.frame.settings import Settings
from services.schema.compatibility import read_state, require_range
from shared.database import Database
from shared.errors import SantralError, Unavailable
from shared.health import Check, Health, health_app
from shared.hosts import Host, require_cluster, require_one_machine, require_safe_role
from shared.ids import new_id
from shared.kafka import KafkaSettings, kafka_errors
from shared.kafka_topics import cluster_id
from shared.logs import get_log

log = get_log(__name__)
STOP_S: Final = 20.0
_DOORS_S: Final = 14.0
_WORKERS_S: Final = 4.0
_BACKOFF_S: Final = (0.2, 5.0)
_CALM_S: Final = 30.0
_ENTRY_S: Final = 0.25

Worker = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as `run_process` runs it. ``health_port`` 0 takes a free one."""

    name: str
    host: str
    health_port: int
    checks: Mapping[str, Check]
    entry: Callable[[], Awaitable[None]]
    doors: Sequence[Door] = ()
    workers: Mapping[str, Worker] = field(default_factory=dict)
    on_beat: Callable[[float], None] | None = None


async def run_process(process: Process, *, stop: asyncio.Event | None = None) -> None:
    """Runs until a signal, or until ``stop`` is set (then no signal is listened for).

    Raises what the entry or a door says: `Conflict`, `Forbidden`, `InputRejected`; everything opened here is closed then.
    """
    health = Health(process.name, process.checks, on_beat=process.on_beat)
    health_door = WebDoor(
        health_app(health), host=process.host, port=process.health_port, setting=f"SANTRAL_{process.name.upper()}_HEALTH_PORT"
    )
    hurry = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        if stop is None:
            stop = stack.enter_context(_signals(hurry))
        await health_door.open()
        stack.push_async_callback(health_door.close, 1.0)
        await stack.enter_async_context(_background({"health": health.beat}))
        log.info("the process starts", action="started", name=process.name)
        if not await _entered(process.entry, stop):
            return
        for door in process.doors:
            await door.open()
            stack.push_async_callback(door.close, 0.0)
        await stack.enter_async_context(_background(process.workers))
        calm_collector()
        health.started = True
        log.info("the process takes work", action="ready", name=process.name)
        await _until_stopped(stop, process.doors)
        health.draining = True
        log.info("the process stops", action="stopping", name=process.name)
        await _close(process.doors, hurry)
    log.info("the process has stopped", action="stopped", name=process.name)


def calm_collector() -> None:
    """Takes what was loaded so far out of the garbage collector's sight and lets it look less often.

    A batch makes tens of thousands of objects that live for milliseconds; looking through every module's objects for each few
    hundred of them cost a fifth of a router's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@contextlib.contextmanager
def _signals(hurry: asyncio.Event) -> Iterator[asyncio.Event]:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def heard() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _entered(entry: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
    """True once the entry let us in; False when we were told to stop first."""
    waiting = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            trying = asyncio.ensure_future(entry())
            await asyncio.wait([trying, waiting], return_when=asyncio.FIRST_COMPLETED)
            if not trying.done():
                trying.cancel()
                return False
            try:
                trying.result()
            except Unavailable as error:
                log.warning("the start waits for a dependency", action="dependency_down", error=str(error))
                await asyncio.wait([waiting], timeout=_ENTRY_S)
            else:
                return True
        return False
    finally:
        waiting.cancel()


async def _until_stopped(stop: asyncio.Event, doors: Sequence[Door]) -> None:
    """Returns when told to stop. Raises what a door ended with, should one close by itself."""
    waiting = asyncio.create_task(stop.wait())
    watching = [asyncio.create_task(door.ended()) for door in doors]
    try:
        await asyncio.wait([waiting, *watching], return_when=asyncio.FIRST_COMPLETED)
        for watch in watching:
            if watch.done() and not stop.is_set():
                watch.result()
                raise Unavailable(
                    "a listener closed by itself", remedy="see the log above; the process ends and may be started again"
                )
    finally:
        for task in (waiting, *watching):
            task.cancel()


async def _close(doors: Sequence[Door], hurry: asyncio.Event) -> None:
    closing: asyncio.Future[Any] = asyncio.gather(*(door.close(_DOORS_S) for door in doors))
    hurrying: asyncio.Future[Any] = asyncio.create_task(hurry.wait())
    await asyncio.wait([closing, hurrying], return_when=asyncio.FIRST_COMPLETED)
    if not closing.done():
        closing.cancel()
        await asyncio.gather(*(door.close(0.0) for door in doors))
    hurrying.cancel()


@contextlib.asynccontextmanager
async def _background(workers: Mapping[str, Worker]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(run_for_ever(name, worker), name=name) for name, worker in workers.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=_WORKERS_S)
            for task in left:
                log.warning("a worker does not end and is left", action="stopping", name=task.get_name())


async def run_for_ever(name: str, worker: Worker) -> None:
    """A worker loop: whatever it raises is logged and it is started again after 0.2 s, later up to 5 s; until it is cancelled.

    A worker that returns has done what it was for.
    """
    least_s, most_s = _BACKOFF_S
    wait_s = least_s
    while True:
        begun = time.monotonic()
        try:
            await worker()
        except Exception as error:
            if time.monotonic() - begun > _CALM_S:
                wait_s = least_s
            if isinstance(error, SantralError):
                log.warning("a worker stopped and is started again", action="worker_failed", name=name, error=str(error))
            else:
                log.exception("a worker failed and is started again", action="worker_failed", name=name)
            await asyncio.sleep(wait_s)
            wait_s = min(most_s, wait_s * 2)
        else:
            return


async def require_revision(db: Database) -> str:
    """The schema's revision, in words. Raises `Conflict` when this release does not work on it."""
    async with db.session() as connection:
        found = await read_state(connection)
    require_range(found)
    return f"answers, revision {found.revision}"


def database_entry(
    db: Database, kafka: KafkaSettings | None, *, patient: bool = True, one_machine: bool = False
) -> Callable[[], Awaitable[None]]:
    """The usual entry: a schema this release works on, a role under row-level security, and the cluster the database belongs to.

    ``kafka`` None leaves the cluster out, for the role that may not ask. Not ``patient``: brokers that are away are not waited for.
    ``one_machine``: the process keeps blobs in a folder that no other machine sees.
    """

    async def entry() -> None:
        await require_revision(db)
        await require_safe_role(db)
        if one_machine:
            await require_one_machine(db)
        if kafka is None:
            return
        try:
            cluster = await cluster_id(kafka)
        except Unavailable:
            if patient:
                raise
            log.warning("the start does not wait for the brokers", action="dependency_down", host=kafka.bootstrap)
        else:
            await require_cluster(db, cluster)

    return entry


def database_check(db: Database) -> Check:
    """Whether the database answers with a schema this release works on."""
    return partial(require_revision, db)


def kafka_check(settings: KafkaSettings) -> Check:
    """Whether a broker answers with the cluster's metadata, asked on a connection of its own."""

    async def check() -> str:
        client = AIOKafkaClient(**settings.client(), request_timeout_ms=1000)
        with kafka_errors("brokers"):
            try:
                await client.bootstrap()
            finally:
                await client.close()
        return f"{len(client.cluster.brokers())} brokers answer"

    return check


def host_worker(db: Database, settings: Settings, name: str, port: int, *, owner: UUID | None = None) -> Worker:
    """The loop that keeps this process's row in the table of processes."""
    return Host(db, id=owner or new_id(), process=name, health_url=f"http://{settings.host}:{port}").beat

"""The four processes under `santral serve`: started as children, watched, started again when they die, stopped in order.

They die with the supervisor (SIGKILL: everything they acknowledged is durable elsewhere), and what an earlier supervisor might have
left is found by program and working folder and ended before the first start. Units: seconds.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from services.supervisor.folder import PROCESSES
from shared.embedded.errors import ServerFailed
from shared.embedded.folder import Logs, Progress
from shared.embedded.process import ServerProcess, end_leftovers
from shared.logs import get_log

log = get_log(__name__)
STOP_S: Final = 20.0
_BACKOFF_S: Final = (0.2, 5.0)
_CALM_S: Final = 30.0
_READY_S: Final = 120.0
_REPORT_S: Final = 10.0
_LOOK_S: Final = 0.1
_DEATHS_MAX: Final = 3


class Children:
    """The processes of one data folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str], health: Mapping[str, str], progress: Progress) -> None:
        """``environment`` is what each gets; ``health`` the base address of each one's health port."""
        self._home = folder / "processes"
        self._log = folder / "log"
        self._environment = environment
        self._health = health
        self._progress = progress
        self._running: dict[str, ServerProcess] = {}
        self._logs: dict[str, Logs] = {}
        self._deaths: dict[str, int] = dict.fromkeys(PROCESSES, 0)
        self._watching: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def pids(self) -> dict[str, int]:
        """The living ones by name."""
        return {name: process.pid for name, process in self._running.items() if process.returncode is None}

    async def start(self) -> None:
        """Starts all four and watches them; what they are waiting for they wait for by themselves."""
        await end_leftovers(self._home, Path(sys.executable).name, [(signal.SIGKILL, 10.0)])
        for name in PROCESSES:
            await self._launch(name)
        self._watching = [asyncio.create_task(self._watch(name), name=f"watch-{name}") for name in PROCESSES]

    async def _launch(self, name: str) -> None:
        log_file = self._log / f"{name}.log"
        self._logs[name] = Logs(log_file)
        self._running[name] = await ServerProcess.launch(
            [sys.executable, "-P", "-m", "services.cli.main", name],
            folder=self._home, log=log_file, death_signal=signal.SIGKILL, environment=self._environment,
        )  # fmt: skip

    async def _watch(self, name: str) -> None:
        least_s, most_s = _BACKOFF_S
        wait_s = least_s
        while True:
            begun = time.monotonic()
            status = await self._running[name].wait()
            if self._stopping:
                return
            if time.monotonic() - begun > _CALM_S:
                wait_s = least_s
            self._deaths[name] += 1
            log.warning("a process died and is started again", action="died", name=name, status=status, reason=self._reason(name))
            await asyncio.sleep(wait_s)
            wait_s = min(most_s, wait_s * 2)
            await self._launch(name)
            log.info("a process was started again", action="restarted", name=name, pid=self._running[name].pid)

    def _reason(self, name: str) -> str:
        lines = [line for line in self._logs[name].lines() if line.strip()]
        said = [line for line in lines if line.startswith("santral: ")]
        return (said or lines or ["it said nothing"])[-1][:300]

    async def ready(self) -> None:
        """Returns when every ``/readyz`` says yes. Raises `ServerFailed` when one keeps dying, or takes two minutes."""
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client, asyncio.TaskGroup() as group:
            for name in PROCESSES:
                group.create_task(self._ready(name, client))

    async def _ready(self, name: str, client: httpx.AsyncClient) -> None:
        begun = reported = time.monotonic()
        while True:
            answer = await _asked(client, f"{self._health[name]}/readyz")
            now = time.monotonic()
            if answer is None:
                self._progress(f"The {name} is ready.")
                return
            if self._deaths[name] >= _DEATHS_MAX:
                raise ServerFailed(f"The {name} does not start ({self._reason(name)}): see {self._log / name}.log.")
            if now - begun > _READY_S:
                raise ServerFailed(f"The {name} is not ready after {_READY_S:.0f} s ({answer}): see {self._log / name}.log.")
            if now - reported > _REPORT_S:
                reported = now
                self._progress(f"The {name} is not ready yet: {answer}.")
            await asyncio.sleep(_LOOK_S)

    async def stop(self, hurry: asyncio.Event) -> None:
        """SIGTERM to all, SIGKILL to those that are left after 20 s, or at once when ``hurry`` is set."""
        self._stopping = True
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        stopping: asyncio.Future[Any] = asyncio.gather(
            *(process.stop([(signal.SIGTERM, STOP_S), (signal.SIGKILL, 10.0)]) for process in self._running.values())
        )
        hurrying: asyncio.Future[Any] = asyncio.create_task(hurry.wait())
        await asyncio.wait([stopping, hurrying], return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            await asyncio.gather(*(process.kill() for process in self._running.values()))
        hurrying.cancel()
        await stopping


async def _asked(client: httpx.AsyncClient, url: str) -> str | None:
    """None when it says yes, else why not."""
    try:
        answer = await client.get(url)
        if answer.status_code == 200:
            return None
        body = answer.json()
    except (httpx.HTTPError, ValueError):
        return "it does not answer"
    failed = body.get("failed") or {}
    return "; ".join(f"{name}: {text}" for name, text in failed.items()) or str(body.get("output", "not ready"))

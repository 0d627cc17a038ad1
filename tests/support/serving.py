"""`santral serve` as a user starts it: a process of its own, heard until it is ready, stopped or killed at the end.

async with serving(tmp_path) as served:
    served.facts["http"], served.facts["agents"], served.child("router"), served.server("kafka")
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shared.embedded.process import processes_of

ROOT = Path(__file__).resolve().parents[2]
READY_S = 110
FROM_SOURCE = (sys.executable, "-P", "-m", "services.cli.main")


@dataclass(slots=True, kw_only=True)
class Served:
    """A running `santral serve`. ``facts`` is the ready file's content, ``took_s`` the time until it was ready."""

    process: asyncio.subprocess.Process
    folder: Path
    ready_file: Path
    said: list[str]
    hearing: asyncio.Task[None]
    facts: dict[str, Any] = field(default_factory=dict)
    took_s: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """What an admin sends."""
        return {"authorization": f"Bearer {self.facts['api_key']}"}

    def child(self, name: Literal["gateway", "router", "api", "courier"]) -> int:
        """The living process of that name. Raises `LookupError` while there is none."""
        for pid in _children(self.process.pid):
            if _command(pid)[-2:] == ["services.cli.main", name]:
                return pid
        raise LookupError(name)

    def server(self, name: Literal["postgres", "kafka"]) -> int:
        """The embedded server's process. Raises `LookupError` while there is none."""
        place, program = {"postgres": ("postgres/data", "postgres"), "kafka": ("kafka", "java")}[name]
        pids = [pid for pid in processes_of(self.folder / place, program) if _parent(pid) == self.process.pid]
        if not pids:
            raise LookupError(name)
        return pids[0]

    async def interrupt(self) -> int:
        """Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        return await self.ended()

    async def kill_everything(self) -> None:
        """SIGKILL to the supervisor and all that it started, none of them warned by another's end."""
        self.process.send_signal(signal.SIGSTOP)
        for pid in [*_descendants(self.process.pid), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int:
        """The exit status, once it ended and was heard to the end."""
        status = await self.process.wait()
        await self.hearing
        return status


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *, demo: bool = True, arguments: Sequence[str] = ("--port", "0"),
    environment: Mapping[str, str] | None = None, program: Sequence[str] = FROM_SOURCE,
) -> AsyncIterator[Served]:  # fmt: skip
    """Starts it on ``folder / "data"`` and yields when it is ready; whatever still runs at the end is stopped, at worst killed."""
    served = await start(folder, demo=demo, arguments=arguments, environment=environment, program=program)
    try:
        yield served
    finally:
        if served.process.returncode is None:
            try:
                await asyncio.wait_for(served.interrupt(), 45)
            except TimeoutError:
                await served.kill_everything()


async def start(
    folder: Path, *, demo: bool = True, arguments: Sequence[str] = ("--port", "0"),
    environment: Mapping[str, str] | None = None, program: Sequence[str] = FROM_SOURCE,
) -> Served:  # fmt: skip
    """Starts it and returns when it is ready. Fails the test with all it said when it is not; nothing is left running then."""
    ready_file = folder / "ready.json"
    begun = time.monotonic()
    words = ["serve", *(["--demo"] if demo else []), "--data", str(folder / "data"), "--ready-file", str(ready_file), *arguments]
    # Tests play the providers on this machine; an earlier release knows no such setting.
    played = {"SANTRAL_EGRESS_ALLOW": "127.0.0.1:*"} if program is FROM_SOURCE else {}
    process = await santral(*words, environment={**played, **(environment or {})}, program=program)
    assert process.stdout is not None
    said: list[str] = []
    ready = asyncio.Event()

    async def hear(stream: asyncio.StreamReader) -> None:
        async for line in stream:
            said.append(line.decode(errors="replace").rstrip())
            if said[-1].endswith("  Ready."):
                ready.set()
        ready.set()

    served = Served(
        process=process, folder=folder / "data", ready_file=ready_file, said=said, hearing=asyncio.create_task(hear(process.stdout))
    )
    try:
        await asyncio.wait_for(ready.wait(), READY_S)
    except TimeoutError:
        await served.kill_everything()
    if not ready_file.exists():
        await served.ended()
        raise AssertionError("santral serve did not become ready:\n" + "\n".join([*said, *_logs(folder / "data" / "log")]))
    served.took_s = time.monotonic() - begun
    served.facts = json.loads(ready_file.read_text(encoding="utf-8"))
    return served


async def santral(
    *words: str, environment: Mapping[str, str] | None = None, program: Sequence[str] = FROM_SOURCE
) -> asyncio.subprocess.Process:
    """Any verb as a process; standard output and error come as one stream. Our own settings are not inherited.

    ``program`` is how the command line is started: from these sources, or an installed ``santral``.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SANTRAL_") and name != "PYTHONPATH"}
    ours = {"PYTHONPATH": str(ROOT)} if program is FROM_SOURCE else {}
    return await asyncio.create_subprocess_exec(
        *program, *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**kept, **ours, "COLUMNS": "200", **(environment or {})}, start_new_session=True,
    )  # fmt: skip


async def said_by(*words: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Runs a verb to its end: exit status and all it said."""
    process = await santral(*words, environment=environment)
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace").strip()


def _logs(folder: Path) -> list[str]:
    return [
        f"{path.name}: {line}"
        for path in sorted(folder.glob("*.log"))
        for line in path.read_text(errors="replace").splitlines()[-8:]
    ]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _children(pid: int) -> list[int]:
    return sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _parent(int(entry)) == pid)


def _descendants(pid: int) -> list[int]:
    return [below for child in _children(pid) for below in (child, *_descendants(child))]


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []

"""Runs `embedded_host.py` as a process of its own, hears what it says, and waits for the end of processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = Path(__file__).with_name("embedded_host.py")


class Host:
    """The running program: its own process, its server's, and what it said was acknowledged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.server_pid = 0
        self.acknowledged: list[int] = []

    async def hear(self) -> str:
        """The next line; empty at the end."""
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode().strip()
        word, _, rest = line.partition(" ")
        if word == "server":
            self.server_pid = int(rest)
        if word == "ack":
            self.acknowledged.append(int(rest))
        return line

    async def hear_acknowledged(self, count: int) -> None:
        while len(self.acknowledged) < count:
            assert await self.hear(), "the program ended before it wrote enough"

    async def kill(self) -> None:
        """SIGKILL to the program alone, and everything it had said before is heard."""
        self.process.send_signal(signal.SIGKILL)
        while await self.hear():
            pass
        await self.process.wait()


def open_interpreter() -> str | None:
    """A Python of this version that every account may run; None where there is none."""
    same = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (Path(sys.executable).resolve(), Path(same)):
        if candidate.exists() and all(step.stat().st_mode & stat.S_IXOTH for step in (candidate, *candidate.parents)):
            return str(candidate)
    return None


@contextlib.asynccontextmanager
async def host(server: str, folder: Path, *, user: int | None = None, interpreter: str = sys.executable) -> AsyncIterator[Host]:
    """The program with `server` (``postgres`` or ``kafka``) in `folder`, as another account when `user` is given."""
    path = os.pathsep.join([str(_ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))])
    process = await asyncio.create_subprocess_exec(
        interpreter,
        str(_PROGRAM),
        server,
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, **({} if user is None else {"HOME": str(folder)})},
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    running = Host(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            await running.kill()


async def gone(pid: int) -> None:
    """Returns when the process has ended, whoever's child it is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)

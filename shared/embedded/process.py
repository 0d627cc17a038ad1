"""A server as a child process: started so that it dies with us, stopped step by step, found again if it outlived us.

Identity: a process is an embedded server of a folder when it runs the right program *and* its working folder is that very
folder (device and inode; on systems without /proc: its command line names it). Process ids kept in files are never believed,
so a stranger that got an old number is never signalled.

Units: seconds.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from shared.embedded.errors import ServerFailed
from shared.embedded.folder import open_log

_CHILD: Final = Path(__file__).with_name("child.py")
_POLL_S: Final = 0.02

Steps = Sequence[tuple[signal.Signals, float]]
"""How to end a process: a signal and the seconds it gets, gentlest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A system account to become before the server starts."""

    name: str
    uid: int
    gid: int


@functools.cache
def _launcher(_process: int) -> ThreadPoolExecutor:
    """The one thread that forks servers; it lives as long as the process, and so do they (see `child.py`)."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-launcher")


class ServerProcess:
    """One running child."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen

    @classmethod
    async def launch(
        cls,
        command: Sequence[str],
        *,
        folder: Path,
        log: Path,
        death_signal: signal.Signals,
        account: Account | None = None,
        standard_input: IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> ServerProcess:
        """Starts `command` in `folder`, its output appended to `log`; `death_signal` is what it gets when we die.

        Without an `environment` it gets a bare one: settings that a person keeps for another PostgreSQL or Java do not reach it.
        """
        shim = [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), str(int(death_signal))]
        shim += [str(account.uid), str(account.gid)] if account else ["-1", "-1"]
        output = open_log(log)
        forking = asyncio.get_running_loop().run_in_executor(
            _launcher(os.getpid()),
            lambda: subprocess.Popen(  # noqa: S603 - our own programs, no shell
                [*shim, *command],
                cwd=folder,
                env={"PATH": os.defpath, "LC_ALL": "C"} if environment is None else dict(environment),
                stdin=standard_input or subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C at the console is for us; we stop the servers in order
            ),
        )
        try:
            return cls(await asyncio.shield(forking))
        except asyncio.CancelledError:
            await cls(await forking).kill()
            raise
        finally:
            os.close(output)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; the exit status, negative for a signal."""
        return self._popen.poll()

    async def wait(self) -> int:
        """Returns the exit status once it ended."""
        while (status := self._popen.poll()) is None:  # noqa: ASYNC110 - the system tells no event that every loop can hear
            await asyncio.sleep(_POLL_S)
        return status

    async def stop(self, steps: Steps) -> None:
        """Ends it, gently first. Returns when it is gone; calling it again does nothing."""
        for number, patience_s in steps:
            if self._popen.poll() is not None:
                return
            self._popen.send_signal(number)
            self._popen.send_signal(signal.SIGCONT)  # a stopped process hears nothing else
            try:
                await asyncio.wait_for(self.wait(), patience_s)
            except TimeoutError:
                continue
        if self._popen.poll() is None:
            raise ServerFailed(f"Process {self.pid} does not end even when killed: look at the disk it writes to.")

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        await self.stop([(signal.SIGKILL, 30.0)])


def processes_of(folder: Path, program: str) -> list[int]:
    """The living processes that run `program` in `folder`, oldest number first."""
    return _processes_by_proc(folder, program) if Path("/proc/self/cwd").exists() else _processes_by_ps(folder, program)


def _processes_by_proc(folder: Path, program: str) -> list[int]:
    try:
        home = folder.stat()
    except OSError:
        return []
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            name = Path("/proc", entry, "comm").read_text(encoding="utf-8", errors="replace").strip()
            place = os.stat(f"/proc/{entry}/cwd") if name == program else None
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
        if place is not None and (place.st_dev, place.st_ino) == (home.st_dev, home.st_ino):
            found.append(int(entry))
    return sorted(found)


def _processes_by_ps(folder: Path, program: str) -> list[int]:
    listing = subprocess.run(["/bin/ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=False).stdout
    found = []
    for line in listing.splitlines():
        number, _, command = line.strip().partition(" ")
        words = command.split()
        if words and Path(words[0]).name == program and str(folder) in command:
            found.append(int(number))
    return sorted(found)


async def end_leftovers(folder: Path, program: str, steps: Steps) -> bool:
    """Ends what an earlier owner of the folder left running; the caller holds the folder's lock. True if there was any.

    The first signal goes to the oldest process only (PostgreSQL's ends its children in order), later ones to all.
    Raises `ServerFailed` when something cannot be ended.
    """
    left = processes_of(folder, program)
    if not left:
        return False
    for position, (number, patience_s) in enumerate(steps):
        leaders = [pid for pid in left if _parent(pid) not in left] if position == 0 else left
        for pid in leaders:
            _signal(pid, number)
        for pid in left:
            _signal(pid, signal.SIGCONT)
        deadline = time.monotonic() + patience_s
        while (left := processes_of(folder, program)) and time.monotonic() < deadline:  # noqa: ASYNC110 - not our children
            await asyncio.sleep(_POLL_S)
        if not left:
            return True
    raise ServerFailed(f"Process {left[0]} of an earlier run still holds {folder}: end it and start again.")


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(status.rpartition(")")[2].split()[1])


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise ServerFailed(f"Process {pid} of another account still runs in the data folder: end it and start again.") from error

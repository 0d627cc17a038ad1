"""What the embedded servers have in common: one folder, claimed while it is used, one process, ended gently.

Identity: a server is its folder. Units: seconds. A subclass names itself and says how it starts; everything else about its
life is here.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from shared.embedded.errors import EmbeddedError, ServerFailed
from shared.embedded.folder import Claim, Logs, Progress, silent
from shared.embedded.process import ServerProcess, Steps


class EmbeddedServer:
    """The server of one data folder. One object per folder and process; it may be started and stopped again and again."""

    NAME: ClassVar[str]
    STOP: ClassVar[Steps]
    COMPLAINTS: ClassVar[tuple[str, ...]]
    """What a line of its log contains that says why it stopped."""

    def __init__(self, folder: Path, *, log: Path) -> None:
        self.folder = folder
        self._log = log
        self._claim: Claim | None = None
        self._process: ServerProcess | None = None
        self._port = 0
        self._logs = Logs()
        self._starting = asyncio.Lock()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The server's process. Raises `ServerFailed` when it is not running."""
        if self._process is None or self._process.returncode is not None:
            raise ServerFailed(f"{self.NAME} is not running: call start first.")
        return self._process.pid

    async def wait(self) -> int:
        """Returns the exit status once the server ends. Raises `ServerFailed` when it was never started."""
        if self._process is None:
            raise ServerFailed(f"{self.NAME} is not running: call start first.")
        return await self._process.wait()

    async def kill(self) -> None:
        """Ends the server as a power cut would (for tests); the folder stays ours, the next start brings it back."""
        if self._process is not None:
            await self._process.kill()
            self._process = None

    async def stop(self) -> None:
        """Ends the server in order and lets go of the folder. Calling it again does nothing."""
        try:
            if self._process is not None:
                await self._process.stop(self.STOP)
                self._process = None
        finally:
            if self._claim is not None:
                self._claim.release()
                self._claim = None

    async def __aenter__(self) -> Self:
        await self._ensure_started(silent)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _ensure_started(self, progress: Progress) -> None:
        """Starts it unless it runs. When that fails, whatever was begun is ended and the folder let go."""
        async with self._starting:
            if self.running:
                return
            if self._claim is None:
                self._claim = Claim(self.folder)
            try:
                await self._start(progress)
            except BaseException:
                await self.stop()
                raise

    async def _start(self, progress: Progress) -> None:
        raise NotImplementedError

    def _died(self) -> EmbeddedError:
        lines = self._logs.lines()
        if any("No space left on device" in line for line in lines):
            return ServerFailed(f"{self.NAME} stopped because the disk of {self.folder} is full: free some space and start again.")
        reasons = [line for line in lines if any(word in line for word in self.COMPLAINTS)] or lines or ["no output"]
        return ServerFailed(f"{self.NAME} stopped while starting ({reasons[-1].strip()[:300]}): see {self._log}.")

"""Child processes that answer questions one at a time and can be killed: work on strangers' bytes never holds up an event loop.

A thread cannot be stopped and shares the interpreter; a process is killed at its time limit, and the next question gets a new one.
Protocol: over the child's pipes, a length of 8 bytes big-endian and that many bytes, a question in, an answer out. The child ends when
its input ends, so it does not outlive its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import AsyncExitStack
from typing import Any, BinaryIO, Final, Self, TypeAlias

from shared.errors import Throttled, Unavailable
from shared.worker_places import WorkerPlaces

_LENGTH: Final = struct.Struct(">Q")
_PIECE_BYTES: Final = 256 * 1024
LATE_S: Final = 600.0
"""How long whoever was blamed for a question that ran into its limit comes behind the others."""
_BLAMED_MAX: Final = 10_000
Piece: TypeAlias = bytes | Callable[[], bytes]
"""Of a question; what is large is made when its turn has come, so that what waits holds nothing."""


class WorkerProcesses:
    """A pool of ``python -m module``, started when first needed. ``timeout_s`` is for one question, the wait for a free child apart,
    which is ``wait_s`` at most where that is given.

    The module calls `serve`. Use the pool as an async context, or call `close` (twice is allowed).
    """

    def __init__(
        self, module: str, *, workers: int = 1, timeout_s: float, wait_s: float | None = None, start_timeout_s: float = 15.0,
        answer_bytes_max: int,
    ) -> None:  # fmt: skip
        self._module = module
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._places = WorkerPlaces(max(1, workers))
        self._start_timeout_s = start_timeout_s
        self._answer_bytes_max = answer_bytes_max
        self._blamed: dict[Hashable, float] = {}
        self._resting: list[_Child] = []
        self._children: set[_Child] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ask(
        self, *question: Piece, owners: Sequence[Hashable] = (), blamed: Sequence[Hashable] = (), timeout_s: float | None = None
    ) -> bytes:
        """The answer to the pieces of one question, one after the other. Each of ``owners`` has one question here at a time (`WorkerPlaces`);
        ``timeout_s`` is for this one. When it takes too long, all that is of ``blamed`` comes behind the others for a while.

        Raises `TimeoutError` when it took too long, `ChildProcessError` when the child ended or answered too much (both times the child
        is gone and the next question gets a new one), `Unavailable` when none was free in time or could be started, too many of the owner
        wait, or the pool is closed: the question was not looked at.
        """
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._wait_s):
                    await stack.enter_async_context(self._places.of(*owners, late=self.is_late(*blamed)))
            except (TimeoutError, Throttled) as error:
                raise Unavailable("no process is free for it", remedy="come again") from error
            try:
                pieces = tuple(piece if isinstance(piece, bytes) else piece() for piece in question)
                return await self._answer(pieces, self._timeout_s if timeout_s is None else timeout_s)
            except TimeoutError:
                self._blame(blamed)
                raise

    def is_late(self, *blamed: Hashable) -> bool:
        """Whether one of them was blamed a while ago at most."""
        now = time.monotonic()
        return any(self._blamed.get(one, 0.0) > now for one in blamed)

    def _blame(self, blamed: Sequence[Hashable]) -> None:
        for one in blamed:
            self._blamed.pop(one, None)  # the oldest stand first
            self._blamed[one] = time.monotonic() + LATE_S
        while len(self._blamed) > _BLAMED_MAX:
            del self._blamed[next(iter(self._blamed))]

    async def _answer(self, question: tuple[bytes, ...], timeout_s: float) -> bytes:
        # The child that answered last is warm.
        child = self._resting.pop() if self._resting else None
        kept: _Child | None = None
        try:
            if self._closed:
                raise Unavailable("this process is ending")
            if child is None or not child.is_alive:
                child = await self._started()
            async with asyncio.timeout(timeout_s):
                answer = await child.ask(question, self._answer_bytes_max)
            kept = child
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            if self._closed:
                raise Unavailable("this process is ending") from error
            if isinstance(error, TimeoutError):
                raise
            raise ChildProcessError(f"the worker process ended: {type(error).__name__}") from error
        finally:
            # Also on cancellation: a child with half an answer in its pipe would give it to the next question.
            if child is not None and kept is None:
                self._children.discard(child)
                await child.kill()
            if kept is not None:
                self._resting.append(kept)
        return answer

    async def close(self) -> None:
        """Kills the children. Questions still waiting end with `Unavailable`."""
        self._closed = True
        while self._children:
            await self._children.pop().kill()

    async def _started(self) -> _Child:
        try:
            child = await _Child.start(self._module, self._start_timeout_s)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Unavailable(f"no worker process could be started: {type(error).__name__}") from error
        self._children.add(child)
        return child


class _Child:
    """One process that answers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    @classmethod
    async def start(cls, module: str, timeout_s: float) -> _Child:
        """A child that has answered once: its imports are no part of the first question's time."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment
        )
        child = cls(process)
        try:
            async with asyncio.timeout(timeout_s):
                await child.ask((), 0)
        except BaseException:
            await child.kill()
            raise
        return child

    async def ask(self, question: tuple[bytes, ...], answer_bytes_max: int) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(_LENGTH.pack(sum(len(piece) for piece in question)))
        for piece in question:
            for at in range(0, len(piece), _PIECE_BYTES):
                self._process.stdin.write(piece[at : at + _PIECE_BYTES])
                await self._process.stdin.drain()
        (size,) = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))
        if size > answer_bytes_max:
            raise ValueError(f"an answer of {size} bytes")
        pieces: list[bytes] = []
        while size > 0:
            piece = await self._process.stdout.read(min(size, _PIECE_BYTES))
            if not piece:
                raise asyncio.IncompleteReadError(b"", size)
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    async def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        # A pipe left half-written keeps its transport open; closing it here lets the loop forget the process.
        transport: Any = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()
        await self._process.wait()


def serve(answer: Callable[[bytes], bytes], source: BinaryIO | None = None, target: BinaryIO | None = None) -> None:
    """The child's loop: until the input ends, reads a question and writes its answer. An empty question is answered with nothing."""
    # Ctrl-C in a terminal reaches the whole group; the parent decides when a child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, target = source or sys.stdin.buffer, target or sys.stdout.buffer
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        (size,) = _LENGTH.unpack(head)
        said = answer(source.read(size)) if size else b""
        target.write(_LENGTH.pack(len(said)))
        target.write(said)
        target.flush()

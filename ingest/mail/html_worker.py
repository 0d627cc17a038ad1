"""`clean_html` in processes that can be killed: no page can hold up the event loop or take more than a second.

Source: libraries that build a tree from hostile HTML have quadratic corners by design of the standard; a thread cannot be stopped,
a process can.
Protocol: over the child's pipes, a length of 4 bytes big-endian and that many bytes of UTF-8, a page in, a page out, one at a time.
The child ends when its input ends, so it does not outlive its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from typing import Any, BinaryIO

from ingest.mail.html import PAGE_CHARS_MAX, clean_html, plain_text, text_as_html

_LENGTH = struct.Struct(">I")
_REPLY_BYTES_MAX = 32_000_000


class HtmlCleaner:
    """A pool of child processes, started when first needed. ``timeout_s`` is the time for one page, the wait for a free child apart.

    Use it as an async context, or call `close` (twice is allowed). A child that is too slow or dies is replaced.
    """

    def __init__(self, *, workers: int = 1, timeout_s: float = 1.0, start_timeout_s: float = 15.0) -> None:
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._slots: asyncio.LifoQueue[_Child | None] = asyncio.LifoQueue()
        self._children: set[_Child] = set()
        self._closed = False
        for _ in range(max(1, workers)):
            self._slots.put_nowait(None)

    async def __aenter__(self) -> HtmlCleaner:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def clean(self, html: str) -> str:
        """HTML that is safe to show; the page as escaped text when it is too large, too slow, or kills the child. Never raises."""
        if self._closed or len(html) > PAGE_CHARS_MAX:
            return await _as_text(html)
        child = await self._slots.get()
        kept: _Child | None = None
        try:
            if child is None or not child.is_alive:
                child = await _Child.start(self._start_timeout_s)
                self._children.add(child)
            async with asyncio.timeout(self._timeout_s):
                cleaned = await child.ask(html)
            kept = child
        except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError):
            return await _as_text(html)
        finally:
            # Also on cancellation: a child with half an answer in its pipe would give it to the next page.
            if child is not None and kept is None:
                self._children.discard(child)
                await child.kill()
            self._slots.put_nowait(kept)
        return cleaned

    async def close(self) -> None:
        """Kill the children. Pages still waiting are answered as text."""
        self._closed = True
        while self._children:
            await self._children.pop().kill()


async def clean(html: str) -> str:
    """One page, in a process of its own (0.1 s to start): for who cleans a page now and then and keeps no `HtmlCleaner`."""
    async with HtmlCleaner() as cleaner:
        return await cleaner.clean(html)


class _Child:
    """One process that cleans pages."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    @classmethod
    async def start(cls, timeout_s: float) -> _Child:
        """A child that has answered once: its imports are no part of the first page's time."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ingest.mail.html_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
        child = cls(process)
        try:
            async with asyncio.timeout(timeout_s):
                await child.ask("")
        except BaseException:
            await child.kill()
            raise
        return child

    async def ask(self, html: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        page = html.encode("utf-8", "replace")
        self._process.stdin.write(_LENGTH.pack(len(page)) + page)
        await self._process.stdin.drain()
        (size,) = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))
        if size > _REPLY_BYTES_MAX:
            raise ValueError(f"an answer of {size} bytes")
        return (await self._process.stdout.readexactly(size)).decode("utf-8")

    async def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        # A pipe left half-written keeps its transport open; closing it here lets the loop forget the process.
        transport: Any = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()
        await self._process.wait()


async def _as_text(html: str) -> str:
    # In a thread: a megabyte takes half a second of plain Python, which yields to the event loop; one sanitizer call would not.
    return await asyncio.to_thread(lambda: text_as_html(plain_text(html)))


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """The child's loop: until the input ends, read a page and write it clean."""
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        (size,) = _LENGTH.unpack(head)
        page = clean_html(source.read(size).decode("utf-8", "replace")).encode("utf-8", "replace")
        target.write(_LENGTH.pack(len(page)) + page)
        target.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)

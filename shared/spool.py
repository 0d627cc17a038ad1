"""A gateway's own durable queue for the time the broker is away: appended and synced before the provider hears 2xx.

One file of frames, each with its length and checksum, so a torn last frame after a crash is cut off, which was never acknowledged;
what is cut off is kept beside, should it be more than that. The folder is locked: a spool belongs to one gateway. Drained in order;
while it is not empty, everything goes through it.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from shared.errors import Conflict, Unavailable
from shared.folders import make_private
from shared.ids import new_id
from shared.kafka import Record
from shared.logs import get_log
from shared.metrics import SPOOL_RECORDS

log = get_log(__name__)
_FRAME: Final = struct.Struct(">II")
SPOOL_BYTES_MAX: Final = 1024 * 1024 * 1024
DRAIN_BATCH: Final = 100
Publish = Callable[[str, Sequence[Record]], Awaitable[None]]


class Spool:
    """Opened once by its gateway. Appending and draining are safe from any task of one loop."""

    def __init__(self, folder: Path, *, bytes_max: int = SPOOL_BYTES_MAX) -> None:
        """Opens or makes the spool and cuts off a torn end. Raises `Conflict` when another gateway has it."""
        self._bytes_max = bytes_max
        try:
            make_private(folder)
            self._file = os.open(folder / "spool.log", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._place = os.open(folder / "spool.place", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _sync_folder(folder)
        except OSError as error:
            raise Unavailable(f"the spool folder cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._release()
            raise Conflict("the spool folder belongs to another gateway", field="spool", remedy="give each its own") from error
        self._start = int(os.pread(self._place, 32, 0).decode() or "0")
        self._end, self._count = self._scan()
        self._cut_torn_end(folder)
        self._lock = asyncio.Lock()
        self._draining = asyncio.Lock()
        self._steps: set[asyncio.Task[None]] = set()
        self.filled = asyncio.Event()
        if self._count:
            self.filled.set()
        SPOOL_RECORDS.set(self._count)

    def _scan(self) -> tuple[int, int]:
        """The end of the last whole frame, and how many frames wait."""
        place, count = self._start, 0
        size = os.fstat(self._file).st_size
        while place + _FRAME.size <= size:
            length, checksum = _FRAME.unpack(os.pread(self._file, _FRAME.size, place))
            body = os.pread(self._file, length, place + _FRAME.size)
            # A file system may leave zeros at the end after a power cut, and nothing has the checksum of nothing.
            if not length or len(body) != length or zlib.crc32(body) != checksum:
                break
            place += _FRAME.size + length
            count += 1
        return place, count

    def _cut_torn_end(self, folder: Path) -> None:
        torn = os.fstat(self._file).st_size - self._end
        if torn > 0:
            kept = folder / f"spool.cut-{new_id()}"
            kept.write_bytes(os.pread(self._file, torn, self._end))
            log.warning("the spool's end was not whole and was put aside", action="spool_cut", name=kept.name, count=torn)
        os.ftruncate(self._file, self._end)

    @property
    def empty(self) -> bool:
        """Nothing waits; new messages may go straight to the broker."""
        return self._count == 0

    async def append(self, topic: str, records: Sequence[Record]) -> None:
        """Durable when it returns, all or none. Raises `Unavailable` when the disk or the bound is full."""
        frames = b"".join(_frame(topic, record) for record in records)
        await self._whole(self._append(frames, len(records)))
        log.info("the broker is away; messages went to the spool", action="spooled", count=len(records))

    async def _whole(self, step: Coroutine[Any, Any, None]) -> None:
        """Runs a step to its end though the caller is cancelled: a thread that writes cannot be, and the next must not meet it."""
        task = asyncio.create_task(step)
        self._steps.add(task)
        task.add_done_callback(self._steps.discard)
        await asyncio.shield(task)

    async def _append(self, frames: bytes, count: int) -> None:
        async with self._lock:
            if self._end + len(frames) > self._bytes_max:
                raise Unavailable("the spool is full", retry_after_s=30)
            await asyncio.to_thread(self._write, frames)
            self._end += len(frames)
            self._count += count
            SPOOL_RECORDS.set(self._count)
            self.filled.set()

    def _write(self, frames: bytes) -> None:
        try:
            done = 0
            while done < len(frames):
                done += os.pwrite(self._file, frames[done:], self._end + done)
            os.fdatasync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise Unavailable(f"the spool cannot be written: {error.strerror}", remedy="free space") from error

    async def drain(self, publish: Publish) -> int:
        """Publishes what waits, in order, in batches; returns how many. Stops at the first failure, keeping the rest.

        Appending goes on meanwhile. A failure or a crash before the place is kept publishes a batch again, which receipts drop.
        """
        drained = 0
        async with self._draining:
            while not self.empty:
                batch, end = self._batch()
                for topic in dict.fromkeys(topic for topic, _ in batch):
                    await publish(topic, [record for its, record in batch if its == topic])
                await self._whole(self._advance(end, len(batch)))
                drained += len(batch)
        if drained:
            log.info("the spool is drained", action="spool_drained", count=drained)
        return drained

    def _batch(self) -> tuple[list[tuple[str, Record]], int]:
        batch: list[tuple[str, Record]] = []
        place = self._start
        while place < self._end and len(batch) < DRAIN_BATCH:
            length, _ = _FRAME.unpack(os.pread(self._file, _FRAME.size, place))
            batch.append(_unframed(os.pread(self._file, length, place + _FRAME.size)))
            place += _FRAME.size + length
        return batch, place

    async def _advance(self, place: int, count: int) -> None:
        async with self._lock:
            empty = place == self._end
            await asyncio.to_thread(self._remember, 0 if empty else place, start_over=empty)
            self._start = 0 if empty else place
            self._end = 0 if empty else self._end
            self._count -= count
            if empty:
                self.filled.clear()
            SPOOL_RECORDS.set(self._count)

    def _remember(self, place: int, *, start_over: bool) -> None:
        """Writes the place; an empty spool starts over. The file is emptied first: a place behind its end means that nothing waits."""
        try:
            if start_over:
                os.ftruncate(self._file, 0)
                os.fdatasync(self._file)
            os.pwrite(self._place, f"{place:<32}".encode(), 0)
            os.fdatasync(self._place)
        except OSError as error:
            raise Unavailable(f"the spool's place cannot be written: {error.strerror}", remedy="free space") from error

    def close(self) -> None:
        """Lets another gateway open it, as soon as a step under way has ended."""
        if self._steps:
            next(iter(self._steps)).add_done_callback(lambda _: self.close())
        else:
            self._release()

    def _release(self) -> None:
        os.close(self._file)
        os.close(self._place)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _frame(topic: str, record: Record) -> bytes:
    frame: dict[str, Any] = {
        "t": topic,
        "k": b64encode(record.key).decode(),
        "v": b64encode(record.value).decode(),
        "h": [[name, b64encode(value).decode()] for name, value in record.headers],
    }
    if record.key_text is not None:
        frame["n"] = record.key_text
    body = json.dumps(frame).encode()
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _unframed(body: bytes) -> tuple[str, Record]:
    frame = json.loads(body)
    headers = tuple((name, b64decode(value)) for name, value in frame["h"])
    record = Record(key=b64decode(frame["k"]), value=b64decode(frame["v"]), headers=headers, key_text=frame.get("n"))
    return frame["t"], record

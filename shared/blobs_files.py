"""Blobs in a folder of one machine: written beside, synced, renamed; a torn write leaves nothing under the key."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from shared.errors import InputRejected, NotFound, Unavailable
from shared.folders import make_private
from shared.ids import new_id

Read = TypeVar("Read")
_PIECE_BYTES: Final = 256 * 1024


class FileBlobs:
    """Refused as soon as a second machine registers, because it would not see these files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, content: bytes) -> None:
        await self.put_file(key, io.BytesIO(content))

    async def put_file(self, key: str, file: BinaryIO) -> None:
        await asyncio.to_thread(self._put, self._path(key), file)

    async def get(self, key: str) -> bytes:
        return await self._read(self._path(key).read_bytes)

    async def size(self, key: str) -> int:
        path = self._path(key)
        return await self._read(lambda: path.stat().st_size)

    async def piece(self, key: str, start: int, length: int) -> bytes:
        path = self._path(key)

        def read() -> bytes:
            with open(path, "rb") as file:
                file.seek(start)
                return file.read(length)

        return await self._read(read)

    async def _read(self, read: Callable[[], Read]) -> Read:
        try:
            return await asyncio.to_thread(read)
        except FileNotFoundError as error:
            raise NotFound("the file is gone", field="blob") from error
        except OSError as error:
            raise Unavailable(f"the blob folder cannot be read: {error.strerror}") from error

    async def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError as error:
            raise Unavailable(f"the blob folder cannot be written: {error.strerror}") from error

    async def keys(self, folder: str) -> list[str]:
        parts = folder.removesuffix("/").split("/")
        if not folder.endswith("/") or len(parts) not in (1, 2):
            raise InputRejected("not a folder of the blob store", field="blob", remedy="workspace/ or workspace/message/")
        self._path("/".join([*parts, "any", "any"][:3]))
        try:
            return await asyncio.to_thread(self._keys, self._folder.joinpath(*parts))
        except OSError as error:
            raise Unavailable(f"the blob folder cannot be read: {error.strerror}") from error

    def _keys(self, folder: Path) -> list[str]:
        found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        return sorted("/".join(path.relative_to(self._folder).parts) for path in found)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if len(parts) != 3 or any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            raise InputRejected("not a key of the blob store", field="blob", remedy="workspace/message/part")
        return self._folder.joinpath(*parts)

    def _put(self, path: Path, content: BinaryIO) -> None:
        if path.exists():
            return
        scratch = path.with_name(f".{new_id()}")
        try:
            make_private(path.parent)
            with open(scratch, "wb") as file:
                content.seek(0)
                shutil.copyfileobj(content, file, _PIECE_BYTES)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
            # The file's name is durable with its folder, a new folder's name with the one above.
            for folder in (path.parent, path.parent.parent, self._folder):
                _sync_folder(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                scratch.unlink()
            raise Unavailable(
                f"the blob folder cannot be written: {error.strerror}", remedy="free space or fix the folder"
            ) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

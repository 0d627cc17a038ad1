"""The port of the blob store: raw mail, attachments, long bodies. Keys are ``workspace/message/part``, never overwritten."""

from __future__ import annotations

from typing import BinaryIO, Protocol


class Blobs(Protocol):
    """Where large content lives. Each method raises `Unavailable` when the store cannot be reached."""

    async def put(self, key: str, content: bytes) -> None:
        """Durable when it returns. Putting the same key again changes nothing."""
        ...

    async def put_file(self, key: str, file: BinaryIO) -> None:
        """The same of all that an open file holds, piece by piece."""
        ...

    async def get(self, key: str) -> bytes:
        """The content. Raises `NotFound`."""
        ...

    async def size(self, key: str) -> int:
        """How many bytes the content has. Raises `NotFound`."""
        ...

    async def piece(self, key: str, start: int, length: int) -> bytes:
        """``length`` bytes of the content from ``start`` on, fewer where it ends before. Raises `NotFound`."""
        ...

    async def delete(self, key: str) -> None:
        """Gone when it returns; deleting what is not there is harmless."""
        ...

    async def keys(self, folder: str) -> list[str]:
        """Every key under ``workspace/`` or ``workspace/message/``; nothing when there is none."""
        ...

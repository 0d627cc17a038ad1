"""The port of the blob store: raw mail, attachments, long bodies. Keys are ``workspace/message/part``, never overwritten."""

from __future__ import annotations

from typing import Protocol


class Blobs(Protocol):
    """Where large content lives. Each method raises `Unavailable` when the store cannot be reached."""

    async def put(self, key: str, content: bytes) -> None:
        """Durable when it returns. Putting the same key again changes nothing."""
        ...

    async def get(self, key: str) -> bytes:
        """The content. Raises `NotFound`."""
        ...

    async def delete(self, key: str) -> None:
        """Gone when it returns; deleting what is not there is harmless."""
        ...

    async def keys(self, folder: str) -> list[str]:
        """Every key under ``workspace/`` or ``workspace/message/``; nothing when there is none."""
        ...

"""Files of the blob store as answers: read piece by piece as they are taken, so that who reads slowly holds one piece and not the file.

**Units**: bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from fastapi.responses import StreamingResponse

from shared.blobs import Blobs

PIECE_BYTES: Final = 256 * 1024


async def file_answer(blobs: Blobs, key: str, *, media_type: str, headers: Mapping[str, str]) -> StreamingResponse:
    """The file, with its length. Raises `NotFound`, `Unavailable`; one that goes while it is read breaks off."""
    size = await blobs.size(key)
    return StreamingResponse(_pieces(blobs, key, size), media_type=media_type, headers={**headers, "content-length": str(size)})


async def _pieces(blobs: Blobs, key: str, size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, PIECE_BYTES):
        yield await blobs.piece(key, start, min(PIECE_BYTES, size - start))

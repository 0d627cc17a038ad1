"""Small pictures of files, made in processes that can be killed: strangers' pictures are never decoded beside the API, never shown as sent.

Formats are a closed list (PNG, JPEG, GIF, WebP), pixels are counted before anything is decoded, the first frame counts. What comes out is a
WebP of our own without metadata (place, camera, comments), turned as its camera was held, and never larger than what came in.
Units: pixels; bytes; seconds. Source: Pillow's reference (``Image.open`` reads the header only, ``draft`` decodes a JPEG scaled down).
"""

from __future__ import annotations

import io
import resource
import struct
import warnings
from typing import Final
from uuid import UUID

from PIL import Image, ImageOps, UnidentifiedImageError

from shared.errors import Unprocessable
from shared.worker_process import WorkerProcesses, serve

EDGE_MAX: Final = 1600
PIXELS_MAX: Final = 50_000_000
FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP")
_ANSWER_BYTES_MAX: Final = 4_000_000
_MEMORY_BYTES_MAX: Final = 1_500_000_000
_EDGE: Final = struct.Struct(">H")


class Thumbnails:
    """A pool of child processes, started when first needed. ``timeout_s`` is the time for one picture. Use it as an async context."""

    def __init__(self, *, workers: int = 2, timeout_s: float = 5.0) -> None:
        self._processes = WorkerProcesses(
            "services.api.thumbnails", workers=workers, timeout_s=timeout_s, answer_bytes_max=_ANSWER_BYTES_MAX
        )

    async def __aenter__(self) -> Thumbnails:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def make(self, content: bytes, *, edge: int, workspace_id: UUID) -> bytes:
        """A WebP whose longer side is at most ``edge``. A workspace has one picture here at a time; when one took too long, its next come
        behind those of others for a while.

        Raises `Unprocessable` for what is no such picture, has too many pixels or takes too long, `Unavailable` when no process can be had.
        """
        try:
            made = await self._processes.ask(_EDGE.pack(edge), content, owners=(workspace_id,), blamed=(workspace_id,))
        except (TimeoutError, ChildProcessError) as error:
            raise _refusal() from error
        if not made:
            raise _refusal()
        return made

    async def close(self) -> None:
        """Kills the children. Twice is allowed."""
        await self._processes.close()


def _refusal() -> Unprocessable:
    formats = ", ".join(FORMATS)
    return Unprocessable(
        "no picture that can be made small", field="n", remedy=f"{formats} of at most {PIXELS_MAX:,} pixels; else download the file"
    )


def thumbnail(content: bytes, edge: int) -> bytes:
    """The WebP, in the child; empty when there is none."""
    warnings.simplefilter("ignore")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            if opened.width * opened.height > PIXELS_MAX:
                return b""
            opened.draft("RGB", (edge, edge))
            picture = ImageOps.exif_transpose(opened)
            picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            picture.thumbnail((edge, edge))
            # A picture of its own, with nothing of what stood beside the pixels.
            bare = Image.new(picture.mode, picture.size)
            bare.paste(picture)
            out = io.BytesIO()
            bare.save(out, "WEBP", quality=80)
            return out.getvalue()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, ArithmeticError, LookupError):
        return b""
    except (EOFError, MemoryError, TypeError, struct.error):
        return b""


def _answer(question: bytes) -> bytes:
    (edge,) = _EDGE.unpack_from(question)
    return thumbnail(question[_EDGE.size :], edge)


if __name__ == "__main__":
    Image.init()  # its formats are no part of the first question's time
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
    serve(_answer)

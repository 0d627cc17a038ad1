"""Files with customers in them, written where the user says: readable by this account only, whatever the umask, and whole or not there.

What stands there already, with whatever mode, is replaced in one step. A device or a pipe (``/dev/stdout``) is written as it is.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from shared.errors import InputRejected

_MODE: Final = 0o600


def require_folder(path: Path, *, field: str) -> None:
    """Raises `InputRejected` naming the option where no file can be made, before any work is done."""
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise InputRejected(f"{path} cannot be written", field=field, remedy="name a file in a folder that exists")


@contextlib.contextmanager
def private_text(path: Path) -> Iterator[TextIO]:
    """A file to write text into, UTF-8 with line ends as they are given; it stands at the path once the block ended without an error."""
    with _written(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        yield file


def write_private_bytes(path: Path, content: bytes) -> None:
    """Writes the bytes; what stood there stands until they are all written."""
    with _written(path) as scratch:
        scratch.write_bytes(content)


def private_opener(path: str, flags: int) -> int:
    """For ``open(…, opener=…)`` where lines are added as they come: the file is this account's from its first byte on."""
    handle = os.open(path, flags, _MODE)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        os.fchmod(handle, _MODE)
    return handle


@contextlib.contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Where to write: beside the file, in a place of its own that no other account may enter."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        yield target
        return
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:50]}-") as folder:
        scratch = Path(folder) / "new"
        os.close(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE))
        scratch.chmod(_MODE)
        yield scratch
        with scratch.open("rb") as file:
            os.fsync(file.fileno())
        scratch.replace(target)

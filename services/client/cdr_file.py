"""A file that another program appends to, rotates and truncates, and how to know it again.

A file is known by its inode and by the digest of its first bytes: a rename keeps both, a copy keeps the second, and a new file of the
same name has neither. What a rotation moved away is looked for beside the file, under names that begin with its name.
Units: bytes.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from shared.errors import InputRejected

HEAD_BYTES: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Which file it is: its inode and the digest of its first ``head_bytes``."""

    inode: int
    head_bytes: int
    head: str


class FollowedFile:
    """An open file. Close it."""

    def __init__(self, path: Path) -> None:
        """Raises `InputRejected` when it cannot be read."""
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb", buffering=0)
            if not path.is_file():
                self._file.close()
                raise InputRejected(f"{path} is not a file", field="FILE", remedy="name the CSV file")
        except OSError as error:
            raise InputRejected(f"{path}: {error.strerror}", field="FILE", remedy="name a file this account may read") from error
        self.fingerprint = self._look()

    def close(self) -> None:
        """Once."""
        self._file.close()

    def _look(self) -> Fingerprint:
        head = os.pread(self._file.fileno(), HEAD_BYTES, 0)
        return Fingerprint(inode=os.fstat(self._file.fileno()).st_ino, head_bytes=len(head), head=_digest(head))

    @property
    def size(self) -> int:
        """Its size now."""
        return os.fstat(self._file.fileno()).st_size

    def read(self, position: int, size: int) -> bytes:
        """What stands at ``position``; nothing at the end."""
        chunk = os.pread(self._file.fileno(), size, position)
        if chunk and self.fingerprint.head_bytes < HEAD_BYTES:
            self.fingerprint = self._look()
        return chunk

    def holds(self, known: Fingerprint, position: int) -> bool:
        """This file is the known one and still has what was read of it."""
        if self.size < position:
            return False
        return _digest(os.pread(self._file.fileno(), known.head_bytes, 0)) == known.head

    @property
    def renamed(self) -> bool:
        """The name leads to another file by now. A name that leads nowhere is a rotation half done."""
        try:
            return self.path.stat().st_ino != self.fingerprint.inode
        except FileNotFoundError:
            return False


def _digest(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=16).hexdigest()


def elder_of(path: Path, known: Fingerprint, position: int) -> FollowedFile | None:
    """The known file where a rotation left it, with rows after ``position``; None when there is none that can be read."""
    if not known.head_bytes:
        return None
    for sibling in sorted(path.parent.glob(f"{path.name}?*")):
        try:
            file = FollowedFile(sibling)
        except InputRejected:
            continue
        if file.size > position and file.holds(known, position):
            return file
        file.close()
    return None

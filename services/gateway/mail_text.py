"""The octets of a mail between 354 and the lone dot, taken as they come off the wire, in pieces of any size.

Source: RFC 5321 §4.1.1.4 (the end), §4.5.2 (dots), §4.5.3.1 (no limits where none are needed). A line may be as long as the mail:
shops send their HTML in one, and a long thread its References.
Read line by line a mail of tiny lines holds up the event loop for seconds; here the cost is that of copying the bytes.
What is longer than a megabyte waits in a file without a name, so that a mail that never comes to its end takes no memory.
"""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import Final

_END: Final = b"\r\n.\r\n"
IN_MEMORY_BYTES: Final = 1024 * 1024


class MailText:
    """One mail in the making. Over ``bytes_max`` it is read to its end and forgotten, and ``too_large`` says so. Close it."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115  `close` below
        # The text begins at the start of a line: with this the first line is one like all others.
        self._held = b"\r\n"
        self.size = -len(self._held)

    @property
    def too_large(self) -> bool:
        return self.size > self._bytes_max

    def take(self, piece: bytes) -> bytes | None:
        """Adds the piece. None while the end has not come, else the octets that follow it (usually none)."""
        window = self._held + piece
        end = window.find(_END)
        if end >= 0:
            self._add(window[: end + 2])
            return window[end + len(_END) :]
        held = next((size for size in range(len(_END) - 1, 0, -1) if window.endswith(_END[:size])), 0)
        self._held = window[len(window) - held :]
        self._add(window[: len(window) - held])
        return None

    def content(self) -> bytes:
        """The mail, its dots as they were written, when the end has come; read anew each time."""
        self._file.seek(0)
        return self._file.read().removeprefix(b"\r\n")

    def close(self) -> None:
        """Frees what was taken. Twice is once."""
        self._file.close()

    def _add(self, text: bytes) -> None:
        self.size += len(text)
        if self.too_large:
            self._file.seek(0)
            self._file.truncate()
        elif text:  # the first piece kept begins with the line end that was put before the mail
            self._file.write(text.replace(b"\r\n.", b"\r\n"))

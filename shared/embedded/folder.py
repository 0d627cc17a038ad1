"""A folder that one embedded server owns: its lock, the ports it keeps, its secrets and its log.

Identity: a folder belongs to whoever holds the lock on its file `lock`. The operating system releases it when the holder
dies, however it dies, so a lock never goes stale and nothing about process ids is believed.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from shared.embedded.errors import FolderInUse, unusable
from shared.folders import make_private

Progress = Callable[[str], None]

_PORTS: Final = range(20_000, 32_000)
"""Below every system's range for outgoing connections, so that nobody takes a kept port by chance while we are down."""
_LOG_BYTES_MAX: Final = 5_000_000


def silent(_sentence: str) -> None:
    """A progress that tells nobody."""


class Claim:
    """The lock on a folder, held until :meth:`release` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder (0700) and locks it. Raises `FolderUnusable`, or `FolderInUse` naming the holder's process."""
        try:
            make_private(folder)
            self._handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unusable(folder, error) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, str(os.getpid()).encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(self._handle, 20, 0).decode() or "unknown"
            os.close(self._handle)
            raise FolderInUse(
                f"The folder {folder} is in use by another Santral (process {holder}): stop that one, or choose another folder."
            ) from error
        except OSError as error:
            os.close(self._handle)
            raise unusable(folder, error) from error

    def release(self) -> None:
        """Lets the next one in; call it once."""
        os.close(self._handle)


def write_private(path: Path, text: str) -> None:
    """Replaces the file in one step, readable by this account only, on disk when it returns. Raises `FolderUnusable`."""
    scratch = path.with_name(path.name + ".new")
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise unusable(path.parent, error) from error


def kept_ports(
    folder: Path, names: Iterable[str], progress: Progress, *, preferred: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The folder's ports by name: chosen at the first call, the same ever after, unless a stranger took one meanwhile.

    A port that is taken is replaced by a new one, and `progress` is told. A new one is the `preferred` one where that is free.
    Raises `FolderUnusable`.
    """
    path = folder / "ports.json"
    known = _read_ports(path)
    ports: dict[str, int] = {}
    for name in names:
        port = known.get(name)
        if port is not None and not port_is_free(port):
            progress(f"Port {port} is taken by another program; choosing a new one for {folder.name}. The data stays.")
            port = None
        wish = (preferred or {}).get(name)
        if port is None and wish and wish not in ports.values() and port_is_free(wish):
            port = wish
        ports[name] = port if port is not None else _new_port(taken=[*known.values(), *ports.values()])
    if {**known, **ports} != known:
        write_private(path, json.dumps({**known, **ports}))
    return ports


def _read_ports(path: Path) -> dict[str, int]:
    try:
        ports = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise unusable(path.parent, error) from error
    except ValueError:
        return {}  # ports are worth nothing by themselves: damaged ones are chosen anew
    return {name: port for name, port in ports.items() if isinstance(port, int)} if isinstance(ports, dict) else {}


def port_is_free(port: int) -> bool:
    """Whether nobody listens there on loopback at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _new_port(taken: Iterable[int]) -> int:
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - not a secret
        if port not in taken and port_is_free(port):
            return port


def open_log(path: Path) -> int:
    """A descriptor to append to; a log past 5 MB is set aside as `.1` first. Raises `FolderUnusable`."""
    try:
        make_private(path.parent)
        if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
            path.replace(path.with_name(path.name + ".1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(path.parent, error) from error


class Logs:
    """What a server wrote since its last start, in one or more files."""

    def __init__(self, *paths: Path) -> None:
        self._marks = {path: _size_bytes(path) for path in paths}

    def lines(self) -> list[str]:
        """The last lines of each, oldest first; none when nothing was written."""
        return [line for path, mark in self._marks.items() for line in _lines_after(path, mark)]


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _lines_after(path: Path, mark: int) -> list[str]:
    size_bytes = _size_bytes(path)
    try:
        with path.open("rb") as file:
            file.seek(max(mark if mark <= size_bytes else 0, size_bytes - 20_000))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []

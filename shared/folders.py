"""Folders that hold customers' words: this account's alone, whatever the process's umask is.

`Path.mkdir` gives its mode to the last folder only; those above come as the umask says, readable by everybody on most machines.
"""

from __future__ import annotations

from pathlib import Path


def make_private(folder: Path) -> None:
    """Makes the folder, and those above it that are not there, for this account only. One that is there stays as it is. Raises ``OSError``."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)

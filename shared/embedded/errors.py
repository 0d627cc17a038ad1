"""What can go wrong with the servers Santral brings along, classed by what the person at the console can do about it.

    EmbeddedError
    ├── FolderUnusable   the data or cache folder cannot be written, is full, or belongs to somebody else
    ├── FolderInUse      another living Santral holds it
    ├── FetchFailed      Kafka's jars could not be brought: no network, an inspecting proxy, a wrong checksum
    └── ServerFailed     the server was started and did not come up, or died

Every message is one sentence with the cause and the remedy; the console prints it as it is, without a traceback.
"""

from __future__ import annotations

import errno
from pathlib import Path


class EmbeddedError(Exception):
    """The root; an embedded server could not be started."""


class FolderUnusable(EmbeddedError):
    """The folder cannot be read or written as it is."""


class FolderInUse(EmbeddedError):
    """Another living process has the folder."""


class FetchFailed(EmbeddedError):
    """The jars could not be downloaded; what was already there is kept."""


class ServerFailed(EmbeddedError):
    """The server did not become ready; its data is untouched."""


_CAUSES = {
    errno.ENOSPC: ("the disk is full", "free some space"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EROFS: ("the file system is read-only", "choose a folder on another one"),
    errno.EACCES: ("this account may not write there", "choose a folder that it owns, or change the folder's owner"),
    errno.EPERM: ("this account may not write there", "choose a folder that it owns, or change the folder's owner"),
    errno.ENOTDIR: ("a file stands where a folder is needed", "choose another folder"),
    errno.EEXIST: ("a file stands where a folder is needed", "choose another folder"),
}


def unusable(folder: Path, error: OSError) -> FolderUnusable:
    """The sentence for a failed file operation below `folder`."""
    cause, remedy = _CAUSES.get(error.errno or 0, (error.strerror or str(error), "check the folder, or choose another"))
    return FolderUnusable(f"The folder {folder} cannot be used because {cause}: {remedy}.")

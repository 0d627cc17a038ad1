"""The last step before an embedded server: become the right account, die with the parent, turn into the server.

Run as a program (``python -I -S child.py PARENT SIGNAL UID GID COMMAND…``), never imported; it needs nothing but the
standard library. It keeps its process id when it turns into the server, so the parent's handle is the server's.

Source: prctl(2), PR_SET_PDEATHSIG. The signal is sent when the *thread* that forked ends, so the parent forks in a thread
that lives as long as itself (`shared/embedded/process.py`); a change of account clears it, so it comes after that.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Does not return, unless the parent is gone already: then the server is not started at all."""
    parent, signal_number, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - the point of this program


if __name__ == "__main__":
    main(sys.argv[1:])

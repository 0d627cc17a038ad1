"""How many files a process may have open: connections are files, and what is beyond the limit is accepted by nobody.

Source: getrlimit(2), ``RLIMIT_NOFILE``. A process may raise its soft limit, often 1024, to the hard one by itself.
"""

from __future__ import annotations

import resource
from typing import Final

from shared.logs import get_log

log = get_log(__name__)
OTHERS: Final = 500
"""Kept for what is no connection of the door: databases, brokers, files being read, child processes."""


def room_for(connections: int) -> int:
    """For how many connections there is room, at most ``connections``; the limit is raised as far as that needs and the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    room = max(soft - OTHERS, soft // 2)
    log.warning(
        "the system allows fewer open files than this process has connections for: raise its limit (nofile)",
        action="few_descriptors", count=room,
    )  # fmt: skip
    return room

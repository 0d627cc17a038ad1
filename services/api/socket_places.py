"""Places for sockets: so many of one address, of one workspace and in all, visitors' and agents' apart, for as long as they are open.

The server counts open sockets against its limit for everybody, so without places of their own one machine closes the API to all, with a
few chat sessions that cost it nothing. Shares are of that limit, and leave the rest to REST and pages. Whose address it is behind a
trusted proxy is told by `peers.py`.
**Units**: sockets of one process. **Identity** of an owner: the groups of an address as `shares_of` has them, or a workspace's id.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.api.sockets import Closed
from shared.metrics import CONNECTIONS_REFUSED
from shared.shares import Held, Share

CONNECTIONS_MAX: Final = 10_000
VISITORS_OF_ADDRESS: Final = 200
"""An office behind one address, each with the shop open."""
SILENT_OF_ADDRESS: Final = 50
SILENT_MAX: Final = 1000


class Bound:
    """So many places for each owner and, where ``most`` says so, for all of them together."""

    def __init__(self, reason: str, whose: str, *, each: int, most: int | None = None) -> None:
        self._reason, self._whose = reason, whose
        self._most = most
        self._held = Held(each, most)

    @contextlib.contextmanager
    def one(self, *owners: Share) -> Iterator[None]:
        """A place for the time of the block, counted for each group of an owner. Raises `Closed` 1013 where there is none."""
        if not self._held.take(owners):
            raise self._refusal(self._reason, f"too many sockets {self._whose}: close some, or come again in a moment")
        try:
            if self._most is not None and self._held.total > self._most:
                raise self._refusal(f"{self._reason}_in_all", "too many sockets: come again in a moment")
            yield
        finally:
            self._held.give(owners)

    def _refusal(self, reason: str, said: str) -> Closed:
        CONNECTIONS_REFUSED.labels(reason=reason).inc()
        return Closed(1013, said)


class Places:
    """Those of one kind of socket: ``open`` by address from the handshake on, ``of_workspace`` once it is known, ``silent`` by address
    until the first frame.
    """

    def __init__(
        self, *, most: int, of_workspace: int, of_address: int, silent_of_address: int = SILENT_OF_ADDRESS, silent: int = SILENT_MAX
    ) -> None:
        self.open = Bound("sockets_of_address", "of this address", each=of_address, most=most)
        self.of_workspace = Bound("sockets_of_workspace", "of this workspace", each=of_workspace)
        self.silent = Bound("silent_sockets", "that say nothing", each=silent_of_address, most=silent)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketPlaces:
    """Visitors', who need no credential, and agents'."""

    visitors: Places
    agents: Places

    @classmethod
    def within(cls, connections: int = CONNECTIONS_MAX, *, visitors_of_address: int = VISITORS_OF_ADDRESS) -> SocketPlaces:
        """Of a server that takes so many connections: half of them for visitors, three tenths for agents, half of each for one workspace,
        a tenth of the whole for agents of one address.
        """
        visitors, agents = connections // 2, connections * 3 // 10
        return cls(
            visitors=Places(most=visitors, of_workspace=visitors // 2, of_address=min(visitors_of_address, visitors // 2)),
            agents=Places(most=agents, of_workspace=agents // 2, of_address=connections // 10),
        )

"""Places for sockets: so many of one address, of one workspace and in all, visitors' and agents' apart, for as long as they are open.

The server counts open sockets against its limit for everybody, so without places of their own one machine closes the API to all, with a few
chat sessions that cost it nothing. Shares are of that limit, and leave the rest to REST and pages. Where no place is left, a socket that
waits for its peer makes room (`services/frame/making_room.py`): one without a hello, or a visitor's in which nobody says anything. Whose
address it is behind a trusted proxy is told by `peers.py`.
**Units**: sockets of one process. **Identity** of an owner: the groups of an address as `shares_of` has them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from services.api.sockets import Closed
from services.frame.making_room import Full, Lack, Place, Room
from shared.metrics import CONNECTIONS_REFUSED
from shared.shares import Share

CONNECTIONS_MAX: Final = 10_000
VISITORS_OF_ADDRESS: Final = 200
"""An office behind one address, each with the shop open."""
SILENT_OF_ADDRESS: Final = 50
SILENT_MAX: Final = 1000


class Refusal(NamedTuple):
    """Why a socket has no place: as the metric counts it, as its peer is told."""

    reason: str
    said: str


_OF_ADDRESS: Final = Refusal("sockets_of_address", "too many sockets of this address")
_IN_ALL: Final = Refusal("sockets_of_address_in_all", "too many sockets")
_OF_WORKSPACE: Final = Refusal("sockets_of_workspace", "too many sockets of this workspace")
_SILENT: Final = Refusal("silent_sockets", "too many sockets that say nothing")
_SILENT_IN_ALL: Final = Refusal("silent_sockets_in_all", "too many sockets that say nothing")
_MADE_ROOM: Final = Refusal("made_room", "others need this place")


class Bound:
    """So many places for all, and for each owner. ``share`` and ``room`` are what is said, and counted, where one of them is used up."""

    def __init__(self, *, each: int, most: int, share: Refusal, room: Refusal) -> None:
        self._refusals: Mapping[Lack, Refusal] = {"share": share, "room": room}
        self._room = Room(each=each, most=most)

    @property
    def held(self) -> int:
        """How many there are."""
        return self._room.held

    @contextlib.contextmanager
    def one(self, owners: Sequence[Share]) -> Iterator[Place]:
        """A place for the time of the block, counted for each group of an owner; what stands in the block ends where it makes room.

        Raises `Closed` 1013 where there is none, or it made room.
        """
        task, ended = asyncio.current_task(), False
        assert task is not None

        def end() -> None:
            nonlocal ended
            ended = True
            if not task.cancelling():  # else it is ending already
                task.cancel()

        with Place(self._room, owners, end) as place:
            try:
                place.grow()
            except Full as full:
                raise _closed(self._refusals[full.lack]) from full
            try:
                yield place
            except asyncio.CancelledError:
                if not ended:
                    raise
                task.uncancel()
                raise _closed(_MADE_ROOM) from None


class Workspaces:
    """So many places for each workspace, however many owners share them."""

    def __init__(self, *, each: int) -> None:
        self._each = each
        self._of: dict[UUID, Bound] = {}

    @contextlib.contextmanager
    def one(self, workspace_id: UUID, owners: Sequence[Share]) -> Iterator[Place]:
        """A place in a workspace. Raises as `Bound.one`."""
        bound = self._of.setdefault(workspace_id, Bound(each=self._each, most=self._each, share=_OF_WORKSPACE, room=_OF_WORKSPACE))
        try:
            with bound.one(owners) as place:
                yield place
        finally:
            if not bound.held:
                self._of.pop(workspace_id, None)


class Stay:
    """The places of one socket together."""

    def __init__(self, *places: Place) -> None:
        self._places = places

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """All of them wait for the peer for the time of the block."""
        with contextlib.ExitStack() as stack:
            for one in self._places:
                stack.enter_context(one.waiting())
            yield

    def used(self) -> None:
        """Something was said: where they wait, they wait from now on."""
        for one in self._places:
            one.used()


def _closed(refusal: Refusal) -> Closed:
    CONNECTIONS_REFUSED.labels(reason=refusal.reason).inc()
    return Closed(1013, f"{refusal.said}: close some, or come again in a moment")


class Places:
    """Those of one kind of socket: ``open`` by address from the handshake on, ``of_workspace`` once it is known, ``silent`` by address
    until the first frame.
    """

    def __init__(
        self, *, most: int, of_workspace: int, of_address: int, silent_of_address: int = SILENT_OF_ADDRESS, silent: int = SILENT_MAX
    ) -> None:
        self.open = Bound(each=of_address, most=most, share=_OF_ADDRESS, room=_IN_ALL)
        self.of_workspace = Workspaces(each=of_workspace)
        self.silent = Bound(each=silent_of_address, most=silent, share=_SILENT, room=_SILENT_IN_ALL)


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

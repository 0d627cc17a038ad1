"""From committed rows to open sockets: one reader per process asks which watched sequences have grown, and rings those sockets.

A ring carries nothing: each socket reads what is new by its own place in the sequence, so nothing can be lost, sent twice or sent in
another order, and a lost hint costs one second. Per look and workspace it is one statement, however many sockets are open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol
from uuid import UUID

from router.views.changes import moved_on
from shared.database import Database
from shared.errors import Unavailable
from shared.hints import Waiter
from shared.logs import get_log

log = get_log(__name__)
Kind = Literal["agent", "conversation"]
LOOK_S: Final = 1.0
_AT_ONCE: Final = 4


class Listener(Protocol):
    """A socket's ear. Neither call may wait or raise."""

    def changed(self, kind: Kind, followed: UUID) -> None:
        """What it follows has moved on."""
        ...

    def woken(self) -> None:
        """Something in its workspace may have changed; called at each hint and each second."""
        ...


@dataclass(slots=True)
class _Topic:
    seq: int = 0
    listeners: set[Listener] = field(default_factory=set)


@dataclass(slots=True)
class _Watched:
    """What is watched in one workspace."""

    topics: dict[tuple[Kind, UUID], _Topic] = field(default_factory=dict)
    listeners: set[Listener] = field(default_factory=set)

    def known(self, kind: Kind) -> dict[UUID, int]:
        return {one: topic.seq for (of, one), topic in self.topics.items() if of == kind}


class FanOut:
    """One per process. Joining and leaving are immediate; `run` is a worker."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._workspaces: dict[UUID, _Watched] = {}

    def join(self, listener: Listener, workspace_id: UUID) -> None:
        """From now on the listener is woken by its workspace."""
        self._workspaces.setdefault(workspace_id, _Watched()).listeners.add(listener)

    def follow(self, listener: Listener, workspace_id: UUID, kind: Kind, followed: UUID) -> None:
        """From now on it also hears of this agent or conversation. Follow first, read then: what comes between is rung."""
        watched = self._workspaces.setdefault(workspace_id, _Watched())
        watched.topics.setdefault((kind, followed), _Topic()).listeners.add(listener)

    def unfollow(self, listener: Listener, workspace_id: UUID, kind: Kind, followed: UUID) -> None:
        """It does not hear of this one any more. Calling it twice is harmless."""
        watched = self._workspaces.get(workspace_id)
        topic = watched.topics.get((kind, followed)) if watched else None
        if watched is None or topic is None:
            return
        topic.listeners.discard(listener)
        if not topic.listeners:
            del watched.topics[kind, followed]

    def leave(self, listener: Listener, workspace_id: UUID) -> None:
        """The socket is gone: nothing of it stays here."""
        watched = self._workspaces.get(workspace_id)
        if watched is None:
            return
        for kind, followed in [key for key, topic in watched.topics.items() if listener in topic.listeners]:
            self.unfollow(listener, workspace_id, kind, followed)
        watched.listeners.discard(listener)
        if not watched.listeners and not watched.topics:
            del self._workspaces[workspace_id]

    async def run(self, waiter: Waiter) -> None:
        """Looks for ever: at what a hint names, and at everything each second."""
        while True:
            named = await waiter.wait(LOOK_S)
            await self.look(_ids(named))

    async def look(self, workspaces: set[UUID]) -> None:
        """One look at these workspaces, or at all when none is named. A database that is away is tried at the next look."""
        chosen = [one for one in self._workspaces if not workspaces or one in workspaces]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def at(workspace_id: UUID) -> None:
            async with gate:
                await self._look_at(workspace_id)

        await asyncio.gather(*(at(one) for one in chosen))

    async def _look_at(self, workspace_id: UUID) -> None:
        watched = self._workspaces.get(workspace_id)
        if watched is None:
            return
        if watched.topics:
            try:
                async with self._db.batch(workspace_id) as connection:
                    found = await moved_on(
                        connection, workspace_id, agents=watched.known("agent"), conversations=watched.known("conversation")
                    )
            except Unavailable as error:
                log.warning("sockets wait for the database", action="dependency_down", error=str(error))
                return
            for (kind, followed), seq in found.items():
                self._ring(watched, "agent" if kind == "agent" else "conversation", followed, seq)
        for listener in list(watched.listeners):
            listener.woken()

    def _ring(self, watched: _Watched, kind: Kind, followed: UUID, seq: int) -> None:
        topic = watched.topics.get((kind, followed))
        if topic is None:
            return
        topic.seq = max(topic.seq, seq)
        for listener in list(topic.listeners):
            listener.changed(kind, followed)


def _ids(named: Iterable[str]) -> set[UUID]:
    return {UUID(one) for one in named}

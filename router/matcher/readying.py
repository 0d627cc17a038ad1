"""Workspaces of whose agents filters are still to be asked: beside the rounds of all others, a slice of each in turn, in one thread.

What was read of such a workspace stands here as it was read, and what changes meanwhile by name, so nothing that was taken from the feed is
lost. When all is known the core is told the first, and the second is read anew. A workspace with few agents waits for one slice of each of
the others, however many agents those have.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from router.dispatch.vocabulary import Told
from router.matcher.feed import Seen, states
from router.matcher.known_filters import KnownFilters
from router.policy.agent_filter import Filters

SLICE: Final = 20
"""Agents asked in one go: a tenth of a second where filters take all that they may."""


@dataclass(slots=True, kw_only=True, eq=False)
class Readied:
    """A workspace with what its core will be told, and what changed since that was read."""

    workspace: UUID
    seen: Sequence[Seen]
    sources: Mapping[str, str]
    filters: Filters | None = None
    told: list[Told] = field(default_factory=list)
    changed: set[tuple[UUID, str, UUID]] = field(default_factory=set)
    error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether all of it can be told, or none of it ever."""
        return self.error is not None or (self.filters is not None and len(self.told) >= len(self.seen))

    def ask(self, filters: Filters) -> None:
        """Of the next few of what was read."""
        place, agents = len(self.told), 0
        end = place
        while end < len(self.seen) and agents < SLICE:
            agents += isinstance(self.seen[end], dict)
            end += 1
        self.told += states(self.seen[place:end], filters)


class Readying:
    """Of one process. ``ring`` is called when one is ready."""

    def __init__(self, filters: KnownFilters, *, ring: Callable[[], None]) -> None:
        self._filters = filters
        self._ring = ring
        self._kept: dict[UUID, Readied] = {}
        self._turns: deque[Readied] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def kept(self) -> Collection[UUID]:
        """The workspaces that are here, ready or not."""
        return self._kept.keys()

    def ready(self) -> list[Readied]:
        """Those that can be told. They stay until they are dropped."""
        return [one for one in self._kept.values() if one.done]

    def begin(self, workspace: UUID, seen: Sequence[Seen], sources: Mapping[str, str]) -> None:
        """What was read of a workspace that is not here waits for its filters."""
        one = self._kept[workspace] = Readied(workspace=workspace, seen=seen, sources=sources)
        self._turns.append(one)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    def note(self, changes: Iterable[tuple[UUID, str, UUID]]) -> None:
        """What changed of workspaces that are here: (workspace, kind, id)."""
        for change in changes:
            self._kept[change[0]].changed.add(change)

    def drop(self, gone: Callable[[UUID], bool]) -> None:
        """Forgets these workspaces: they were told, or are read whole."""
        for workspace in [one for one in self._kept if gone(one)]:
            del self._kept[workspace]

    async def finished(self) -> bool:
        """Waits until nothing is asked any more; whether anything is ready."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return bool(self.ready())

    async def stop(self) -> None:
        """Ends the asking; what is asked in the thread now comes to its end unheard."""
        self.drop(lambda _: True)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while self._turns:
            one = self._turns.popleft()
            if self._kept.get(one.workspace) is not one:
                continue
            try:
                if one.filters is None:
                    one.filters = await self._filters.of(one.workspace, one.sources)
                else:
                    await asyncio.to_thread(one.ask, one.filters)
            except Exception as error:
                one.error = error
            if one.done:
                self._ring()
            else:
                self._turns.append(one)

"""What a process keeps of every workspace: read again where something changed, and made beside the event loop.

One statement of counts and row versions tells whether anything changed, another which workspaces. These are read together as far as they
are small, and a large one by itself. One that cannot be read or made keeps its last state and is tried again at the next change; the
others do not notice. **Identity**: a workspace by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from shared.database import Connection, Database
from shared.errors import Unavailable
from shared.logs import get_log

log = get_log(__name__)
ROWS_AT_ONCE: Final = 2_000
Raw = dict[UUID, Any]
Part = TypeVar("Part")


def changes_of(*tables: str) -> str:
    """A statement for each workspace's ``stamp`` and number of ``rows`` in these tables of the schema; a table may bring a condition along.

    A row that is written gets a later transaction's number than all before it. So where as many rows are there as before, and not the
    same ones, their numbers' sum has grown.
    """
    each = " union all ".join(
        f"select workspace_id, '{table}' as part, count(*) as n, sum(xmin::text::bigint) as written from santral.{table} group by 1"
        for table in tables
    )
    stamp = "string_agg(part || n || '/' || written, ' ' order by part) as stamp"
    return f"select workspace_id, {stamp}, sum(n)::bigint as rows from ({each}) s group by workspace_id"


class WorkspaceParts(Generic[Part]):
    """The parts by workspace. Look-ups never wait; `refresh` reads.

    ``read`` gives what is stored of the workspaces that are asked for, one that is not there left out; ``made`` makes one's part of it, in
    a thread, from what was its part so far.
    """

    def __init__(
        self, db: Database, *, changes: str, read: Callable[[Connection, Sequence[UUID]], Awaitable[Raw]],
        made: Callable[[UUID, Any, Part | None], Part],
    ) -> None:  # fmt: skip
        self.parts: dict[UUID, Part] = {}
        self._db, self._read, self._made = db, read, made
        self._each = changes
        self._overall = f"select coalesce(sum(hashtextextended(workspace_id || stamp, 0)::numeric), 0)::text from ({changes}) c"
        self._seen = ""
        self._stamps: dict[UUID, str] = {}
        self._reading = asyncio.Lock()

    async def refresh(self) -> bool:
        """Reads what changed; True when something did. Raises `Unavailable`, keeping what it had."""
        async with self._reading:
            async with self._db.session() as connection:
                overall = await connection.fetchval(self._overall)
                if overall == self._seen:
                    return False
                found = {row["workspace_id"]: row for row in await connection.fetch(self._each)}
            changed = [one for one, row in found.items() if self._stamps.get(one) != row["stamp"]]
            for together in _together(changed, found):
                self._stamps |= {one: found[one]["stamp"] for one in await self._take(together)}
            for gone in self._stamps.keys() - found.keys():
                del self._stamps[gone]
                self.parts.pop(gone, None)
            self._seen = overall
            return True

    async def _take(self, wanted: Sequence[UUID]) -> list[UUID]:
        """Reads and makes these; those of which it went well. Raises `Unavailable`."""
        try:
            async with self._db.session() as connection:
                raw = await self._read(connection, wanted)
        except Unavailable:
            raise
        except Exception as error:
            if len(wanted) > 1:
                return [done for one in wanted for done in await self._take([one])]
            _stays(wanted[0], error)
            return []
        made = await asyncio.to_thread(self._make, raw)
        for one in wanted:
            if one not in raw:
                self.parts.pop(one, None)
        self.parts |= made
        return [one for one in wanted if one in made or one not in raw]

    def _make(self, raw: Raw) -> dict[UUID, Part]:
        made: dict[UUID, Part] = {}
        for one, stored in raw.items():
            try:
                made[one] = self._made(one, stored, self.parts.get(one))
            except Exception as error:
                _stays(one, error)
        return made


def _stays(workspace_id: UUID, error: Exception) -> None:
    # By its kind: an exception's words may be somebody's.
    log.error(
        "a workspace's configuration cannot be read and stays as it was", action="configuration_stale",
        workspace=str(workspace_id), error=type(error).__name__,
    )  # fmt: skip


def _together(wanted: Sequence[UUID], found: Mapping[UUID, Any]) -> Iterator[list[UUID]]:
    """As many at once as have `ROWS_AT_ONCE` rows together, and at least one."""
    held: list[UUID] = []
    rows = 0
    for one in wanted:
        if held and rows + found[one]["rows"] > ROWS_AT_ONCE:
            yield held
            held, rows = [], 0
        held.append(one)
        rows += found[one]["rows"]
    if held:
        yield held

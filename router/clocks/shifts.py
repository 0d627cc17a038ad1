"""Shifts and leave: when an agent is at work, kept in their row by one router at a time, so that dispatch needs no calendar.

An agent without ``hours`` and without dated shifts is at work whenever they are online. Else they are at work in the hours of their
week and in dated shifts, and never on leave. Outside of it nothing new comes; what they have stays theirs while they are there, and
mail and social messages of whoever has gone go back to the queue.
**Units**: instants aware UTC. Identity: one row per agent; a look that finds nothing due writes nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from router.calendars.calendar import Calendar, intervals
from router.calendars.hours import calendar_from
from router.item.transition import Change, transition
from router.moves.item_store import lock_items
from router.moves.moves import Move, feed, write_moves
from shared.database import Connection, Contended, Database
from shared.errors import SantralError
from shared.hints import Hints
from shared.leases import SlotLeases
from shared.logs import get_log

log = get_log(__name__)
LOOK_S: Final = 2.0
AHEAD: Final = timedelta(days=8)
UNREADABLE: Final = timedelta(minutes=5)
BATCH: Final = 500
_FIRST: Final = (UUID(int=0), UUID(int=0))
_DUE: Final = """
select workspace_id, id, hours, off_shift from santral.agent where shift_next_at <= clock_timestamp()
order by workspace_id, id limit $1 for no key update skip locked
"""
_DATED: Final = """
select s.workspace_id, s.agent_id, s.kind, s.starts_at, s.ends_at from santral.shift s
join unnest($1::uuid[], $2::uuid[]) as g(w, a) on s.workspace_id = g.w and s.agent_id = g.a
where s.ends_at > $3
"""
_WRITE: Final = """
update santral.agent a set off_shift = n.o, shift_next_at = n.t, version = version + 1
from jsonb_to_recordset($1::jsonb) as n(w uuid, a uuid, o boolean, t timestamptz) where a.workspace_id = n.w and a.id = n.a
"""
_LEFT_BEHIND: Final = """
select i.workspace_id, i.id from santral.agent a
join santral.work_item i on i.workspace_id = a.workspace_id and i.agent_id = a.id and i.state = 'assigned'
where a.off_shift and a.kind <> 'bot' and (a.presence = 'offline' or coalesce(a.lease_until, '-infinity') <= clock_timestamp())
  and (i.workspace_id, i.id) > ($2, $3)
order by i.workspace_id, i.id limit $1
"""


class Dated(NamedTuple):
    """A shift or leave with its dates."""

    kind: str
    starts_at: datetime
    ends_at: datetime


def on_shift(hours: Mapping[str, Any] | None, dated: Sequence[Dated], at: datetime) -> tuple[bool, datetime | None]:
    """Whether an agent is at work, and when that may be otherwise at the latest to look again; None: never by itself."""
    moments = [one for dates in dated for one in (dates.starts_at, dates.ends_at) if one > at]
    covering = {dates.kind for dates in dated if dates.starts_at <= at < dates.ends_at}
    scheduled = hours is not None or any(dates.kind == "shift" for dates in dated)
    at_work = not scheduled or "shift" in covering
    if hours is not None:
        calendar = _calendar(json.dumps(hours, sort_keys=True))
        at_work = at_work or calendar.is_open(at)
        moments.append(at + AHEAD)
        span = next(iter(intervals(calendar, at, at + AHEAD)), None)
        if span is not None:
            moments += [one for one in (span[0], span[1]) if one > at]
    return at_work and "leave" not in covering, min(moments, default=None)


@lru_cache(maxsize=512)
def _calendar(document: str) -> Calendar:
    """Teams share their hours, and all of them begin at nine."""
    return calendar_from(json.loads(document), name="hours")


class Shifts:
    """One process's look at shifts. Any number of processes run it; who holds the lease does the work."""

    def __init__(self, *, db: Database, leases: SlotLeases, hints: Hints) -> None:
        self._db = db
        self._leases = leases
        self._hints = hints
        self._place = _FIRST  # in the walk over work that may be given back: what stays must not stand before what goes

    async def run(self) -> None:
        """Looks for ever; the worker loop around it restarts it after an unforeseen error."""
        while True:
            more = False
            try:
                more = await self.round()
            except Contended:
                more = True
            except SantralError as error:
                log.warning("shifts wait", action="dependency_down", error=str(error))
            await asyncio.sleep(0.1 if more else LOOK_S)

    async def round(self) -> bool:
        """One look. True when there is more to do at once. Nothing without the lease."""
        if not self._leases.held:
            return False
        async with self._db.batch() as connection:
            if not await self._leases.lock_and_check(connection, [0]):
                return False
            due = await self._look(connection)
        async with self._db.batch() as connection:
            if not await self._leases.lock_and_check(connection, [0]):
                return False
            back, workspaces = await self._give_back(connection)
        if due or workspaces:
            self._hints.wake("dispatch")
            self._hints.wake("outbox")
            for workspace in workspaces:
                self._hints.wake("stream", str(workspace))
        return BATCH in (due, back)

    async def _look(self, connection: Connection) -> int:
        """Agents whose shift may have begun or ended."""
        rows = await connection.fetch(_DUE, BATCH)
        if not rows:
            return 0
        now: datetime = await connection.fetchval("select clock_timestamp()")
        found = await connection.fetch(_DATED, [row["workspace_id"] for row in rows], [row["id"] for row in rows], now)
        dated: dict[tuple[UUID, UUID], list[Dated]] = {}
        for one in found:
            dated.setdefault((one["workspace_id"], one["agent_id"]), []).append(
                Dated(one["kind"], one["starts_at"], one["ends_at"])
            )
        written = []
        for row in rows:
            try:
                at_work, again = on_shift(row["hours"], dated.get((row["workspace_id"], row["id"]), ()), now.astimezone(UTC))
            except Exception as error:
                # One agent's hours that cannot be read stop nobody else's; they stand as they are and are looked at again.
                log.error("hours cannot be read", action="worker_failed", agent=str(row["id"]), error=type(error).__name__)  # noqa: TRY400
                at_work, again = not row["off_shift"], now + UNREADABLE
            written.append({"w": row["workspace_id"], "a": row["id"], "o": not at_work, "t": again})
        await connection.execute(_WRITE, written)
        await feed(connection, [(row["workspace_id"], "agent", row["id"]) for row in rows])
        return len(rows)

    async def _give_back(self, connection: Connection) -> tuple[int, set[UUID]]:
        """What whoever has gone home had, of the channels that are kept for them until then, goes back to the queue.

        How many were looked at, and whose work moved.
        """
        pairs = [(row["workspace_id"], row["id"]) for row in await connection.fetch(_LEFT_BEHIND, BATCH, *self._place)]
        self._place = pairs[-1] if len(pairs) == BATCH else _FIRST
        return len(pairs), await _given_back(connection, pairs) if pairs else set()


async def _given_back(connection: Connection, pairs: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    at: datetime = await connection.fetchval("select clock_timestamp()")
    moves = [
        Move(
            stored=stored, after=transition(stored.state, Change(trigger="agent_lost", agent=stored.state.agent), at.timestamp()),
            trigger="agent_lost", actor="shifts", reason="the shift is over",
        )
        for stored in await lock_items(connection, pairs, skip_locked=True)
        if stored.state.state == "assigned" and stored.state.terms.grace_s is None and not stored.external
    ]  # fmt: skip
    moved = await write_moves(connection, moves, at, skip_locked=True)
    return {one.move.stored.workspace_id for one in moved}

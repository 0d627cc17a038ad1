"""Quarantine: what could not be understood or routed, with its bytes and the reason, until somebody resolves it.

An entry is written in the transaction that writes its receipt (`quarantined`), so a message is there or in a conversation, never in
both. ``replay`` goes on only from that receipt; see `router/intake/replay.py`.
What only met a lock (``busy``) is asked for from the start, by the router itself.
**States**: open, replaying (asked for, the router does it), replayed, discarded. **Identity**: workspace and message id.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.intake.arrivals import Arrival
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.ids import new_id

_WRITE: Final = """
insert into santral.quarantine
    (workspace_id, id, message_id, inbox_id, reason, error, error_hash, record, headers, source, accepted_at, state, resolved_by)
select w, i, m, b, r, e, h, decode(v, 'base64'), x, s, a, t, y
from jsonb_to_recordset($1::jsonb) as n(
    w uuid, i uuid, m uuid, b uuid, r text, e text, h text, v text, x jsonb, s jsonb, a timestamptz, t text, y text)
order by w, m on conflict (workspace_id, message_id) do update set attempts = santral.quarantine.attempts + 1
"""
_COLUMNS: Final = (
    "workspace_id, id, message_id, inbox_id, reason, error, error_hash, headers, source, attempts, state, accepted_at, "
    "quarantined_at, resolved_at, resolved_by, octet_length(record) as record_bytes"
)
_LIST: Final = f"""
select {_COLUMNS} from santral.quarantine
where workspace_id = $1 and ($2::text is null or state = $2) and ($3::text is null or error_hash = $3)
  and ($4::uuid is null or id < $4)
order by id desc limit $5
"""
_SHOW: Final = f"select {_COLUMNS}, record from santral.quarantine where workspace_id = $1 and id = $2"
_ASK: Final = """
update santral.quarantine set state = 'replaying', resolved_by = $3
where workspace_id = $1 and id = $2 and state = 'open' returning id
"""
_END: Final = """
update santral.quarantine set state = $3, resolved_at = clock_timestamp(), resolved_by = $4
where workspace_id = $1 and id = $2 and state in ('open', 'replaying') returning message_id
"""
_PUT_BACK: Final = """
update santral.quarantine set state = 'open', resolved_by = null, attempts = attempts + 1, error = $3
where workspace_id = $1 and id = $2 and state = 'replaying'
"""
_ASKED: Final = """
select q.workspace_id, q.id, q.resolved_by from santral.workspace w cross join lateral (
    select f.workspace_id, f.id, f.resolved_by, row_number() over (order by f.id) as place
    from santral.quarantine f where f.workspace_id = w.id and f.state = 'replaying' order by f.id limit $1
) q order by q.place, q.id
"""
OF_ONE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as lists and pages show it; ``record`` only where one entry is asked for."""

    workspace_id: UUID
    id: UUID
    message_id: UUID
    inbox_id: UUID | None
    reason: str
    error: str
    error_hash: str
    headers: Mapping[str, str]
    source: Mapping[str, Any]
    attempts: int
    state: str
    accepted_at: datetime
    quarantined_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    record_bytes: int
    record: bytes = b""


async def write_entries(connection: Connection, arrivals: Sequence[Arrival], *, topic: str) -> None:
    """Writes refused arrivals; the caller wrote their receipts. The same one again only counts an attempt."""
    rows = []
    for arrival in arrivals:
        assert arrival.refusal is not None, "only what was refused goes to quarantine"
        rows.append(
            {
                "w": str(arrival.workspace_id),
                "i": str(new_id()),
                "m": str(arrival.id),
                "b": None if arrival.message is None else str(arrival.message.inbox_id),
                "r": arrival.refusal.reason,
                "e": _storable(arrival.refusal.error),
                "h": arrival.refusal.trace_hash,
                "v": base64.b64encode(arrival.value).decode("ascii"),
                "x": {_storable(name): _storable(value.decode("utf-8", "replace")) for name, value in arrival.headers},
                "s": {"topic": topic, "partition": arrival.partition, "offset": arrival.offset},
                "a": arrival.accepted_at.isoformat(),
                "t": "replaying" if arrival.waits else "open",
                "y": "router" if arrival.waits else None,
            }
        )
    if rows:
        await connection.execute(_WRITE, rows)


async def list_entries(
    connection: Connection,
    workspace_id: UUID,
    *,
    state: str | None = "open",
    error_hash: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Entries, newest first; ``before`` is the last id of the page before."""
    rows = await connection.fetch(_LIST, workspace_id, state, error_hash, before, limit)
    return [Entry(**dict(row)) for row in rows]


async def show_entry(connection: Connection, workspace_id: UUID, entry_id: UUID) -> Entry:
    """One entry with its bytes. Raises `NotFound`."""
    row = await connection.fetchrow(_SHOW, workspace_id, entry_id)
    if row is None:
        raise NotFound("no such entry in quarantine", field="id")
    return Entry(**dict(row))


async def ask_replay(connection: Connection, workspace_id: UUID, entry_id: UUID, *, actor: str) -> None:
    """Asks the router to replay; wake ``intake`` after the commit. Raises `NotFound`, `Conflict` when it is resolved or asked."""
    if await connection.fetchval(_ASK, workspace_id, entry_id, actor) is None:
        entry = await show_entry(connection, workspace_id, entry_id)
        raise Conflict(f"the entry is {entry.state}", field="state")


async def asked_replays(connection: Connection) -> list[tuple[UUID, UUID, str]]:
    """(workspace, entry, actor) of replays that were asked for: each workspace's first, then their second, `OF_ONE` at most."""
    return [(row["workspace_id"], row["id"], row["resolved_by"] or "") for row in await connection.fetch(_ASKED, OF_ONE)]


async def put_back(connection: Connection, workspace_id: UUID, entry_id: UUID, *, error: str) -> None:
    """A replay failed: the entry is open again, with the new reason."""
    await connection.execute(_PUT_BACK, workspace_id, entry_id, _storable(error[:2000]))


async def discard(connection: Connection, workspace_id: UUID, entry_id: UUID, *, actor: str) -> None:
    """Ends an entry without its message; the receipt stays, so nothing brings it back. Raises `NotFound`, `Conflict`."""
    await end_entry(connection, workspace_id, entry_id, state="discarded", actor=actor)


async def end_entry(connection: Connection, workspace_id: UUID, entry_id: UUID, *, state: str, actor: str) -> None:
    """Resolves an entry, once. Raises `NotFound`, `Conflict` when it was resolved before."""
    if await connection.fetchval(_END, workspace_id, entry_id, state, actor) is None:
        entry = await show_entry(connection, workspace_id, entry_id)
        raise Conflict(f"the entry is {entry.state}", field="state")


def _storable(text: str) -> str:
    """PostgreSQL's JSON takes neither NUL nor half a surrogate pair."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")

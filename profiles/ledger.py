"""Saying who is who, and taking it back: links and cannot-links written by people, keys and imports.

The ledger only grows; a retraction marks a row. Each command locks the workspace's identity, writes, and decides the touched
components anew, with the events, in the caller's transaction: call it before anything else locks a handle there.

**Identity**: a link by source, pair and kind; a cannot-link by its pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from profiles.evidence import Evidence
from profiles.handles import lock_handles
from profiles.identity_lock import lock_identity
from profiles.partition import LINK_KINDS
from profiles.recompute import reach, rebuild, recompute
from shared import outbox
from shared.database import Connection
from shared.errors import Conflict, InputRejected, NotFound
from shared.event import Event
from shared.handle import ASSURANCES
from shared.ids import HandleId, WorkspaceId, new_id

_ADD: Final = """
insert into santral.link
    (workspace_id, id, a, b, kind, assurance, source, evidence, actor, first_seen_at, last_seen_at, verified_at, expires_at)
values ($1, $2, $3, $4, $5, $6::text, $7, $8, $9, $10::timestamptz, $10, case when $6 <> 'asserted' then $10 end, $11)
on conflict (workspace_id, source, a, b, kind) do nothing returning id
"""
_RECORD: Final = """
insert into santral.link
    (workspace_id, id, a, b, kind, assurance, source, actor, first_seen_at, last_seen_at, verified_at)
select workspace_id, id, a, b, kind, assurance, source, $9, seen_at, seen_at, case when assurance <> 'asserted' then seen_at end
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
     with ordinality as g(workspace_id, id, a, b, kind, assurance, source, seen_at, place)
order by place
on conflict (workspace_id, source, a, b, kind) do nothing
"""
_SAME: Final = "select id from santral.link where workspace_id = $1 and source = $2 and a = $3 and b = $4 and kind = $5"
_RETRACT: Final = """
update santral.link set retracted_at = now(), retracted_by = $3
where workspace_id = $1 and id = $2 and retracted_at is null returning a, b
"""
_FORBID: Final = "insert into santral.cannot_link (workspace_id, id, a, b, reason, actor) values ($1, $2, $3, $4, $5, $6)"
_FORBIDDEN: Final = "select id from santral.cannot_link where workspace_id = $1 and a = $2 and b = $3 and retracted_at is null"
_SHARED: Final = "select shared, shared_by from santral.handle where workspace_id = $1 and id = $2"
_DECLARE: Final = "update santral.handle set shared = $3, shared_by = $4 where workspace_id = $1 and id = $2"
_ALLOW: Final = """
update santral.cannot_link set retracted_at = now()
where workspace_id = $1 and id = $2 and retracted_at is null returning a, b
"""


async def add_link(
    connection: Connection,
    workspace_id: WorkspaceId,
    one: HandleId,
    other: HandleId,
    *,
    kind: str,
    assurance: str,
    source: str,
    seen_at: datetime,
    actor: str | None = None,
    evidence: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
) -> UUID:
    """Records evidence that two handles are one person and decides anew; the link's id.

    The same source, pair and kind again returns the first row's id and changes nothing. Only ``channel_verified`` or better
    joins; an ``asserted`` link is a suggestion. Raises `InputRejected` for a handle that is not there or an unknown word.
    """
    if kind not in LINK_KINDS:
        raise InputRejected(f"unknown kind of link {kind!r}", field="kind", remedy=f"one of {', '.join(LINK_KINDS)}")
    if assurance not in ASSURANCES:
        raise InputRejected(f"unknown assurance {assurance!r}", field="assurance", remedy=f"one of {', '.join(ASSURANCES)}")
    a, b = _pair(one, other)
    await lock_identity(connection, [workspace_id])
    link_id = await connection.fetchval(
        _ADD, workspace_id, new_id(), a, b, kind, assurance, source, dict(evidence or {}), actor, seen_at, expires_at
    )
    if link_id is None:
        return UUID(str(await connection.fetchval(_SAME, workspace_id, source, a, b, kind)))
    if assurance != "asserted":
        await _decide(connection, workspace_id, a, b, cause={"actor": actor, "link": str(link_id)})
    return UUID(str(link_id))


async def record_links(connection: Connection, links: Sequence[Evidence], *, actor: str) -> list[UUID]:
    """Writes rows that a known caller vouches for; their ids. The caller of this decides anew afterwards. Twice is once.

    A row that was taken back is not brought back by saying the same again: who retracted it is believed more than its source.
    """
    ids = [new_id() for _ in links]
    if not links:
        return ids
    await connection.execute(
        _RECORD,
        [link.workspace_id for link in links],
        ids,
        [link.a for link in links],
        [link.b for link in links],
        [link.kind for link in links],
        [link.assurance for link in links],
        [link.source for link in links],
        [link.seen_at for link in links],
        actor,
    )
    return ids


async def retract_link(connection: Connection, workspace_id: WorkspaceId, link_id: UUID, *, actor: str) -> list[Event]:
    """Takes a link back and decides anew; what it alone held together comes apart, each with what it had.

    Retracting twice changes nothing. Raises `NotFound`. Equal evidence that arrives later counts again: to keep two people apart
    for good, add a cannot-link.
    """
    await lock_identity(connection, [workspace_id])
    row = await connection.fetchrow(_RETRACT, workspace_id, link_id, actor)
    if row is None:
        await _must_exist(connection, "link", workspace_id, link_id)
        return []
    cause = {"actor": actor, "retracted": str(link_id)}
    return await _decide(connection, workspace_id, row["a"], row["b"], reconsider=True, cause=cause)


async def add_cannot_link(
    connection: Connection, workspace_id: WorkspaceId, one: HandleId, other: HandleId, *, reason: str, actor: str | None = None
) -> UUID:
    """Remembers that two handles are never one person and decides anew; its id, the first one's when it is said again."""
    a, b = _pair(one, other)
    await lock_identity(connection, [workspace_id])
    known = await connection.fetchval(_FORBIDDEN, workspace_id, a, b)
    if known is not None:
        return UUID(str(known))
    cannot_id = new_id()
    await connection.execute(_FORBID, workspace_id, cannot_id, a, b, reason, actor)
    await _decide(connection, workspace_id, a, b, cause={"actor": actor, "kept_apart": str(cannot_id)})
    return cannot_id


async def retract_cannot_link(
    connection: Connection, workspace_id: WorkspaceId, cannot_id: UUID, *, actor: str | None = None
) -> list[Event]:
    """Forgets a cannot-link and decides anew. Twice changes nothing. Raises `NotFound`."""
    await lock_identity(connection, [workspace_id])
    row = await connection.fetchrow(_ALLOW, workspace_id, cannot_id)
    if row is None:
        await _must_exist(connection, "cannot_link", workspace_id, cannot_id)
        return []
    return await _decide(connection, workspace_id, row["a"], row["b"], cause={"actor": actor, "allowed": str(cannot_id)})


async def declare_shared(
    connection: Connection, workspace_id: WorkspaceId, handle_id: HandleId, *, shared: bool, actor: str
) -> list[Event]:
    """Says that a handle is nobody's (a reception's telephone, a family's mailbox), or takes that back; decides anew.

    It then joins nobody, whatever evidence there is. Twice changes nothing. Raises `NotFound`, `Conflict` for a handle that is nobody's
    for a reason that nobody can take back (our own address, a placeholder, an erased one).
    """
    await lock_identity(connection, [workspace_id])
    row = await connection.fetchrow(_SHARED, workspace_id, handle_id)
    if row is None:
        raise NotFound("no such handle", field="handle", remedy="a handle of this profile")
    if row["shared"] == shared:
        return []
    if row["shared_by"] not in ("", "agent", "fan_out"):
        raise Conflict(f"this handle is nobody's: {row['shared_by'].replace('_', ' ')}", field="handle", remedy="leave it as it is")
    # What too many people met is decided anew from the ledger, and stays nobody's while that says so.
    places = await reach(connection, [(workspace_id, handle_id)], reconsider=[(workspace_id, handle_id)])
    await lock_handles(connection, places)
    await connection.execute(_DECLARE, workspace_id, handle_id, shared, "agent" if shared else "")
    cause = {"actor": actor, "shared" if shared else "no_longer_shared": str(handle_id)}
    events = await rebuild(connection, places, reconsider=[(workspace_id, handle_id)], cause=cause)
    await outbox.record(connection, events)
    return events


async def _decide(
    connection: Connection,
    workspace_id: WorkspaceId,
    a: HandleId,
    b: HandleId,
    *,
    cause: Mapping[str, Any],
    reconsider: bool = False,
) -> list[Event]:
    seeds = [(workspace_id, a), (workspace_id, b)]
    events = await recompute(connection, seeds, reconsider=seeds if reconsider else (), cause=cause)
    await outbox.record(connection, events)
    return events


def _pair(one: HandleId, other: HandleId) -> tuple[HandleId, HandleId]:
    if one == other:
        raise InputRejected("a handle and itself", field="other", remedy="two different handles")
    return (one, other) if one < other else (other, one)


async def _must_exist(connection: Connection, table: str, workspace_id: WorkspaceId, row_id: UUID) -> None:
    found = await connection.fetchval(
        f"select 1 from santral.{table} where workspace_id = $1 and id = $2",
        workspace_id, row_id,
    )  # fmt: skip
    if found is None:
        raise NotFound(f"no such {table.replace('_', '-')}", field="id")

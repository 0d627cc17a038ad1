"""Changed rules of identity reach everybody: a walk over the workspace's handles that decides each component anew, page by page.

A page is one transaction that holds the identity lock and moves the place, so the walk goes on where it was, whoever stops in between;
rules that change meanwhile begin it again. What comes out as it was writes nothing. Handles that met too many people are decided
anew, and what is or no longer is an address of the workspace's own is marked.

**Identity**: the workspace, and a digest of what it settled. **Units**: handles looked at; times aware UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from profiles.handles import lock_handles
from profiles.identity_lock import lock_identity
from profiles.recompute import reach, rebuild
from shared import outbox
from shared.database import Connection
from shared.handle import Handle
from shared.ids import WorkspaceId

PAGE: Final = 200
# Only where there is none: an insert would wait for whoever is moving the place. People of a workspace with default rules stand right.
_BEGIN: Final = """
insert into santral.rules_pass (workspace_id, digest, state, ended_at)
select $1, $2, case when $3 then 'done' else 'running' end, case when $3 then now() end
where not exists (select 1 from santral.rules_pass where workspace_id = $1) on conflict do nothing
"""
_PLACE: Final = "select digest, state, place from santral.rules_pass where workspace_id = $1 for update skip locked"
_AGAIN: Final = """
update santral.rules_pass set digest = $2, state = 'running', place = '00000000-0000-0000-0000-000000000000', looked = 0, changed = 0,
    began_at = now(), ended_at = null
where workspace_id = $1
"""
_PAGE: Final = """
select h.id, h.kind, h.scope, h.value, h.shared_by,
    exists (select 1 from santral.profile p where p.workspace_id = h.workspace_id and p.id = h.profile_id) as is_somebody
from santral.handle h where h.workspace_id = $1 and h.id > $2 order by h.id limit $3
"""
_MOVE: Final = """
update santral.rules_pass set place = $2, looked = looked + $3, changed = changed + $4, state = case when $5 then 'done' else state end,
    ended_at = case when $5 then now() end
where workspace_id = $1
"""
_OWN: Final = """
update santral.handle set shared = g.own, shared_by = case when g.own then 'own' else '' end
from unnest($2::uuid[], $3::bool[]) as g(id, own) where handle.workspace_id = $1 and handle.id = g.id
"""
_DONE: Final = "select workspace_id, digest from santral.rules_pass where state = 'done'"
_READ: Final = "select state, looked, changed, began_at, ended_at from santral.rules_pass where workspace_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesPass:
    """How far it is. ``changed``: events about people that came of it."""

    state: str
    looked: int
    changed: int
    began_at: datetime
    ended_at: datetime | None


def rules_digest(profile: Mapping[str, Any] | None, own: Collection[Handle]) -> str:
    """The same for the same rules. Not in it: when links end, looked at once an hour anyway, and weights."""
    kept = {name: said for name, said in (profile or {}).items() if name not in ("expire_after_s", "matching") and said}
    told = [msgspec.json.encode(kept, order="deterministic"), *sorted(str(handle).encode() for handle in own)]
    return hashlib.blake2b(b"\n".join(told), digest_size=16).hexdigest()


async def pass_on(
    connection: Connection, workspace_id: WorkspaceId, digest: str, own: Collection[Handle], *, page: int = PAGE
) -> bool:
    """One page, if there is one to do and nobody else is at it; whether there is more. ``digest`` is the rules', ``own`` among them."""
    await connection.execute(_BEGIN, workspace_id, digest, digest == rules_digest(None, ()))
    place = await connection.fetchrow(_PLACE, workspace_id)
    if place is None:
        return False
    after = place["place"]
    if place["digest"] != digest:
        await connection.execute(_AGAIN, workspace_id, digest)
        after = UUID(int=0)
    elif place["state"] == "done":
        return False
    rows = await connection.fetch(_PAGE, workspace_id, after, page)
    changed = await _decide(connection, workspace_id, rows, own) if rows else 0
    last = len(rows) < page
    await connection.execute(_MOVE, workspace_id, rows[-1]["id"] if rows else after, len(rows), changed, last)
    return not last


async def _decide(connection: Connection, workspace_id: WorkspaceId, rows: Collection[Any], own: Collection[Handle]) -> int:
    await lock_identity(connection, [workspace_id])
    named = {row["id"]: Handle(kind=row["kind"], scope=row["scope"], value=row["value"]) in own for row in rows}
    turned = {row["id"]: named[row["id"]] for row in rows if named[row["id"]] is not (row["shared_by"] == "own")}
    # What a person of the workspace or its value says of a handle stays said.
    turned = {row["id"]: turned[row["id"]] for row in rows if row["id"] in turned and row["shared_by"] in ("", "own", "fan_out")}
    walls = {(workspace_id, row["id"]) for row in rows if row["id"] in turned or row["shared_by"] == "fan_out"}
    # A handle that somebody only named is nobody yet: no profile begins because rules changed, and an erasure finds it with its namer.
    somebody = {(workspace_id, row["id"]) for row in rows if row["is_somebody"]}
    places = await reach(connection, somebody | walls, reconsider=walls)
    if not places:
        return 0
    await lock_handles(connection, places)
    if turned:
        await connection.execute(_OWN, workspace_id, list(turned), list(turned.values()))
    events = await rebuild(connection, places, reconsider=walls, cause={"actor": "rules"})
    await outbox.record(connection, events)
    return len(events)


async def read_done(connection: Connection) -> dict[UUID, str]:
    """The digest of the rules by which everybody of a workspace stands, by workspace; one whose walk goes on is not there."""
    return {row["workspace_id"]: row["digest"] for row in await connection.fetch(_DONE)}


async def read_pass(connection: Connection, workspace_id: WorkspaceId) -> RulesPass | None:
    """How far the walk is; None before it was ever looked at."""
    row = await connection.fetchrow(_READ, workspace_id)
    return None if row is None else RulesPass(**dict(row))

"""Handles of earlier releases read again: a walk over the workspace's handles that gives each its present name beside the old one.

A page is one transaction under the identity lock that moves the place, so the walk goes on where it was, whoever stops in between.
The old row stays as it is. Its person gets the present handle when that is nobody's yet; when it is somebody's, the two are suggested
as one person and never merged here. What cannot be read again stays, and is told. `shared/handle_forms.py` says what changed.

**Identity**: the workspace and the rules that are carried out. **Units**: handles looked at; times aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from profiles.evidence import Evidence, record
from profiles.handles import KnownHandle, as_named, begin_handles, known_by_key, lock_handles
from profiles.identity_lock import lock_identity
from profiles.recompute import reach, rebuild
from profiles.sighting import Key, WantedHandle, renewal_link
from shared import outbox
from shared.database import Connection
from shared.handle import Handle
from shared.handle_forms import NORMALIZATION, is_readable, renewed
from shared.ids import HandleId, WorkspaceId, new_id

PAGE: Final = 500
FINDINGS_MAX: Final = 50
_BEGIN: Final = """
insert into santral.handle_renewal (workspace_id, normalization) select $1, $2
where not exists (select 1 from santral.handle_renewal where workspace_id = $1) on conflict do nothing
"""
_PLACE: Final = """
select normalization, state, place, findings from santral.handle_renewal where workspace_id = $1 for update skip locked
"""
_AGAIN: Final = """
update santral.handle_renewal set normalization = $2, state = 'running', place = '00000000-0000-0000-0000-000000000000', looked = 0,
    renewed = 0, clashed = 0, unreadable = 0, findings = '[]', began_at = now(), ended_at = null
where workspace_id = $1
"""
_PAGE: Final = """
select h.id, h.kind, h.scope, h.value, h.raw, h.name, h.assurance, h.shared_by, h.first_seen_at, h.last_seen_at, h.profile_id,
    exists (select 1 from santral.profile p where p.workspace_id = h.workspace_id and p.id = h.profile_id) as is_somebody
from santral.handle h where h.workspace_id = $1 and h.id > $2 order by h.id limit $3
"""
_MOVE: Final = """
update santral.handle_renewal set place = $2, looked = looked + $3, renewed = renewed + $4, clashed = clashed + $5,
    unreadable = unreadable + $6, findings = $7, state = case when $8 then 'done' else state end, ended_at = case when $8 then now() end
where workspace_id = $1
"""
_SUGGEST: Final = """
insert into santral.suggestion (workspace_id, id, a, b, weight, probability, evidence)
values ($1, $2, $3, $4, 0, 0.5, jsonb_build_array(jsonb_build_object('field', $5::text, 'level', 'renewed', 'weight', 0)))
on conflict (workspace_id, a, b) do nothing
"""


async def renew(connection: Connection, workspace_id: WorkspaceId, *, page: int = PAGE) -> bool:
    """One page, if there is one to do and nobody else is at it; whether there is more."""
    await connection.execute(_BEGIN, workspace_id, NORMALIZATION)
    place = await connection.fetchrow(_PLACE, workspace_id)
    # A release that came later is upgrading: its rules are newer than what is known here.
    if place is None or place["normalization"] > NORMALIZATION:
        return False
    after, findings = place["place"], list(place["findings"])
    if place["normalization"] < NORMALIZATION:
        await connection.execute(_AGAIN, workspace_id, NORMALIZATION)
        after, findings = UUID(int=0), []
    elif place["state"] == "done":
        return False
    rows = await connection.fetch(_PAGE, workspace_id, after, page)
    found = await _renewed(connection, workspace_id, rows)
    counts = [sum(one["what"] == what for one in found) for what in ("renewed", "clash", "unreadable")]
    last = len(rows) < page
    kept = [*findings, *found][:FINDINGS_MAX]
    await connection.execute(_MOVE, workspace_id, rows[-1]["id"] if rows else after, len(rows), *counts, kept, last)
    return not last


async def _renewed(connection: Connection, workspace_id: WorkspaceId, rows: Sequence[Any]) -> list[dict[str, str]]:
    """What became of a page's handles: a line for each that changed, clashes, or cannot be read."""
    names = {row["id"]: as_named(Handle(kind=row["kind"], scope=row["scope"], value=row["value"])) for row in rows}
    found = [{"what": "unreadable", "handle": str(row["id"])} for row in rows if _unreadable(names[row["id"]], row["raw"])]
    now = {row["id"]: renewed(names[row["id"]], row["raw"]) for row in rows}
    # With a handle that somebody only named nobody ever wrote: it gets its present name when it comes again, and an erasure finds it.
    changed = [row for row in rows if now[row["id"]] != names[row["id"]] and row["is_somebody"]]
    if not changed:
        return found
    await lock_identity(connection, [workspace_id])
    wanted = {key: row for row in reversed(changed) if (key := (workspace_id, now[row["id"]]))}
    there = await known_by_key(connection, list(wanted))
    fresh = await begin_handles(connection, [_wanted(key, row) for key, row in wanted.items() if key not in there])
    known = await known_by_key(connection, list(wanted))
    await _join(connection, workspace_id, {key: row for key, row in wanted.items() if known[key].id in fresh}, known)
    known = await known_by_key(connection, list(wanted))
    owners = {row["id"]: row["profile_id"] for row in await connection.fetch(_OWNERS, workspace_id, [row["id"] for row in changed])}
    for row in changed:
        other = known[workspace_id, now[row["id"]]]
        clash = other.profile_id != owners[row["id"]] and not row["shared_by"]
        if clash:
            await connection.execute(_SUGGEST, workspace_id, new_id(), *sorted((row["id"], other.id)), row["kind"])
        found.append({"what": "clash" if clash else "renewed", "handle": str(row["id"]), "other": str(other.id)})
    return found


_OWNERS: Final = "select id, profile_id from santral.handle where workspace_id = $1 and id = any($2::uuid[])"


async def _join(
    connection: Connection, workspace_id: WorkspaceId, begun: Mapping[Key, Any], known: Mapping[Key, KnownHandle]
) -> None:
    if not begun:
        return
    said = []
    for key, row in begun.items():
        link = renewal_link(key, key, row["first_seen_at"])
        a, b = sorted((HandleId(row["id"]), known[key].id))
        said.append(
            Evidence(
                workspace_id=workspace_id,
                a=a,
                b=b,
                kind=link.kind,
                assurance=link.assurance,
                source=link.source,
                seen_at=link.seen_at,
            )
        )
    joined = await record(connection, said)
    places = await reach(connection, {(w, handle_id) for w, a, b in joined for handle_id in (a, b)})
    await lock_handles(connection, places)
    await outbox.record(connection, await rebuild(connection, places, cause={"actor": "release"}))


def _unreadable(handle: Handle, raw: str) -> bool:
    """Whether this release refuses what an earlier one took for an address."""
    return handle.kind == "email" and '"' in handle.value and not is_readable(handle) and renewed(handle, raw) == handle


def _wanted(key: Key, row: Any) -> WantedHandle:
    return WantedHandle(
        key=key, raw=row["raw"], name=row["name"], assurance=row["assurance"], first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"], present=True, kept_apart=row["shared_by"],
    )  # fmt: skip

"""Attribute values with where they come from, and the last agent: what is observed about a person, by handle.

A newer value of the same source replaces the older one; which of several sources' values is shown is `survivorship`'s choice and is
kept beside the profile. **Identity**: handle, attribute, source. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from profiles.handles import lock_handles
from profiles.identity_lock import lock_identity
from profiles.recompute import reach, rebuild
from profiles.survivorship import Observation, by_time
from shared import outbox
from shared.database import Connection
from shared.errors import NotFound
from shared.ids import AgentId, HandleId, WorkspaceId, new_id

_UPSERT: Final = """
insert into santral.fact (workspace_id, id, handle_id, name, value, source, assurance, observed_at)
select $1, (g->>'i')::uuid, $2, g->>'n', g->'v', g->>'s', g->>'a', (g->>'o')::timestamptz
from jsonb_array_elements($3::jsonb) as given(g) order by g->>'n', g->>'s'
on conflict (workspace_id, handle_id, name, source) do update
set value = excluded.value, assurance = excluded.assurance, observed_at = excluded.observed_at
where (excluded.observed_at, excluded.value::text) > (fact.observed_at, fact.value::text)
returning id, name
"""
_HEAD: Final = "select profile_id from santral.handle where workspace_id = $1 and id = $2"
_MEMBERS: Final = "select id from santral.handle where workspace_id = $1 and profile_id = $2"
_VERSION: Final = "select version from santral.profile where workspace_id = $1 and id = $2"
_AGENT: Final = """
update santral.profile p set last_agent_id = $3 from santral.handle h
where h.workspace_id = $1 and h.id = $2 and p.workspace_id = h.workspace_id and p.id = h.profile_id
  and p.last_agent_id is distinct from $3
"""


async def observe(
    connection: Connection,
    workspace_id: WorkspaceId,
    handle_id: HandleId,
    observations: Sequence[Observation],
    *,
    cause: Mapping[str, Any] | None = None,
) -> int | None:
    """Writes what was observed and what is shown of it now; the profile's new version, None when nothing shown changed.

    Any order of calls ends the same, and the same observations twice change nothing. Raises `NotFound` for an unknown handle.
    """
    await lock_identity(connection, [workspace_id])
    profile_id = await connection.fetchval(_HEAD, workspace_id, handle_id)
    if profile_id is None:
        raise NotFound("no such handle", field="handle_id")
    members = {(workspace_id, row["id"]) for row in await connection.fetch(_MEMBERS, workspace_id, profile_id)}
    places = await reach(connection, members)
    await lock_handles(connection, places)
    if not await write_facts(connection, workspace_id, handle_id, observations):
        return None
    events = await rebuild(connection, places, cause=cause)
    await outbox.record(connection, events)
    return int(await connection.fetchval(_VERSION, workspace_id, profile_id)) if events else None


async def write_facts(
    connection: Connection, workspace_id: WorkspaceId, handle_id: HandleId, observations: Sequence[Observation]
) -> list[str]:
    """Writes what is new of it and names the attributes; the caller holds the handle's row and decides anew afterwards."""
    latest: dict[tuple[str, str], Observation] = {}
    for seen in sorted(observations, key=by_time):
        latest[seen.name, seen.source] = seen
    rows = [
        {
            "i": str(new_id()), "n": seen.name, "v": seen.value, "s": seen.source, "a": seen.assurance,
            "o": seen.observed_at.isoformat(),
        }
        for seen in latest.values()
    ]  # fmt: skip
    if not rows:
        return []
    return sorted(row["name"] for row in await connection.fetch(_UPSERT, workspace_id, handle_id, rows))


async def note_agent(connection: Connection, workspace_id: WorkspaceId, handle_id: HandleId, agent_id: AgentId) -> None:
    """Remembers who served this person last, for the next time; no new version, twice is once."""
    await connection.execute(_AGENT, workspace_id, handle_id, agent_id)

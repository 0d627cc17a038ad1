"""Attribute values with where they come from, and the last agent: what is observed about a person, by handle.

A newer value of the same source replaces the older one; which of several sources' values is shown is `survivorship`'s choice and is
kept beside the profile. **Identity**: handle, attribute, source. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from profiles.handles import lock_handles
from profiles.recompute import FACTS, observation
from profiles.survivorship import Observation, effective, materialized, most_recent
from shared import outbox
from shared.database import Connection
from shared.errors import NotFound
from shared.event import Event
from shared.ids import AgentId, HandleId, WorkspaceId, new_id

_UPSERT: Final = """
insert into santral.fact (workspace_id, id, handle_id, name, value, source, assurance, observed_at)
select $1, (g->>'i')::uuid, $2, g->>'n', g->'v', g->>'s', g->>'a', (g->>'o')::timestamptz
from jsonb_array_elements($3::jsonb) as given(g) order by g->>'n', g->>'s'
on conflict (workspace_id, handle_id, name, source) do update
set value = excluded.value, assurance = excluded.assurance, observed_at = excluded.observed_at
where (excluded.observed_at, excluded.value::text) > (fact.observed_at, fact.value::text)
returning id
"""
_HEAD: Final = "select profile_id from santral.handle where workspace_id = $1 and id = $2"
_BEGIN: Final = "insert into santral.profile (workspace_id, id) values ($1, $2) on conflict do nothing returning id"
_LOCK: Final = (
    "select version, effective, now() as as_of from santral.profile where workspace_id = $1 and id = $2 for no key update"
)
_MEMBERS: Final = "select id from santral.handle where workspace_id = $1 and profile_id = $2"
_STORE: Final = """
update santral.profile set effective = $3, version = version + 1, changed_at = now()
where workspace_id = $1 and id = $2 returning version
"""
_AGENT: Final = """
update santral.profile p set last_agent_id = $3 from santral.handle h
where h.workspace_id = $1 and h.id = $2 and p.workspace_id = h.workspace_id and p.id = h.profile_id
  and p.last_agent_id is distinct from $3
"""


async def observe(
    connection: Connection, workspace_id: WorkspaceId, handle_id: HandleId, observations: Sequence[Observation]
) -> int | None:
    """Writes what was observed and what is shown of it now; the profile's new version, None when nothing shown changed.

    Any order of calls ends the same, and the same observations twice change nothing. Raises `NotFound` for an unknown handle.
    """
    latest: dict[tuple[str, str], Observation] = {}
    for seen in sorted(observations, key=most_recent):
        latest[seen.name, seen.source] = seen
    await lock_handles(connection, [(workspace_id, handle_id)])
    profile_id = await connection.fetchval(_HEAD, workspace_id, handle_id)
    if profile_id is None:
        raise NotFound("no such handle", field="handle_id")
    rows = [
        {
            "i": str(new_id()), "n": seen.name, "v": seen.value, "s": seen.source, "a": seen.assurance,
            "o": seen.observed_at.isoformat(),
        }
        for seen in latest.values()
    ]  # fmt: skip
    if not await connection.fetch(_UPSERT, workspace_id, handle_id, rows):
        return None
    return await _show(connection, workspace_id, profile_id)


async def _show(connection: Connection, workspace_id: WorkspaceId, profile_id: HandleId) -> int | None:
    begun = await connection.fetchval(_BEGIN, workspace_id, profile_id)
    # The facts are read after the row is locked, so two observers of one person both count.
    row = await connection.fetchrow(_LOCK, workspace_id, profile_id)
    assert row is not None, "inserted or found in the statement before"
    members = [member["id"] for member in await connection.fetch(_MEMBERS, workspace_id, profile_id)]
    facts = await connection.fetch(FACTS, [workspace_id] * len(members), members)
    shown = materialized(effective(observation(fact) for fact in facts))
    if shown == row["effective"]:
        return None
    version = int(await connection.fetchval(_STORE, workspace_id, profile_id, shown))
    event = Event(
        id=new_id(), workspace_id=workspace_id, type="profile.created" if begun else "profile.changed", at=row["as_of"],
        profile_id=profile_id, data={"version": version, "handles": len(members), "what": ["attributes"]},
    )  # fmt: skip
    await outbox.record(connection, [event])
    return version


async def note_agent(connection: Connection, workspace_id: WorkspaceId, handle_id: HandleId, agent_id: AgentId) -> None:
    """Remembers who served this person last, for the next time; no new version, twice is once."""
    await connection.execute(_AGENT, workspace_id, handle_id, agent_id)

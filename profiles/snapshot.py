"""What routing sees of the customers of a batch: version, handles, attributes, last agent; one SELECT for all of them.

**Identity**: workspace and handle asked for; two handles of one person give equal snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from profiles.survivorship import VERIFIED_ONLY
from shared.database import Connection
from shared.handle import assurance_rank
from shared.ids import AgentId, HandleId, ProfileId, WorkspaceId

_SNAPSHOTS: Final = """
select g.place, h.profile_id, coalesce(p.version, 1) as version, coalesce(p.effective, '{}') as effective,
       coalesce(p.last_agent_id, m.last_agent_id) as last_agent_id, m.handles
from unnest($1::uuid[], $2::uuid[]) with ordinality as g(workspace_id, id, place)
cross join lateral (
    select f.profile_id from santral.handle f where f.workspace_id = g.workspace_id and f.id = g.id limit 1
) h
left join lateral (
    select f.version, f.effective, f.last_agent_id from santral.profile f
    where f.workspace_id = g.workspace_id and f.id = h.profile_id limit 1
) p on true
cross join lateral (
    select jsonb_agg(jsonb_build_array(f.id, f.kind, f.scope, f.value, f.assurance, f.name)
                     order by f.first_seen_at, f.id) as handles,
           (array_agg(q.last_agent_id order by q.changed_at desc) filter (where q.last_agent_id is not null))[1]
               as last_agent_id
    from santral.handle f left join santral.profile q on q.workspace_id = f.workspace_id and q.id = f.id
    where f.workspace_id = g.workspace_id and f.profile_id = h.profile_id
) m
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleSeen:
    """One of a person's handles."""

    kind: str
    scope: str
    value: str
    assurance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A profile as of ``version``. ``name`` is the best vouched-for one, empty when nobody said; ``tags`` in order."""

    profile_id: ProfileId
    version: int
    name: str
    handles: tuple[HandleSeen, ...]
    attributes: Mapping[str, Any]
    tier: str
    tags: tuple[str, ...]
    language: str
    last_agent_id: AgentId | None
    handle_ids: tuple[HandleId, ...]


async def snapshots(
    connection: Connection, pairs: Sequence[tuple[WorkspaceId, HandleId]]
) -> dict[tuple[WorkspaceId, HandleId], Snapshot]:
    """The snapshot of each handle's person; handles that are not there are left out."""
    asked = list(dict.fromkeys(pairs))
    if not asked:
        return {}
    rows = await connection.fetch(_SNAPSHOTS, [workspace_id for workspace_id, _ in asked], [handle_id for _, handle_id in asked])
    return {asked[row["place"] - 1]: _snapshot(row) for row in rows}


def _snapshot(row: Any) -> Snapshot:
    attributes = {name: kept["value"] for name, kept in row["effective"].items()}
    tags = attributes.get("tags")
    return Snapshot(
        profile_id=row["profile_id"],
        version=row["version"],
        name=shown_name(row["effective"], [(handle[4], handle[5]) for handle in row["handles"]]),
        handles=tuple(
            HandleSeen(kind=kind, scope=scope, value=value, assurance=assurance)
            for _, kind, scope, value, assurance, _ in row["handles"]
        ),
        attributes={name: value for name, value in attributes.items() if name not in VERIFIED_ONLY},
        tier=_text(attributes.get("tier")),
        tags=tuple(sorted(str(tag) for tag in tags)) if isinstance(tags, list) else (),
        language=_text(attributes.get("language")),
        last_agent_id=row["last_agent_id"],
        handle_ids=tuple(HandleId(UUID(handle[0])) for handle in row["handles"]),
    )


def shown_name(effective: Mapping[str, Any], named: Sequence[tuple[str, str]]) -> str:
    """The name a person is shown under: the attribute ``name``, else that of the best vouched-for, oldest handle.

    ``named``: (assurance, name) of the handles, oldest first.
    """
    said = effective.get("name")
    if said is not None and isinstance(said["value"], str) and said["value"]:
        return str(said["value"])
    best = max((pair for pair in named if pair[1]), key=lambda pair: assurance_rank(pair[0]), default=None)
    return best[1] if best is not None else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

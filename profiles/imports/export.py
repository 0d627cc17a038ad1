"""People as rows of a list, in the shape an import takes: handles, name, shown values, consent that holds. Pages by profile id.

What an export wrote and an import reads again changes nothing. **Identity**: profile id; every page has whole people.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from profiles.snapshot import shown_name
from shared.database import Connection
from shared.ids import WorkspaceId

_PEOPLE: Final = """
select p.id, p.effective, m.handles, c.consents
from (
    select f.id, f.effective from santral.profile f
    where f.workspace_id = $1 and f.merged_into = '00000000-0000-0000-0000-000000000000' and ($2::uuid is null or f.id > $2)
    order by f.id limit $3
) p
cross join lateral (
    select jsonb_agg(jsonb_build_array(h.kind, h.scope, h.value, h.assurance, h.name, h.shared) order by h.first_seen_at, h.id) as handles
    from santral.handle h where h.workspace_id = $1 and h.profile_id = p.id
) m
cross join lateral (
    select jsonb_agg(jsonb_build_array(s.purpose, s.channel, s.granted) order by s.purpose, s.channel) as consents from (
        select distinct on (n.purpose, n.channel) n.purpose, n.channel, n.granted
        from santral.handle h join santral.consent n on n.workspace_id = h.workspace_id and n.handle_id = h.id
        where h.workspace_id = $1 and h.profile_id = p.id
        order by n.purpose, n.channel, n.stated_at desc, n.id desc
    ) s
) c
order by p.id
"""


async def people_after(
    connection: Connection, workspace_id: WorkspaceId, after: UUID | None, limit: int
) -> tuple[list[dict[str, Any]], UUID | None]:
    """A page of people, and the id to go on after; None on the last page. Who has no handle that may link is left out."""
    rows = await connection.fetch(_PEOPLE, workspace_id, after, limit + 1)
    people = [_person(row) for row in rows[:limit] if row["handles"]]
    return [one for one in people if one["handles"]], rows[limit - 1]["id"] if len(rows) > limit else None


def _person(row: Any) -> dict[str, Any]:
    said = [(assurance, name) for _, _, _, assurance, name, _ in row["handles"]]
    return {
        "handles": [
            {"kind": kind, "scope": scope, "value": value} for kind, scope, value, _, _, shared in row["handles"] if not shared
        ],
        "name": shown_name(row["effective"], said),
        "traits": {name: kept["value"] for name, kept in row["effective"].items()},
        "consents": [{"purpose": p, "channel": c, "granted": granted} for p, c, granted in row["consents"] or ()],
    }

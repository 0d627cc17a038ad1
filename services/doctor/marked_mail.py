"""Workspaces that keep mail out of work only because it is marked: how much of late, and how to switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.doctor.finding import Finding, ok, warn
from shared.database import Database

_KEPT_OUT: Final = """
select w.name, count(m.id) as month, count(m.id) filter (where m.accepted_at > now() - interval '7 days') as week
from santral.workspace w
left join santral.message m on m.workspace_id = w.workspace_id and m.accepted_at > now() - interval '30 days' and m.direction = 'in'
    and m.body ? 'automatic' and m.body->'automatic'->>'marked_only' = 'true' and not m.body ? 'made_work'
where w.settings->>'marked_mail' is distinct from 'work' group by w.name order by w.name
"""
_REMEDY: Final = (
    "look at it (the desk's page of what is kept out, or GET /v1/kept-out), then set marked_mail: work in the workspace's settings"
    " (santral apply, or PUT /v1/workspace)"
)


async def look_at_marked_mail(db: Database) -> Sequence[Finding]:
    """A line for each workspace whose ``marked_mail`` is not ``work``; what a release from before that setting took in is not counted."""
    async with db.session() as connection:
        rows = await connection.fetch(_KEPT_OUT)
    found = []
    for row in rows:
        text = f"{row['name']} keeps mail out of work only because it is marked: {row['week']} in the last 7 days, {row['month']} in 30"
        found.append(warn("marked mail", text, _REMEDY) if row["month"] else ok("marked mail", text))
    return found or [ok("marked mail", "is work in every workspace")]

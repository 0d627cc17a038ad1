"""Workspaces with more of a kind of configuration than may be saved today, because an earlier release knew no bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.api.bounds import BOUNDS
from services.doctor.finding import Finding, ok, warn
from shared.database import Database
from shared.own_addresses import OWN_ADDRESSES, OWN_ADDRESSES_MAX

_TABLES: Final = {kind: kind.removesuffix("es" if kind == "inboxes" else "s") for kind in BOUNDS}
_COUNTS: Final = " union all ".join(
    f"select workspace_id, '{kind}' as kind, count(*) as there from santral.\"{table}\" group by workspace_id having count(*) > {BOUNDS[kind]}"
    for kind, table in _TABLES.items()
)
_BEYOND: Final = f"""
select w.name as workspace, g.kind, g.there from ({_COUNTS}) g join santral.workspace w on w.id = g.workspace_id order by 1, 2
"""
_OWN: Final = f"""
select w.name as workspace from santral.workspace w where jsonb_array_length({OWN_ADDRESSES}) > {OWN_ADDRESSES_MAX} order by 1
"""


async def look_at_bounds(db: Database) -> Sequence[Finding]:
    """A line for each workspace and kind: what is there works, but nothing can be added; own addresses beyond the bound are not known as such."""
    async with db.session() as connection:
        found = [
            warn(
                "bounds", f"{row['workspace']}: {row['there']} {row['kind']}, at most {BOUNDS[row['kind']]} can be saved today",
                "delete what is not used",
            )
            for row in await connection.fetch(_BEYOND)
        ]  # fmt: skip
        found += [
            warn(
                "bounds",
                f"{row['workspace']}: more than {OWN_ADDRESSES_MAX} addresses and numbers of its own; those of aliases and numbers that came"
                " last count as customers'",
                "leave out those at which nobody writes to you",
            )
            for row in await connection.fetch(_OWN)
        ]
    return found or [ok("bounds", "no workspace has more of anything than may be saved")]

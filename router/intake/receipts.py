"""Receipts: the proof that a message was taken in, once and for ever. What has one already is dropped here, however often it comes.

Source of the ids: `shared/ids.py`, computed where the message enters. **Identity**: workspace and message id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from router.intake.batch_view import Key, key_columns
from shared.database import Connection

_KNOWN: Final = """
select r.workspace_id, r.id from santral.receipt r
join unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id) on r.workspace_id = g.workspace_id and r.id = g.id
union all
select g.workspace_id, null from unnest($3::uuid[]) as g(workspace_id)
where exists (select 1 from santral.tombstone t where t.workspace_id = g.workspace_id)
"""
_INSERT: Final = """
insert into santral.receipt (workspace_id, id, state)
select workspace_id, id, state from unnest($1::uuid[], $2::uuid[], $3::text[]) as g(workspace_id, id, state)
order by workspace_id, id on conflict do nothing returning workspace_id, id, now() as at
"""


async def known_receipts(connection: Connection, keys: Iterable[Key]) -> tuple[set[Key], set[UUID]]:
    """Which messages have a receipt already, and in which of their workspaces anybody was ever erased."""
    workspaces, ids = key_columns(keys)
    rows = await connection.fetch(_KNOWN, workspaces, ids, list(set(workspaces)))
    known = {(row["workspace_id"], row["id"]) for row in rows if row["id"] is not None}
    return known, {row["workspace_id"] for row in rows if row["id"] is None}


async def insert_receipts(connection: Connection, states: Mapping[Key, str]) -> dict[Key, datetime]:
    """Inserts receipts; returns those that are ours with the transaction's time, the others were taken in before."""
    workspaces, ids = key_columns(states)
    given = [states[key] for key in zip(workspaces, ids, strict=True)]
    rows = await connection.fetch(_INSERT, workspaces, ids, given)
    return {(row["workspace_id"], row["id"]): row["at"] for row in rows}

"""Which row of a list named a customer first, for as long as the import runs: a later row with the same id is told so, chunks apart too.

The database keeps it, so memory stays flat and an interrupted import still knows. What is kept is a keyed hash of the handle and a row's
number; it goes with the end of the import, and of an import that was given up after a month.

**Identity**: the import and the handle a row hangs on. **Units**: rows count from 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from profiles.imports.rows import Person, RejectedRow
from shared.database import Connection
from shared.handle import Handle
from shared.ids import WorkspaceId

_NOTE: Final = """
with given as (
    select hub, number from unnest($3::uuid[], $4::bigint[]) as g(hub, number)
), noted as (
    insert into santral.import_row (workspace_id, import_id, hub, number) select $1, $2, hub, number from given order by hub
    on conflict (workspace_id, import_id, hub) do nothing
)
select g.number, f.number as first from given g
join santral.import_row f on f.workspace_id = $1 and f.import_id = $2 and f.hub = g.hub
where f.number <> g.number
"""
_FORGET: Final = "delete from santral.import_row where workspace_id = $1 and import_id = $2"
_FORGET_TRIED: Final = """
delete from santral.import_row r using santral.import_job j
where r.workspace_id = $1 and r.import_id = $2 and j.workspace_id = $1 and j.id = $2 and (r.number >= j.next_row or j.state = 'finished')
"""
_FORGET_GIVEN_UP: Final = """
delete from santral.import_row r using santral.import_job j
where r.workspace_id = $1 and j.workspace_id = $1 and j.id = r.import_id and j.updated_at < now() - interval '30 days'
"""


async def repeated(
    connection: Connection, workspace_id: WorkspaceId, import_id: UUID, people: Sequence[Person], secret: bytes
) -> tuple[list[Person], list[RejectedRow]]:
    """The people whose row is the first of theirs, and the rows that are not. The same rows twice are their own first ones."""
    if not people:
        return [], []
    hubs = [_hash(secret, import_id, person.hub) for person in people]
    rows = await connection.fetch(_NOTE, workspace_id, import_id, hubs, [person.row for person in people])
    first = {row["number"]: row["first"] for row in rows}
    again = [
        RejectedRow(
            row=person.row, field=person.hub.kind, reason=f"row {first[person.row]} has the same {person.hub.kind}",
            remedy="keep one of them",
        )
        for person in people
        if person.row in first
    ]  # fmt: skip
    return [person for person in people if person.row not in first], again


async def forget_rows(connection: Connection, workspace_id: WorkspaceId, import_id: UUID) -> None:
    """At the end of an import and before it begins anew; takes what was given up along. Twice is once."""
    await connection.execute(_FORGET, workspace_id, import_id)
    await connection.execute(_FORGET_GIVEN_UP, workspace_id)


async def forget_tried(connection: Connection, workspace_id: WorkspaceId, import_id: UUID) -> None:
    """At the end of a trial: what only the trial remembered. What the import itself wrote stays remembered as long as it is open.

    The caller holds the job's row. Twice is once.
    """
    await connection.execute(_FORGET_TRIED, workspace_id, import_id)


def _hash(secret: bytes, import_id: UUID, handle: Handle) -> UUID:
    return UUID(
        bytes=hashlib.blake2b(
            import_id.bytes + str(handle).encode("utf-8", "surrogatepass"),
            key=secret[:64],
            digest_size=16,
            person=b"santral.imported",
        ).digest()
    )

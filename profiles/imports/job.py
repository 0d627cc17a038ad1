"""The state of an import: one row per list and source, with the place reached and what became of the rows so far.

The place moves in the transaction that writes the rows, so an interrupted import goes on where it really was, and a chunk given again
is answered without being written again.

**Identity**: source and digest of the list with its mapping. **Units**: rows count from 1; times aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from profiles.imports.chunk import Terms, Written
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.ids import WorkspaceId, new_id

_COLUMNS: Final = "id, source, digest, assurance, observed_at, state, next_row, created, changed, unchanged, rejected, actor"
_BEGIN: Final = f"""
insert into santral.import_job (workspace_id, id, source, digest, assurance, observed_at, actor) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (workspace_id, source, digest) do update set updated_at = now() returning {_COLUMNS}
"""
_AGAIN: Final = f"""
update santral.import_job set state = 'open', next_row = 1, created = 0, changed = 0, unchanged = 0, rejected = 0, assurance = $3,
    updated_at = now()
where workspace_id = $1 and id = $2 returning {_COLUMNS}
"""
_READ: Final = f"select {_COLUMNS} from santral.import_job where workspace_id = $1 and id = $2"
_MOVE: Final = f"""
update santral.import_job set next_row = $3, created = created + $4, changed = changed + $5, unchanged = unchanged + $6,
    rejected = rejected + $7, updated_at = now()
where workspace_id = $1 and id = $2 returning {_COLUMNS}
"""
_FINISH: Final = f"""
update santral.import_job set state = 'finished', updated_at = now() where workspace_id = $1 and id = $2 returning {_COLUMNS}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportJob:
    """``next_row``: the first row that is not written yet."""

    id: UUID
    source: str
    digest: str
    assurance: str
    observed_at: datetime
    state: str
    next_row: int
    created: int
    changed: int
    unchanged: int
    rejected: int
    actor: str


async def begin_job(connection: Connection, terms: Terms, digest: str, *, resume: bool) -> ImportJob:
    """The job of this list and source; one that was there goes on with ``resume``, else it begins at row 1 again.

    ``observed_at`` is that of the first time, so the same list said twice says nothing new.
    """
    row = await connection.fetchrow(
        _BEGIN, terms.workspace_id, new_id(), terms.source, digest, terms.assurance, terms.observed_at, terms.actor
    )
    assert row is not None, "inserted or found in the statement"
    if row["next_row"] > 1 and not resume:
        row = await connection.fetchrow(_AGAIN, terms.workspace_id, row["id"], terms.assurance)
    return _job(row)


async def read_job(connection: Connection, workspace_id: WorkspaceId, job_id: UUID, *, lock: bool = False) -> ImportJob:
    """The job; ``lock`` keeps others from writing its rows meanwhile. Raises `NotFound`."""
    row = await connection.fetchrow(_READ + (" for no key update" if lock else ""), workspace_id, job_id)
    if row is None:
        raise NotFound("no such import", field="id")
    return _job(row)


def at_its_place(job: ImportJob, first_row: int, last_row: int) -> bool:
    """Whether a chunk is to be written: False when it was. Raises `Conflict` for one that leaves a gap or overlaps."""
    if last_row < job.next_row:
        return False
    if first_row != job.next_row:
        raise Conflict(
            f"row {first_row} was given, row {job.next_row} comes next", field="first_row", remedy="go on there",
            next_row=job.next_row,
        )  # fmt: skip
    return True


async def move_job(
    connection: Connection, workspace_id: WorkspaceId, job: ImportJob, next_row: int, written: Written, rejected: int
) -> ImportJob:
    """Moves the place with what was written; the caller holds the job's row."""
    counts = (written.created, written.changed, written.unchanged, rejected)
    return _job(await connection.fetchrow(_MOVE, workspace_id, job.id, next_row, *counts))


async def finish_job(connection: Connection, workspace_id: WorkspaceId, job_id: UUID) -> ImportJob:
    """Marks the end; twice is once. Raises `NotFound`."""
    row = await connection.fetchrow(_FINISH, workspace_id, job_id)
    if row is None:
        raise NotFound("no such import", field="id")
    return _job(row)


def _job(row: Any) -> ImportJob:
    return ImportJob(**dict(row))

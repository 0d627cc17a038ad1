"""Customer lists: an import is begun, its rows are put in chunks, each applied in one transaction; and the way back, row by row.

A chunk says the number of its first row: given twice it is written once, out of turn it is refused with the row that comes next.
The rows carry what the list says; which column means what is the caller's mapping.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from profiles.erasure_tombstones import erased_handles
from profiles.imports.chunk import Terms, Written, write_people
from profiles.imports.export import people_after
from profiles.imports.job import ImportJob, at_its_place, begin_job, finish_job, move_job, read_job
from profiles.imports.rows import ROWS_MAX, GivenRow, Person, RejectedRow, understood
from profiles.imports.seen import forget_rows, repeated
from profiles.own import ADDRESSES, own_handles
from profiles.rules import profile_rules
from services.api.audit import audit
from services.api.lists import Cursor, cursor_of, values_of
from services.api.principal import Principal, ProfileReader, ProfileWriter
from shared.database import Connection, retried
from shared.errors import Forbidden, Unprocessable
from shared.handle import Handle

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
Json = dict[str, Any]
_SETTINGS: Final = f"""
select w.settings->>'region' as region, w.settings->'own_addresses' as own, w.settings->'profile' as profile,
       clock_timestamp() as now,
       {ADDRESSES} as inboxes
from santral.workspace w where w.id = $1
"""


class ImportIn(BaseModel):
    """A list that is about to be given. ``observed_at``: when it was drawn from its system; left out, now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"source": "crm", "digest": "9f86d081884c7d65", "observed_at": "2026-03-01T09:00:00Z"}]},
    )

    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    digest: Annotated[str, Field(min_length=8, max_length=128)]
    assurance: Literal["asserted", "channel_verified"] = "channel_verified"
    observed_at: AwareDatetime | None = None
    resume: bool = False


class _Chunk(msgspec.Struct, forbid_unknown_fields=True):
    rows: list[GivenRow]
    next_row: int


@router.post("/imports", status_code=201, summary="Begin an import")
async def begin_import(request: Request, principal: ProfileWriter, body: ImportIn) -> ImportJob:
    """The same list and source are one import: with ``resume`` it goes on at ``next_row``, else it begins at row 1 again."""
    _require_all(principal)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        settings = await connection.fetchrow(_SETTINGS, principal.workspace_id)
        observed_at = min(body.observed_at or settings["now"], settings["now"])
        terms = _terms(principal, settings, source=body.source, assurance=body.assurance, observed_at=observed_at)
        job = await begin_job(connection, terms, body.digest, resume=body.resume)
        if not body.resume:
            await forget_rows(connection, principal.workspace_id, job.id)
        await audit(connection, principal, "profiles.import_begun", "import", str(job.id), {"source": body.source})
    return job


@router.get("/imports/{import_id}", summary="How far an import is")
async def read_import(request: Request, principal: ProfileWriter, import_id: UUID) -> ImportJob:
    """Its place and counts."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return await read_job(connection, principal.workspace_id, import_id)


@router.put(
    "/imports/{import_id}/rows",
    summary="Write a chunk of rows",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}},
)
async def put_import_rows(
    request: Request,
    principal: ProfileWriter,
    import_id: UUID,
    first_row: Annotated[int, Query(ge=1, description="The number of the chunk's first row in the list")],
    dry_run: Annotated[bool, Query(description="Say what would happen; nothing is written and the place stays")] = False,
) -> Json:
    """Body: `{"rows": [{"row": 1, "handles": [{"kind": "email", "value": "…"}], "name": "…", "traits": {}, "consents": []}],
    "next_row": 2}`. Answers counts, the rows left out with field, reason and remedy, and the import."""
    _require_all(principal)
    chunk = _read(await request.body(), first_row)
    db = request.app.state.db
    async with db.batch(principal.workspace_id) as connection:
        settings = await connection.fetchrow(_SETTINGS, principal.workspace_id)
    own = own_handles(settings["inboxes"] or (), settings["own"], region=settings["region"])
    # Telephone numbers take their time; the loop has others to serve meanwhile.
    people, rejected = await asyncio.to_thread(understood, chunk.rows, region=settings["region"], own=own)

    async def write() -> Json:
        async with db.batch(principal.workspace_id) as connection:
            job = await read_job(connection, principal.workspace_id, import_id, lock=True)
            if not dry_run and not at_its_place(job, first_row, chunk.next_row - 1):
                return _answer(Written(), [], job, again=True)
            terms = _terms(principal, settings, source=job.source, assurance=job.assurance, observed_at=job.observed_at)
            secret = request.app.state.secret
            kept, gone = await _not_erased(connection, people, terms, secret)
            kept, again = await repeated(connection, principal.workspace_id, import_id, kept, secret)
            await connection.execute("savepoint trial")
            written = await write_people(connection, kept, terms)
            left_out = sorted([*rejected, *gone, *again], key=lambda one: one.row)
            moved = await move_job(connection, principal.workspace_id, job, chunk.next_row, written, len(left_out))
            await connection.execute("rollback to savepoint trial" if dry_run else "release savepoint trial")
            return _answer(written, left_out, job if dry_run else moved)

    return await retried(write)


@router.post("/imports/{import_id}/finish", summary="End an import")
async def finish_import(request: Request, principal: ProfileWriter, import_id: UUID) -> ImportJob:
    """Every row was given; twice is once."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        job = await finish_job(connection, principal.workspace_id, import_id)
        await forget_rows(connection, principal.workspace_id, import_id)
        counts = {"created": job.created, "changed": job.changed, "unchanged": job.unchanged, "rejected": job.rejected}
        await audit(connection, principal, "profiles.import_finished", "import", str(import_id), counts)
    return job


@router.get("/export", summary="Every customer, as an import takes them")
async def export_profiles(
    request: Request,
    principal: ProfileReader,
    limit: Annotated[int, Query(ge=1, le=2000, description="How many at most")] = 500,
    cursor: Cursor = None,
) -> Json:
    """Handles, name, shown attributes and consent of each person, oldest id first."""
    _require_all(principal)
    values = values_of(cursor, 1)
    after = UUID(str(values[0])) if values else None
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        people, last = await people_after(connection, principal.workspace_id, after, limit)
        await audit(connection, principal, "profiles.exported", "profile", "list", {"people": len(people)})
    return {"items": people, "next": cursor_of(last) if last is not None else None}


def _read(body: bytes, first_row: int) -> _Chunk:
    try:
        chunk = msgspec.json.decode(body, type=_Chunk)
    except msgspec.DecodeError as error:
        raise Unprocessable(str(error), field="body", remedy='{"rows": […], "next_row": n}') from error
    numbers = [row.row for row in chunk.rows]
    if len(numbers) > ROWS_MAX or chunk.next_row - first_row > ROWS_MAX:
        raise Unprocessable(f"{len(numbers)} rows", field="rows", remedy=f"at most {ROWS_MAX} in a chunk")
    inside = all(first_row <= number < chunk.next_row for number in numbers)
    if not inside or numbers != sorted(set(numbers)) or chunk.next_row <= first_row:
        raise Unprocessable("rows out of order", field="rows", remedy="each once, in order, from first_row to before next_row")
    return chunk


def _terms(principal: Principal, settings: Any, *, source: str, assurance: str, observed_at: datetime) -> Terms:
    return Terms(
        workspace_id=principal.workspace_id, source=source, assurance=assurance, observed_at=observed_at, actor=principal.actor,
        rules=profile_rules(settings["profile"]),
    )  # fmt: skip


async def _not_erased(
    connection: Connection, people: list[Person], terms: Terms, secret: bytes
) -> tuple[list[Person], list[RejectedRow]]:
    """Who was erased after the list was drawn does not come back by it."""
    handles: set[Handle] = {handle for person in people for handle in person.handles}
    erased = await erased_handles(connection, secret, terms.workspace_id, handles, terms.observed_at)
    gone = [
        RejectedRow(
            row=person.row, field=handle.kind, reason="erased after this list was drawn", remedy="take the row out of the list"
        )
        for person in people
        if (handle := next((one for one in person.handles if one in erased), None)) is not None
    ]
    numbers = {one.row for one in gone}
    return [person for person in people if person.row not in numbers], gone


def _answer(written: Written, rejected: list[RejectedRow], job: ImportJob, *, again: bool = False) -> Json:
    return {**asdict(written), "rejected": [asdict(one) for one in rejected], "again": again, "import": asdict(job)}


def _require_all(principal: Principal) -> None:
    """A list touches everybody, so does its export: not for a role that sees its own customers only."""
    if principal.visibility != "workspace":
        raise Forbidden("lists of customers are for those who see all of them", field="Authorization", remedy="ask a supervisor")

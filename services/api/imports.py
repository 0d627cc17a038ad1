"""Customer lists: an import is begun, its rows are put in chunks, each applied in one transaction; and the way back, row by row.

A chunk says the number of its first row: given twice it is written once, out of turn it is refused with the row that comes next.
The rows carry what the list says; which column means what is the caller's mapping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, Field

from profiles.erasure_tombstones import erased_handles
from profiles.imports.chunk import Terms, Written, write_people
from profiles.imports.export import people_after
from profiles.imports.job import ImportJob, at_its_place, begin_job, finish_job, move_job, read_job
from profiles.imports.rows import ROWS_MAX, GivenRow, Person, RejectedRow, understood
from profiles.imports.seen import forget_rows, forget_tried, repeated
from profiles.rules import profile_rules
from services.api.audit import audit
from services.api.lists import Cursor, Page, cursor_of, identity, values_of
from services.api.principal import Principal
from services.api.shown import Shown
from services.api.visibility import needs_everything
from services.privacy.awaited import awaited_of, joined_to
from shared.database import Connection, retried
from shared.errors import Unprocessable
from shared.given import Given
from shared.handle import Handle
from shared.moments import Moment

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
_OF_ALL: Final = "lists of customers are for those who see all of them"
Importer = Annotated[Principal, Depends(needs_everything("profiles:write", _OF_ALL))]
Exporter = Annotated[Principal, Depends(needs_everything("profiles:read", _OF_ALL))]
Json = dict[str, Any]
_SETTINGS: Final = """
select settings->>'region' as region, settings->'profile' as profile, clock_timestamp() as now from santral.workspace where id = $1
"""


class ImportIn(Given):
    """A list that is about to be given. ``observed_at``: when it was drawn from its system; left out, now."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"source": "crm", "digest": "9f86d081884c7d65", "observed_at": "2026-03-01T09:00:00Z"}]},
    )

    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    digest: Annotated[str, Field(min_length=8, max_length=128)]
    assurance: Literal["asserted", "channel_verified"] = "channel_verified"
    observed_at: Moment | None = None
    resume: bool = False


class WrittenRows(Shown):
    """What became of a chunk: rows by what was done, those left out with why, and the import. ``again``: it was written before."""

    created: int
    changed: int
    unchanged: int
    rejected: list[RejectedRow]
    again: bool
    job: Annotated[ImportJob, Field(alias="import")]


class ExportedHandle(Shown):
    """A handle that may link."""

    kind: str
    scope: str
    value: str


class ExportedConsent(Shown):
    """The last statement for a purpose on a channel."""

    purpose: str
    channel: str
    granted: bool


class ExportedPerson(Shown):
    """A person as a row of an import takes them."""

    handles: list[ExportedHandle]
    name: str
    traits: dict[str, Any]
    consents: list[ExportedConsent]


class _Chunk(msgspec.Struct, forbid_unknown_fields=True):
    rows: list[GivenRow]
    next_row: int


def _inlined(node: Any, named: Mapping[str, Any]) -> Any:
    """A schema of msgspec's without references, and as closed as its types are."""
    if isinstance(node, list):
        return [_inlined(one, named) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(named[node["$ref"]], named)
    closed = {"additionalProperties": False} if "properties" in node else {}
    return {**{name: _inlined(one, named) for name, one in node.items()}, **closed}


def _chunk() -> Json:
    (made,), named = msgspec.json.schema_components([_Chunk], ref_template="{name}")
    chunk: Json = _inlined(made, named)
    chunk["properties"]["rows"]["maxItems"] = ROWS_MAX
    chunk["properties"]["next_row"]["minimum"] = 2
    return chunk


_CHUNK: Final = _chunk()


@router.post("/imports", status_code=201, summary="Begin an import")
async def begin_import(request: Request, principal: Importer, body: ImportIn) -> ImportJob:
    """The same list and source are one import: with ``resume`` it goes on at ``next_row``, else it begins at row 1 again."""
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
async def read_import(request: Request, principal: Importer, import_id: UUID) -> ImportJob:
    """Its place and counts."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return await read_job(connection, principal.workspace_id, import_id)


@router.put(
    "/imports/{import_id}/rows",
    summary="Write a chunk of rows",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": _CHUNK}}, "required": True}},
)
async def put_import_rows(
    request: Request,
    principal: Importer,
    import_id: UUID,
    first_row: Annotated[int, Query(ge=1, description="The number of the chunk's first row in the list")],
    dry_run: Annotated[bool, Query(description="Say what would happen; nothing of it is written and the place stays")] = False,
) -> WrittenRows:
    """Body: `{"rows": [{"row": 1, "handles": [{"kind": "email", "value": "…"}], "name": "…", "traits": {}, "consents": []}],
    "next_row": 2}`. Answers counts, the rows left out with field, reason and remedy, and the import."""
    chunk = _read(await request.body(), first_row)
    db = request.app.state.db
    async with db.batch(principal.workspace_id) as connection:
        settings = await connection.fetchrow(_SETTINGS, principal.workspace_id)
        own = (await request.app.state.own_book.of(connection, principal.workspace_id)).handles
    # Telephone numbers take their time; the loop has others to serve meanwhile.
    async with request.app.state.thought_turns.of(principal):
        people, rejected = await asyncio.to_thread(understood, chunk.rows, region=settings["region"], own=own)

    async def write() -> WrittenRows:
        async with db.batch(principal.workspace_id) as connection:
            job = await read_job(connection, principal.workspace_id, import_id, lock=True)
            if not dry_run and not at_its_place(job, first_row, chunk.next_row - 1):
                return _answer(Written(), [], job, again=True)
            terms = _terms(principal, settings, source=job.source, assurance=job.assurance, observed_at=job.observed_at)
            secret = request.app.state.secret
            kept, gone = await _not_erased(connection, people, terms, secret)
            kept, awaited = await _not_awaited(connection, kept, terms)
            kept, again = await repeated(connection, principal.workspace_id, import_id, kept, secret)
            await connection.execute("savepoint trial")
            written = await write_people(connection, kept, terms)
            left_out = sorted([*rejected, *gone, *awaited, *again], key=lambda one: one.row)
            moved = await move_job(connection, principal.workspace_id, job, chunk.next_row, written, len(left_out))
            details = {"first_row": first_row, "next_row": chunk.next_row, "left_out": len(left_out)}
            await audit(connection, principal, "profiles.import_rows", "import", str(import_id), details)
            await connection.execute("rollback to savepoint trial" if dry_run else "release savepoint trial")
            return _answer(written, left_out, job if dry_run else moved)

    return await retried(write)


@router.post("/imports/{import_id}/finish", summary="End an import")
async def finish_import(
    request: Request,
    principal: Importer,
    import_id: UUID,
    dry_run: Annotated[bool, Query(description="The end of a trial: what it remembered goes, and the import stays open")] = False,
) -> ImportJob:
    """Every row was given; twice is once. The end of a trial changes nothing of the import, also of one that others are giving rows to."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        if dry_run:
            job = await read_job(connection, principal.workspace_id, import_id, lock=True)
            await forget_tried(connection, principal.workspace_id, import_id)
            await audit(connection, principal, "profiles.import_tried", "import", str(import_id))
            return job
        await forget_rows(connection, principal.workspace_id, import_id)
        job = await finish_job(connection, principal.workspace_id, import_id)
        counts = {"created": job.created, "changed": job.changed, "unchanged": job.unchanged, "rejected": job.rejected}
        await audit(connection, principal, "profiles.import_finished", "import", str(import_id), counts)
    return job


@router.get("/export", summary="Every customer, as an import takes them")
async def export_profiles(
    request: Request,
    principal: Exporter,
    limit: Annotated[int, Query(ge=1, le=2000, description="How many at most")] = 500,
    cursor: Cursor = None,
) -> Page[ExportedPerson]:
    """Handles, name, shown attributes and consent of each person, oldest id first."""
    values = values_of(cursor, identity)
    after = values[0] if values else None
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        people, last = await people_after(connection, principal.workspace_id, after, limit)
        await audit(connection, principal, "profiles.exported", "profile", "list", {"people": len(people)})
    return Page(items=[ExportedPerson(**one) for one in people], next=cursor_of(last) if last is not None else None)


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


async def _not_awaited(connection: Connection, people: list[Person], terms: Terms) -> tuple[list[Person], list[RejectedRow]]:
    """Nobody is joined to who is to be erased; a claim joins nobody."""
    if terms.assurance == "asserted":
        return people, []
    awaited = await awaited_of(connection, terms.workspace_id, {handle for person in people for handle in person.handles})
    joining = {person.row: one for person in people if (one := joined_to(person.handles, awaited)) is not None}
    left_out = [
        RejectedRow(row=row, field=one.kind, reason="this person is to be erased", remedy=f"wait for the erasure {awaited[one]}")
        for row, one in joining.items()
    ]
    return [person for person in people if person.row not in joining], left_out


def _answer(written: Written, rejected: list[RejectedRow], job: ImportJob, *, again: bool = False) -> WrittenRows:
    return WrittenRows(**asdict(written), rejected=rejected, again=again, **{"import": job})

"""Personal data on request: erase a person, hand over what is known of them, redact one message, see who looked.

The work is the courier's; here it is asked for, once, and its progress read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from profiles.erasure_covers import ERASED_KIND
from profiles.store import profile_view
from services.api.audit import audit
from services.api.document import BYTES, DISPOSITION, located
from services.api.file_answers import file_answer
from services.api.principal import Principal
from services.api.visibility import needs_everything
from services.privacy.erasures import require_not_held
from shared.database import Connection, retried
from shared.errors import Held, NotFound, Unprocessable
from shared.given import Given
from shared.ids import new_id

router = APIRouter(prefix="/v1", tags=["profiles"])
_OF_ALL: Final = "what is done with all that is known of somebody is for who sees everybody"
Eraser = Annotated[Principal, Depends(needs_everything("profiles:erase", _OF_ALL))]
Reason = Literal["not_needed", "consent_withdrawn", "objected", "unlawful", "law", "child"]
_KNOWN: Final = "select * from santral.erasure where workspace_id = $1 and profile_id = $2 and state <> 'done'"
_BY_HANDLE: Final = """
select e.* from santral.tombstone t join santral.erasure e on e.workspace_id = t.workspace_id and e.id = t.erasure_id
where t.workspace_id = $1 and t.handle_id = $2
"""
_ASK: Final = """
insert into santral.erasure (workspace_id, id, profile_id, reason, actor, state) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing returning *
"""


class EraseIn(Given):
    """Why (GDPR article 17, paragraph 1), and the profile's id once more, because nothing brings it back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "consent_withdrawn", "confirm": "0198c5f2-7b1e-7c3a-9d42-5f0e8a6b1c2d"}]},
    )

    reason: Reason
    confirm: UUID


class ErasureOut(BaseModel):
    """The confirmation. ``log_ends_at``: when the messages topic holds nothing of the person any more. ``counts``: rows by table.

    ``held``: it waits for the end of a legal hold, and goes on by itself.
    """

    id: UUID
    profile_id: UUID
    reason: Reason
    state: Literal["asked", "running", "held", "done"]
    step: str
    counts: dict[str, int]
    asked_at: datetime
    erased_at: datetime | None
    log_ends_at: datetime | None
    done_at: datetime | None


@router.post("/profiles/{profile_id}/erase", status_code=202, summary="Erase a person for good", responses=located(202))
async def erase_profile(request: Request, principal: Eraser, profile_id: UUID, body: EraseIn, response: Response) -> ErasureOut:
    """Asks the courier; a second time answers with the same confirmation. Any id the person ever had will do.

    While a legal hold stands against it, it waits in state ``held``.
    """
    state = request.app.state

    async def work() -> dict[str, Any]:
        async with state.db.batch(principal.workspace_id) as connection:
            return await _asked(connection, principal, profile_id, body, state.secret)

    row = await retried(work)
    state.hints.wake("privacy")
    response.headers["location"] = f"/v1/erasures/{row['id']}"
    return _receipt(row)


async def _asked(connection: Connection, principal: Principal, profile_id: UUID, body: EraseIn, secret: bytes) -> dict[str, Any]:
    view = await profile_view(connection, principal.workspace_id, profile_id)
    if body.confirm != profile_id:
        raise Unprocessable("not the profile that is to be erased", field="confirm", remedy="repeat the profile's id")
    if all(handle.kind == ERASED_KIND for handle in view.handles):
        known = await connection.fetchrow(_BY_HANDLE, principal.workspace_id, profile_id)
        if known is not None:
            return dict(known)
    try:
        await require_not_held(connection, principal.workspace_id, view.id, secret)
        state = "asked"
    except Held:
        state = "held"
    asked = await connection.fetchrow(_ASK, principal.workspace_id, new_id(), view.id, body.reason, principal.actor, state)
    if asked is None:
        asked = await connection.fetchrow(_KNOWN, principal.workspace_id, view.id)
        assert asked is not None, "an erasure of this profile is open"
        return dict(asked)
    await audit(
        connection, principal, "profile.erased", "profile", str(view.id), {"erasure": str(asked["id"]), "reason": body.reason}
    )
    return dict(asked)


@router.get("/erasures/{erasure_id}", summary="What an erasure did")
async def read_erasure(request: Request, principal: Eraser, erasure_id: UUID) -> ErasureOut:
    """How far it is, and the proof that it was done; it holds nothing of the person."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        row = await connection.fetchrow(
            "select * from santral.erasure where workspace_id = $1 and id = $2", principal.workspace_id, erasure_id
        )
    if row is None:
        raise NotFound("no such erasure", field="erasure_id")
    return _receipt(dict(row))


def _receipt(row: dict[str, Any]) -> ErasureOut:
    return ErasureOut(**{name: row[name] for name in ErasureOut.model_fields})


Exporter = Annotated[Principal, Depends(needs_everything("profiles:export", _OF_ALL))]


class ExportOut(BaseModel):
    """An export on its way: ``done`` of ``parts``; its file is there until ``expires_at``."""

    id: UUID
    profile_id: UUID
    state: Literal["asked", "running", "done", "failed", "expired"]
    done: int
    parts: int
    size_bytes: int | None
    asked_at: datetime
    done_at: datetime | None
    expires_at: datetime | None


@router.post(
    "/profiles/{profile_id}/export", status_code=202, summary="Everything about a person, as an archive", responses=located(202)
)
async def export_profile(request: Request, principal: Exporter, profile_id: UUID, response: Response) -> ExportOut:
    """Asks the courier for a ZIP: JSON per kind and the attachments. Each call makes a new one."""
    state = request.app.state
    async with state.db.batch(principal.workspace_id) as connection:
        view = await profile_view(connection, principal.workspace_id, profile_id)
        row = await connection.fetchrow(
            "insert into santral.person_export (workspace_id, id, profile_id, handles, actor) values ($1, $2, $3, $4, $5) returning *",
            principal.workspace_id, new_id(), view.id, [handle.id for handle in view.handles], principal.actor,
        )  # fmt: skip
        await audit(connection, principal, "profile.exported", "profile", str(view.id), {"export": str(row["id"])})
    state.hints.wake("privacy")
    response.headers["location"] = f"/v1/exports/{row['id']}"
    return _export(dict(row))


@router.get("/exports/{export_id}", summary="How far an export is")
async def read_export(request: Request, principal: Exporter, export_id: UUID) -> ExportOut:
    """Its state and progress."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return _export(await _export_row(connection, principal, export_id))


@router.get(
    "/exports/{export_id}/file", summary="Download an export", response_class=Response,
    responses={200: {"content": {"application/zip": {"schema": BYTES}}, "headers": {"Content-Disposition": DISPOSITION}}},
)  # fmt: skip
async def download_export(request: Request, principal: Exporter, export_id: UUID) -> Response:
    """The archive, while it is there; every download is audited."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        row = await _export_row(connection, principal, export_id)
        if row["blob"] is None or row["state"] != "done":
            raise NotFound(f"the export is {row['state']}", field="export_id", remedy="wait until it is done, or ask for a new one")
        await audit(connection, principal, "profile.export_read", "export", str(export_id))
    headers = {"content-disposition": f'attachment; filename="person-{row["profile_id"]}.zip"', "cache-control": "no-store"}
    return await file_answer(request.app.state.blobs, row["blob"], media_type="application/zip", headers=headers)


async def _export_row(connection: Connection, principal: Principal, export_id: UUID) -> dict[str, Any]:
    row = await connection.fetchrow(
        "select * from santral.person_export where workspace_id = $1 and id = $2", principal.workspace_id, export_id
    )
    if row is None:
        raise NotFound("no such export", field="export_id")
    return dict(row)


def _export(row: dict[str, Any]) -> ExportOut:
    return ExportOut(**{name: row[name] for name in ExportOut.model_fields})

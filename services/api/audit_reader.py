"""The audit read: who did what, when, to which, from where. For who has the scope `audit:read` and sees the whole workspace.

As rows, or as CSV for a spreadsheet. Reading is audited too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from services.api.audit import audit
from services.api.csv_answers import OR_CSV, csv_answer
from services.api.lists import Cursor, Limit, Page, moment_of, next_of
from services.api.principal import Principal
from services.api.visibility import needs_everything
from shared.moments import Moment

router = APIRouter(prefix="/v1/audit", tags=["records"])
Auditor = Annotated[Principal, Depends(needs_everything("audit:read", "the audit is of everybody"))]
Word = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]
_ROWS: Final = """
select id, at, actor, action, target_kind, target_id, details, address, software, request_id from santral.audit
where workspace_id = $1 and ($2::text is null or actor = $2) and ($3::text is null or action = $3 or action like $3 || '.%')
  and ($4::text is null or target_id = $4) and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
  and ($7::timestamptz is null or (at, id) < ($7, $8::uuid))
order by at desc, id desc limit $9
"""


class AuditRow(BaseModel):
    """One act. ``actor``: `agent:<id>`, `key:<id>`, `visitor:<id>`, `console`; ``address`` and ``software`` where somebody called."""

    id: UUID
    at: datetime
    actor: str
    action: str
    target_kind: str | None
    target_id: str | None
    details: dict[str, Any]
    address: str | None
    software: str | None
    request_id: str | None


@router.get("", summary="Who did what, newest first", response_model=Page[AuditRow], responses=OR_CSV)
async def list_audit(
    request: Request, principal: Auditor, actor: Word = None, action: Word = None, target: Word = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json", limit: Limit = 100, cursor: Cursor = None,
) -> Page[AuditRow] | Response:  # fmt: skip
    """``action`` may be a beginning such as ``key``. With ``format=csv`` the next page's cursor stands in the header Santral-Next."""
    before_at, before_id = moment_of(cursor) or (None, None)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await connection.fetch(
            _ROWS, principal.workspace_id, actor, action, target, since, until, before_at, before_id, limit + 1
        )
        await audit(connection, principal, "audit.read", "audit", str(principal.workspace_id))
    following = next_of(rows, limit, "at")
    items = [AuditRow(**dict(row)) for row in rows[:limit]]
    if form == "json":
        return Page(items=items, next=following)
    return csv_answer("audit.csv", AuditRow, items, following)

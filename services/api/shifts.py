"""Agents' dated shifts and leave. Their week's own shifts stand with the agent, as ``hours``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api.audit import audit, changed
from services.api.bounds import SHIFTS_MAX
from services.api.lists import Cursor, Limit, Page, moment_of, next_of
from services.api.principal import ConfigReader, ConfigWriter
from shared.errors import NotFound, Unprocessable
from shared.given import Given
from shared.ids import new_id
from shared.moments import Moment

router = APIRouter(prefix="/v1", tags=["agents"])


_WORDS: Final = {"reason"}  # somebody's words may be about a customer, whom the audit would outlive


class ShiftIn(Given):
    """A shift beside the week's own, or leave, during which nothing new comes whatever else is said."""

    kind: Literal["shift", "leave"]
    starts_at: Annotated[Moment, Field(examples=["2030-01-07T09:00:00+03:00"])]
    ends_at: Annotated[Moment, Field(examples=["2030-01-07T18:00:00+03:00"])]
    reason: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""


class ShiftOut(BaseModel):
    """A dated shift or leave."""

    id: UUID
    agent_id: UUID
    kind: str
    starts_at: datetime
    ends_at: datetime
    reason: str


@router.get("/agents/{agent_id}/shifts", summary="An agent's dated shifts and leave")
async def list_shifts(
    request: Request, principal: ConfigReader, agent_id: UUID, limit: Limit = 100, cursor: Cursor = None
) -> Page[ShiftOut]:
    """Those that are not over, the next one first."""
    after_at, after_id = moment_of(cursor) or (None, None)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await connection.fetch(
            "select id, agent_id, kind, starts_at, ends_at, reason from santral.shift where workspace_id = $1 and agent_id = $2"
            " and ends_at > clock_timestamp() and ($3::timestamptz is null or (starts_at, id) > ($3, $4::uuid))"
            " order by starts_at, id limit $5",
            principal.workspace_id, agent_id, after_at, after_id, limit + 1,
        )  # fmt: skip
        if not rows and not await connection.fetchval(
            "select 1 from santral.agent where workspace_id = $1 and id = $2", principal.workspace_id, agent_id
        ):
            raise NotFound("no such agent", field="agent_id")
    return Page(items=[ShiftOut(**dict(row)) for row in rows[:limit]], next=next_of(rows, limit, "starts_at"))


@router.post("/agents/{agent_id}/shifts", status_code=201, summary="Add a shift or leave")
async def add_shift(request: Request, principal: ConfigWriter, agent_id: UUID, body: ShiftIn) -> ShiftOut:
    """Effective within seconds. An agent with any shift is at work only in shifts."""
    if body.ends_at <= body.starts_at:
        raise Unprocessable("it ends before it begins", field="ends_at", remedy="name a later time")
    one = new_id()
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        known = await connection.fetchval(
            "update santral.agent set shift_next_at = clock_timestamp() where workspace_id = $1 and id = $2 returning 1",
            principal.workspace_id, agent_id,
        )  # fmt: skip
        if known is None:
            raise NotFound("no such agent", field="agent_id")
        there = "select count(*) from santral.shift where workspace_id = $1 and agent_id = $2 and ends_at > clock_timestamp()"
        if await connection.fetchval(there, principal.workspace_id, agent_id) >= SHIFTS_MAX:
            raise Unprocessable(
                f"an agent has at most {SHIFTS_MAX} shifts and leaves ahead", field="agent_id",
                remedy="take back those that are not worked, or give the agent hours",
            )  # fmt: skip
        await connection.execute(
            "insert into santral.shift (workspace_id, id, agent_id, kind, starts_at, ends_at, reason) values ($1, $2, $3, $4, $5, $6, $7)",
            principal.workspace_id, one, agent_id, body.kind, body.starts_at, body.ends_at, body.reason,
        )  # fmt: skip
        await audit(
            connection,
            principal,
            "shift.created",
            "agent",
            str(agent_id),
            changed(None, body.model_dump(mode="json", exclude=_WORDS)),
        )
    return ShiftOut(id=one, agent_id=agent_id, **body.model_dump())


@router.delete("/shifts/{shift_id}", status_code=204, summary="Take a shift or leave back")
async def remove_shift(request: Request, principal: ConfigWriter, shift_id: UUID) -> None:
    """Effective within seconds. Twice is 404."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        gone = await connection.fetchrow(
            "delete from santral.shift where workspace_id = $1 and id = $2 returning *", principal.workspace_id, shift_id
        )
        if gone is None:
            raise NotFound("no such shift", field="shift_id")
        before, agent_id = ShiftOut(**dict(gone)).model_dump(mode="json", exclude=_WORDS), gone["agent_id"]
        await connection.execute(
            "update santral.agent set shift_next_at = clock_timestamp() where workspace_id = $1 and id = $2",
            principal.workspace_id, agent_id,
        )  # fmt: skip
        await audit(connection, principal, "shift.deleted", "agent", str(agent_id), changed(before, None))

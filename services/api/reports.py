"""Reports over what happened, without anything personal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from router.clocks.pace import read_pace
from router.evaluation.recorded_arrivals import changed_places, decided_arrivals, recorded_arrivals
from router.views.routing_report import Report, routing_report
from router.waits.prediction import Wait
from services.api.document import may_answer
from services.api.lists import Cursor, Limit, Page, cursor_of, id_of
from services.api.policy_evaluation import AskedPolicy, asked_policy, queue_of, workspace_with
from services.api.principal import ConfigReader
from services.api.records import EventReader
from services.api.visibility import require_everything
from shared.errors import Unprocessable
from shared.moments import Moment

router = APIRouter(prefix="/v1/reports", tags=["records"])
RANGE_MAX: Final = timedelta(days=31)


class ArrivalOut(BaseModel):
    """One arrival, as `santral simulate --replay` reads it. ``handling_s``: of finished work. ``patience_s``: of a customer who left."""

    at: datetime
    queue: str
    channel: str
    handling_s: float | None
    patience_s: float | None
    skills: dict[str, int] | None


class ChangedPlace(BaseModel):
    """Where another policy would have put an arrival. ``earlier_s``: so much sooner due than by the policy of then."""

    queue: str
    skills: dict[str, int] | None
    earlier_s: float


class ChangedArrivalOut(ArrivalOut):
    """``changed`` is null for what was erased, and for what no rule had routed."""

    changed: ChangedPlace | None


class AskedArrivals(AskedPolicy):
    """A stretch of time, and the policy to ask: ``document``, or ``version``, or neither for the active one."""

    since: Annotated[Moment, Field(alias="from")]
    until: Annotated[Moment, Field(alias="to")]
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str, Field(max_length=500)] | None = None


class QueuePace(BaseModel):
    """A queue now: its line, who is there, and how long a newcomer will wait; nulls while nobody knows."""

    queue: str
    waiting: int
    oldest_s: float
    agents_online: int
    handling_s: float | None
    finished: int
    wait: Wait | None
    measured_at: datetime


@router.get("/queues", summary="How long is each line, and how long will a newcomer wait?")
async def read_queues(request: Request, principal: EventReader) -> list[QueuePace]:
    """As measured within the last seconds."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await read_pace(connection, principal.workspace_id)
    return [QueuePace(**row) for row in rows]


@router.get("/routing", summary="Waits, plans, stickiness, evenness and predictions of a time range")
async def read_routing(
    request: Request,
    principal: EventReader,
    since: Annotated[Moment, Query(alias="from")],
    until: Annotated[Moment, Query(alias="to")],
) -> Report:
    """Counted from dispatch's reservations; at most 31 days."""
    _require_range(since, until)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return await routing_report(connection, [principal.workspace_id], since=since, until=until)


def _require_range(since: datetime, until: datetime) -> None:
    if not timedelta(0) < until - since <= RANGE_MAX:
        raise Unprocessable("the range is empty or longer than 31 days", field="to", remedy="ask for a shorter range after `from`")


@router.get("/arrivals", summary="What came in a time range, and how long the work took")
async def read_arrivals(
    request: Request,
    principal: EventReader,
    since: Annotated[Moment, Query(alias="from")],
    until: Annotated[Moment, Query(alias="to")],
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ArrivalOut]:
    """Oldest first, at most 31 days. Work that agents began, and calls that a PBX gave to somebody, are not in it."""
    _require_range(since, until)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await recorded_arrivals(
            connection, principal.workspace_id, since=since, until=until, after=id_of(cursor), limit=limit + 1
        )
    return Page(items=[ArrivalOut(**_shown(row)) for row in rows[:limit]], next=_next(rows, limit))


@router.post("/arrivals", summary="What came, and where another policy would have put it", responses=may_answer(404))
async def ask_arrivals(request: Request, principal: ConfigReader, body: AskedArrivals) -> Page[ChangedArrivalOut]:
    """The same list, each arrival with the policy's answer over the facts that were recorded when it was routed. Nothing is written.

    It needs the scope `conversations:read` too: a policy can ask for words.
    """
    require_everything(principal, "what came is of everybody")
    principal.require("conversations:read")
    _require_range(body.since, body.until)
    state = request.app.state
    async with state.thought_turns.of(principal):
        policy = await asked_policy(state.db, principal, body)
        async with state.db.batch(principal.workspace_id) as connection:
            workspace = await workspace_with(connection, principal, policy)
            rows = await recorded_arrivals(
                connection,
                principal.workspace_id,
                since=body.since,
                until=body.until,
                after=id_of(body.cursor),
                limit=body.limit + 1,
            )
            decided = await decided_arrivals(connection, principal.workspace_id, rows[: body.limit], policy)
        # A policy may take seconds of so many: not on the event loop, and no connection waits for it.
        changed = await asyncio.to_thread(changed_places, decided, policy, lambda chosen: queue_of(workspace, chosen))
    items = [ChangedArrivalOut(**_shown(row), changed=changed.get(row["id"])) for row in rows[: body.limit]]
    return Page(items=items, next=_next(rows, body.limit))


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ArrivalOut.model_fields}


def _next(rows: Sequence[Mapping[str, Any]], limit: int) -> str | None:
    return cursor_of(str(rows[limit - 1]["id"])) if len(rows) > limit else None

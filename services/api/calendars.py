"""Calendars and service levels: their codecs, and deadlines computed for any calendar, start and target."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Request

from router.calendars.calendar import ALWAYS, ROUND_THE_CLOCK_CALENDAR, Calendar
from router.calendars.deadline import TARGET_S_MAX, Reckoning, reckoned, start_in, target_seconds
from router.calendars.hours import DEFAULT, CalendarDocument, calendar_from, calendar_of, checked_calendar
from router.calendars.tables import calendar as calendar_table
from router.calendars.tables import sla as sla_table
from router.workspace.tables import queue
from services.api.config_context import Context, names_calendar
from services.api.config_store import Codec, Plain
from services.api.document import may_answer
from services.api.principal import ConfigReader
from services.api.sla_models import CalendarIn, CalendarOut, DeadlineIn, DeadlineOut, GivenCalendar, SlaIn, SlaOut
from shared.database import Connection
from shared.errors import Conflict, NotFound, Unprocessable

router = APIRouter(prefix="/v1/calendars", tags=["configuration"])
_STORED = "select time_zone, hours, holidays, overrides from santral.calendar where workspace_id = $1 and name = $2"


class Calendars(Plain):
    """Calendars. One that somebody names is neither renamed nor deleted."""

    def __init__(self) -> None:
        super().__init__(calendar_table, CalendarIn, CalendarOut)

    async def columns(self, context: Context, given: CalendarIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        if given.name == ALWAYS:
            raise Unprocessable("every workspace has this one", field="name", remedy="choose another name")
        document = given.model_dump(mode="json", include=set(CalendarDocument.model_fields))
        # The first look at a country's holidays reads the library's tables, which the loop has no time for.
        await asyncio.to_thread(checked_calendar, document, name=given.name, now=datetime.now(UTC))
        return await super().columns(context, given, known)

    async def unnamed(self, context: Context, name: str) -> None:
        mine = queue.c.workspace_id == context.workspace_id
        user = await context.connection.scalar(sa.select(queue.c.name).where(mine, queue.c.calendar == name).limit(1))
        if user is not None:
            raise Conflict(f"the queue {user} names this calendar", field="name", remedy="let the queue name another one first")
        rows = await context.connection.execute(
            sa.select(sla_table.c.name, sla_table.c.calendar, sla_table.c.targets).where(
                sla_table.c.workspace_id == context.workspace_id
            )
        )
        for sla, calendar, targets in rows:
            if name in (calendar, *(target.get("calendar") for target in targets)):
                raise Conflict(
                    f"the service level {sla} names this calendar", field="name", remedy="change the service level first"
                )


class Slas(Plain):
    """Service levels; what they name exists when they are saved. A queue or calendar that is gone later counts as not named."""

    def __init__(self) -> None:
        super().__init__(sla_table, SlaIn, SlaOut)

    async def columns(self, context: Context, given: SlaIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        names_calendar(context, given.calendar, "calendar")
        _names_queue(context, given.escalate_to, "escalate_to")
        seen: set[tuple[str | None, ...]] = set()
        for place, target in enumerate(given.targets):
            where = f"targets.{place}"
            if target.first_response_s is None and target.resolution_s is None:
                raise Unprocessable("a target without a time", field=where, remedy="give first_response_s, resolution_s, or both")
            about = (target.channel, target.queue, target.tier)
            if about in seen:
                raise Unprocessable("two targets for the same items", field=where, remedy="keep one of them")
            seen.add(about)
            _names_queue(context, target.queue, f"{where}.queue")
            names_calendar(context, target.calendar, f"{where}.calendar")
            _names_queue(context, target.escalate_to, f"{where}.escalate_to")
        values = await super().columns(context, given, known)
        return values | {"targets": [target.model_dump(mode="json", exclude_none=True) for target in given.targets]}

    async def shown(self, context: Context, row: Mapping[str, Any]) -> SlaOut:
        return SlaOut(**{name: row[name] for name in SlaOut.model_fields})


def _names_queue(context: Context, name: str | None, field: str) -> None:
    if name is not None:
        context.names(queue, name, field)


def calendar_codecs() -> dict[str, Codec]:
    """Both kinds by the path they stand under."""
    return {"calendars": Calendars(), "slas": Slas()}


@router.post("/deadline", summary="Compute a deadline", responses=may_answer(404))
async def compute_deadline(request: Request, principal: ConfigReader, body: DeadlineIn) -> DeadlineOut:
    """For any calendar, start and target, with the spans counted. Nothing is stored."""
    if (body.target_s is None) == (body.target is None):
        raise Unprocessable("a target in one form", field="target_s", remedy='give target_s in seconds, or target like "4h"')
    stored = None
    if isinstance(body.calendar, str):
        async with request.app.state.db.batch(principal.workspace_id) as connection:
            stored = await stored_calendar(connection, principal.workspace_id, body.calendar)
    async with request.app.state.thought_turns.of(principal):
        found = await asyncio.to_thread(_reckoned, body, stored)
    return DeadlineOut.model_validate(asdict(found))


def _reckoned(body: DeadlineIn, stored: Calendar | None) -> Reckoning:
    calendar = stored if stored is not None else _inline(body.calendar)
    target_s = body.target_s if body.target_s is not None else target_seconds(body.target or "")
    if target_s > TARGET_S_MAX:
        raise Unprocessable("a target of more than twenty years", field="target_s", remedy="a shorter one")
    return reckoned(calendar, start_in(calendar, body.start), target_s)


def _inline(document: str | GivenCalendar) -> Calendar:
    assert isinstance(document, GivenCalendar), "a name was looked up before"
    try:
        return calendar_from(document.model_dump(exclude={"name", "title"}), name="given")
    except Unprocessable as error:
        raise Unprocessable(error.message, field=f"calendar.{error.field}", remedy=error.remedy) from error


async def stored_calendar(connection: Connection, workspace_id: UUID, name: str) -> Calendar:
    """A workspace's calendar by name. Raises `NotFound`; ``default`` and ``always`` are always there."""
    if name == ALWAYS:
        return ROUND_THE_CLOCK_CALENDAR
    row = await connection.fetchrow(_STORED, workspace_id, name)
    if row is not None:
        return calendar_from(dict(row), name=name)
    if name != DEFAULT:
        raise NotFound(f"no such calendar: {name}", field="calendar", remedy="a stored calendar's name, always, or a document")
    settings = await connection.fetchval("select settings from santral.workspace where id = $1", workspace_id)
    return calendar_of(settings)

"""Calendars and service levels as clients write and read them, and the question after a deadline."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from router.calendars.deadline import TARGET_S_MAX
from router.calendars.hours import CalendarDocument
from services.api.config_models import Channel, Resource, Seconds, Slug
from shared.given import Given, at_least_one, exactly_one


class CalendarIn(CalendarDocument, Resource):
    """When a team works. The calendar named ``default`` is the workspace's; queues and service levels may name others.

    ``hours`` by weekday (``mon`` … ``sun``); left out, it is open round the clock. ``overrides`` by date win over holidays and hours.
    """

    name: Slug
    title: Annotated[str, Field(max_length=200)] = ""


class TargetIn(Given):
    """What holds for the items it speaks of; a member that is left out speaks of all. ``calendar: always`` counts every second."""

    model_config = ConfigDict(json_schema_extra=at_least_one("first_response_s", "resolution_s"))

    channel: Channel | None = None
    queue: Slug | None = None
    tier: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    first_response_s: Seconds | None = None
    resolution_s: Seconds | None = None
    calendar: Slug | None = None
    escalate_to: Slug | None = None


class SlaIn(Resource):
    """A named set of targets. The one named ``default`` holds where the policy asks for no other.

    Of its targets the one that says most of the item holds. Before that, at ``warn_share`` of it, agents are warned; a missed one
    moves what still waits to ``escalate_to``, or forward in its queue.
    """

    name: Slug
    title: Annotated[str, Field(max_length=200)] = ""
    calendar: Slug | None = None
    escalate_to: Slug | None = None
    warn_share: Annotated[float, Field(gt=0, lt=1)] = 0.8
    targets: Annotated[list[TargetIn], Field(min_length=1, max_length=500)]


class CalendarOut(CalendarIn):
    """A calendar."""

    version: int


class SlaOut(SlaIn):
    """A service level."""

    version: int


class GivenCalendar(CalendarDocument):
    """A calendar that is stored nowhere, or a stored one as it is read: ``name`` and ``title`` change nothing."""

    name: Slug | None = None
    title: Annotated[str, Field(max_length=200)] = ""


def _form(calendar: Any) -> str:
    return "name" if isinstance(calendar, str) else "document"


class DeadlineIn(Given):
    """Which calendar (the name of a stored one, ``always``, or a document), from when, and how much open time."""

    model_config = ConfigDict(json_schema_extra=exactly_one("target_s", "target"))

    calendar: Annotated[Annotated[str, Tag("name")] | Annotated[GivenCalendar, Tag("document")], Discriminator(_form)] = "default"
    start: Annotated[str, Field(min_length=1, max_length=40)]
    target_s: Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra={"maximum": TARGET_S_MAX})] | None = None
    target: Annotated[str, Field(min_length=1, max_length=40)] | None = None


class CountedOut(BaseModel):
    """A span that was counted."""

    starts_at: datetime
    ends_at: datetime
    counted_s: float


class UnusualOut(BaseModel):
    """A day that a holiday or an override changes."""

    date: date
    holiday: str


class DeadlineOut(BaseModel):
    """When it is due, with the spans counted. Times carry the offset of the calendar's zone."""

    calendar: str
    time_zone: str
    start_at: datetime
    open_at_start: bool
    target_s: float
    due_at: datetime
    spans: list[CountedOut]
    spans_left_out: int
    unusual_days: list[UnusualOut]

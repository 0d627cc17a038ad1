"""A recorded day: one line of JSON per arrival, without anything personal.

``{"at": seconds or an ISO time, "class"?, "queue"?, "channel"?, "handling_s"?, "patience_s"?, "skills"?: {name: level}, "changed"?}``.
Times are taken from the first arrival's midnight (ISO) or as they are (seconds). What a line does not say comes from the class in the
document. ``changed``: where another policy would have put the same arrival, ``{"queue", "skills", "earlier_s"}``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from router.item.plan import Requirement
from router.simulator.quantities import Part, as_number
from shared.errors import InputRejected


def _moment(given: Any) -> float | datetime:
    if isinstance(given, str):
        return datetime.fromisoformat(given)
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < math.inf:
        return as_number(given)
    raise ValueError("not a moment; write seconds from 0, or an ISO time")


class Routed(Part):
    """Where another policy puts an arrival. ``earlier_s``: so much sooner it is due there, by that policy's boosts."""

    queue: str = Field(min_length=1, max_length=100)
    skills: dict[str, Annotated[int, Field(ge=1, le=5)]] | None = None
    earlier_s: float = Field(default=0.0, allow_inf_nan=False)


class Line(Part):
    """One arrival as written."""

    at: Annotated[Any, AfterValidator(_moment)]
    kind: str | None = Field(default=None, alias="class", min_length=1, max_length=100)
    queue: str | None = Field(default=None, min_length=1, max_length=100)
    channel: str | None = Field(default=None, min_length=1, max_length=100)
    handling_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    patience_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    skills: dict[str, Annotated[int, Field(ge=1, le=5)]] | None = None
    changed: Routed | None = None

    def placed(self) -> Line:
        """The arrival as the other policy would have had it; as it is, where that policy was not asked."""
        if self.changed is None:
            return self
        one = self.changed
        elsewhere = self.kind if one.queue == self.queue else None
        return self.model_copy(update={"queue": one.queue, "skills": one.skills, "kind": elsewhere})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One arrival; ``at`` in seconds, ``requires`` None where the class says it, ``earlier_s`` on top of the class's boost."""

    at: float
    kind: str
    queue: str | None = None
    channel: str | None = None
    handling_s: float | None = None
    patience_s: float | None = None
    requires: Requirement | None = None
    earlier_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A recorded day, in order of time. ``changed``: the same arrivals as another policy would have had them, where one was asked."""

    recorded: tuple[Arrival, ...]
    changed: tuple[Arrival, ...] | None = None

    @property
    def elsewhere(self) -> int:
        """How many arrivals the other policy puts into another queue."""
        return sum(1 for was, is_ in zip(self.recorded, self.changed or self.recorded, strict=True) if was.queue != is_.queue)


def read_trace(lines: Iterable[str], classes: Mapping[tuple[str, str], str]) -> Day:
    """The arrivals; empty lines are skipped.

    ``classes``: the document's class of a (queue, channel), for lines that name none; another gets the name "queue/channel".
    Raises `InputRejected` with the number of the line at fault, and for a trace without arrivals.
    """
    read: list[Line] = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            read.append(Line.model_validate(json.loads(text)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(one) for one in first["loc"])
            raise InputRejected(
                ": ".join(filter(None, (where, first["msg"]))), field=f"line {number}", remedy="correct the line"
            ) from error
        except (ValueError, RecursionError) as error:
            raise InputRejected("is not JSON", field=f"line {number}", remedy="write one JSON object per line") from error
    if not read:
        raise InputRejected("the trace holds no arrival", field="trace", remedy="record a time range in which customers came")
    first_day = _first_day(read)
    recorded = tuple(sorted((_arrival(one, first_day, classes, 0.0) for one in read), key=lambda one: one.at))
    if not any(one.changed for one in read):
        return Day(recorded=recorded)
    changed = (_arrival(one.placed(), first_day, classes, one.changed.earlier_s if one.changed else 0.0) for one in read)
    return Day(recorded=recorded, changed=tuple(sorted(changed, key=lambda one: one.at)))


def _first_day(read: Iterable[Line]) -> datetime | None:
    moments = [one.at for one in read if isinstance(one.at, datetime)]
    if not moments:
        return None
    if any(isinstance(one.at, float) for one in read) or len({moment.tzinfo is None for moment in moments}) > 1:
        raise InputRejected("seconds, times with and times without a zone do not mix", field="at", remedy="use one way of writing")
    return min(moments).replace(hour=0, minute=0, second=0, microsecond=0)


def _arrival(one: Line, first_day: datetime | None, classes: Mapping[tuple[str, str], str], earlier_s: float) -> Arrival:
    at = one.at if isinstance(one.at, float) else (one.at - (first_day or one.at)).total_seconds()
    queue, channel = one.queue or "main", one.channel or "work"
    kind = one.kind or classes.get((queue, channel)) or (f"{queue}/{channel}" if one.queue or one.channel else "all")
    requires = None if one.skills is None else tuple(sorted(one.skills.items()))
    return Arrival(
        at=at, kind=kind, queue=one.queue, channel=one.channel, handling_s=one.handling_s, patience_s=one.patience_s,
        requires=requires, earlier_s=earlier_s,
    )  # fmt: skip


def line_of(row: Mapping[str, Any]) -> str:
    """One line of a trace, without what is not known."""
    return json.dumps({name: value for name, value in row.items() if value is not None}, ensure_ascii=False)

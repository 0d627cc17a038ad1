"""Clocks that follow their item to another queue: what its old queue's targets still say of it, and how the new one's count. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from router.calendars.calendar import ROUND_THE_CLOCK_CALENDAR, Calendar
from router.calendars.clock_store import Behind, NewItem
from router.calendars.sla import KINDS, Chosen, Clock, Happening, Kind, Work, looked_at, moved, target_for
from router.workspace.workspace import Queue, Workspace
from shared.errors import Unprocessable


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A clock that was looked at. ``told``: as it was when that happened, under its old target; ``after``: whose target it counts now."""

    before: Behind
    clock: Clock
    happened: Sequence[Happening] = ()
    after: Behind | None = None
    told: Clock | None = None


Start = tuple[NewItem, Chosen, str, Clock]


def followed(item: NewItem, clocks: Sequence[Behind], workspace: Workspace, now: datetime) -> tuple[list[Look], list[Start]]:
    """The clocks of an item that went to another queue, and those that begin there. A queue for bulk mail ends all of them."""
    looks: list[Look] = []
    starts: list[Start] = []
    by_kind = {one.clock.kind: one for one in clocks}
    for kind in KINDS:
        found = by_kind.get(kind)
        chosen = chosen_for(kind, item, workspace)
        calendar = calendar_of(item, chosen, workspace)
        if found is None:
            at = min(now, max((one.came_at for one in clocks), default=now))
            begun = counted(calendar, partial(_begun, chosen, item.work, at))
            if begun is not None and chosen is not None:
                starts.append((item, chosen, calendar.name, begun))
            continue
        at = max(min(found.came_at, now), found.clock.resumed_at or found.clock.started_at)
        before = workspace.calendar_named(found.calendar)
        told, happened = counted(before, partial(looked_at, found.clock, work=_as_of(found.work, at), now=at))
        clock = counted(calendar, partial(_moved, told, chosen, before, found.work, at))
        after = replace(found, queue_id=item.queue_id)
        if chosen is not None and not clock.ended:
            after = replace(after, sla=chosen.sla, calendar=calendar.name, escalate_to=chosen.escalate_to)
        looks.append(Look(before=found, clock=clock, happened=happened, after=after, told=told))
    return looks, starts


def chosen_for(kind: Kind, item: NewItem, workspace: Workspace) -> Chosen | None:
    """The target that holds for an item in the queue it is in; None in a queue for bulk mail, where nobody waits."""
    queue = queue_of(workspace, item.queue_id)
    if queue is None or workspace.is_bulk(item.queue_id):
        return None
    return target_for(
        kind, channel=item.work.channel, queue=queue.name, tier=item.tier, asked=item.sla, slas=workspace.slas,
        queue_targets_s=queue.targets_s,
    )  # fmt: skip


def calendar_of(item: NewItem, chosen: Chosen | None, workspace: Workspace) -> Calendar:
    """The calendar by which a target counts: its own, else the queue's, else the default one."""
    queue = queue_of(workspace, item.queue_id)
    return workspace.calendar_named(None if chosen is None else chosen.calendar, None if queue is None else queue.calendar)


def queue_of(workspace: Workspace, queue_id: UUID) -> Queue | None:
    """The queue with this id, as the configuration has it."""
    return next((queue for queue in workspace.queues.values() if queue.id == queue_id), None)


def counted(calendar: Calendar, count: Callable[[Calendar], Any]) -> Any:
    """What a calendar counts; one that never opens, which no saved one is, counts round the clock instead."""
    try:
        return count(calendar)
    except Unprocessable:
        return count(ROUND_THE_CLOCK_CALENDAR)


def _begun(chosen: Chosen | None, work: Work, at: datetime, calendar: Calendar) -> Clock | None:
    return moved(None, chosen, before=calendar, calendar=calendar, work=work, at=at)


def _moved(clock: Clock, chosen: Chosen | None, before: Calendar, work: Work, at: datetime, calendar: Calendar) -> Clock | None:
    return moved(clock, chosen, before=before, calendar=calendar, work=work, at=at)


def _as_of(work: Work, at: datetime) -> Work:
    """The item's row as it was when it left: what came later is the new queue's."""
    replied, assigned = (None if one is not None and one > at else one for one in (work.replied_at, work.assigned_at))
    return replace(work, replied_at=replied, assigned_at=assigned)

"""The rows of clocks: read and written in sets.

Two statements find the work. Both cost the open items and the running clocks, whatever else is stored: items without a clock of their
queue, and clocks that their item's row or the time has left behind.

``sla_clock.queue_id`` is the queue whose target a clock counts. Where an older release wrote none, it counts for the queue its item is in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.calendars.sla import Chosen, Clock, Work
from shared.database import Connection

_WORK: Final = """
i.workspace_id, i.id as item_id, i.conversation_id, i.queue_id, i.channel, i.state, i.parked_at,
case when i.enqueued_at > i.parked_at then i.enqueued_at else i.queued_at end as woken_at,
i.first_reply_at, i.assigned_at, i.closed_at, i.agent_id, i.step_at
"""
# Nobody waits where an agent began: such an item is assigned from its first moment on.
_WAITED_FOR: Final = "(i.external or i.assigned_at is distinct from i.enqueued_at)"
# Nobody waits in a queue for bulk mail either.
_FOR_CUSTOMERS: Final = """not exists (
        select 1 from santral.queue q where q.workspace_id = i.workspace_id and q.id = i.queue_id and q.purpose = 'bulk')"""
_ADOPT: Final = """
update santral.sla_clock k set queue_id = i.queue_id from santral.work_item i
where k.queue_id is null and i.workspace_id = k.workspace_id and i.id = k.item_id
  and i.state not in ('completed', 'abandoned', 'canceled')
"""
_LOCK: Final = """
select c.workspace_id, c.id from santral.conversation c
join unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id) on c.workspace_id = g.workspace_id and c.id = g.id
order by c.workspace_id, c.id for no key update of c skip locked
"""
_ESCALATED: Final = """
update santral.sla_clock k set escalated_at = clock_timestamp()
from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, item_id)
where k.workspace_id = g.workspace_id and k.item_id = g.item_id and k.breached_at is not null and k.escalated_at is null
"""
_CLOCK: Final = (
    "kind", "target_s", "warn_s", "started_at", "resumed_at", "paused_at", "elapsed_s", "due_at", "warn_at", "warned_at",
    "breached_at", "met_at", "stopped_at",
)  # fmt: skip
# Each workspace in turn, as those whose clocks cannot be started come again and again.
_NEW: Final = f"""
select {_WORK}, least(i.enqueued_at, d.decided_at) as started_at, d.tier, d.sla, i.counted_in is not null as moved
from (
    select u.*, row_number() over (partition by u.workspace_id order by u.enqueued_at, u.id) as turn from (
    select i.*, k.counted_in from santral.work_item i
    left join lateral (
        select coalesce(k.queue_id, i.queue_id) as counted_in from santral.sla_clock k
        where k.workspace_id = i.workspace_id and k.item_id = i.id limit 1) k on true
    where i.state not in ('completed', 'abandoned', 'canceled') and {_WAITED_FOR}
      and case when k.counted_in is null then {_FOR_CUSTOMERS} else k.counted_in <> i.queue_id end
    union all
    select i.*, null from santral.work_item i
    where i.closed_at > $1 and {_WAITED_FOR} and {_FOR_CUSTOMERS} and not exists (
        select 1 from santral.sla_clock k where k.workspace_id = i.workspace_id and k.item_id = i.id)
    ) u order by turn, u.workspace_id limit $2
) i
left join lateral (
    select d.decided_at, d.record->'facts'->'profile'->>'tier' as tier, d.record->>'sla' as sla from santral.decision d
    where d.workspace_id = i.workspace_id and d.conversation_id = i.conversation_id and d.item_id = i.id and d.kind = 'routing'
    order by d.id desc limit 1
) d on true
"""
_CLOCKS: Final = f"""
select {_WORK}, coalesce(k.queue_id, i.queue_id) as counted_in, k.kind, k.sla, k.target_s, k.warn_s, k.calendar, k.escalate_to,
       k.started_at, k.resumed_at, k.paused_at, k.elapsed_s, k.due_at, k.warn_at, k.warned_at, k.breached_at, k.escalated_at, k.met_at, k.stopped_at
from santral.sla_clock k
join santral.work_item i on i.workspace_id = k.workspace_id and i.id = k.item_id
"""
_BEHIND: Final = f"""{_CLOCKS}
where k.met_at is null and k.stopped_at is null and (coalesce(k.queue_id, i.queue_id) = i.queue_id or i.closed_at is not null) and (
    k.next_at <= clock_timestamp()
    or i.closed_at is not null
    or (k.kind = 'first_response' and (i.first_reply_at is not null or (i.channel = 'phone' and i.assigned_at is not null)))
    or (i.state = 'parked') = (k.resumed_at is not null)
    or i.parked_at > k.resumed_at
    or (k.breached_at is not null and k.escalated_at is null and i.state = 'queued'
        and i.giver_agent_id is null and i.target_agent_id is null))
order by row_number() over (partition by k.workspace_id order by k.next_at nulls last, k.item_id, k.kind), k.workspace_id limit $1
"""
_OF_ITEMS: Final = f"""{_CLOCKS}
join unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id) on k.workspace_id = g.workspace_id and k.item_id = g.id
"""
_START: Final = """
insert into santral.sla_clock (workspace_id, item_id, kind, sla, target_s, warn_s, calendar, escalate_to, started_at, resumed_at,
                               due_at, warn_at, next_at, queue_id)
select workspace_id, item_id, kind, sla, target_s, warn_s, calendar, escalate_to, started_at, resumed_at, due_at, warn_at, next_at, queue_id
from jsonb_to_recordset($1::jsonb) as n(
    workspace_id uuid, item_id uuid, kind text, sla text, target_s bigint, warn_s bigint, calendar text, escalate_to text,
    started_at timestamptz, resumed_at timestamptz, due_at timestamptz, warn_at timestamptz, next_at timestamptz, queue_id uuid)
on conflict do nothing
"""
_WRITE: Final = """
update santral.sla_clock k
set resumed_at = n.resumed_at, paused_at = n.paused_at, elapsed_s = n.elapsed_s, due_at = n.due_at, warn_at = n.warn_at,
    next_at = n.next_at, warned_at = n.warned_at, breached_at = n.breached_at, met_at = n.met_at, stopped_at = n.stopped_at,
    escalated_at = case when n.breached_at is not null then k.escalated_at end, sla = n.sla, target_s = n.target_s, warn_s = n.warn_s,
    calendar = n.calendar, escalate_to = n.escalate_to, queue_id = n.queue_id
from jsonb_to_recordset($1::jsonb) as n(
    workspace_id uuid, item_id uuid, kind text, resumed_at timestamptz, paused_at timestamptz, elapsed_s double precision,
    due_at timestamptz, warn_at timestamptz, next_at timestamptz, warned_at timestamptz, breached_at timestamptz,
    met_at timestamptz, stopped_at timestamptz, sla text, target_s bigint, warn_s bigint, calendar text, escalate_to text, queue_id uuid)
where k.workspace_id = n.workspace_id and k.item_id = n.item_id and k.kind = n.kind
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item without clocks of its queue, with what its targets depend on. ``moved``: it has clocks of another queue."""

    workspace_id: UUID
    item_id: UUID
    queue_id: UUID
    tier: str
    sla: str
    work: Work
    moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A clock that is to be looked at, with the item's row.

    ``queue_id`` is the queue whose target it counts; ``came_at``: when the item came to the queue it is in, or later.
    """

    workspace_id: UUID
    item_id: UUID
    conversation_id: UUID
    queue_id: UUID
    agent_id: UUID | None
    sla: str
    calendar: str
    escalate_to: str | None
    escalated: bool
    came_at: datetime
    clock: Clock
    work: Work


async def adopt_clocks(connection: Connection) -> None:
    """Clocks that an older release began count for the queue in which their item is now. Twice is harmless."""
    await connection.execute(_ADOPT)


async def items_without_clocks(connection: Connection, *, closed_since: datetime, limit: int) -> list[NewItem]:
    """Open items without clocks of their queue, and items closed since then for which no clock was started."""
    return [
        NewItem(
            workspace_id=row["workspace_id"], item_id=row["item_id"], queue_id=row["queue_id"], tier=row["tier"] or "",
            sla=row["sla"] or "", work=_work(row), moved=row["moved"],
        )
        for row in await connection.fetch(_NEW, closed_since, limit)
    ]  # fmt: skip


async def clocks_behind(connection: Connection, *, limit: int) -> list[Behind]:
    """Clocks that the time, or their item, has left behind; not those of another queue than their item's."""
    return [_behind(row) for row in await connection.fetch(_BEHIND, limit)]


async def clocks_of(connection: Connection, items: Sequence[NewItem]) -> list[Behind]:
    """All clocks of these items, ended ones too."""
    given = [one.workspace_id for one in items], [one.item_id for one in items]
    return [_behind(row) for row in await connection.fetch(_OF_ITEMS, *given)]


def _behind(row: Any) -> Behind:
    return Behind(
        workspace_id=row["workspace_id"], item_id=row["item_id"], conversation_id=row["conversation_id"],
        queue_id=row["counted_in"], agent_id=row["agent_id"] if row["state"] != "queued" else None, sla=row["sla"],
        calendar=row["calendar"], escalate_to=row["escalate_to"], escalated=row["escalated_at"] is not None, came_at=row["step_at"],
        clock=Clock(**{name: row[name] for name in _CLOCK}), work=_work(row),
    )  # fmt: skip


def _work(row: Any) -> Work:
    return Work(
        state=row["state"], channel=row["channel"], started_at=row["started_at"], parked_at=row["parked_at"],
        woken_at=row["woken_at"], replied_at=row["first_reply_at"], assigned_at=row["assigned_at"], closed_at=row["closed_at"],
    )  # fmt: skip


async def start_clocks(connection: Connection, clocks: Sequence[tuple[NewItem, Chosen, str, Clock]]) -> None:
    """Writes new clocks, each with its calendar's name. Calling it twice writes nothing the second time."""
    rows = [
        {
            "workspace_id": item.workspace_id, "item_id": item.item_id, "kind": clock.kind, "sla": chosen.sla,
            "target_s": clock.target_s, "warn_s": clock.warn_s, "calendar": calendar, "escalate_to": chosen.escalate_to,
            "started_at": clock.started_at, "resumed_at": clock.resumed_at, "due_at": clock.due_at, "warn_at": clock.warn_at,
            "next_at": clock.next_at, "queue_id": item.queue_id,
        }
        for item, chosen, calendar, clock in clocks
    ]  # fmt: skip
    if rows:
        await connection.execute(_START, rows)


async def write_clocks(connection: Connection, clocks: Sequence[tuple[Behind, Clock]]) -> None:
    """Writes what became of clocks, and which target of which queue they count."""
    rows: list[Mapping[str, Any]] = [
        {
            "workspace_id": behind.workspace_id, "item_id": behind.item_id, "next_at": clock.next_at, "sla": behind.sla,
            "calendar": behind.calendar, "escalate_to": behind.escalate_to, "queue_id": behind.queue_id,
            **{name: getattr(clock, name) for name in _CLOCK if name != "started_at"},
        }
        for behind, clock in clocks
    ]  # fmt: skip
    if rows:
        await connection.execute(_WRITE, rows)


async def lock_conversations(connection: Connection, pairs: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """Locks conversations in id order and returns those that nobody else holds."""
    ordered = sorted(set(pairs))
    rows = await connection.fetch(_LOCK, [workspace for workspace, _ in ordered], [one for _, one in ordered])
    return {row["id"] for row in rows}


async def mark_escalated(connection: Connection, pairs: Sequence[tuple[UUID, UUID]]) -> None:
    """Notes that these items were raised for what they breached."""
    await connection.execute(_ESCALATED, [workspace for workspace, _ in pairs], [one for _, one in pairs])

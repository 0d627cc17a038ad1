"""What an agent's desk and a queue look like now: offers, items, positions. Reads only; snapshots are the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.evaluation.decision_view import with_names
from router.item.limits import channel_rules
from router.views.amendments import Amendments, read_amendments
from router.views.messages import SAID, preview_of
from router.views.seen import SEEN
from router.waits.prediction import wait_of
from shared.database import Connection
from shared.errors import NotFound

Place = tuple[int, datetime, UUID]
"""Where an item stands in the order of service: class, due, id."""

_ITEM: Final = f"""
select i.id, i.conversation_id, i.state, i.version, i.channel, i.kind, i.due_class, i.due_at, i.enqueued_at, i.queued_at, i.agent_id, i.offer_id,
       i.timer_at, i.decision_id, i.reopened_from, i.first_reply_at, i.assigned_at, q.name as queue, q.title as queue_title,
       c.subject, c.language, c.visibility, c.seq, c.last_in_at, c.last_out_at, h.profile_id, h.name as customer_name, h.kind as customer_kind,
       h.value as customer_value, h.assurance as customer_assurance, d.record as decision, d.kind as decision_kind,
       o.made_at as offer_made_at, o.until as offer_until, a.name as agent_name,
       i.giver_agent_id, i.target_agent_id, g.name as giver_name, i.outcome, i.external,
       t.sla,
       (select m.text from santral.message m where i.giver_agent_id is not null and m.workspace_id = i.workspace_id
        and m.conversation_id = i.conversation_id and m.direction = 'note' and m.agent_id = i.giver_agent_id
        and m.accepted_at >= i.assigned_at order by m.seq desc limit 1) as note,
       said.*
from santral.work_item i
join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id
join santral.conversation c on c.workspace_id = i.workspace_id and c.id = i.conversation_id
join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.handle_id
left join santral.decision d on d.workspace_id = i.workspace_id and d.id = i.decision_id
left join santral.offer o on o.workspace_id = i.workspace_id and o.id = i.offer_id
left join santral.agent a on a.workspace_id = i.workspace_id and a.id = i.agent_id
left join santral.agent g on g.workspace_id = i.workspace_id and g.id = i.giver_agent_id
left join lateral (
    select jsonb_build_object('kind', k.kind, 'target_s', k.target_s, 'due_at', k.due_at, 'warn_at', k.warn_at, 'state', case
        when k.breached_at is not null or k.due_at <= clock_timestamp() then 'breached'
        when k.resumed_at is null then 'paused'
        when k.warned_at is not null or k.warn_at <= clock_timestamp() then 'warned'
        else 'running' end) as sla
    from santral.sla_clock k
    where k.workspace_id = i.workspace_id and k.item_id = i.id and k.met_at is null and k.stopped_at is null
    order by k.due_at nulls last limit 1
) t on true
{SAID}
"""
_MINE: Final = """
where i.workspace_id = $1 and i.id in (
    select w.id from santral.work_item w
    where w.workspace_id = $1 and w.agent_id = $2 and w.state in ('offered', 'assigned', 'wrapping', 'parked')
    union all
    select w.id from santral.work_item w where w.workspace_id = $1 and w.giver_agent_id = $2 and w.state in ('queued', 'offered'))
"""
_POSITION: Final = """
select count(*) + 1 from santral.work_item o
where o.workspace_id = $1 and o.queue_id = $2 and o.state = 'queued' and (o.due_class, o.due_at, o.id) < ($3, $4, $5)
"""


def item_view(row: Any, amendments: Amendments) -> dict[str, Any]:
    """A work item as an agent sees it. ``transfer``: who gives it away; ``failed``: the reply that brought it back, and why."""
    offer = transfer = None
    if row["giver_agent_id"] is not None and row["state"] in ("queued", "offered"):
        transfer = {
            "giver_id": row["giver_agent_id"], "giver": row["giver_name"], "target_id": row["target_agent_id"], "note": row["note"],
        }  # fmt: skip
    if row["state"] == "offered":
        offer = {"id": row["offer_id"], "made_at": row["offer_made_at"], "until": row["offer_until"]}
    return {
        "id": row["id"],
        "conversation_id": row["conversation_id"],
        "state": row["state"],
        "version": row["version"],
        "channel": row["channel"],
        "kind": row["kind"],
        "queue": row["queue"],
        "queue_title": row["queue_title"] or row["queue"],
        "agent_id": row["agent_id"],
        "agent_name": row["agent_name"],
        "due_at": row["due_at"],
        "sla": row["sla"],
        "enqueued_at": row["enqueued_at"],
        "timer_at": row["timer_at"],
        "reopened_from": row["reopened_from"],
        "subject": row["subject"],
        "language": row["language"],
        "visibility": row["visibility"],
        "seq": row["seq"],
        "last_in_at": row["last_in_at"],
        "last_out_at": row["last_out_at"],
        **preview_of(row, amendments),
        "customer": {
            "profile_id": row["profile_id"], "name": row["customer_name"], "kind": row["customer_kind"],
            "value": row["customer_value"], "assurance": row["customer_assurance"],
        },
        "offer": offer,
        "transfer": transfer,
        "failed": _failed(row),
        "external": row["external"],
        "decision_id": row["decision_id"],
        "why": row["decision"],
    }  # fmt: skip


def _failed(row: Any) -> dict[str, Any] | None:
    """The reply that never arrived, until another was written."""
    failed: dict[str, Any] | None = row["outcome"].get("failed")
    if failed is None or (row["last_out_at"] is not None and datetime.fromisoformat(failed["at"]) < row["last_out_at"]):
        return None
    return failed


async def desk_snapshot(connection: Connection, workspace_id: UUID, agent_id: UUID) -> dict[str, Any]:
    """An agent's desk: presence, load, offers and items, with the sequence it is true at. Raises `NotFound`.

    What the agent gave away stays among the items, with ``transfer``, until somebody took it.
    Call it in a REPEATABLE READ transaction, so that rows and sequence are of one moment.
    """
    agent = await connection.fetchrow(
        "select a.id, a.name, a.presence, a.presence_reason, a.presence_at, a.used, a.budget, a.counts, a.channels, a.seq, a.lease_until,"
        " a.presences, a.off_shift, w.settings->'channels' as workspace_channels"
        " from santral.agent a join santral.workspace w on w.id = a.workspace_id where a.workspace_id = $1 and a.id = $2",
        workspace_id, agent_id,
    )  # fmt: skip
    if agent is None:
        raise NotFound("no such agent", field="agent_id")
    found = await connection.fetch(f"{_ITEM} {_MINE} order by i.enqueued_at", workspace_id, agent_id)
    rows = await _named(connection, workspace_id, found)
    queues = await connection.fetch(
        "select q.name, q.title, q.mode, (select count(*) from santral.work_item i where i.workspace_id = q.workspace_id"
        " and i.queue_id = q.id and i.state = 'queued') as waiting from santral.queue_member m"
        " join santral.queue q on q.workspace_id = m.workspace_id and q.id = m.queue_id"
        " where m.workspace_id = $1 and m.agent_id = $2 order by m.priority, q.name",
        workspace_id, agent_id,
    )  # fmt: skip
    told = ("id", "name", "presence", "presence_reason", "presence_at", "used", "budget", "counts", "presences", "off_shift")
    shown = {name: agent[name] for name in told}
    rules = channel_rules(agent["channels"], agent["workspace_channels"], agent["presences"])
    limits = {channel: {"cost": rule.cost, "cap": rule.cap, "enabled": rule.enabled} for channel, rule in rules.items() if rule.cap}
    return {
        "agent": {**shown, "channels": limits, "agent_seq": agent["seq"]},
        "offers": [one for one in rows if one["state"] == "offered" and one["agent_id"] == agent_id],
        "items": [one for one in rows if one["state"] != "offered" or one["agent_id"] != agent_id],
        "queues": [dict(row) for row in queues],
    }


async def transfer_targets(connection: Connection, workspace_id: UUID, *, but: UUID | None = None) -> dict[str, Any]:
    """To whom an item can be handed: agents who are there, least loaded first, and queues that are enabled."""
    agents = await connection.fetch(
        "select id, name, title, presence, used, budget from santral.agent where workspace_id = $1 and enabled"
        " and presence in ('online', 'busy') and not off_shift and (kind = 'bot' or lease_until > clock_timestamp()) and id is distinct from $2"
        " order by presence = 'online' desc, used::float / greatest(budget, 1), name limit 200",
        workspace_id, but,
    )  # fmt: skip
    queues = await connection.fetch(
        "select name, title from santral.queue where workspace_id = $1 and enabled order by title, name limit 200", workspace_id
    )
    return {"agents": [dict(row) for row in agents], "queues": [dict(row) for row in queues]}


async def read_item(connection: Connection, workspace_id: UUID, item_id: UUID) -> dict[str, Any]:
    """One item. Raises `NotFound`."""
    row = await connection.fetchrow(_ITEM + "where i.workspace_id = $1 and i.id = $2", workspace_id, item_id)
    if row is None:
        raise NotFound("no such item", field="item_id")
    (view,) = await _named(connection, workspace_id, [row])
    return view


async def _named(connection: Connection, workspace_id: UUID, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Their views, with the names of those whom decisions mention by id."""
    amendments = await read_amendments(connection, workspace_id, [row["conversation_id"] for row in rows])
    views = [item_view(row, amendments) for row in rows]
    records = await with_names(connection, workspace_id, [one["why"] for one in views])
    return [{**one, "why": record} for one, record in zip(views, records, strict=True)]


async def list_items(
    connection: Connection, workspace_id: UUID, *, state: str | None, queue: str | None, agent_id: UUID | None, seer: UUID | None,
    in_queues: bool, limit: int, after: Place | None = None,
) -> tuple[list[dict[str, Any]], Place | None]:  # fmt: skip
    """Items in the order they will be served, those after this place; with the place of the last one where more follow.

    ``seer`` keeps what this agent sees (`seen.py`).
    """
    rows = await connection.fetch(
        _ITEM + "where i.workspace_id = $1 and ($2::text is null or i.state = $2) and ($3::text is null or q.name = $3)"
        " and ($4::uuid is null or i.agent_id = $4)"
        " and ($6::smallint is null or (i.due_class, i.due_at, i.id) > ($6, $7::timestamptz, $8::uuid))"
        f" and ($9::uuid is null or {SEEN.format(seer='$9', in_queues='$10')})"
        " order by i.due_class, i.due_at, i.id limit $5",
        workspace_id, state, queue, agent_id, limit + 1, *(after or (None, None, None)), seer, in_queues,
    )  # fmt: skip
    last = rows[limit - 1] if len(rows) > limit else None
    views = await _named(connection, workspace_id, rows[:limit])
    return views, None if last is None else (last["due_class"], last["due_at"], last["id"])


async def queue_snapshot(connection: Connection, workspace_id: UUID, queue: str, limit: int = 200) -> list[dict[str, Any]]:
    """A queue's waiting items in order, each with its absolute state and version."""
    rows = await connection.fetch(
        "select i.id, i.state, i.version, i.due_at, i.channel, row_number() over (order by i.due_class, i.due_at, i.id) as position"
        " from santral.work_item i join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id"
        " where i.workspace_id = $1 and q.name = $2 and i.state = 'queued' order by i.due_class, i.due_at, i.id limit $3",
        workspace_id, queue, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def place_in_line(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> dict[str, Any]:
    """Where a customer's conversation stands: waiting with a position and a predicted wait, with an agent, or closed."""
    row = await connection.fetchrow(
        "select i.*, a.name as agent_name, p.per_s from santral.work_item i"
        " left join santral.agent a on a.workspace_id = i.workspace_id and a.id = i.agent_id"
        " left join santral.queue_pace p on p.workspace_id = i.workspace_id and p.queue_id = i.queue_id"
        " where i.workspace_id = $1 and i.conversation_id = $2 order by i.enqueued_at desc limit 1",
        workspace_id, conversation_id,
    )  # fmt: skip
    if row is None or row["state"] in ("completed", "abandoned", "canceled"):
        return {"state": "closed" if row is not None else "waiting", "position": None, "wait": None, "agent": None}
    if row["state"] in ("queued", "offered"):
        ahead = (
            await connection.fetchval(_POSITION, workspace_id, row["queue_id"], row["due_class"], row["due_at"], row["id"])
            if row["state"] == "queued"
            else 1
        )
        wait = wait_of(ahead, row["per_s"])
        return {"state": "waiting", "position": ahead, "wait": None if wait is None else asdict(wait), "agent": None}
    return {"state": "with_agent", "position": None, "wait": None, "agent": row["agent_name"]}

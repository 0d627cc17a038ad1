"""Each queue's pace, measured every few seconds by one router and read by everybody: rules, customers, agents, reports.

Table ``queue_pace``, one row per queue, written whole; old rows are harmless and are overwritten. **Units**: seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from router.item.limits import channel_rules
from router.views.routing_report import routing_report
from router.waits.prediction import Line, Server, departures_per_s, wait_of
from shared.database import Connection, Database
from shared.errors import SantralError
from shared.leases import Leases
from shared.logs import get_log
from shared.metrics import FAIRNESS, PREDICTION_ERROR, PREDICTION_KEPT, RELAXATION, STICKY_SHARE, WAIT

log = get_log(__name__)
EVERY_S: Final = 2.0
TELL_S: Final = 60.0
WINDOW_S: Final = 4 * 3600
_LINES: Final = """
select q.workspace_id, q.id, w.waiting, w.oldest_s, d.handling_s, d.finished, coalesce(w.channel, d.channel, 'chat') as channel
from santral.queue q
left join lateral (
    select count(*) as waiting, coalesce(extract(epoch from now() - min(i.enqueued_at)), 0)::float8 as oldest_s,
           mode() within group (order by i.channel) as channel
    from santral.work_item i where i.workspace_id = q.workspace_id and i.queue_id = q.id and i.state = 'queued') w on true
left join (
    -- A place is free again when the item is parked, or when it ends.
    select i.workspace_id, i.queue_id, count(*) as finished, mode() within group (order by i.channel) as channel,
           avg(extract(epoch from coalesce(i.parked_at, i.closed_at) - i.assigned_at))::float8 as handling_s
    from santral.work_item i
    where i.closed_at > now() - $1 * interval '1 s' and i.assigned_at is not null
      and coalesce(i.parked_at, i.closed_at) > i.assigned_at
    group by 1, 2) d on d.workspace_id = q.workspace_id and d.queue_id = q.id
where q.enabled and q.purpose <> 'bulk'
"""
_SERVERS: Final = """
select a.workspace_id, a.id, a.budget, a.channels, a.presences, w.settings->'channels' as usual, m.queues
from santral.agent a
join santral.workspace w on w.workspace_id = a.workspace_id
cross join lateral (
    select array_agg(m.queue_id) as queues from santral.queue_member m
    where m.workspace_id = a.workspace_id and m.agent_id = a.id) m
where a.enabled and a.presence = 'online' and not a.off_shift and (a.kind = 'bot' or a.lease_until > now())
  and m.queues is not null
"""
_WRITE: Final = """
insert into santral.queue_pace (workspace_id, queue_id, waiting, oldest_s, online, finished, handling_s, per_s, measured_at)
select w, q, waiting, oldest_s, online, finished, handling_s, per_s, now()
from jsonb_to_recordset($1::jsonb) as n(
    w uuid, q uuid, waiting int, oldest_s float8, online int, finished int, handling_s float8, per_s float8)
-- A queue that somebody holds, or has removed since, is measured at the next look.
join santral.queue k on k.workspace_id = n.w and k.id = n.q
order by w, q for key share of k skip locked
on conflict (workspace_id, queue_id) do update set
    waiting = excluded.waiting, oldest_s = excluded.oldest_s, online = excluded.online, finished = excluded.finished,
    handling_s = excluded.handling_s, per_s = excluded.per_s, measured_at = excluded.measured_at
"""


_READ: Final = """
select p.*, q.name from santral.queue_pace p join santral.queue q on q.workspace_id = p.workspace_id and q.id = p.queue_id
where p.workspace_id = $1 and q.purpose <> 'bulk' order by q.name
"""


class Pace:
    """The measuring. Any number of routers run it, the one that holds the lease measures."""

    def __init__(self, db: Database, *, leases: Leases) -> None:
        self._db = db
        self._leases = leases

    async def run(self) -> None:
        """Measures for ever; while the database is away the last figures stand."""
        told_at = 0.0
        while True:
            try:
                if self._leases.held:
                    await self.round()
                    if time.monotonic() - told_at > TELL_S:
                        told_at = time.monotonic()
                        await self.tell()
            except SantralError as error:
                log.warning("queues are not measured", action="dependency_down", error=str(error))
            await asyncio.sleep(EVERY_S)

    async def round(self) -> None:
        """Measures every queue once. Calling it again only makes the figures newer."""
        async with self._db.batch() as connection:
            await measure(connection)

    async def tell(self) -> None:
        """Sets the metrics of the last hour, over all workspaces."""
        now = datetime.now(UTC)
        async with self._db.session() as connection:
            workspaces = [row["id"] for row in await connection.fetch("select id from santral.workspace")]
            report = await routing_report(connection, workspaces, since=now - timedelta(hours=1), until=now)
        FAIRNESS.set(report.gini)
        if report.whole is None:
            return
        whole = report.whole
        for quantile, seconds in (("0.5", whole.p50_s), ("0.9", whole.p90_s), ("0.99", whole.p99_s), ("1", whole.max_s)):
            WAIT.labels(quantile=quantile).set(seconds)
        STICKY_SHARE.set(whole.sticky_share)
        RELAXATION.set(whole.relaxation_steps)
        if whole.predicted:
            PREDICTION_ERROR.set(whole.prediction_error_s or 0.0)
            PREDICTION_KEPT.set(whole.prediction_kept_share or 0.0)


async def measure(connection: Connection) -> None:
    """Reads lines and agents and writes each queue's row."""
    rows = await connection.fetch(_LINES, WINDOW_S)
    agents = await connection.fetch(_SERVERS)
    lines = [_line(dict(row)) for row in rows]
    servers = [server for row in agents if (server := _server(dict(row))) is not None]
    pace = departures_per_s(lines, servers)
    online: dict[UUID, int] = {}
    for server in servers:
        for queue in server.queues:
            online[queue] = online.get(queue, 0) + 1
    await connection.execute(_WRITE, [_row(dict(row), online.get(row["id"], 0), pace.get(row["id"])) for row in rows])


async def read_pace(connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
    """Every queue as it was measured last, by name, with the wait of a newcomer."""
    rows = await connection.fetch(_READ, workspace_id)
    return [
        {
            "queue": row["name"], "waiting": row["waiting"], "oldest_s": row["oldest_s"], "agents_online": row["online"],
            "handling_s": row["handling_s"], "finished": row["finished"], "wait": wait_of(row["waiting"] + 1, row["per_s"]),
            "measured_at": row["measured_at"],
        }
        for row in rows
    ]  # fmt: skip


def _line(row: Mapping[str, Any]) -> Line:
    return Line(
        id=row["id"], waiting=row["waiting"], channel=row["channel"], handling_s=row["handling_s"], finished=row["finished"] or 0
    )


def _server(row: Mapping[str, Any]) -> Server | None:
    """An agent as a server; None for one whose limits cannot be read, so that all other queues are measured all the same."""
    queues: Sequence[UUID] = row["queues"]
    try:
        return Server(queues=queues, budget=row["budget"], rules=channel_rules(row["channels"], row["usual"], row["presences"]))
    except Exception as error:
        log.error("an agent's limits cannot be read", action="worker_failed", agent=str(row["id"]), error=type(error).__name__)  # noqa: TRY400
        return None


def _row(row: Mapping[str, Any], online: int, per_s: float | None) -> dict[str, Any]:
    return {
        "w": row["workspace_id"], "q": row["id"], "waiting": row["waiting"], "oldest_s": row["oldest_s"], "online": online,
        "finished": row["finished"] or 0, "handling_s": row["handling_s"], "per_s": per_s,
    }  # fmt: skip

"""A day's digest of bulk mail from nobody we know: how many, from how many, and which; one a workspace and day, whatever crashes.

A day is the workspace's own, by its clock, and is digested when it has been over for `SETTLED`, so that what waited on the log is in it.
Days that nobody digested meanwhile are made up for, the oldest first, as far back as `DAYS_BACK`. A day without such mail has its row too,
so that it is not looked at again, and no event.
**Identity**: (workspace, day); the row and its event are of one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.database import Connection
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record
from shared.time_zones import zone_of

DAYS_BACK: Final = 14
SHOWN_MAX: Final = 100
SETTLED: Final = timedelta(hours=1)
_SETTINGS: Final = """
select w.settings->>'time_zone' as time_zone, clock_timestamp() as now, w.created_at,
       exists (select 1 from santral.queue q where q.workspace_id = w.workspace_id and q.purpose = 'bulk') as has_queue,
       array(select d.day from santral.bulk_digest d where d.workspace_id = w.workspace_id and d.day > current_date - 30) as made
from santral.workspace w where w.id = $1
"""
_OF_A_DAY: Final = """
select count(*)::int as mails, count(distinct m.handle_id)::int as senders,
       coalesce((array_agg(m.id order by m.accepted_at desc, m.id desc))[1:$4], '{}') as message_ids
from santral.message m
where m.workspace_id = $1 and m.accepted_at >= $2 and m.accepted_at < $3 and m.body ? 'bulk'
"""
_INSERT: Final = """
insert into santral.bulk_digest (workspace_id, day, mails, senders, message_ids) values ($1, $2, $3, $4, $5)
on conflict do nothing returning 1
"""
_LIST: Final = """
select d.day, d.mails, d.senders, d.made_at, coalesce(said.messages, '[]') as messages from santral.bulk_digest d
left join lateral (
    select jsonb_agg(jsonb_build_object('id', m.id, 'conversation_id', m.conversation_id, 'at', m.accepted_at, 'subject', m.subject,
                                        'sender', coalesce(nullif(h.name, ''), h.value)) order by m.accepted_at desc, m.id desc) as messages
    from unnest(d.message_ids) as g(id)
    join santral.receipt r on r.workspace_id = d.workspace_id and r.id = g.id and r.state = 'taken'
    join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
    left join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id
) said on true
where d.workspace_id = $1 and d.mails > 0 and ($2::date is null or d.day < $2) order by d.day desc limit $3
"""


async def digest_next_day(connection: Connection, workspace_id: UUID) -> bool:
    """Digests the oldest day that is over and has no digest. True when there was one; the caller commits, and asks again.

    Two at once, or one that is killed, leave one digest with one event: the row's key decides.
    """
    row = await connection.fetchrow(_SETTINGS, workspace_id)
    day = None if row is None or not row["has_queue"] else _next_day(dict(row))
    if row is None or day is None:
        return False
    zone = _zone(row["time_zone"])
    begins, ends = (datetime.combine(one, datetime.min.time(), zone) for one in (day, day + timedelta(days=1)))
    found = await connection.fetchrow(_OF_A_DAY, workspace_id, begins, ends, SHOWN_MAX)
    assert found is not None
    made = await connection.fetchval(_INSERT, workspace_id, day, found["mails"], found["senders"], found["message_ids"])
    if made is not None and found["mails"]:
        data: dict[str, Any] = {"day": day.isoformat(), "mails": found["mails"], "senders": found["senders"]}
        await record(connection, [Event(id=new_id(), workspace_id=workspace_id, type="bulk.digested", at=row["now"], data=data)])
    return True


async def list_digests(connection: Connection, workspace_id: UUID, *, before: date | None, limit: int) -> list[dict[str, Any]]:
    """Digests of days with such mail, the newest first, each with the newest messages that are still there."""
    return [dict(row) for row in await connection.fetch(_LIST, workspace_id, before, limit)]


def _next_day(row: Mapping[str, Any]) -> date | None:
    """The oldest day that is over and not digested, no further back than the workspace or `DAYS_BACK`."""
    zone = _zone(row["time_zone"])
    today = (row["now"] - SETTLED).astimezone(zone).date()
    first = max(today - timedelta(days=DAYS_BACK), row["created_at"].astimezone(zone).date())
    made = set(row["made"])
    days = (first + timedelta(days=n) for n in range((today - first).days))
    return next((day for day in days if day not in made), None)


def _zone(name: str | None) -> ZoneInfo:
    return zone_of(name) or ZoneInfo("UTC")

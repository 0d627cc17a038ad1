"""Retention: what is older than a workspace's days goes, class by class, in bounded batches of the courier; open work never does.

Nothing is removed of a class that the workspace's settings do not name. `PLAN` counts with the same conditions that `REMOVE` uses.

| class | older by | what becomes of it |
|---|---|---|
| messages | the conversation's end | texts, subjects, originals and files of its messages, and why they were moved, go; the rest stays |
| files | the conversation's end | files and originals of its messages go |
| conversations | its end, once nothing is left in it | it goes with its items, decisions, deliveries and empty messages |
| quarantine | its resolution; one that cannot be decoded, its coming | the entry goes |
| sessions, retry_keys | expiry, first use | the row goes |
| deliveries | when it was written, once it is not queued | what was sent to the provider goes |
| decisions | when it was made, once the work is over | the record goes |
| views, audit | when it happened | the row goes |

**Units**: days; times by the database's clock.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from router.erasure.covers import UNLABELLED
from services.frame.rounds import each_alone, go_round
from services.privacy.blob_orphans import collect_orphans
from services.privacy.blob_removals import remove_blobs, remove_come_again, remove_left
from shared.blobs import Blobs
from shared.database import Connection, Database
from shared.hints import Waiter
from shared.ids import new_id
from shared.leases import Leases
from shared.logs import get_log
from shared.metrics import RETENTION_REMOVED

log = get_log(__name__)
RetentionClass = Literal[
    "messages", "files", "conversations", "quarantine", "sessions", "retry_keys", "deliveries", "decisions", "views", "audit"
]
BATCH: Final = 500
LOOK_S: Final = 600.0
ORPHANS_EVERY_S: Final = 24 * 3600.0
SLOT: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A table ``x``, the condition on a row (``$1`` workspace, ``$2`` the time before which it goes), and the change; None: delete."""

    table: str
    rows: str
    change: str | None = None


_CLOSED: Final = """exists (
    select 1 from santral.conversation c where c.workspace_id = x.workspace_id and c.id = x.conversation_id
      and c.state = 'closed' and c.closed_at < $2
      and not exists (select 1 from santral.work_item i where i.workspace_id = c.workspace_id and i.conversation_id = c.id
                      and i.state not in ('completed', 'abandoned', 'canceled')))"""
_RULES: Final[Mapping[str, _Rule]] = {
    "messages": _Rule(
        table="message", rows=f"not x.body ?| array['expired', 'erased', 'redacted'] and {_CLOSED}",
        change=f"subject = '', text = '', body = '{{\"expired\": true}}', signals = {UNLABELLED}",
    ),
    "files": _Rule(
        table="message", rows=f"x.body ?| array['parts', 'original'] and {_CLOSED}", change="body = x.body - 'parts' - 'original'"
    ),
    "conversations": _Rule(
        table="conversation",
        rows="""x.state = 'closed' and x.closed_at < $2
            and not exists (select 1 from santral.message m where m.workspace_id = x.workspace_id and m.conversation_id = x.id
                            and not m.body ?| array['expired', 'erased'])
            and not exists (select 1 from santral.work_item i where i.workspace_id = x.workspace_id and i.conversation_id = x.id
                            and i.state not in ('completed', 'abandoned', 'canceled'))
            and not exists (select 1 from santral.conversation o where o.workspace_id = x.workspace_id and o.merged_into = x.id)
            and not exists (select 1 from santral.placement_operation p where p.workspace_id = x.workspace_id
                            and x.id in (p.from_conversation_id, p.to_conversation_id) and p.done_at >= $2)""",
    ),
    # Nobody can tell whose words an entry holds that cannot be decoded, so it does not wait for ever for somebody to resolve it.
    "quarantine": _Rule(
        table="quarantine",
        rows="(x.state in ('replayed', 'discarded') and x.resolved_at < $2 or x.reason = 'undecodable' and x.quarantined_at < $2)",
    ),
    "sessions": _Rule(table="session", rows="x.expires_at < $2"),
    "retry_keys": _Rule(table="idempotency", rows="x.created_at < $2"),
    "deliveries": _Rule(
        table="delivery", rows="x.state <> 'queued' and x.created_at < $2 and x.request <> '{}'", change="request = '{}', reason = ''"
    ),
    "decisions": _Rule(
        table="decision",
        rows="x.decided_at < $2 and not exists (select 1 from santral.work_item i where i.workspace_id = x.workspace_id"
        " and i.conversation_id = x.conversation_id and i.state not in ('completed', 'abandoned', 'canceled'))",
    ),
    "views": _Rule(table="profile_view", rows="x.at < $2"),
    "audit": _Rule(table="audit", rows="x.at < $2"),
}  # fmt: skip
_ITEMS: Final = "select i.id from santral.work_item i where i.workspace_id = $1 and i.conversation_id = any($2::uuid[])"
_EMPTIED: Final = (
    f"delete from santral.offer where workspace_id = $1 and item_id in ({_ITEMS})",
    *(
        f"delete from santral.{table} where workspace_id = $1 and conversation_id = any($2::uuid[])"
        for table in ("decision", "delivery", "work_item", "thread_ref", "message")
    ),
    "delete from santral.conversation where workspace_id = $1 and id = any($2::uuid[])",
)
_REASONS: Final = _Rule(  # of class messages too
    table="placement_operation",
    rows="x.reason is not null and not exists (select 1 from santral.conversation c where c.workspace_id = x.workspace_id"
    " and c.id in (x.from_conversation_id, x.to_conversation_id) and (c.state <> 'closed' or c.closed_at >= $2))",
    change="reason = null",
)
_FILES: Final = """
insert into santral.blob_removal (workspace_id, key, cause)
select distinct x.workspace_id, p->>'blob', $4::uuid from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as g(w, c, s)
join santral.message x on x.workspace_id = g.w and x.conversation_id = g.c and x.seq = g.s
cross join lateral jsonb_array_elements(case when jsonb_typeof(x.body->'parts') = 'array' then x.body->'parts' else '[]' end) p
where p->>'blob' > '' on conflict do nothing
"""
_BEFORE: Final = "select clock_timestamp() - $1 * interval '1 day'"
_SETTINGS: Final = "select workspace_id, settings->'retention' as days from santral.workspace where settings ? 'retention'"
_RUN: Final = 'insert into santral.retention_run (workspace_id, id, "class", days, removed) values ($1, $2, $3, $4, $5)'


async def plan(connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
    """What a run would remove now, by class; nothing is changed. The classes the workspace does not name are left out."""
    days: Mapping[str, int] = await _days(connection, workspace_id)
    found = []
    for name, rule in _RULES.items():
        if name not in days:
            continue
        before = await connection.fetchval(_BEFORE, days[name])
        rows = 0
        for one in (rule, _REASONS) if name == "messages" else (rule,):
            statement = f"select count(*) from santral.{one.table} x where x.workspace_id = $1 and {one.rows}"
            rows += await connection.fetchval(statement, workspace_id, before)
        found.append({"class": name, "days": days[name], "before": before, "rows": rows})
    return found


async def _days(connection: Connection, workspace_id: UUID) -> Mapping[str, int]:
    stored = await connection.fetchval("select settings->'retention' from santral.workspace where id = $1", workspace_id)
    return dict(stored or {})


class Retention:
    """The courier's loop. One courier at a time, by lease; each batch checks it in its own transaction."""

    def __init__(self, *, db: Database, blobs: Blobs, leases: Leases) -> None:
        self._db = db
        self._blobs = blobs
        self._leases = leases
        self._orphans_due_s = 0.0

    async def run(self, waiter: Waiter) -> None:
        """Looks for ever; while the database or the blob store is away it waits."""

        async def whole_round() -> bool:
            await self.round()
            await remove_left(self._db, self._blobs)
            if SLOT in self._leases.held:
                await remove_come_again(self._db, self._blobs)
                await self._orphans()
            return False

        await go_round(whole_round, waiter, look_s=LOOK_S, action="retention_waits")

    async def _orphans(self) -> None:
        # The store is walked through for it, and what it waits for are days.
        if time.monotonic() < self._orphans_due_s:
            return
        removed = await collect_orphans(self._db, self._blobs)
        self._orphans_due_s = time.monotonic() + ORPHANS_EVERY_S
        if removed:
            log.info("files of messages that never arrived were removed", action="orphans_removed", count=removed)

    async def round(self) -> int:
        """One look at every workspace, batch by batch until nothing is left; how many rows went. 0 without the lease."""
        if SLOT not in self._leases.held:
            return 0
        async with self._db.session() as connection:
            settings = [dict(row) for row in await connection.fetch(_SETTINGS)]
        classes = [(row, name) for row in settings for name in _RULES if name in row["days"]]

        async def one(of: tuple[Mapping[str, Any], str]) -> int:
            row, name = of
            return await self._remove(row["workspace_id"], name, int(row["days"][name]))

        return sum(await each_alone(classes, one, action="retention_waits"))

    async def _remove(self, workspace_id: UUID, name: str, days: int) -> int:
        run_id, total = new_id(), 0
        while True:
            async with self._db.batch() as connection:
                if not await self._leases.lock_and_check(connection, [SLOT]):
                    return total
                removed = await _batch(connection, workspace_id, name, days, run_id)
                if removed < BATCH and total + removed:
                    await connection.execute(_RUN, workspace_id, run_id, name, days, total + removed)
            total += removed
            await remove_blobs(self._db, self._blobs, workspace_id, run_id)
            RETENTION_REMOVED.labels(kind=name).inc(removed)
            if removed < BATCH:
                return total


async def _batch(connection: Connection, workspace_id: UUID, name: str, days: int, run_id: UUID) -> int:
    rule = _RULES[name]
    before = await connection.fetchval(_BEFORE, days)
    if name == "audit":
        return int(await connection.fetchval("select santral.audit_expire($1, $2, $3)", workspace_id, before, BATCH))
    where = f"x.workspace_id = $1 and {rule.rows}"
    if rule.table == "message":
        keys = f"select x.conversation_id, x.seq from santral.message x where {where} limit $3 for no key update"
        rows = await connection.fetch(keys, workspace_id, before, BATCH)
        conversations, numbers = [row["conversation_id"] for row in rows], [row["seq"] for row in rows]
        await connection.execute(_FILES, [workspace_id] * len(rows), conversations, numbers, run_id)
        await connection.execute(
            f"update santral.message x set {rule.change} from unnest($2::uuid[], $3::bigint[]) as g(c, s)"
            " where x.workspace_id = $1 and x.conversation_id = g.c and x.seq = g.s",
            workspace_id, conversations, numbers,
        )  # fmt: skip
        return len(rows) + (await _picked(connection, workspace_id, _REASONS, before) if name == "messages" else 0)
    if rule.table == "conversation":
        picked = f"select x.id from santral.conversation x where {where} limit $3 for update skip locked"
        found = [row["id"] for row in await connection.fetch(picked, workspace_id, before, BATCH)]
        for statement in _EMPTIED:
            await connection.execute(statement, workspace_id, found)
        return len(found)
    return await _picked(connection, workspace_id, rule, before)


async def _picked(connection: Connection, workspace_id: UUID, rule: _Rule, before: Any) -> int:
    picked = f"select x.ctid from santral.{rule.table} x where x.workspace_id = $1 and {rule.rows} limit $3 for update skip locked"
    change = f"update santral.{rule.table} x set {rule.change}" if rule.change else f"delete from santral.{rule.table} x"
    done = await connection.execute(f"{change} where x.ctid = any(array({picked}))", workspace_id, before, BATCH)
    return int(done.rpartition(" ")[2])

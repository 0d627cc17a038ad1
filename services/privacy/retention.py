"""Retention: what is older than a workspace's days goes, class by class, in bounded batches of the courier; open work never does.

Nothing is removed of a class that the workspace's settings do not name, and nothing of any class that a legal hold reaches (`held.py`). The
plan counts with the same conditions that a run uses.

| class | older by | what becomes of it |
|---|---|---|
| messages | the conversation's end | texts, subjects (also as a conversation's), originals and files of its messages, and why they were moved, go |
| files | the conversation's end | files and originals of its messages, and of its answers, go |
| conversations | its end, once nothing is left in it | it goes with its items, decisions, deliveries and empty messages |
| quarantine | its resolution; one that cannot be decoded, its coming | the entry goes |
| sessions, retry_keys | expiry, first use | the row goes |
| deliveries | when it was written, once it is not queued | what was sent to the provider goes |
| decisions | when it was made, once the work is over | the record goes |
| views | when it happened | the row goes |
| audit | when it happened, once its chain has it | the row goes, and the chain's links where it begins |

**Units**: days; times by the database's clock.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from router.commands.kept_files import let_go
from router.erasure.covers import UNLABELLED, UNLABELLED_DECISIONS
from router.erasure.subjects import empty_subjects
from router.moves.vouched import LEFT
from services.frame.rounds import each_alone, go_round
from services.privacy.blob_orphans import collect_orphans, note_unsent
from services.privacy.blob_removals import remove_blobs, remove_come_again, remove_left
from services.privacy.held import CONVERSATION, HANDLE, MESSAGE, held_people, lock_holds
from services.privacy.quarantine import AT_ONCE, PAGE, PAGE_S, Sought, holding
from shared.blobs import Blobs
from shared.database import Connection, Database, pages
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
# "Is not true", because what is nobody's is nobody's who is under a hold.
_MESSAGE_FREE: Final = f"(x.conversation_id {CONVERSATION} or x.id {MESSAGE} or x.handle_id {HANDLE}) is not true"
_OF_MESSAGE_FREE: Final = f"""not exists (
    select 1 from santral.receipt r
    left join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
    where r.workspace_id = x.workspace_id and r.id = x.message_id
      and (r.conversation_id {CONVERSATION} or r.id {MESSAGE} or m.handle_id {HANDLE}))"""
_VISITOR: Final = f"""
    select 1 from santral.handle h where h.workspace_id = x.workspace_id and h.kind = 'visitor' and h.value = x.visitor_id::text
    and h.id {HANDLE}
"""
_ABOUT_FREE: Final = f"(x.conversation_id {CONVERSATION} or x.message_id {MESSAGE}) is not true"
_RULES: Final[Mapping[str, _Rule]] = {
    "messages": _Rule(
        table="message", rows=f"not x.body ?| array['expired', 'erased', 'redacted'] and {_CLOSED} and {_MESSAGE_FREE}",
        change=f"subject = '', text = '', body = '{{\"expired\": true}}'::jsonb || {LEFT.format(message='x')}, signals = {UNLABELLED}",
    ),
    "files": _Rule(
        table="message",
        rows=f"(x.body ?| array['parts', 'original'] or x.body->'content' ? 'files') and {_CLOSED} and {_MESSAGE_FREE}",
        change="body = x.body - 'parts' - 'original' #- '{content,files}'",
    ),
    "conversations": _Rule(
        table="conversation",
        rows=f"""x.state = 'closed' and x.closed_at < $2 and x.id not {CONVERSATION}
            and not exists (select 1 from santral.message m where m.workspace_id = x.workspace_id and m.conversation_id = x.id
                            and (not m.body ?| array['expired', 'erased'] or m.id {MESSAGE} or m.handle_id {HANDLE}))
            and not exists (select 1 from santral.work_item i where i.workspace_id = x.workspace_id and i.conversation_id = x.id
                            and i.state not in ('completed', 'abandoned', 'canceled'))
            and not exists (select 1 from santral.conversation o where o.workspace_id = x.workspace_id and o.merged_into = x.id)
            and not exists (select 1 from santral.placement_operation p where p.workspace_id = x.workspace_id
                            and x.id in (p.from_conversation_id, p.to_conversation_id) and p.done_at >= $2)""",
    ),
    # Nobody can tell whose words an entry holds that cannot be decoded, so it does not wait for ever for somebody to resolve it.
    "quarantine": _Rule(
        table="quarantine",
        rows="(x.state in ('replayed', 'discarded') and x.resolved_at < $2 or x.reason = 'undecodable' and x.quarantined_at < $2)"
        f" and {_OF_MESSAGE_FREE}",
    ),
    "sessions": _Rule(table="session", rows=f"x.expires_at < $2 and not exists ({_VISITOR})"),
    "retry_keys": _Rule(table="idempotency", rows=f"x.created_at < $2 and {_OF_MESSAGE_FREE}"),
    "deliveries": _Rule(
        table="delivery", rows=f"x.state <> 'queued' and x.created_at < $2 and x.request <> '{{}}' and {_ABOUT_FREE}",
        change="request = '{}', reason = ''",
    ),
    "decisions": _Rule(
        table="decision",
        rows="x.decided_at < $2 and not exists (select 1 from santral.work_item i where i.workspace_id = x.workspace_id"
        f" and i.conversation_id = x.conversation_id and i.state not in ('completed', 'abandoned', 'canceled')) and {_ABOUT_FREE}",
    ),
    "views": _Rule(table="profile_view", rows=f"x.at < $2 and x.profile_id not {HANDLE}"),
    # A row that is in no chain yet stays, because a chain shows what was removed by what it kept of it. The same stands in `audit_expire`.
    "audit": _Rule(
        table="audit",
        rows="x.at < $2 and (x.target_id in (select santral.held_targets($1))) is not true"
        " and exists (select 1 from santral.audit_link l where l.workspace_id = x.workspace_id"
        " and l.happened_at = x.at and l.audit_id = x.id)",
    ),
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
    " and c.id in (x.from_conversation_id, x.to_conversation_id)"
    f" and (c.state <> 'closed' or c.closed_at >= $2 or c.id {CONVERSATION}))",
    change="reason = null",
)
_FILES: Final = """
insert into santral.blob_removal (workspace_id, key, cause)
select distinct x.workspace_id, p->>'blob', $4::uuid from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as g(w, c, s)
join santral.message x on x.workspace_id = g.w and x.conversation_id = g.c and x.seq = g.s
cross join lateral jsonb_array_elements(case when jsonb_typeof(x.body->'parts') = 'array' then x.body->'parts' else '[]' end) p
where p->>'blob' > '' on conflict do nothing
"""
_DUE: Final = f"""
select x.id, x.record, x.headers, x.error, x.accepted_at from santral.quarantine x
where x.workspace_id = $1 and {_RULES["quarantine"].rows} and x.id > $3 order by x.id limit $4
"""
_NIL: Final = UUID(int=0)
_RESOLVED: Final = "delete from santral.quarantine where workspace_id = $1 and id = any($2::uuid[])"
_BEFORE: Final = "select clock_timestamp() - $1 * interval '1 day'"
_SETTINGS: Final = "select workspace_id, settings->'retention' as days from santral.workspace where settings ? 'retention'"
_RUN: Final = 'insert into santral.retention_run (workspace_id, id, "class", days, removed) values ($1, $2, $3, $4, $5)'


async def plan(db: Database, blobs: Blobs, workspace_id: UUID, days: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
    """What a run would remove now, by class; nothing is changed. The classes without days are left out.

    ``days`` by class are asked about in place of the workspace's own. In transactions of its own, because under a legal hold all that is due
    in quarantine is read.
    """
    found = []
    async with db.batch(workspace_id) as connection:
        days = await _days(connection, workspace_id) if days is None else days
        whose = await held_people(connection, workspace_id) if "quarantine" in days else Sought()
        for name, rule in _RULES.items():
            if name not in days:
                continue
            before, rows = await connection.fetchval(_BEFORE, days[name]), 0
            for one in {"messages": (rule, _REASONS), "quarantine": () if whose else (rule,)}.get(name, (rule,)):
                statement = f"select count(*) from santral.{one.table} x where x.workspace_id = $1 and {one.rows}"
                rows += await connection.fetchval(statement, workspace_id, before)
            found.append({"class": name, "days": days[name], "before": before, "rows": rows})
    for planned in found:
        after = _NIL if planned["class"] == "quarantine" and whose else None
        while after is not None:
            async with db.batch(workspace_id) as connection:
                free, after = await _free_entries(connection, blobs, workspace_id, planned["before"], whose, after=after)
            planned["rows"] += len(free)
    return found


async def _days(connection: Connection, workspace_id: UUID) -> Mapping[str, int]:
    stored = await connection.fetchval("select settings->'retention' from santral.workspace where id = $1", workspace_id)
    return dict(stored or {})


@dataclass(slots=True, kw_only=True)
class _Run:
    """What goes of a class of a workspace in this look: ``days`` as its settings have them, ``removed`` rows so far, all up to ``after``."""

    workspace_id: UUID
    id: UUID
    name: str
    days: Any
    removed: int = 0
    after: UUID = _NIL


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
            if SLOT in self._leases.held:
                await note_unsent(self._db)
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
            log.info("files that nobody has were removed", action="orphans_removed", count=removed)

    async def round(self) -> int:
        """One look at every workspace, a batch of each in turn until nothing is left; how many rows went. 0 without the lease."""
        if SLOT not in self._leases.held:
            return 0
        async with self._db.session() as connection:
            settings = [dict(row) for row in await connection.fetch(_SETTINGS)]
        runs = [
            _Run(workspace_id=row["workspace_id"], id=new_id(), name=name, days=row["days"][name])
            for row in settings
            for name in _RULES
            if name in row["days"]
        ]
        waiting = runs
        while waiting:
            stepped = await each_alone(waiting, self._step, action="retention_waits")
            waiting = [run for run in stepped if run is not None]
        return sum(run.removed for run in runs)

    async def _step(self, run: _Run) -> _Run | None:
        """A batch of a run; the run again where more is left."""
        days = int(run.days)
        async with self._db.batch() as connection:
            if not await self._leases.lock_and_check(connection, [SLOT]):
                return None
            removed, after = await _batch(connection, self._blobs, run.workspace_id, run.name, days, run.id, run.after)
            if after is None and run.removed + removed:
                await connection.execute(_RUN, run.workspace_id, run.id, run.name, days, run.removed + removed)
        run.removed += removed
        await remove_blobs(self._db, self._blobs, run.workspace_id, run.id)
        RETENTION_REMOVED.labels(kind=run.name).inc(removed)
        if after is None:
            return None
        run.after = after
        return run


async def _batch(
    connection: Connection, blobs: Blobs, workspace_id: UUID, name: str, days: int, run_id: UUID, after: UUID
) -> tuple[int, UUID | None]:
    """How many rows went, and where the next batch begins; None when nothing is left."""
    await lock_holds(connection, workspace_id)
    before = await connection.fetchval(_BEFORE, days)
    whose = await held_people(connection, workspace_id) if name == "quarantine" else Sought()
    if whose:
        found, end = await _free_entries(connection, blobs, workspace_id, before, whose, after=after)
        await connection.execute(_RESOLVED, workspace_id, found)
        return len(found), end
    removed = await _removed(connection, workspace_id, name, before, run_id)
    return removed, _NIL if removed >= BATCH else None


async def _removed(connection: Connection, workspace_id: UUID, name: str, before: Any, run_id: UUID) -> int:
    rule = _RULES[name]
    if name == "audit":
        removed = int(await connection.fetchval("select santral.audit_expire($1, $2, $3)", workspace_id, before, BATCH))
        await connection.execute("select santral.audit_link_expire($1, $2)", workspace_id, 4 * BATCH)
        return removed
    where = f"x.workspace_id = $1 and {rule.rows}"
    if rule.table == "message":
        keys = f"select x.id, x.conversation_id, x.seq from santral.message x where {where} limit $3 for no key update"
        rows = await connection.fetch(keys, workspace_id, before, BATCH)
        conversations, numbers = [row["conversation_id"] for row in rows], [row["seq"] for row in rows]
        await connection.execute(_FILES, [workspace_id] * len(rows), conversations, numbers, run_id)
        messages = [row["id"] for row in rows]
        await let_go(connection, workspace_id, messages, cause=run_id)
        if name == "messages":
            await empty_subjects(connection, workspace_id, messages=messages)
            await connection.execute(UNLABELLED_DECISIONS, workspace_id, messages)
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


async def _free_entries(
    connection: Connection, blobs: Blobs, workspace_id: UUID, before: Any, whose: Sought, *, after: UUID
) -> tuple[list[UUID], UUID | None]:
    """Of a page of entries that are due, those that hold no address of a person under a legal hold: only their bytes say whose they are.

    And where the page ended; None at the end.
    """
    found: list[UUID] = []
    seen, last, ends_s = 0, after, time.monotonic() + PAGE_S
    async for rows in pages(connection, _DUE, workspace_id, before, after, PAGE, rows=AT_ONCE):
        held = {row["id"] for row in await holding(connection, blobs, rows, whose)}
        found += [row["id"] for row in rows if row["id"] not in held]
        seen, last = seen + len(rows), rows[-1]["id"]
        if time.monotonic() > ends_s:
            return found, last
    return found, last if seen == PAGE else None


async def _picked(connection: Connection, workspace_id: UUID, rule: _Rule, before: Any) -> int:
    picked = f"select x.ctid from santral.{rule.table} x where x.workspace_id = $1 and {rule.rows} limit $3 for update skip locked"
    change = f"update santral.{rule.table} x set {rule.change}" if rule.change else f"delete from santral.{rule.table} x"
    done = await connection.execute(f"{change} where x.ctid = any(array({picked}))", workspace_id, before, BATCH)
    return int(done.rpartition(" ")[2])

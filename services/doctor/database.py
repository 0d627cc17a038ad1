"""What `santral doctor` looks at in PostgreSQL: its roles, its schema, its clock, and what waits in its tables. Seconds."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Literal

from services.doctor.finding import Finding, fail, graded, ok, warn
from services.frame.settings import Settings
from services.schema.compatibility import SchemaState, read_state, require_range
from services.schema.migrations import HEAD
from shared.database import Database
from shared.errors import Conflict
from shared.handle_forms import NORMALIZATION

Role = Literal["api", "worker", "owner"]
SKEW_S: Final = (2.0, 60.0)
OUTBOX_S: Final = (10.0, 60.0)
_VARIABLE: Final = {
    "api": "SANTRAL_DATABASE_URL", "worker": "SANTRAL_DATABASE_WORKER_URL", "owner": "SANTRAL_DATABASE_OWNER_URL",
}  # fmt: skip
_SERVER: Final = """
select r.rolname, r.rolsuper, r.rolbypassrls, current_setting('server_version') as version, current_setting('fsync') as fsync,
       extract(epoch from clock_timestamp())::float8 as now_s, to_regclass('santral.revision') is not null as migrated
from pg_roles r where r.rolname = current_user
"""
_OPEN_TABLES: Final = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id'
where c.relnamespace = 'santral'::regnamespace and c.relkind = 'r' and not (c.relrowsecurity and c.relforcerowsecurity) order by 1
"""
_OUTBOX: Final = """
select count(*) as depth, coalesce(extract(epoch from clock_timestamp() - min(e.at)), 0)::float8 as age_s
from santral.outbox o join santral.event e on e.workspace_id = o.workspace_id and e.id = o.event_id
"""
_QUARANTINE: Final = """
select reason, count(*) as entries, extract(epoch from clock_timestamp() - min(quarantined_at))::float8 as age_s
from santral.quarantine where state in ('open', 'replaying') group by reason order by entries desc, reason
"""
_WITHOUT_PEOPLE: Final = r"regexp_replace(nullif(reason, ''), '\S+@\S+|[+]?[0-9][0-9 ()-]{7,}', '…', 'g')"
"""Providers say whom they could not reach: addresses and numbers are left out, which counts equal reasons together too."""
_FAILED: Final = f"""
select coalesce({_WITHOUT_PEOPLE}, 'no reason given') as reason, count(*) as replies from santral.delivery
where state = 'failed' and coalesce(closed_at, created_at) > now() - interval '1 day' group by 1 order by 2 desc, 1 limit 5
"""
_LOOPS: Final = """
select data->>'reason' as reason, count(distinct conversation_id) as conversations from santral.event
where type = 'reply.stopped' and at > now() - interval '1 day' group by 1 order by 1
"""
_HANDLES: Final = """
select w.name, r.normalization, r.state, r.looked, r.renewed, r.clashed, r.unreadable, r.findings
from santral.workspace w left join santral.handle_renewal r on r.workspace_id = w.workspace_id order by w.name
"""
_HANDLES_TOLD: Final = 5
_HANDLE_WORDS: Final = {
    "renewed": ("have their present name beside the one of an earlier release", ""),
    "clash": (
        "have a present name that is somebody else's", "decide the suggestions at the desk, or: santral profiles merge"
    ),
    "unreadable": (
        "are no address to this release, and answers to them fail", "merge them with what the customer writes from: santral profiles merge"
    ),
}  # fmt: skip
_LOOPS_REMEDY: Final = "see the events reply.stopped: a bot or a program answers a machine"
_QUEUED: Final = f"""
select count(*) as queued, count(*) filter (where attempts > 0) as tried,
       coalesce(extract(epoch from clock_timestamp() - min(due_at)), 0)::float8 as late_s,
       max({_WITHOUT_PEOPLE}) filter (where attempts > 0) as reason
from santral.delivery where state = 'queued'
"""


@asynccontextmanager
async def opened(settings: Settings, role: Role) -> AsyncIterator[Database]:
    """A role's connection. Raises `InputRejected` when its address is not set."""
    db = await Database.open(settings.database(role), name="doctor", pool_size=1)
    try:
        yield db
    finally:
        await db.close()


async def look_at_role(settings: Settings, role: Role) -> Sequence[Finding]:
    """Whether a role reaches the server, at a revision this release works on, under row-level security, at our time."""
    check = f"database ({role})"
    async with opened(settings, role) as db, db.session() as connection:
        before = time.time()
        row = await connection.fetchrow(_SERVER)
        skew_s = abs(row["now_s"] - (before + time.time()) / 2) if row else 0.0
        assert row is not None
        schema = await read_state(connection)
        exposed = [one["relname"] for one in await connection.fetch(_OPEN_TABLES)] if row["migrated"] else []
    found = [ok(check, f"answers as {row['rolname']}, PostgreSQL {row['version']}, revision {schema.revision or 'none'}")]
    try:
        require_range(schema)
    except Conflict as error:
        found = [fail(check, error.message, error.remedy or "")]
    else:
        found += _between_releases(schema) if role == "worker" else []
    if role != "owner" and (row["rolsuper"] or row["rolbypassrls"]):
        found.append(
            fail(check, f"{row['rolname']} sees past row-level security", f"connect as santral_{role} in {_VARIABLE[role]}")
        )
    if role == "worker":
        text = f"differs by {skew_s:.1f} s from the database's"
        found.append(graded("clock", text, "set both by NTP", value=skew_s, warn_at=SKEW_S[0], fail_at=SKEW_S[1]))
        if row["fsync"] != "on":
            found.append(fail(check, "fsync is off: a power cut loses what was acknowledged", "set fsync = on in postgresql.conf"))
        if exposed:
            tables = ", ".join(exposed)
            found.append(
                fail(check, f"row-level security is not forced on {tables}", "restore it: alter table … force row level security")
            )
    return found


def _between_releases(schema: SchemaState) -> list[Finding]:
    """A schema that this release works on and that is not its own: somebody is upgrading, or forgot the rest of it."""
    text = f"at {schema.revision}, where this release would bring it to {HEAD}"
    if str(schema.revision) > HEAD:
        text = f"at {schema.revision}, brought there by a newer release; this one knows {HEAD} and may go on running"
        return [warn("schema", text, "replace the processes one after the other by that release's")]
    return [warn("schema", text, "run: santral migrate")] if schema.revision != HEAD else []


async def look_at_outbox(db: Database) -> Sequence[Finding]:
    """Events that wait for their publication."""
    async with db.session() as connection:
        row = await connection.fetchrow(_OUTBOX)
    assert row is not None
    if not row["depth"]:
        return [ok("outbox", "empty")]
    text = f"{row['depth']} events, the oldest for {row['age_s']:.0f} s"
    remedy = "a courier must run and reach Kafka: see the lines of both"
    return [graded("outbox", text, remedy, value=row["age_s"], warn_at=OUTBOX_S[0], fail_at=OUTBOX_S[1])]


async def look_at_quarantine(db: Database) -> Sequence[Finding]:
    """What could not be understood, by reason."""
    async with db.session() as connection:
        rows = await connection.fetch(_QUARANTINE)
    remedy = "santral quarantine list, mend the cause, then: santral quarantine replay"
    found = [warn("quarantine", f"{row['entries']} open: {row['reason']}, since {_ago(row['age_s'])}", remedy) for row in rows]
    return found or [ok("quarantine", "nothing is open")]


async def look_at_handles(db: Database) -> Sequence[Finding]:
    """Handles that an earlier release called otherwise: how far they are read again, and what came of it; ids, never an address."""
    async with db.session() as connection:
        if await connection.fetchval("select to_regclass('santral.handle_renewal')") is None:
            return [warn("handles", "not read again before the schema is migrated", "run: santral migrate")]
        rows = await connection.fetch(_HANDLES)
    found: list[Finding] = []
    for row in rows:
        if row["state"] != "done" or row["normalization"] < NORMALIZATION:
            text = f"{row['name']}: handles of an earlier release are being read again, {row['looked'] or 0} so far"
            found.append(warn("handles", text, "a courier does it: santral courier"))
        for what, column in (("renewed", "renewed"), ("clash", "clashed"), ("unreadable", "unreadable")):
            if not row[column]:
                continue
            words, remedy = _HANDLE_WORDS[what]
            named = [one["handle"] for one in row["findings"] if one["what"] == what][:_HANDLES_TOLD]
            text = f"{row['name']}: {row[column]} {words}: {', '.join(named)}{' …' if len(named) < row[column] else ''}"
            found.append(ok("handles", text) if what == "renewed" else warn("handles", text, remedy))
    return found or [ok("handles", "all are as this release calls them")]


async def look_at_deliveries(db: Database) -> Sequence[Finding]:
    """Replies on their way, and those of the last day that failed, by reason."""
    async with db.session() as connection:
        queued = await connection.fetchrow(_QUEUED)
        failed = await connection.fetch(_FAILED)
        loops = await connection.fetch(_LOOPS)
    assert queued is not None
    found = [
        warn("replies", f"{row['replies']} failed within a day: {row['reason']}", "mend the channel's settings, then answer again")
        for row in failed
    ]
    found += [
        warn(
            "replies",
            f"{row['conversations']} conversations where automatic answers were stopped within a day: {row['reason']}",
            _LOOPS_REMEDY,
        )
        for row in loops
    ]
    text = f"{queued['queued']} on their way"
    if queued["late_s"] > 120:
        found.append(fail("replies", f"{text}, the oldest {_ago(queued['late_s'])} late", "a courier must run: santral courier"))
    elif queued["tried"]:
        why = f": {queued['reason']}" if queued["reason"] else ""
        found.append(
            warn("replies", f"{text}, {queued['tried']} of them being tried again{why}", "see the provider, or the mail relay")
        )
    elif not found:
        found.append(ok("replies", text))
    return found


def _ago(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"

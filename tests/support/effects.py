"""The checker: what a load had acknowledged, against the rows that are there, and the invariants that must hold after any crash."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tests.support.load import Load, Sent
from tests.support.waiting import eventually

# A mail is known by its Message-ID and a digest behind it (behind a colon in 0.1.0); no id of a load has either sign.
_NAME = "split_part(translate(m.external_id, '#', ':'), ':', 1)"
_MESSAGES = f"""
select {_NAME} as external_id, m.id, m.conversation_id, m.seq, m.stored_at, r.state
from santral.message m left join santral.receipt r on r.workspace_id = m.workspace_id and r.id = m.id
where {_NAME} = any($1::text[])
"""
_TAKEN = f"select count(distinct {_NAME}) from santral.message m where {_NAME} = any($1::text[])"
# A message has the number of the event that tells it, so events alone are contiguous and every message has one of its own.
_GAPS = """
with counted as (
    select workspace_id, conversation_id, count(*) as n, count(distinct seq) as different, max(seq) as last, min(seq) as first
    from santral.event where conversation_id is not null group by 1, 2
)
select v.id::text, c.n, c.different, c.first, c.last, v.seq
from santral.conversation v left join counted c on v.workspace_id = c.workspace_id and v.id = c.conversation_id
where c.n is null or c.n <> c.different or c.first <> 1 or c.last <> c.n or v.seq <> c.last
"""
_UNTOLD = """
select m.conversation_id::text, m.seq from santral.message m left join santral.event e
on e.workspace_id = m.workspace_id and e.conversation_id = m.conversation_id and e.seq = m.seq
where e.id is null
"""
_TWO_OPEN = """
select conversation_id::text from santral.work_item where state not in ('completed', 'abandoned', 'canceled')
group by workspace_id, conversation_id having count(*) > 1
"""
_CAPACITY = """
select a.name, a.used, coalesce(h.used, 0) as held
from santral.agent a left join lateral (
    select sum((one.value->>'cost')::int)::int as used from santral.work_item i, jsonb_each(i.held) one
    where i.workspace_id = a.workspace_id and one.key = a.id::text
) h on true
where a.used <> coalesce(h.used, 0)
"""
_FINAL_HELD = (
    "select id::text from santral.work_item where state in ('completed', 'abandoned', 'canceled', 'parked') and held <> '{}'"
)
# A transition is told once to each agent concerned: of a transfer, giver and taker.
_TWICE = """
select type, data->>'item_id' as item, data->>'version' as version from santral.event
where type in ('item.assigned', 'offer.made', 'offer.accepted', 'item.completed') and data ? 'version'
group by 1, 2, 3, agent_id having count(*) > 1
"""
_OFFERS_TWICE = """
select item_id::text from santral.offer where state = 'open' group by workspace_id, item_id having count(*) > 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What was found of a load. ``disordered`` are senders of whom a later message stands before an earlier one."""

    sent: int
    acknowledged: int
    found: int
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    disordered: tuple[str, ...]

    def line(self, what: str, **more: float | int | str) -> str:
        """The figures in one line."""
        figures = {
            "sent": self.sent, "acknowledged": self.acknowledged, "found": self.found, "lost": len(self.lost),
            "duplicated": len(self.duplicated), "disordered": len(self.disordered), **more,
        }  # fmt: skip
        return f"\n{what}: " + ", ".join(
            f"{name.replace('_', ' ')} {f'{value:.1f}' if isinstance(value, float) else value}" for name, value in figures.items()
        )


async def connect(url: str) -> asyncpg.Connection:
    """A connection of the owner."""
    return await asyncpg.connect(url, timeout=10)


async def drained(url: str, load: Load, within_s: float) -> float:
    """Waits until every acknowledged message is stored and no event waits to be published; the seconds that took."""
    begun = time.monotonic()
    wanted = [one.external_id for one in load.acknowledged]

    async def done() -> bool:
        try:
            connection = await connect(url)
        except (OSError, asyncpg.PostgresError):
            return False
        try:
            if await connection.fetchval(_TAKEN, wanted) < len(set(wanted)):
                return False
            return bool(await connection.fetchval("select not exists (select from santral.outbox)"))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        finally:
            await connection.close(timeout=5)

    await eventually(done, within_s, f"{len(wanted)} messages stored and the outbox empty")
    return time.monotonic() - begun


async def effects(url: str, load: Load) -> Effects:
    """Compares what was acknowledged with what is there."""
    connection = await connect(url)
    try:
        rows = await connection.fetch(_MESSAGES, [one.external_id for one in load.acknowledged])
    finally:
        await connection.close()
    found = Counter(row["external_id"] for row in rows)
    receipts = {row["external_id"] for row in rows if row["state"] == "taken"}
    by_id = {row["external_id"]: row for row in rows}
    return Effects(
        sent=load.sent,
        acknowledged=len(load.acknowledged),
        found=len(receipts),
        lost=tuple(sorted({one.external_id for one in load.acknowledged} - receipts)),
        duplicated=tuple(sorted(name for name, count in found.items() if count > 1)),
        disordered=tuple(sorted(_disordered(load.acknowledged, by_id))),
    )


def _disordered(acknowledged: Sequence[Sent], rows: dict[str, asyncpg.Record]) -> set[str]:
    by_sender: dict[str, list[Sent]] = defaultdict(list)
    for one in acknowledged:
        if one.external_id in rows:
            by_sender[one.sender].append(one)
    wrong = set()
    for sender, several in by_sender.items():
        several.sort(key=lambda one: one.number)
        last_seq: dict[object, int] = {}
        last_at = None
        for one in several:
            row = rows[one.external_id]
            if row["seq"] <= last_seq.get(row["conversation_id"], 0) or (last_at is not None and row["stored_at"] < last_at):
                wrong.add(sender)
            last_seq[row["conversation_id"]], last_at = row["seq"], row["stored_at"]
    return wrong


async def require_invariants(url: str) -> None:
    """Everything that must hold at rest in the whole database. Raises `AssertionError` with the rows that break it."""
    connection = await connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for what, statement in (
                ("sequences with gaps or doubles", _GAPS),
                ("messages that no event tells", _UNTOLD),
                ("conversations with two open items", _TWO_OPEN),
                ("agents whose capacity is not what their items hold", _CAPACITY),
                ("items that are over and hold capacity", _FINAL_HELD),
                ("the same step of an item told twice", _TWICE),
                ("items with two open offers", _OFFERS_TWICE),
            ):
                broken = [dict(row) for row in await connection.fetch(statement)]
                assert not broken, f"{what}: {broken[:5]}"
    finally:
        await connection.close()


_DIGEST = "select count(*) || ':' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') from santral.{table} t"


async def snapshot(url: str, *tables: str) -> dict[str, str]:
    """A digest of each table's rows; equal digests, equal rows."""
    connection = await connect(url)
    try:
        return {table: await connection.fetchval(_DIGEST.format(table=table)) for table in tables}
    finally:
        await connection.close()

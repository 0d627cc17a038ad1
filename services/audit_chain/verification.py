"""Verifying a workspace's chain: its first break, where it stands, what waits to be linked. It changes nothing.

Links are read in bounded batches from the anchor on; each batch is one statement, so it sees rows, links and retention of one moment, and
retention may go on meanwhile. Digests are computed here: the database is asked for rows, not for a judgement of them.

What breaks a chain: a link that is missing or does not follow from the one before, a row that was changed, a row that is gone though
retention has not come so far, a row that is in no link though it is too old to come yet (`services/audit_chain/links.py`). Who writes
as the tables' owner can make all links anew; a `Witness` that was kept outside the database tells.

**Units**: seconds, times by the database's clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.audit_chain.digest import ROW, Row, at_text, first_digest, link_digest, row_digest
from services.audit_chain.links import EARLIEST, EARLIEST_AT, LATE_S, UNLINKED
from shared.database import Connection, Database

BATCH: Final = 5000
WINDOW: Final = timedelta(days=1)
_NEXT: Final = timedelta(microseconds=1)
_LINKS: Final = f"""
select l.number, l.audit_id, {at_text("l.happened_at")} as happened_at, l.row_digest, l.digest,
       l.happened_at < n.expired_before as may_be_gone, {at_text("n.expired_before")} as expired_before,
       coalesce(n.number, 0) as anchor_number, n.digest as anchor_digest, {ROW}
from (select * from santral.audit_link f where f.workspace_id = $1 and f.number between $2 and $3) l
left join santral.audit_anchor n on n.workspace_id = l.workspace_id
left join santral.audit a on a.workspace_id = l.workspace_id and a.id = l.audit_id
order by l.number
"""
_NEXT_LINK: Final = "select min(number) from santral.audit_link where workspace_id = $1 and number > $2"
_BOUND: Final = "select max(happened_at) - $2 * interval '1 s' from santral.audit_link where workspace_id = $1"
_NEXT_OLD: Final = "select min(at) from santral.audit where workspace_id = $1 and at >= $2 and at < $3"
_OLD: Final = f"select id, {at_text('at')} as at from ({UNLINKED}) g order by 2, 1 limit 1"
_NOWHEN: Final = f"""
select a.id, {at_text("a.at")} as at from santral.audit a where a.workspace_id = $1 and (a.at < {EARLIEST} or a.at > clock_timestamp())
  and not exists (select 1 from santral.audit_link l where l.workspace_id = $1 and l.happened_at = a.at and l.audit_id = a.id) limit 1
"""
_WAITING: Final = f"""
select count(*) as rows, coalesce(extract(epoch from clock_timestamp() - min(at)), 0)::float8 as age_s from ({UNLINKED}) g
"""
_NUMBERS: Final = 2**63
"""Every number that a link may have is nearer to 0, also of one that has no business in a chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A link as somebody outside the database remembers it."""

    number: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """``break_``: what is wrong first, None where nothing is. ``head``: the newest link that was reached, None before the first.

    ``too_old``: the witness is from before the anchor and says nothing. ``waiting``: rows to be linked yet, the oldest ``waiting_s`` old.
    """

    linked: int = 0
    head: Witness | None = None
    break_: str | None = None
    too_old: bool = False
    waiting: int = 0
    waiting_s: float = 0.0


async def verify(db: Database, workspace_id: UUID, witness: Witness | None = None) -> Verified:
    """The state of a workspace's chain. Raises `Unavailable`."""
    place, begins, linked = Witness(number=0, digest=first_digest(workspace_id)), 0, 0
    seen = place if witness and witness.number == 0 else None
    async for row in _links(db, workspace_id):
        if row["anchor_number"] > place.number:
            place, begins = Witness(number=row["anchor_number"], digest=row["anchor_digest"]), row["anchor_number"]
            seen = place if witness and witness.number == place.number else seen
        wrong = _wrong(workspace_id, place, row)
        if wrong:
            return Verified(linked=linked, head=place, break_=wrong)
        place, linked = Witness(number=row["number"], digest=row["digest"]), linked + 1
        seen = place if witness and witness.number == place.number else seen
    too_old = witness is not None and seen is None and witness.number < begins
    broken = None if witness is None or too_old else _contradiction(witness, seen, place)
    async with db.session() as connection:
        until = await connection.fetchval(_BOUND, workspace_id, LATE_S) or EARLIEST_AT
        broken = broken or await _forged(connection, workspace_id, until)
        waits = await connection.fetchrow(_WAITING, workspace_id, until, await connection.fetchval("select clock_timestamp()"))
    assert waits is not None
    return Verified(
        linked=linked,
        head=place if linked else None,
        break_=broken,
        too_old=too_old,
        waiting=waits["rows"],
        waiting_s=waits["age_s"],
    )


def _contradiction(witness: Witness, seen: Witness | None, head: Witness) -> str | None:
    """What a witness says against a chain in which ``seen`` stands at its number and that ends at ``head``."""
    if seen is None:
        return f"it ends at link {head.number}, and the witness knows link {witness.number}"
    return None if seen == witness else f"link {witness.number} is not what the witness knows: the chain up to it was made anew"


async def _links(db: Database, workspace_id: UUID) -> AsyncIterator[Row]:
    last = -_NUMBERS
    while True:
        async with db.session() as connection:
            first = await connection.fetchval(_NEXT_LINK, workspace_id, last)
            if first is None:
                return
            last = min(first + BATCH, _NUMBERS) - 1
            rows = await connection.fetch(_LINKS, workspace_id, first, last)
        for row in rows:
            yield row


def _wrong(workspace_id: UUID, before: Witness, row: Row) -> str | None:
    """What is wrong with a link after the one ``before`` it, or with its row."""
    number, audit_id = row["number"], row["audit_id"]
    if number <= before.number:
        return f"link {number}, of row {audit_id}, stands before the chain's beginning"
    if number != before.number + 1:
        return f"link {before.number + 1} is missing"
    if row["digest"] != link_digest(before.digest, number, audit_id, row["happened_at"], row["row_digest"]):
        return f"link {number}, of row {audit_id}, does not follow from the one before it"
    if row["id"] is None:
        if row["may_be_gone"]:
            return None
        reached = f"has come to {row['expired_before']} only" if row["expired_before"] else "has removed nothing"
        return f"row {audit_id} of {row['happened_at']}, link {number}, was removed, and retention {reached}"
    if (row["happened_at"], row["row_digest"]) != (row["at"], row_digest(workspace_id, row)):
        return f"row {audit_id} of {row['happened_at']}, link {number}, was changed after it was linked"
    return None


async def _forged(connection: Connection, workspace_id: UUID, until: datetime) -> str | None:
    """The first row in no link that can come into none. Rows before ``until`` are too old to be late; they are looked through by days."""
    row, since = await connection.fetchrow(_NOWHEN, workspace_id), EARLIEST_AT
    while row is None and (since := await connection.fetchval(_NEXT_OLD, workspace_id, since, until)) is not None:
        ends = min(since + WINDOW, until)
        row, since = await connection.fetchrow(_OLD, workspace_id, since, ends - _NEXT), ends
    return None if row is None else f"row {row['id']} of {row['at']} was inserted behind the chain, or is dated ahead"

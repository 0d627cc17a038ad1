"""Receipts: the proof that a message was taken in, once and for ever. What has one already is dropped here, however often it comes.

Source of the ids: `shared/ids.py`, computed where the message enters. **Identity**: workspace and message id. Mail of release 0.1.0 was
named after what its parser made of it; such a mail that comes again is known by inbox, Message-ID and Date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from router.intake.arrivals import Arrival
from router.intake.batch_view import Key, key_columns
from shared.database import Connection
from shared.message import InboundMessage

_KNOWN: Final = """
select r.workspace_id, r.id from santral.receipt r
join unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id) on r.workspace_id = g.workspace_id and r.id = g.id
union all
select g.workspace_id, null from unnest($3::uuid[]) as g(workspace_id)
where exists (select 1 from santral.tombstone t where t.workspace_id = g.workspace_id)
"""
_INSERT: Final = """
insert into santral.receipt (workspace_id, id, state)
select workspace_id, id, state from unnest($1::uuid[], $2::uuid[], $3::text[]) as g(workspace_id, id, state)
order by workspace_id, id on conflict do nothing returning workspace_id, id, now() as at
"""
# A reference belongs to the first mail that defined it, so mails that shared a Message-ID in one inbox are known by their first.
_BEFORE: Final = """
select g.workspace_id, g.id from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[])
    as g(workspace_id, id, ref, inbox_id, sent_at)
join santral.thread_ref t on t.workspace_id = g.workspace_id and t.ref = g.ref
join santral.receipt r on r.workspace_id = t.workspace_id and r.id = t.message_id
join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
where m.direction = 'in' and m.inbox_id = g.inbox_id and m.sent_at is not distinct from g.sent_at
  and m.external_id ~ ':[0-9a-f]{32}$'
"""


async def known_receipts(connection: Connection, keys: Iterable[Key]) -> tuple[set[Key], set[UUID]]:
    """Which messages have a receipt already, and in which of their workspaces anybody was ever erased."""
    workspaces, ids = key_columns(keys)
    rows = await connection.fetch(_KNOWN, workspaces, ids, list(set(workspaces)))
    known = {(row["workspace_id"], row["id"]) for row in rows if row["id"] is not None}
    return known, {row["workspace_id"] for row in rows if row["id"] is None}


async def insert_receipts(connection: Connection, states: Mapping[Key, str]) -> dict[Key, datetime]:
    """Inserts receipts; returns those that are ours with the transaction's time, the others were taken in before."""
    workspaces, ids = key_columns(states)
    given = [states[key] for key in zip(workspaces, ids, strict=True)]
    rows = await connection.fetch(_INSERT, workspaces, ids, given)
    return {(row["workspace_id"], row["id"]): row["at"] for row in rows}


async def known_before(connection: Connection, arrivals: Sequence[Arrival]) -> set[Key]:
    """Which of these mails were taken in by release 0.1.0, under the id that it gave them. One statement where there is any mail."""
    asked = [(one, message, ref) for one in arrivals if (message := one.message) is not None and (ref := _message_id(message))]
    if not asked:
        return set()
    rows = await connection.fetch(
        _BEFORE, [one.workspace_id for one, _, _ in asked], [one.id for one, _, _ in asked], [ref for _, _, ref in asked],
        [message.inbox_id for _, message, _ in asked], [message.sent_at for _, message, _ in asked],
    )  # fmt: skip
    return {(row["workspace_id"], row["id"]) for row in rows}


def _message_id(message: InboundMessage) -> str:
    if message.channel != "email" or message.direction != "in":
        return ""
    return next((ref for ref in message.defines if ref.startswith("mid:")), "")

"""Work that waited past its time to live: once to the overflow queue, then out of the queues into quarantine as ``expired``.

The entry stands for the conversation's last message, which is in the conversation already; its bytes name conversation and item.
Replaying it opens a new item (`router/intake/replay.py`). **Identity**: workspace and message.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from router.moves.item_store import StoredItem
from router.moves.moves import numbered
from shared.database import Connection
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record

EXPIRED: Final = "expired"
_LAST_MESSAGE: Final = """
select m.id, m.inbox_id, m.accepted_at from santral.message m
where m.workspace_id = $1 and m.conversation_id = $2 and m.direction = 'in' order by m.seq desc limit 1
"""
_ENTER: Final = """
insert into santral.quarantine (workspace_id, id, message_id, inbox_id, reason, error, error_hash, record, source, accepted_at)
values ($1, $2, $3, $4, $5, $6, $5, $7, $8, $9)
on conflict (workspace_id, message_id) do update
set state = 'open', reason = excluded.reason, error = excluded.error, error_hash = excluded.error_hash, record = excluded.record,
    headers = '{}', source = excluded.source, attempts = santral.quarantine.attempts + 1, quarantined_at = now(),
    resolved_at = null, resolved_by = null
"""
_MARK: Final = "update santral.receipt set state = 'quarantined' where workspace_id = $1 and id = $2"


async def quarantine_expired(connection: Connection, items: Sequence[StoredItem], at: datetime) -> None:
    """Enters items that were canceled for their age; their conversations are locked. What no customer wrote is left out."""
    for one in items:
        message = await connection.fetchrow(_LAST_MESSAGE, one.workspace_id, one.conversation_id)
        if message is None:
            continue
        where = {"conversation_id": str(one.conversation_id), "item_id": str(one.state.id)}
        waited_s = int(at.timestamp() - one.state.enqueued_at)
        await connection.execute(
            _ENTER, one.workspace_id, new_id(), message["id"], message["inbox_id"], EXPIRED,
            f"nobody took it in {waited_s} s, in {one.queue_name} at last", json.dumps(where).encode(), where, message["accepted_at"],
        )  # fmt: skip
        await connection.execute(_MARK, one.workspace_id, message["id"])
        event = Event(
            id=new_id(), workspace_id=one.workspace_id, type="message.quarantined", at=at, conversation_id=one.conversation_id,
            data={"message_id": str(message["id"]), "reason": EXPIRED, "item_id": str(one.state.id)},
        )  # fmt: skip
        await record(connection, await numbered(connection, [event]))

"""Writing events: the row that streams read and the outbox row that the relay publishes, in the effect's own transaction.

Sequences come from the caller, who holds the conversation's or the agent's row. The outbox row is drawn from a sequence while
that row is locked, so positions grow in commit order per key. Nothing here publishes; see `shared/outbox_relay.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.database import Connection
from shared.event import Event

_RECORD = """
with given as (
    select * from rows from (
        jsonb_to_recordset($1::jsonb) as (
            w uuid, i uuid, t text, a timestamptz, c uuid, s bigint, g uuid, n bigint, p uuid, d jsonb, b smallint)
    ) with ordinality as e(
        workspace_id, id, type, at, conversation_id, seq, agent_id, agent_seq, profile_id, data, bucket, place)
), kept as (
    insert into santral.event (workspace_id, id, type, at, conversation_id, seq, agent_id, agent_seq, profile_id, data)
    select workspace_id, id, type, at, conversation_id, seq, agent_id, agent_seq, profile_id, data from given
)
insert into santral.outbox (workspace_id, event_id, bucket)
select workspace_id, id, bucket from given order by place
"""


async def record(connection: Connection, events: Sequence[Event]) -> None:
    """Writes events in the order given, in one statement. Calling it twice with the same event fails (unique id)."""
    if not events:
        return
    rows = [
        {
            "w": event.workspace_id,
            "i": event.id,
            "t": event.type,
            "a": event.at,
            "c": event.conversation_id,
            "s": event.seq,
            "g": event.agent_id,
            "n": event.agent_seq,
            "p": event.profile_id,
            "d": event.data,
            "b": event.bucket,
        }
        for event in events
    ]
    await connection.execute(_RECORD, rows)

"""Writing events: the row that streams read and the outbox row that the relay publishes, in the effect's own transaction.

Sequences come from the caller, who holds the conversation's or the agent's row. The outbox row is drawn from a sequence while
that row is locked, so positions grow in commit order per key. Nothing here publishes; see `shared/relay.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from shared.database import Connection
from shared.event import Event

_RECORD = """
with given as (
    select (e->>'w')::uuid as workspace_id, (e->>'i')::uuid as id, e->>'t' as type, (e->>'a')::timestamptz as at,
           (e->>'c')::uuid as conversation_id, (e->>'s')::bigint as seq, (e->>'g')::uuid as agent_id,
           (e->>'n')::bigint as agent_seq, (e->>'p')::uuid as profile_id, e->'d' as data, (e->>'b')::smallint as bucket, place
    from jsonb_array_elements($1::text::jsonb) with ordinality as given(e, place)
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
    texts = {event.workspace_id: str(event.workspace_id) for event in events}
    times = {event.at: event.at.isoformat() for event in events}
    rows = [
        {
            "w": texts[event.workspace_id],
            "i": str(event.id),
            "t": event.type,
            "a": times[event.at],
            "c": str(event.conversation_id) if event.conversation_id else None,
            "s": event.seq,
            "g": str(event.agent_id) if event.agent_id else None,
            "n": event.agent_seq,
            "p": str(event.profile_id) if event.profile_id else None,
            "d": event.data,
            "b": event.bucket,
        }
        for event in events
    ]
    await connection.execute(_RECORD, json.dumps(rows, default=str))

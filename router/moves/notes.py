"""Notes: what agents write to each other in a conversation. The customer never sees one.

A note is a message of direction ``note`` without a handle, so nothing that is shown to or sent to a customer finds it.
**Identity**: its id. Its number in the conversation is that of the event it belongs to.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Connection

NOTE_CHARS_MAX: Final = 4000
_INSERT: Final = """
insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, agent_id,
    visibility, external_id, text, body, accepted_at, sent_at)
select c.workspace_id, c.id, $3, $4::uuid, 'note', 'text', c.channel, 'santral', c.last_inbox_id, $5, 'internal', 'note:' || $4::uuid,
       $6, jsonb_build_object('actor', $7::text), $8, $8
from santral.conversation c where c.workspace_id = $1 and c.id = $2
"""
_RECEIPT: Final = """
insert into santral.receipt (workspace_id, id, state, conversation_id, seq) values ($1, $2, 'taken', $3, $4)
"""


async def write_note(
    connection: Connection,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    note_id: UUID,
    seq: int,
    agent_id: UUID | None,
    actor: str,
    text: str,
    at: datetime,
) -> None:
    """Stores a note at the number of the event that names it. The caller holds the conversation's lock."""
    await connection.execute(_INSERT, workspace_id, conversation_id, seq, note_id, agent_id, text, actor, at)
    await connection.execute(_RECEIPT, workspace_id, note_id, conversation_id, seq)

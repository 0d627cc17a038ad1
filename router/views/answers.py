"""What an answer goes out under: the message that it answers, its thread, and what its conversation is called.

Said once, when the answer is written, and kept with its delivery: words that come while it waits, and conversations that are joined or taken
apart, change nothing of it. Kept are ids only: who is redacted or erased meanwhile takes their words, subject and references along.
**Identity**: the answer's message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from router.views.answered import ANSWERED
from shared.database import Connection

REFERENCES: Final = 20
"""Of an answer by mail: the newest of its conversation."""
_ANSWERS: Final = f"""
select jsonb_build_object('conversation', c.id, 'called', c.subject <> '', 'message', answered.id, 'mail', thread.mail,
    'thread', coalesce(thread.ids, '{{}}')) as answers
from santral.conversation c
left join santral.handle h on h.workspace_id = c.workspace_id and h.id = $3
{ANSWERED}
left join lateral (
    select (array_agg(m.id order by m.accepted_at desc, m.seq desc))[1:{REFERENCES}] as ids,
           (array_agg(m.id order by m.id is distinct from answered.id, m.accepted_at desc, m.seq desc)
            filter (where m.direction = 'in'))[1] as mail
    from (select distinct t.message_id as id from santral.thread_ref t
          where t.workspace_id = c.workspace_id and t.conversation_id = c.id and t.ref like 'mid:%' and t.message_id <> $4) named
    join santral.receipt r on r.workspace_id = c.workspace_id and r.id = named.id
    join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
    where m.kind <> 'system' and not m.body ? 'automatic' or m.id = answered.id
) thread on true
where c.workspace_id = $1 and c.id = $2
"""
UNDER: Final = """
left join santral.conversation home on home.workspace_id = c.workspace_id and home.id = ($5::jsonb->>'conversation')::uuid
left join lateral (
    select m.handle_id, m.external_id, m.body, m.subject from santral.receipt r
    join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
    where r.workspace_id = c.workspace_id and r.id = ($5::jsonb->>'message')::uuid
) answered on true
left join lateral (
    select array_agg(t.ref order by named.place) as mids, min(t.ref) filter (where t.message_id::text = $5::jsonb->>'mail') as mid
    from (select one.id::uuid as id, one.place from jsonb_array_elements_text($5::jsonb->'thread' || jsonb_build_array($5::jsonb->'mail'))
          with ordinality as one(id, place)) named
    join santral.receipt r on r.workspace_id = c.workspace_id and r.id = named.id
    join santral.thread_ref t on t.workspace_id = r.workspace_id and t.conversation_id = r.conversation_id and t.message_id = r.id
     and t.ref like 'mid:%'
) thread on true
"""
"""Joins for a statement that calls the conversation in which an answer stands ``c`` and has `answers_of` as ``$5``: ``home``, the conversation
in which it was written, ``answered`` and ``thread`` as they are now."""


async def answers_of(
    connection: Connection, *, workspace_id: UUID, conversation_id: UUID, handle_id: UUID | None, reply_id: UUID
) -> Mapping[str, Any]:
    """What an answer to this handle in this conversation goes under as of now, for `UNDER`; empty where there is no such conversation."""
    found = await connection.fetchval(_ANSWERS, workspace_id, conversation_id, handle_id, reply_id)
    answers: Mapping[str, Any] = found or {}
    return answers

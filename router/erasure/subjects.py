"""A conversation is called by the subject of one of its messages, and goes on being called so wherever that message is put.

Where a message's words go, so does what they gave: in the conversation in which it stands, and in every one that a merge, split, move or
undo joined to that, for a subject goes along with these. **Identity**: whose subject it is: the first message of a conversation with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from shared.database import Connection

# LATERAL keeps each look-up on its index. A conversation under a legal hold keeps what it is called.
_EMPTY: Final = """
with recursive gone as materialized (
    select m.id, m.conversation_id, m.subject, m.accepted_at from santral.message m
    where m.workspace_id = $1 and m.conversation_id = any($2::uuid[]) and m.subject <> ''
    union
    select m.id, m.conversation_id, m.subject, m.accepted_at from santral.receipt r
    join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
    where r.workspace_id = $1 and r.id = any($3::uuid[]) and m.subject <> ''
), place as (
    select distinct g.conversation_id as start, g.conversation_id as id from gone g
    union
    select p.start, n.id from place p cross join lateral (
        select o.to_conversation_id as id from santral.placement_operation o
        where o.workspace_id = $1 and o.from_conversation_id = p.id
        union all
        select o.from_conversation_id from santral.placement_operation o where o.workspace_id = $1 and o.to_conversation_id = p.id
    ) n
), called as (
    select distinct c.id from gone g join place p on p.start = g.conversation_id
    join santral.conversation c on c.workspace_id = $1 and c.id = p.id and c.subject = g.subject
    where c.id not in (select santral.held_conversations($1)) and not exists (
        select 1 from santral.message m where m.workspace_id = $1 and m.conversation_id = c.id and m.subject = c.subject
        and (m.accepted_at, m.id) < (g.accepted_at, g.id) and m.id not in (select id from gone))
), locked as (
    select c.id from santral.conversation c
    where c.workspace_id = $1 and c.id = any(array(select id from called)) order by c.id for no key update
)
update santral.conversation c set subject = '' from locked l where c.workspace_id = $1 and c.id = l.id
"""


async def empty_subjects(
    connection: Connection, workspace_id: UUID, *, conversations: Sequence[UUID] = (), messages: Sequence[UUID] = ()
) -> int:
    """Empties what all messages of these conversations, and these messages, gave to conversations; of how many.

    Before the messages' own subjects go, which say what it was. Twice changes nothing more.
    """
    done = await connection.execute(_EMPTY, workspace_id, list(conversations), list(messages))
    return int(done.rpartition(" ")[2])

"""Whose the next answer is, where who wrote last is not the conversation's person any more: then it is the opener's person's again.

A conversation is its opener's person's (`router/intake/threads.py`), and its last words may be of another handle of theirs. When the two are
taken apart afterwards, by an un-merge, a link that ended or a handle that met too many people, the words stay and the answer goes back.
Somebody else who came in by themselves is answered as before: who answered a mail of it, and whose words an agent put there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from shared.database import Connection

_LOCK: Final = """
select c.id from santral.conversation c
where c.workspace_id = $1 and c.id = any($2::uuid[]) and c.handle_id <> c.last_handle_id order by c.id for no key update
"""
_LOCK_ONE: Final = "select id from santral.conversation where workspace_id = $1 and id = $2 for no key update"
_LAST_OF: Final = """
select c.id from santral.handle h join santral.conversation c on c.workspace_id = h.workspace_id and c.last_handle_id = h.id
where h.workspace_id = $1 and h.profile_id = any($2::uuid[])
"""
_RETURN: Final = """
with apart as (
    select c.id, c.handle_id, c.inbox_id, opener.profile_id from santral.conversation c
    join santral.handle opener on opener.workspace_id = c.workspace_id and opener.id = c.handle_id and opener.kind <> 'erased'
    join santral.handle other on other.workspace_id = c.workspace_id and other.id = c.last_handle_id and other.kind <> 'erased'
    cross join lateral (
        select m.channel, p.placed_at, greatest(m.accepted_at, p.placed_at) as here_since from santral.message m
        left join lateral (
            select max(o.placed_at) as placed_at from santral.placement o
            where o.workspace_id = m.workspace_id and o.message_id = m.id and o.to_conversation_id = c.id
        ) p on true
        where m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.handle_id = other.id and m.direction = 'in'
          and m.kind <> 'system'
        order by m.seq desc limit 1
    ) said
    where c.workspace_id = $1 and c.id = any($2::uuid[]) and opener.profile_id <> other.profile_id and (
        said.channel <> 'email' and said.placed_at is null or exists (
            select 1 from santral.handle theirs
            join santral.cannot_link k on k.workspace_id = $1 and k.retracted_at is null and theirs.id in (k.a, k.b)
            join santral.handle others on others.workspace_id = $1 and others.profile_id = other.profile_id and others.id in (k.a, k.b)
            where theirs.workspace_id = $1 and theirs.profile_id = opener.profile_id and k.stated_at > said.here_since
        )
    )
)
update santral.conversation c
set last_handle_id = coalesce(own.handle_id, apart.handle_id), last_inbox_id = coalesce(own.inbox_id, apart.inbox_id)
from apart left join lateral (
    select m.handle_id, m.inbox_id from santral.message m
    join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id and h.profile_id = apart.profile_id
    where m.workspace_id = $1 and m.conversation_id = apart.id and m.direction = 'in' and m.kind in ('text', 'comment', 'review')
      and not m.body ?| array['automatic', 'aside']
    order by m.seq desc limit 1
) own on true
where c.workspace_id = $1 and c.id = apart.id
"""


async def lock_answered(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> None:
    """Locks a conversation and puts right who is answered in it: what is asked of both from here on is so until the transaction's end."""
    await connection.execute(_LOCK_ONE, workspace_id, conversation_id)
    await return_answers(connection, workspace_id, [conversation_id])


async def return_answers(connection: Connection, workspace_id: UUID, conversation_ids: Collection[UUID]) -> None:
    """Puts right who is answered in these conversations. Locks those it looks at, in the order of their ids; twice changes nothing."""
    locked = await connection.fetch(_LOCK, workspace_id, list(conversation_ids))
    if locked:
        await connection.execute(_RETURN, workspace_id, [row["id"] for row in locked])


async def return_answers_of(connection: Connection, workspace_id: UUID, profile_ids: Collection[UUID]) -> None:
    """The same wherever one of these people, who were just taken apart, wrote last."""
    rows = await connection.fetch(_LAST_OF, workspace_id, list(profile_ids))
    await return_answers(connection, workspace_id, [row["id"] for row in rows])

"""What legal holds stand against: asked in the transaction that would remove something, before it does.

Whoever removes shares a lock with all others who do, and whoever places a hold has it alone: so after a hold was placed nothing goes that
it reaches, and what goes went before. Raising leaves everything as it is, and the transaction's work undone.
**Identity**: ids of handles, conversations and messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from profiles.erasure_tombstones import is_one_of, names_one_of
from profiles.forgetting import CHANGES, own_handle
from services.privacy.quarantine import AT_ONCE, Sought, holding, sought
from shared.blobs import Blobs
from shared.database import Connection, pages
from shared.errors import Held

REMEDY: Final = "wait until the hold ends, or have it lifted: GET /v1/holds names it, DELETE /v1/holds/{id} lifts it"
PAGE: Final = 100
"""Messages in memory and in a thread at once; each may name many."""
HANDLES: Final = 1000
_SHARED: Final = "select pg_advisory_xact_lock_shared(hashtextextended('santral.holds ' || $1::uuid, 0))"
_ALONE: Final = "select pg_advisory_xact_lock(hashtextextended('santral.holds ' || $1::uuid, 0))"
_ANY: Final = "select exists (select 1 from santral.holds_in_force($1))"
CONVERSATION: Final = "in (select santral.held_conversations($1))"
MESSAGE: Final = "in (select santral.held_messages($1))"
HANDLE: Final = "in (select santral.held_handles($1))"
"""Ends of SQL conditions on a conversation's, a message's and a handle's id, where ``$1`` is the workspace."""
_HANDLES: Final = f"select exists (select 1 from unnest($2::uuid[]) as g(id) where g.id {HANDLE})"
_WORDS: Final = f"""
select exists (select 1 from unnest($2::uuid[]) as g(id) where g.id {CONVERSATION})
or exists (
    select 1 from santral.message m where m.workspace_id = $1 and m.conversation_id = any($2::uuid[])
    and (m.handle_id {HANDLE} or m.id {MESSAGE}))
or exists (
    select 1 from santral.receipt r
    left join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
    where r.workspace_id = $1 and r.id = any($3::uuid[]) and (r.conversation_id {CONVERSATION} or r.id {MESSAGE} or m.handle_id {HANDLE}))
"""
_CONVERSATIONS: Final = "select id from santral.conversation where workspace_id = $1 and handle_id = any($2::uuid[])"
# LATERAL keeps the look-up on its index: messages are many, held conversations few.
_NAMING: Final = """
select m.* from santral.held_conversations($1) as h(id) cross join lateral (
    select f.handle_id, f.body->'participants' as participants, f.body->'copies' as copies from santral.message f
    where f.workspace_id = $1 and f.conversation_id = h.id
      and (f.handle_id = any($2::uuid[]) or f.body ? 'participants' or f.body->'copies' <> '{"cc": [], "bcc": []}') offset 0
) m
"""
_PEOPLE: Final = f"""
select h.*, {CHANGES.format(handle="h")} as changes from santral.held_handles($1) as g(id) cross join lateral (
    select f.id, f.kind, f.scope, f.value, f.raw, f.name from santral.handle f where f.workspace_id = $1 and f.id = g.id offset 0
) h
"""
_ENTRIES: Final = """
select message_id, headers, record, error, accepted_at from santral.quarantine
where workspace_id = $1 and message_id = any($2::uuid[]) and octet_length(record) > 0
"""


async def lock_holds(connection: Connection, workspace_id: UUID, *, alone: bool = False) -> None:
    """Until the transaction ends no hold is placed; ``alone``: and nothing is removed either. Before all rows that are locked for it."""
    await connection.execute(_ALONE if alone else _SHARED, workspace_id)


async def require_free(
    connection: Connection, workspace_id: UUID, *, conversations: Collection[UUID] = (), messages: Collection[UUID] = ()
) -> None:
    """Raises `Held` when one of these conversations, a message in them, or one of these messages is under a hold."""
    if await connection.fetchval(_WORDS, workspace_id, list(conversations), list(messages)):
        raise Held("this is under a legal hold", remedy=REMEDY)


async def require_erasable(
    connection: Connection, workspace_id: UUID, handles: Collection[UUID], hashes: Collection[bytes], secret: bytes
) -> None:
    """Raises `Held` when erasing who has these handles would take something that a hold reaches.

    That is the person, one of their conversations, somebody else's message in these, or a held conversation in which they wrote or are
    named. ``hashes``: the handles' tombstones, with the deployment's ``secret``.
    """
    if not await connection.fetchval(_ANY, workspace_id):
        return
    if await connection.fetchval(_HANDLES, workspace_id, list(handles)):
        raise Held("this person is under a legal hold", remedy=REMEDY)
    rows = await connection.fetch(_CONVERSATIONS, workspace_id, list(handles))
    await require_free(connection, workspace_id, conversations=[row["id"] for row in rows])

    def stands_in(messages: Sequence[Mapping[str, Any]]) -> bool:
        return any(
            row["handle_id"] in handles
            or any(names_one_of(one, hashes, secret, workspace_id) for one in row["participants"] or ())
            or any(is_one_of(box, hashes, secret, workspace_id) for named in (row["copies"] or {}).values() for box in named)
            for row in messages
        )

    async for messages in pages(connection, _NAMING, workspace_id, list(handles), rows=PAGE):
        if await asyncio.to_thread(stands_in, messages):
            raise Held("this person stands in a conversation under a legal hold", remedy=REMEDY)


async def held_people(connection: Connection, workspace_id: UUID) -> Sought:
    """What is looked for in quarantined bytes of people under a hold."""
    handles = [own_handle(row) async for rows in pages(connection, _PEOPLE, workspace_id, rows=HANDLES) for row in rows]
    return await asyncio.to_thread(sought, handles)


async def require_entries_free(connection: Connection, blobs: Blobs, workspace_id: UUID, messages: Collection[UUID]) -> None:
    """Raises `Held` when the quarantined entry of one of these messages is a held conversation's or holds a held person's address."""
    await require_free(connection, workspace_id, messages=messages)
    whose = await held_people(connection, workspace_id)
    if not whose:
        return
    async for rows in pages(connection, _ENTRIES, workspace_id, list(messages), rows=AT_ONCE):
        if await holding(connection, blobs, rows, whose):
            raise Held("this entry holds an address of a person under a legal hold", remedy=REMEDY)

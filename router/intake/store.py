"""Intake's statements: each for a whole batch, in the lock order every writer keeps (handles, conversations).

What was merged into another conversation is never found itself: who looks for it finds the one it went into.
Look-ups are LATERAL with LIMIT 1 per row given, which an index answers in microseconds whatever the table's size. Ids travel as
arrays, rows as one JSON parameter per table, and all rows of a batch are written by one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from router.intake.batch_view import Conversation, Key, LastItem, Owner, key_columns
from router.intake.threads import Found
from router.moves.moves import slot_of
from router.moves.new_items import NewItem, insert_items
from shared.database import Connection
from shared.handle import Handle, is_left

_HANDLES: Final = """
select h.workspace_id, h.id, h.profile_id, h.assurance, h.kind, h.scope, h.value from santral.handle h
join unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id) on h.workspace_id = g.workspace_id and h.id = g.id
where h.kind <> 'erased'
order by h.workspace_id, h.id for no key update of h
"""
_OPEN_CONVERSATIONS: Final = """
select g.w, g.p, count(c.id) as conversations from unnest($1::uuid[], $2::uuid[]) as g(w, p)
left join santral.handle h on h.workspace_id = g.w and h.profile_id = g.p
left join santral.conversation c on c.workspace_id = g.w and c.handle_id = h.id and c.state = 'open' and c.merged_into is null
group by g.w, g.p
"""
_CONTACTED: Final = """
select g.w, g.p, exists (
    select 1 from santral.handle h
    cross join lateral (
        select n.id, n.merged_into from santral.conversation n where n.workspace_id = h.workspace_id and n.handle_id = h.id
        union all
        select n.id, n.merged_into from santral.conversation n where n.workspace_id = h.workspace_id and n.last_handle_id = h.id
    ) n
    join santral.conversation c on c.workspace_id = h.workspace_id and c.id = coalesce(n.merged_into, n.id)
    where h.workspace_id = g.w and h.profile_id = g.p and (c.last_out_at is not null or exists (
        select 1 from santral.message m where m.workspace_id = c.workspace_id and m.conversation_id = c.id
          and m.kind = 'call' and m.body->'call'->>'answered' = 'true'))
) as contacted
from unnest($1::uuid[], $2::uuid[]) as g(w, p)
"""
_HANDLE_IDS: Final = """
select g.place, h.id from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) with ordinality as g(w, k, s, v, place)
join santral.handle h on h.workspace_id = g.w and h.kind = g.k and h.scope = g.s and h.value = g.v
"""
_FOUND: Final = "c.id, c.handle_id, c.last_handle_id, c.channel, c.visibility, c.thread_key"
_ACTIVE: Final = "(c.state = 'open' or c.closed_at > g.since)"
_GOES_ON: Final = """c.state = 'open' and c.visibility = 'private' and c.thread_key = ''
         and coalesce(greatest(c.last_in_at, c.last_out_at), c.opened_at) > g.since"""
# Asked once a statement, of an index in its order whatever the statistics say: who never merged anything pays no look-up for it.
_ANY_MERGED: Final = """(
             select x.merged_into from santral.conversation x where x.merged_into is not null order by x.merged_into limit 1) is not null"""
# Whose message a channel's id names, where that is not in their own conversation: who amends it follows it there.
_WRITER: Final = """(
        select h.profile_id from santral.receipt r
        join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
        join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id
        where g.ref like 'ext:%' and r.workspace_id = g.w and r.id = t.message_id and m.handle_id <> c.handle_id)"""
# Whose a conversation is: its opener's, as they are known now. Who once continued it goes on only while they are the same person.
_OPENER: Final = "(select o.profile_id from santral.handle o where o.workspace_id = g.w and o.id = c.handle_id)"
# What an agent merged goes on together, also of two people, until somebody says that they are two.
_TOGETHER: Final = f"""not exists (
             select 1 from santral.handle theirs
             join santral.cannot_link k on k.workspace_id = g.w and k.retracted_at is null and theirs.id in (k.a, k.b)
             join santral.handle mine on mine.workspace_id = g.w and mine.profile_id = g.p and mine.id in (k.a, k.b)
             where theirs.workspace_id = g.w and theirs.profile_id = {_OPENER} and theirs.profile_id <> g.p and k.stated_at > coalesce((
                 select max(p.done_at) from santral.placement_operation p
                 where p.workspace_id = g.w and p.from_conversation_id = n.id and p.kind = 'merge' and p.undone_at is null), '-infinity'))"""
_FIND: Final = f"""
select 'ref' as via, g.w, g.ref, null::uuid as given_id, {_FOUND}, t.message_id, {_WRITER} as writer_id,
       (select h.profile_id from santral.handle h where h.workspace_id = g.w and h.id = c.handle_id) as profile_id
from jsonb_to_recordset($1::jsonb) as g(w uuid, ref text, c uuid)
left join lateral (
    select f.conversation_id, f.message_id from santral.thread_ref f where f.workspace_id = g.w and f.ref = g.ref limit 1
) t on g.c is null
cross join lateral (
    select f.* from santral.conversation n
    join santral.conversation f on f.workspace_id = n.workspace_id and f.id = coalesce(n.merged_into, n.id)
    where n.workspace_id = g.w and n.id = coalesce(g.c, t.conversation_id) limit 1
) c
union all
select 'handle', g.w, g.k, g.h, {_FOUND}, null, null, case when c.handle_id = g.h then g.p else {_OPENER} end
from jsonb_to_recordset($2::jsonb) as g(w uuid, h uuid, k text, p uuid, since timestamptz)
cross join lateral (
    select * from (
        (select c.* from santral.conversation c
         where c.workspace_id = g.w and c.handle_id = g.h and c.thread_key = g.k and c.merged_into is null and {_ACTIVE}
         order by c.opened_at desc limit 1)
        union all
        (select c.* from santral.conversation c
         where c.workspace_id = g.w and c.last_handle_id = g.h and c.thread_key = g.k and c.merged_into is null and {_ACTIVE}
           and {_OPENER} = g.p
         order by c.opened_at desc limit 1)
        union all
        (select c.* from santral.conversation n join santral.conversation c on c.workspace_id = g.w and c.id = n.merged_into
         where n.workspace_id = g.w and n.handle_id = g.h and n.thread_key = g.k and n.merged_into is not null and {_ACTIVE}
           and {_ANY_MERGED} and {_TOGETHER}
         order by c.opened_at desc limit 1)
        union all
        (select c.* from santral.conversation n join santral.conversation c on c.workspace_id = g.w and c.id = n.merged_into
         where n.workspace_id = g.w and n.last_handle_id = g.h and n.thread_key = g.k and n.merged_into is not null and {_ACTIVE}
           and {_ANY_MERGED} and {_TOGETHER}
           and (select o.profile_id from santral.handle o where o.workspace_id = g.w and o.id = n.handle_id) = g.p
         order by c.opened_at desc limit 1)
    ) c order by c.state = 'open' desc, c.opened_at desc limit 1
) c
union all
select 'profile', g.w, null, g.p, {_FOUND}, null, null, g.p
from jsonb_to_recordset($3::jsonb) as g(w uuid, p uuid, since timestamptz)
cross join lateral (
    select * from (
        (select c.* from santral.handle h
         join santral.conversation c on c.workspace_id = g.w and c.handle_id = h.id
         where h.workspace_id = g.w and h.profile_id = g.p and {_GOES_ON}
         order by c.opened_at desc limit 1)
        union all
        (select c.* from santral.handle h
         join santral.conversation n on n.workspace_id = g.w and n.handle_id = h.id and n.merged_into is not null
         join santral.conversation c on c.workspace_id = g.w and c.id = n.merged_into
         where h.workspace_id = g.w and h.profile_id = g.p and {_GOES_ON} and {_ANY_MERGED} and {_TOGETHER}
         order by c.opened_at desc limit 1)
    ) c order by c.opened_at desc limit 1
) c
"""
_LOCK: Final = """
select c.workspace_id, c.id, c.handle_id, c.inbox_id, c.last_inbox_id, c.last_handle_id, c.channel, c.channels, c.visibility,
       c.subject, c.language, c.state, c.seq, c.thread_key, c.last_agent_id, c.opened_at, c.last_in_at, c.last_out_at,
       c.window_expires_at, c.closed_at, c.merged_into, coalesce(answered.asked, '') as asked
from santral.conversation c
join unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id) on c.workspace_id = g.workspace_id and c.id = g.id
left join lateral (
    select nullif(lower(m.body->'traits'->>'reply_to'), h.value) as asked from santral.message m
    join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id
    where m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.handle_id = c.last_handle_id and m.direction = 'in'
      and m.kind in ('text', 'comment', 'review') and not m.body ?| array['automatic', 'aside']
    order by m.seq desc limit 1
) answered on 'email' = any(c.channels)
order by c.workspace_id, c.id for no key update of c
"""
_ITEMS: Final = """
select g.w, g.c, i.id, i.state, i.queue_id, i.channel, i.closed_at, i.agent_id, i.last_agent_id, i.timer_at is not null as timed,
       i.reopen_count
from unnest($1::uuid[], $2::uuid[]) as g(w, c)
cross join lateral (
    select f.* from santral.work_item f where f.workspace_id = g.w and f.conversation_id = g.c
    order by f.closed_at desc nulls first, f.id desc limit 1
) i
"""
_WRITE: Final = f"""
with opened as (
    insert into santral.conversation
        (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, channels, visibility, subject, language,
         state, seq, thread_key, opened_at, last_in_at, last_out_at, window_expires_at, closed_at)
    select workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, channels, visibility, subject,
           language, state, seq, thread_key, opened_at, last_in_at, last_out_at, window_expires_at, closed_at
    from jsonb_to_recordset($1::jsonb) as n(
        workspace_id uuid, id uuid, handle_id uuid, inbox_id uuid, last_inbox_id uuid, last_handle_id uuid, channel text,
        channels text[], visibility text, subject text, language text, state text, seq bigint, thread_key text,
        opened_at timestamptz, last_in_at timestamptz, last_out_at timestamptz, window_expires_at timestamptz,
        closed_at timestamptz)
), continued as (
    update santral.conversation c
    set last_inbox_id = n.last_inbox_id, last_handle_id = n.last_handle_id, channels = n.channels, subject = n.subject,
        language = n.language, state = n.state, seq = n.seq, last_in_at = n.last_in_at, last_out_at = n.last_out_at,
        window_expires_at = n.window_expires_at, closed_at = n.closed_at
    from jsonb_to_recordset($2::jsonb) as n(
        workspace_id uuid, id uuid, last_inbox_id uuid, last_handle_id uuid, channels text[], subject text, language text,
        state text, seq bigint, last_in_at timestamptz, last_out_at timestamptz, window_expires_at timestamptz,
        closed_at timestamptz)
    where c.workspace_id = n.workspace_id and c.id = n.id
), said as (
    insert into santral.message
        (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id, visibility,
         external_id, subject, text, body, signals, accepted_at, sent_at)
    select workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id, visibility,
           external_id, subject, text, body, signals, accepted_at, sent_at
    from jsonb_to_recordset($3::jsonb) as n(
        workspace_id uuid, conversation_id uuid, seq bigint, id uuid, direction text, kind text, channel text, provider text,
        inbox_id uuid, handle_id uuid, visibility text, external_id text, subject text, text text, body jsonb, signals jsonb,
        accepted_at timestamptz, sent_at timestamptz)
), threaded as (
    insert into santral.thread_ref (workspace_id, ref, conversation_id, message_id)
    select w, r, c, m from jsonb_to_recordset($4::jsonb) as n(w uuid, r text, c uuid, m uuid)
    order by w, r on conflict do nothing
), work as (
    {insert_items("$5")}
), fed as (
    insert into santral.dispatch_change (workspace_id, slot, kind, id)
    select n.w, n.s, 'item', n.i from jsonb_to_recordset($8::jsonb) as n(w uuid, s smallint, i uuid)
), decided as (
    insert into santral.decision (workspace_id, id, kind, conversation_id, item_id, message_id, record)
    select w, i, 'routing', c, t, m, r from jsonb_to_recordset($6::jsonb) as n(w uuid, i uuid, c uuid, t uuid, m uuid, r jsonb)
)
update santral.receipt f set conversation_id = n.c, seq = n.s
from jsonb_to_recordset($7::jsonb) as n(w uuid, i uuid, c uuid, s bigint) where f.workspace_id = n.w and f.id = n.i
"""
_OPENED: Final = (
    "workspace_id", "id", "handle_id", "inbox_id", "last_inbox_id", "last_handle_id", "channel", "channels", "visibility",
    "subject", "language", "state", "seq", "thread_key", "opened_at", "last_in_at", "last_out_at", "window_expires_at",
    "closed_at",
)  # fmt: skip
_CONTINUED: Final = (
    "workspace_id", "id", "last_inbox_id", "last_handle_id", "channels", "subject", "language", "state", "seq", "last_in_at",
    "last_out_at", "window_expires_at", "closed_at",
)  # fmt: skip


async def open_conversations(connection: Connection, profiles: Iterable[Key]) -> Mapping[Key, int]:
    """How many conversations each of these people, by (workspace, profile), has open under all their handles; none is 0."""
    pairs = sorted(profiles)
    rows = await connection.fetch(_OPEN_CONVERSATIONS, [workspace for workspace, _ in pairs], [profile for _, profile in pairs])
    return {(row["w"], row["p"]): row["conversations"] for row in rows}


async def contacted(connection: Connection, profiles: Iterable[Key]) -> Mapping[Key, bool]:
    """Whether anybody of ours ever wrote to these people, by (workspace, profile), under any of their handles, or spoke with them."""
    rows = await connection.fetch(_CONTACTED, *key_columns(profiles))
    return {(row["w"], row["p"]): row["contacted"] for row in rows}


async def lock_handles(connection: Connection, keys: Iterable[Key]) -> dict[Key, Owner]:
    """Locks handles in id order and returns whose each one is."""
    rows = await connection.fetch(_HANDLES, *key_columns(keys))
    return {
        (row["workspace_id"], row["id"]): Owner(
            profile_id=row["profile_id"], known_as=row["assurance"],
            is_left=is_left(Handle(kind=row["kind"], scope=row["scope"], value=row["value"])),
        )
        for row in rows
    }  # fmt: skip


async def handle_ids(connection: Connection, given: Sequence[tuple[UUID, str, str, str]]) -> dict[int, UUID]:
    """Handles by (workspace, kind, scope, value) that exist, by their place in ``given``."""
    rows = await connection.fetch(_HANDLE_IDS, *(list(column) for column in zip(*given, strict=True)))
    return {row["place"] - 1: row["id"] for row in rows}


async def find_conversations(
    connection: Connection, refs: Sequence[Any], handles: Sequence[Any], profiles: Sequence[Any]
) -> list[tuple[str, Any, Found]]:
    """What may be continued, as (``ref`` | ``handle`` | ``profile``, the row, the conversation). Handles are locked before."""
    rows = await connection.fetch(_FIND, refs, handles, profiles)
    return [
        (
            row["via"],
            row,
            Found(
                workspace_id=row["w"], id=row["id"], handle_id=row["handle_id"], last_handle_id=row["last_handle_id"],
                profile_id=row["profile_id"], channel=row["channel"], visibility=row["visibility"], thread_key=row["thread_key"],
            ),
        )
        for row in rows
    ]  # fmt: skip


async def lock_conversations(connection: Connection, profiles: Mapping[Key, UUID | None]) -> dict[Key, Conversation]:
    """Locks conversations in id order and reads them, each with the item it has or had. Keys of ``profiles`` say which."""
    rows = await connection.fetch(_LOCK, *key_columns(profiles))
    found: dict[Key, Conversation] = {}
    for row in rows:
        key = (row["workspace_id"], row["id"])
        found[key] = Conversation(**dict(row), profile_id=profiles[key], received=row["seq"])
    for row in await connection.fetch(_ITEMS, *key_columns(found)) if found else ():
        found[row["w"], row["c"]].item = LastItem(
            id=row["id"], state=row["state"], queue_id=row["queue_id"], channel=row["channel"], closed_at=row["closed_at"],
            agent_id=row["agent_id"], last_agent_id=row["last_agent_id"], has_timer=row["timed"],
            reopen_count=row["reopen_count"],
        )  # fmt: skip
    return found


async def write(
    connection: Connection,
    *,
    conversations: Iterable[Conversation],
    messages: Sequence[Any],
    refs: Sequence[Any],
    items: Sequence[NewItem],
    decisions: Sequence[Any],
    receipts: Sequence[Any],
) -> None:
    """Writes a batch's rows in one statement; conversations are locked or new, receipts are ours."""
    ordered = sorted(conversations, key=lambda one: (one.workspace_id, one.id))
    opened = [_row(one, _OPENED) for one in ordered if one.is_new]
    continued = [_row(one, _CONTINUED) for one in ordered if not one.is_new]
    feed = [{"w": item.workspace_id, "s": slot_of(item.workspace_id), "i": item.id} for item in items]
    await connection.execute(_WRITE, opened, continued, messages, refs, [item.row() for item in items], decisions, receipts, feed)


def _row(conversation: Conversation, columns: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(conversation, name) for name in columns}

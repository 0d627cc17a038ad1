"""Taking a person out of conversations and work, and keeping what was observed before from coming in again.

Ids, numbers, states, times and measures stay; words, files and references go. **Units**: times aware UTC.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from profiles.erasure_tombstones import is_one_of, names_one_of
from router.commands.kept_files import let_go
from router.erasure.covers import COVERS
from router.erasure.subjects import empty_subjects
from router.erasure.words import erase_audited
from router.item.transition import Change, transition
from router.moves.item_store import lock_items
from router.moves.moves import Move, write_moves
from shared.database import Connection, pages
from shared.errors import Held
from shared.personal import Person, erase_rows

WALK_PAGE: Final = 10_000
AT_ONCE: Final = 100
"""Messages of a page in memory and in a thread at once; each may name many."""

_CONVERSATIONS: Final = """
select id from santral.conversation
where workspace_id = $1 and handle_id = any($2::uuid[]) and id > $3 order by id limit $4
"""
_NOTES: Final = """
select distinct m.id from santral.placement_operation o
join santral.placement p on p.workspace_id = o.workspace_id and p.operation_id = o.id and not p.undo
join santral.receipt r on r.workspace_id = p.workspace_id and r.id = p.message_id
join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
where o.workspace_id = $1 and o.from_conversation_id = any($2::uuid[]) and m.handle_id is null and m.conversation_id <> all($2::uuid[])
  and not exists (select 1 from santral.placement e
                  where e.workspace_id = p.workspace_id and e.message_id = p.message_id and e.number < p.number)
"""
_OPEN_ITEMS: Final = """
select workspace_id, id from santral.work_item
where workspace_id = $1 and conversation_id = any($2::uuid[]) and state not in ('completed', 'abandoned', 'canceled')
"""
_RECEIPTS: Final = """
update santral.receipt r set state = 'erased' from (
    select r.workspace_id, r.id from santral.receipt r
    where r.workspace_id = $1 and (r.id = any($3::uuid[]) or r.id in (
        select m.id from santral.message m where m.workspace_id = $1 and m.conversation_id = any($2::uuid[])))
    order by r.id for no key update
) found
where r.workspace_id = found.workspace_id and r.id = found.id
"""
_FILES: Final = """
insert into santral.blob_removal (workspace_id, key, cause)
select $1::uuid, regexp_replace(p->>'blob', '[^/]*$', ''), $2::uuid from santral.message m
cross join lateral jsonb_array_elements(case when jsonb_typeof(m.body->'parts') = 'array' then m.body->'parts' else '[]' end) p
where m.workspace_id = $1 and p->>'blob' > '' and (m.conversation_id = any($3::uuid[]) or (m.conversation_id, m.seq) in (
    select r.conversation_id, r.seq from santral.receipt r where r.workspace_id = $1 and r.id = any($4::uuid[])))
union
select $1, $1 || '/' || q.message_id || '/', $2 from santral.quarantine q where q.workspace_id = $1 and q.message_id = any($4)
on conflict do nothing
"""
_ANSWERS: Final = (
    "select id from santral.message where workspace_id = $1 and conversation_id = any($2::uuid[]) and direction = 'out'"
)
# A report of mail says whom it could not be brought to, in words; the mail itself is somebody's answer or another's.
REPORT: Final = "m.body->'automatic'->>'kind' in ('bounce', 'disposition', 'feedback')"
_WALK: Final = f"""
select m.conversation_id, m.seq, m.id, m.handle_id, m.body->'participants' as participants, m.body->'copies' as copies,
    case when {REPORT} then concat_ws(' ', m.subject, m.text, m.body->>'text_stripped', m.body->'automatic'->>'reason') end as report from (
    select * from santral.message where workspace_id = $1 and (conversation_id, seq) > ($2::uuid, $3::bigint)
    order by conversation_id, seq limit $4
) m where m.handle_id = any($5::uuid[]) or $6 and (m.body ? 'participants' or m.body->'copies' <> '{{"cc": [], "bcc": []}}' or {REPORT})
"""
_HELD: Final = """
select $2::uuid in (select santral.held_conversations($1)) or $3::uuid in (select santral.held_messages($1))
    or $4::uuid in (select santral.held_handles($1))
"""
_WALK_END: Final = """
select conversation_id, seq from (
    select conversation_id, seq from santral.message where workspace_id = $1 and (conversation_id, seq) > ($2::uuid, $3::bigint)
    order by conversation_id, seq limit $4
) page order by conversation_id desc, seq desc limit 1
"""
# A mail as it came names everybody in its headers, so it goes where one of them goes; its words and files stay.
_UNNAME: Final = """
with gone as (
    insert into santral.blob_removal (workspace_id, key, cause)
    select m.workspace_id, p->>'blob', $5 from santral.message m cross join lateral jsonb_array_elements(
        case when jsonb_typeof(m.body->'parts') = 'array' then m.body->'parts' else '[]' end) p
    where m.workspace_id = $1 and m.conversation_id = $2 and m.seq = $3 and p->>'role' = 'original' and p->>'blob' > ''
    on conflict do nothing
)
update santral.message set body = (body - 'original') || jsonb_build_object('participants', $4::jsonb)
    || case when jsonb_typeof(body->'parts') = 'array' then jsonb_build_object('parts', (
        select coalesce(jsonb_agg(p order by place), '[]') from jsonb_array_elements(body->'parts') with ordinality as g(p, place)
        where p->>'role' is distinct from 'original')) else '{}' end
where workspace_id = $1 and conversation_id = $2 and seq = $3
"""
_UNCOPY: Final = """
update santral.message set body = body || jsonb_build_object('copies', $4::jsonb)
where workspace_id = $1 and conversation_id = $2 and seq = $3
"""
_INTAKE: Final = UUID(int=0)
_BETWEEN: Final = re.compile(r"[\s<>\"'(),;:\[\]]+")


async def next_conversations(
    connection: Connection, workspace_id: UUID, handles: Collection[UUID], *, after: UUID, limit: int, lock: bool = True
) -> list[UUID]:
    """A person's next conversations by id; locked where they are to be changed."""
    statement = f"{_CONVERSATIONS} for no key update" if lock else _CONVERSATIONS
    rows = await connection.fetch(statement, workspace_id, list(handles), after, limit)
    return [row["id"] for row in rows]


async def notes_elsewhere(connection: Connection, workspace_id: UUID, conversations: Sequence[UUID]) -> list[UUID]:
    """What agents noted in these conversations and somebody put into others since: nothing but this says whom it is about."""
    return [row["id"] for row in await connection.fetch(_NOTES, workspace_id, list(conversations))]


async def erase_conversations(connection: Connection, person: Person, *, cause: UUID, at: datetime) -> Counter[str]:
    """Ends open work, notes the files to remove and empties every row of these conversations and messages; rows per table.

    Twice changes nothing more. The conversations are locked by the caller.
    """
    counts: Counter[str] = Counter()
    conversations = list(person.conversations)
    await connection.execute(_RECEIPTS, person.workspace_id, conversations, list(person.messages))
    await connection.execute(_FILES, person.workspace_id, cause, conversations, list(person.messages))
    answers = [row["id"] for row in await connection.fetch(_ANSWERS, person.workspace_id, conversations)]
    await let_go(connection, person.workspace_id, [*answers, *person.messages], cause=cause)
    rows = await connection.fetch(_OPEN_ITEMS, person.workspace_id, conversations)
    if rows:
        locked = await lock_items(connection, [(row["workspace_id"], row["id"]) for row in rows])
        moves = [
            Move(
                stored=one, after=transition(one.state, Change(trigger="cancel"), at.timestamp()), trigger="cancel", actor="erasure",
                reason="erased", outcome={"erased": True},
            )
            for one in locked
        ]  # fmt: skip
        await write_moves(connection, moves, at)
    counts["audit"] += await erase_audited(connection, person.workspace_id, conversations)
    counts["conversation"] += await empty_subjects(
        connection, person.workspace_id, conversations=conversations, messages=person.messages
    )
    for cover in COVERS:
        if conversations or "{messages}" in cover.rows:
            counts[cover.table] += await erase_rows(connection, cover, person)
    return counts


async def walk_mentions(
    connection: Connection,
    workspace_id: UUID,
    handles: Collection[UUID],
    hashes: Collection[bytes],
    secret: bytes,
    *,
    after: tuple[UUID, int],
    cause: UUID = _INTAKE,
) -> tuple[list[UUID], tuple[UUID, int] | None]:
    """A page of all messages: takes the person out of others' participants and copies; their own messages elsewhere, and reports of
    mail that name them, by id.

    Returns these and where the page ended, None at the end; without ``hashes`` only these are looked for. Raises `Held` where that would
    change a message under a legal hold.
    """

    def others_of(rows: Sequence[Mapping[str, Any]]) -> tuple[list[UUID], list[_Named]]:
        reports = [
            row["id"] for row in rows if any(is_one_of(one, hashes, secret, workspace_id) for one in addresses_in(row["report"]))
        ]
        others = (_without(row, hashes, secret, workspace_id) for row in rows if row["id"] not in reports)
        return reports, [one for one in others if one is not None]

    end = await connection.fetchrow(_WALK_END, workspace_id, after[0], after[1], WALK_PAGE)
    if end is None:
        return [], None
    own: list[UUID] = []
    given = (workspace_id, after[0], after[1], WALK_PAGE, list(handles), bool(hashes))
    async for rows in pages(connection, _WALK, *given, rows=AT_ONCE):
        own += [row["id"] for row in rows if row["handle_id"] in handles]
        reports, others = await asyncio.to_thread(others_of, [row for row in rows if row["handle_id"] not in handles])
        own += reports
        for one in others:
            place = (workspace_id, one.row["conversation_id"], one.row["seq"])
            if await connection.fetchval(_HELD, workspace_id, one.row["conversation_id"], one.row["id"], one.row["handle_id"]):
                raise Held("this person is named in a message under a legal hold", field="profile_id")
            if one.participants is not None:
                await connection.execute(_UNNAME, *place, one.participants, cause)
            if one.copies is not None:
                await connection.execute(_UNCOPY, *place, one.copies)
    return own, (end["conversation_id"], end["seq"])


def addresses_in(text: str | None) -> set[str]:
    """What may be a mail address in a text, each once."""
    return {one.strip(".") for one in _BETWEEN.split(text or "") if "@" in one}


class _Named(NamedTuple):
    """Somebody else's message that names the person, and what of its lists is left without them; None: the list named nobody."""

    row: Mapping[str, Any]
    participants: list[Any] | None
    copies: dict[str, list[str]] | None


def _without(row: Mapping[str, Any], hashes: Collection[bytes], secret: bytes, workspace_id: UUID) -> _Named | None:
    participants, copies = row["participants"] or [], row["copies"] or {}
    kept = [one for one in participants if not names_one_of(one, hashes, secret, workspace_id)]
    others = {name: [one for one in boxes if not is_one_of(one, hashes, secret, workspace_id)] for name, boxes in copies.items()}
    if len(kept) == len(participants) and others == copies:
        return None
    return _Named(row, kept if len(kept) < len(participants) else None, others if others != copies else None)

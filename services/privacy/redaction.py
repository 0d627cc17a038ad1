"""Redacting one message or one file of it, everywhere: text, HTML, original, files, what was sent to the provider, its quarantine, why it was
moved, what it gave to conversations as subject, and the archives of exports that hold it.

A marker with who, when and why stays in the message's place. Files go at once where the store answers, else with the courier's next look.
**Identity**: conversation and number; for a file, its place among the message's parts, or among the files of an answer of ours.
"""

from __future__ import annotations

from typing import Any, Final, Literal
from uuid import UUID

from router.commands.kept_files import let_go
from router.erasure.covers import ABOUT, UNLABELLED, UNLABELLED_DECISIONS
from router.erasure.subjects import empty_subjects
from router.moves.moves import numbered
from router.moves.vouched import LEFT
from router.views.messages import edits_of
from services.privacy.held import lock_holds, require_free
from shared.database import Connection
from shared.errors import NotFound
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record
from shared.personal import Person, erase_rows

RedactionReason = Literal["personal_data", "card_number", "secret", "abuse", "wrong_recipient", "law"]
_MESSAGE: Final = f"""
select m.id, m.handle_id, m.stored_at, m.body, {LEFT.format(message="m")} as remains, clock_timestamp() as now from santral.conversation c
join santral.message m on m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.seq = $3
where c.workspace_id = $1 and c.id = $2 for no key update of c, m
"""
_WHOLE: Final = (
    f"update santral.message set subject = '', text = '', body = $4, signals = {UNLABELLED}"
    " where workspace_id = $1 and conversation_id = $2 and seq = $3"
)
_BODY: Final = "update santral.message set body = $4 where workspace_id = $1 and conversation_id = $2 and seq = $3"
_DELIVERY: Final = """
update santral.delivery set request = '{}', reason = '', state = case when state = 'queued' then 'failed' else state end,
    closed_at = coalesce(closed_at, now()) where workspace_id = $1 and message_id = $2
"""
_QUARANTINE: Final = """
update santral.quarantine set record = '', headers = '{}', error = '', state = 'discarded', resolved_by = $3,
    resolved_at = coalesce(resolved_at, now()) where workspace_id = $1 and message_id = $2
"""
_REASONS: Final = """
update santral.placement_operation set reason = null where workspace_id = $1 and reason is not null and id in (
    select operation_id from santral.placement where workspace_id = $1 and message_id = $2)
"""
# Whose conversation it stands in or stood in, and who wrote it. One that is being made is of whoever is one person with them now; one that
# waits is not begun until this is over.
_EXPORTS: Final = """
with whose as (
    select c.handle_id as id from (
        select r.conversation_id as id from santral.receipt r where r.workspace_id = $1 and r.id = $2
        union select p.from_conversation_id from santral.placement p where p.workspace_id = $1 and p.message_id = $2
    ) stood join santral.conversation c on c.workspace_id = $1 and c.id = stood.id
    union select $3::uuid where $3::uuid is not null
), people as (
    select array(select id from whose) as own, array(
        select one.id from whose join santral.handle h on h.workspace_id = $1 and h.id = whose.id
        join santral.handle one on one.workspace_id = $1 and one.profile_id = h.profile_id) as joined
), ended as (
    update santral.person_export x set state = case when x.state = 'asked' then x.state else 'expired' end, blob = null from people p
    where x.workspace_id = $1 and (
        x.state in ('asked', 'running') and x.handles && p.joined or x.state = 'done' and x.handles && p.own and x.done_at >= $4)
    returning x.workspace_id, x.id, x.state
)
insert into santral.blob_removal (workspace_id, key, cause)
select workspace_id, workspace_id || '/' || id || '/', $5 from ended where state = 'expired' on conflict do nothing
"""
_NOTE: Final = """
insert into santral.blob_removal (workspace_id, key, cause)
select $1, key, $2 from unnest($3::text[]) as g(key) on conflict do nothing
"""


async def redact(
    connection: Connection, *, workspace_id: UUID, conversation_id: UUID, seq: int, part: int | None, reason: str, actor: str
) -> UUID | None:
    """Redacts a message, or its file ``part``; the cause under which its files are noted. None when it was redacted before.

    A whole message goes with its edits. A file's redaction takes along what holds the file: the original of what came, what is sent of an
    answer, which does not go any more if it waits. Raises `NotFound`, `Held` for a message under a legal hold.
    """
    await lock_holds(connection, workspace_id)
    row = await connection.fetchrow(_MESSAGE, workspace_id, conversation_id, seq)
    if row is None:
        raise NotFound("no such message", field="seq")
    body: dict[str, Any] = row["body"]
    content: dict[str, Any] = body.get("content") or {}
    answers = "files" in content  # an answer of ours: its files are kept for it, and its delivery names them
    parts: list[dict[str, Any]] = list(content["files"] if answers else body.get("parts", ()))
    marker = {"at": row["now"].isoformat(), "by": actor, "reason": reason}
    place = (workspace_id, conversation_id, seq)
    if part is not None and not 0 <= part < len(parts):
        raise NotFound("this message has no such part", field="n")
    if "redacted" in body or (part is not None and "redacted" in parts[part]):
        return None
    await require_free(connection, workspace_id, messages=[row["id"]])
    cause = new_id()
    if part is None:
        # Edits hold words of the message too; by the call's end none of them shows what was taken away.
        for edit in await edits_of(connection, workspace_id, conversation_id, seq):
            await redact(
                connection,
                workspace_id=workspace_id,
                conversation_id=conversation_id,
                seq=edit,
                part=None,
                reason=reason,
                actor=actor,
            )
        await empty_subjects(connection, workspace_id, messages=[row["id"]])
        await connection.execute(_WHOLE, *place, {"redacted": marker, **row["remains"]})
        await connection.execute(_DELIVERY, workspace_id, row["id"])
        await connection.execute(_QUARANTINE, workspace_id, row["id"], actor)
        await connection.execute(_REASONS, workspace_id, row["id"])
        await connection.execute(UNLABELLED_DECISIONS, workspace_id, [row["id"]])
        for cover in ABOUT:
            await erase_rows(connection, cover, Person(workspace_id=workspace_id, messages=(row["id"],)))
        await let_go(connection, workspace_id, [row["id"]], cause=cause)
        # The folder of what came, with whatever lies in it; files of an answer may be others' too.
        gone = [] if answers else [one["blob"].rpartition("/")[0] + "/" for one in parts if one.get("blob")]
    else:
        # The same file twice is one in the store.
        key: str = parts[part].get("blob") or ""
        going = [one for one in parts if one is parts[part] or one.get("role") == "original" or (key and one.get("blob") == key)]
        empty = {"blob": "", "name": "", "content_type": "", "size_bytes": 0, "role": "redacted", "redacted": marker}
        kept = [empty if one in going else one for one in parts]
        if answers:
            gone = []
            await let_go(connection, workspace_id, [row["id"]], cause=cause, blob=key)
            await connection.execute(_DELIVERY, workspace_id, row["id"])
            changed = {**body, "content": {**content, "files": kept}}
        else:
            gone = [one["blob"] for one in going if one.get("blob")]
            changed = {**{k: v for k, v in body.items() if k != "original"}, "parts": kept}
        await connection.execute(_BODY, *place, changed)
    await connection.execute(_EXPORTS, workspace_id, row["id"], row["handle_id"], row["stored_at"], cause)
    await connection.execute(_NOTE, workspace_id, cause, sorted(set(gone)))
    data = {"message_id": str(row["id"]), "message_seq": seq, "reason": reason, **({} if part is None else {"part": part})}
    event = Event(
        id=new_id(), workspace_id=workspace_id, type="message.redacted", at=row["now"], conversation_id=conversation_id, data=data
    )
    await record(connection, await numbered(connection, [event]))
    return cause

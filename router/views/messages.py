"""Reading a conversation's messages as they stand now: what REST, the sockets and the desk show. Reads only, one workspace.

**Identity**: a message by its conversation and number. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from router.views.amendments import NOT_AMENDING, Amendments, read_amendments
from shared.database import Connection
from shared.errors import NotFound
from shared.message import AMENDMENTS

_MESSAGE: Final = """
select m.conversation_id, m.seq, m.id, m.direction, m.kind, m.channel, m.provider, m.inbox_id, m.handle_id, m.agent_id, m.visibility,
       m.external_id, m.subject, m.text, m.body - 'original' as body, m.accepted_at, m.sent_at, coalesce(m.sent_at, m.accepted_at) as at,
       a.name as agent_name, h.name as sender_name, h.kind as sender_kind, h.value as sender_value, h.profile_id as writer_profile_id
from santral.message m
left join santral.agent a on a.workspace_id = m.workspace_id and a.id = m.agent_id
left join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id
where m.workspace_id = $1 and m.conversation_id = $2
"""
_AMENDED: Final = f"{_MESSAGE} and {NOT_AMENDING} and (m.id = any($3::uuid[]) or m.external_id = any($4::text[]))"
PREVIEW_CHARS: Final = 160


def said_columns(writer: str, body: str) -> str:
    """Columns for `preview_of`, of a statement that calls the message ``m`` and its writer's handle ``writer``; ``body`` is an expression."""
    return f"""m.id as said_id, m.inbox_id as said_inbox_id, m.external_id as said_external_id, m.direction as said_direction,
       m.kind as said_kind, m.handle_id as said_handle_id, m.text as said_text, coalesce(m.sent_at, m.accepted_at) as said_at,
       {writer}.profile_id as said_writer_profile_id, {body} as said_body"""


SAID: Final = f"""
left join lateral (
    select {said_columns("w", "case when m.channel <> 'email' or m.text = '' then m.body - 'original' end")}
    from santral.message m left join santral.handle w on w.workspace_id = m.workspace_id and w.id = m.handle_id
    where m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.direction = 'in' and {NOT_AMENDING}
    order by m.seq desc limit 1
) said on true
"""
"""A join for statements that call the conversation ``c``: the last that came, an amendment aside. Select ``said.*`` for `preview_of`.

A mail's body may be large and is read only where the mail has no words.
"""
_STANDS: Final = ("id", "inbox_id", "external_id", "direction", "kind", "handle_id", "text", "at", "writer_profile_id", "body")


def preview_of(row: Mapping[str, Any], amendments: Amendments) -> dict[str, Any]:
    """The last words that came, as they stand now, and ``preview_contents``: codes of what came beside them or instead.

    Of a message without words these are never empty: a content, why it is gone (`Standing.gone`), or ``empty``. Before anything came both
    are empty. A reaction or an edit is no last message; one that was deleted stays it, without its words. ``row``: with `said_columns`.
    """
    if row["said_id"] is None:
        return {"preview": "", "preview_contents": [], "group": None}
    said = said_of(row)
    stands = amendments.standing(said)
    instead = [stands.gone or "empty"] if not stands.text.strip() and not stands.contents else []
    return {
        "preview": (stands.text_stripped or stands.text)[:PREVIEW_CHARS],
        "preview_contents": [*stands.contents, *instead],
        "group": group_of(said["body"] or {}),
    }


def said_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The message of a row with `said_columns`, for `Amendments.standing`."""
    return {name: row[f"said_{name}"] for name in _STANDS}


def group_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The group that a message was written in, where others read it too; None of a message to us alone."""
    group = (body.get("traits") or {}).get("group")
    return {"id": group} if group else None


def message_view(row: Any, amendments: Amendments, amended: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A message as agents see it, as it stands now; ``html`` says that a sanitized view can be fetched.

    ``edited_at`` with ``earlier`` words, ``deleted_at``, ``gone``, ``reactions``, ``edits``, ``reacted``: see `Standing`; of what is gone
    there are neither words nor files. Of an amendment ``amends`` is the message it is about (``amended``), which shows it: it is no bubble
    of its own.

    Of mail: ``verdict`` is the border's word on the sender (pass, none, fail, no_border), ``reply_to`` where it asks to be answered,
    ``written_from`` the form's or list's address it came from; ``aside`` says that it moved nothing of who is answered.
    """
    stands = amendments.standing(row)
    there = stands.gone is None
    body = row["body"] if there else {name: value for name, value in row["body"].items() if name in _KEPT}
    traits = body.get("traits") or {}
    sender = None
    if row["direction"] == "in":
        sender = {"name": row["sender_name"], "kind": row["sender_kind"], "value": row["sender_value"]}
    hidden = amended is not None and amendments.standing(amended).gone is not None
    return {
        "id": row["id"],
        "conversation_id": row["conversation_id"],
        "seq": row["seq"],
        "direction": row["direction"],
        "kind": stands.kind,
        "channel": row["channel"],
        "visibility": row["visibility"],
        "subject": row["subject"] if there else "",
        "text": "" if hidden else stands.text,
        "text_stripped": stands.text_stripped,
        "html": any(part.get("role") == "html" for part in body.get("parts", ())),
        "files": _files(body),
        "call": stands.call,
        "edited_at": stands.edited_at,
        "earlier": stands.earlier,
        "deleted_at": stands.deleted_at,
        "gone": stands.gone,
        "reactions": stands.reactions,
        "edits": stands.edits,
        "reacted": stands.reacted,
        "amends": None if amended is None else {"id": amended["id"], "seq": amended["seq"]},
        "automatic": (body.get("automatic") or {}).get("kind"),
        "marks": _marks(body),
        "contents": stands.contents,
        "about": body.get("about") or (body.get("content") or {}).get("name"),
        "group": group_of(body),
        "filtered": body.get("filtered"),
        "authenticated": bool(body.get("authenticated")),
        "verdict": traits.get("verdict"),
        "reply_to": traits.get("reply_to"),
        "written_from": traits.get("written_from"),
        "aside": bool(body.get("aside")),
        "in_reply_to": body.get("in_reply_to"),
        "participants": body.get("participants") or [],
        "sender": sender,
        "agent_id": row["agent_id"],
        "agent_name": row["agent_name"],
        "client_id": traits.get("client_id"),
        "at": row["at"],
        "accepted_at": row["accepted_at"],
    }


_KEPT: Final = frozenset({"automatic", "marks", "filtered", "authenticated", "aside", "in_reply_to", "participants", "traits"})
"""What is told of a message that is gone: where it came from and what was thought of it, never what it said."""


def _files(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"n": n, "name": part["name"], "content_type": part.get("content_type"), "size_bytes": part["size_bytes"]}
        for n, part in enumerate(body.get("parts", ()))
        if part.get("role", "attachment") == "attachment"
    ]


def _marks(body: Mapping[str, Any]) -> list[str]:
    """What says that no machine may answer, by name; the kind of the mark where an earlier release kept no names."""
    seen = body.get("automatic") or body.get("marks") or {}
    return list(seen.get("evidence") or ([seen["kind"]] if seen else ()))


async def messages_page(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, *, after_seq: int = 0, limit: int = 200
) -> list[dict[str, Any]]:
    """Messages of a conversation after a sequence, oldest first, each as it stands now; amendments among them say what they are about."""
    rows = await connection.fetch(
        _MESSAGE + " and m.seq > $3 order by m.seq limit $4", workspace_id, conversation_id, after_seq, limit
    )
    return await _views(connection, workspace_id, conversation_id, rows)


async def messages_at(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, numbers: Sequence[int]
) -> list[dict[str, Any]]:
    """The messages with these numbers, oldest first, as they stand now."""
    rows = await connection.fetch(
        _MESSAGE + " and m.seq = any($3::bigint[]) order by m.seq", workspace_id, conversation_id, list(numbers)
    )
    return await _views(connection, workspace_id, conversation_id, rows)


async def parts_of(connection: Connection, workspace_id: UUID, conversation_id: UUID, seq: int) -> list[dict[str, Any]]:
    """The HTML and files of one message, by place; none of one that is gone. Raises `NotFound`."""
    row = await connection.fetchrow(_MESSAGE + " and m.seq = $3", workspace_id, conversation_id, seq)
    if row is None:
        raise NotFound("no such message", field="seq")
    amendments = await read_amendments(connection, workspace_id, [conversation_id])
    return [] if amendments.standing(dict(row)).gone else list(row["body"].get("parts", ()))


async def is_gone(connection: Connection, workspace_id: UUID, message_id: UUID) -> bool:
    """Whether nothing of a message is shown any more; False for one that is not there."""
    place = await connection.fetchrow(
        "select conversation_id, seq from santral.receipt where workspace_id = $1 and id = $2", workspace_id, message_id
    )
    if place is None or place["seq"] is None:
        return False
    shown = await messages_at(connection, workspace_id, place["conversation_id"], [place["seq"]])
    return any(one["gone"] for one in shown)


async def edits_of(connection: Connection, workspace_id: UUID, conversation_id: UUID, seq: int) -> list[int]:
    """The numbers of a message's edits, which hold words of it too."""
    row = await connection.fetchrow(_MESSAGE + " and m.seq = $3", workspace_id, conversation_id, seq)
    if row is None:
        return []
    amendments = await read_amendments(connection, workspace_id, [conversation_id], every=True)
    return [one.seq for one in amendments.about(dict(row)) if one.kind == "edit"]


async def _views(connection: Connection, workspace_id: UUID, conversation_id: UUID, rows: Sequence[Any]) -> list[dict[str, Any]]:
    if not rows:
        return []
    amending = [row for row in rows if row["kind"] in AMENDMENTS]
    amendments = await read_amendments(connection, workspace_id, [conversation_id], with_seqs=[row["seq"] for row in amending])
    amended: dict[UUID, Any] = {}
    if amending:
        names, ids = amendments.names({row["id"] for row in amending})
        for row in await connection.fetch(_AMENDED, workspace_id, conversation_id, ids, names):
            amended |= {one.id: row for one in amendments.about(dict(row))}
    return [message_view(row, amendments, amended.get(row["id"])) for row in rows]

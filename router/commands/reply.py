"""An agent's answer: a message of direction out, and what it does to the work item.

Answered work holds no capacity: mail and social park at once, chat after a silence. The delivery row is the caller's, in the same
transaction. What the provider says later comes back through :func:`reply_state`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.commands.kept_files import take
from router.commands.loop_guard import require_no_loop
from router.commands.reopening import reopen
from router.commands.whose_answer import return_answers
from router.commands.work import OPEN_STATES, database_now
from router.item.transition import Change, transition
from router.moves.item_store import StoredItem, lock_items
from router.moves.marks import mark_own_word, note_outcome, note_reply, set_timer
from router.moves.moves import Move, feed, numbered, write_moves
from shared.database import Connection
from shared.errors import Conflict, NotFound, Unprocessable
from shared.event import Event, EventType
from shared.ids import new_id
from shared.outbox import record

_STATE_EVENTS: Final[Mapping[str, EventType]] = {
    "sent": "reply.sent", "delivered": "reply.delivered", "read": "reply.read", "failed": "reply.failed",
}  # fmt: skip
_INSERT: Final = """
insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id,
    agent_id, visibility, external_id, subject, text, body, accepted_at, sent_at)
values ($1, $2, $3, $4, 'out', 'text', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)
"""
_HAD_LAST: Final = """
select last_agent_id = $3 from santral.work_item where workspace_id = $1 and conversation_id = $2
order by closed_at desc nulls first, id desc limit 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A reply as stored, with what its delivery needs. ``automatic``: a machine of ours wrote it, and a mail says so."""

    message_id: UUID
    conversation_id: UUID
    seq: int
    inbox_id: UUID
    handle_id: UUID
    item_id: UUID | None
    channel: str
    provider: str
    at: datetime
    automatic: bool = False


async def write_reply(
    connection: Connection,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    reply_id: UUID,
    agent_id: UUID | None,
    actor: str,
    content: Mapping[str, Any],
    subject: str = "",
    copies: Mapping[str, Sequence[str]] | None = None,
    defines: Sequence[str] = (),
) -> Written:
    """Stores the reply in its conversation's order, takes its files, and parks or times the item. Raises `NotFound`, `Conflict`,
    `Unprocessable`, and `LoopStopped` for a machine that goes on answering a machine.

    It goes out through the inbox the customer used last. ``defines`` are the references a later message may answer
    (``mid:<our Message-ID>``).
    """
    item = await _open_item(connection, workspace_id, conversation_id)
    await return_answers(connection, workspace_id, [conversation_id])
    row = await connection.fetchrow(
        "select c.last_inbox_id, c.last_handle_id, c.visibility, c.language, c.merged_into, i.channel, i.provider from santral.conversation c"
        " join santral.inbox i on i.workspace_id = c.workspace_id and i.id = c.last_inbox_id"
        " where c.workspace_id = $1 and c.id = $2 for no key update of c",
        workspace_id, conversation_id,
    )  # fmt: skip
    if row is None:
        raise NotFound("no such conversation", field="conversation_id")
    if row["merged_into"] is not None:
        raise Conflict(
            "this conversation was merged into another one", field="conversation_id", remedy=f"answer in {row['merged_into']}"
        )
    if item is not None and item.state.state == "offered" and agent_id is not None:
        raise Conflict("accept the offer before you answer", field="conversation_id", remedy="accept it first")
    if item is not None and item.state.agent not in (None, agent_id) and item.state.state == "assigned" and agent_id is not None:
        raise Conflict("another agent has this conversation", field="conversation_id")
    text = str(content.get("text", ""))
    if not text.strip() and content.get("kind") in ("text", "html"):
        raise Unprocessable("an empty reply", field="content.text", remedy="write something")
    at = await database_now(connection)
    automatic = await require_no_loop(
        connection, workspace_id=workspace_id, conversation_id=conversation_id, handle_id=row["last_handle_id"],
        agent_id=agent_id, at=at,
    )  # fmt: skip
    seq = await _announce(connection, workspace_id, conversation_id, reply_id, agent_id, actor, content, dict(row), item, at)
    body = {"content": dict(content), **({"copies": {k: list(v) for k, v in copies.items()}} if copies else {}), "actor": actor}
    await connection.execute(
        _INSERT, workspace_id, conversation_id, seq, reply_id, row["channel"], row["provider"], row["last_inbox_id"],
        row["last_handle_id"], agent_id, row["visibility"], f"reply:{reply_id}", subject, text, body, at,
    )  # fmt: skip
    await _keep_refs(connection, workspace_id, conversation_id, reply_id, seq, defines)
    await connection.execute(
        "update santral.conversation set last_out_at = $3, last_agent_id = coalesce($4, last_agent_id)"
        " where workspace_id = $1 and id = $2",
        workspace_id, conversation_id, at, agent_id,
    )  # fmt: skip
    if item is not None and agent_id is not None:
        await _answered(connection, item, agent_id, actor, at)
    await take(connection, workspace_id, reply_id, [one["blob"] for one in content.get("files", ())])
    return Written(
        message_id=reply_id, conversation_id=conversation_id, seq=seq, inbox_id=row["last_inbox_id"],
        handle_id=row["last_handle_id"], item_id=item.state.id if item else None, channel=row["channel"],
        provider=row["provider"], at=at, automatic=automatic,
    )  # fmt: skip


async def _announce(
    connection: Connection,
    workspace_id: UUID,
    conversation_id: UUID,
    reply_id: UUID,
    agent_id: UUID | None,
    actor: str,
    content: Mapping[str, Any],
    row: Mapping[str, Any],
    item: StoredItem | None,
    at: datetime,
) -> int:
    """Writes the event ``reply.queued`` and returns its number in the conversation, which is the message's too."""
    data = {
        "message_id": str(reply_id), "channel": row["channel"], "kind": content.get("kind"), "actor": actor,
        "human": agent_id is not None, "visibility": row["visibility"], "item_id": str(item.state.id) if item else None,
    }  # fmt: skip
    event = Event(
        id=new_id(), workspace_id=workspace_id, type="reply.queued", at=at, conversation_id=conversation_id, agent_id=agent_id,
        data={name: value for name, value in data.items() if value is not None},
    )  # fmt: skip
    if agent_id is not None:
        await connection.execute(
            "select 1 from santral.agent where workspace_id = $1 and id = $2 for no key update", workspace_id, agent_id
        )
    (placed,) = await numbered(connection, [event])
    await record(connection, [placed])
    assert placed.seq is not None, "an event of a conversation has its number"
    return placed.seq


async def _keep_refs(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, reply_id: UUID, seq: int, defines: Sequence[str]
) -> None:
    """The receipt by which the reply is found, and what a later message may answer."""
    await connection.execute(
        "insert into santral.receipt (workspace_id, id, state, conversation_id, seq) values ($1, $2, 'taken', $3, $4)",
        workspace_id, reply_id, conversation_id, seq,
    )  # fmt: skip
    await connection.executemany(
        "insert into santral.thread_ref (workspace_id, ref, conversation_id, message_id) values ($1, $2, $3, $4)"
        " on conflict do nothing",
        [(workspace_id, ref, conversation_id, reply_id) for ref in defines],
    )


async def _open_item(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> StoredItem | None:
    item_id = await connection.fetchval(
        "select id from santral.work_item where workspace_id = $1 and conversation_id = $2 and state = any($3)",
        workspace_id, conversation_id, list(OPEN_STATES),
    )  # fmt: skip
    if item_id is None:
        return None
    found = await lock_items(connection, [(workspace_id, item_id)])
    return found[0] if found and found[0].state.state in OPEN_STATES else None


async def _answered(connection: Connection, item: StoredItem, agent_id: UUID, actor: str, at: datetime) -> None:
    """What an agent's reply does to the item it has; a reply to somebody else's waiting item changes nothing of it."""
    await note_reply(connection, item.workspace_id, item.state.id, agent_id, at)
    if item.state.state != "assigned" or item.state.agent != agent_id:
        return
    after = transition(item.state, Change(trigger="reply", agent=agent_id), at.timestamp())
    if after.state == item.state.state:
        # A chat goes on: only the silence that parks it starts anew.
        await set_timer(connection, item.workspace_id, item.state.id, after.deadline)
        await feed(connection, [(item.workspace_id, "item", item.state.id)])
        return
    await write_moves(connection, [Move(stored=item, after=after, trigger="reply", actor=actor)], at)


async def reply_state(
    connection: Connection,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    message_id: UUID,
    state: str,
    reason: str = "",
    permanent: bool = False,
) -> None:
    """Records what became of a reply. A permanent failure brings the item back to its writer, or opens a new one.

    The caller has made sure that the state is news (a later one than the delivery's).
    """
    item = await _open_item(connection, workspace_id, conversation_id)
    at = await database_now(connection)
    writer = await connection.fetchval(
        "select m.agent_id from santral.receipt r join santral.message m"
        " on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq"
        " where r.workspace_id = $1 and r.id = $2",
        workspace_id, message_id,
    )  # fmt: skip
    await connection.execute(
        "select 1 from santral.conversation where workspace_id = $1 and id = $2 for no key update", workspace_id, conversation_id
    )
    if state == "failed" and permanent:
        failed = {"message_id": str(message_id), "reason": reason, "at": at.isoformat()}
        await _bring_back(connection, workspace_id, conversation_id, item, writer, at, failed)
    if writer is not None:
        await connection.execute(
            "select 1 from santral.agent where workspace_id = $1 and id = $2 for no key update", workspace_id, writer
        )
    data = {"message_id": str(message_id), "reason": reason or None, "permanent": permanent or None}
    event = Event(
        id=new_id(), workspace_id=workspace_id, type=_STATE_EVENTS[state], at=at, conversation_id=conversation_id,
        agent_id=writer, data={name: value for name, value in data.items() if value is not None},
    )  # fmt: skip
    await record(connection, await numbered(connection, [event]))


async def _bring_back(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, item: StoredItem | None, writer: UUID | None, at: datetime,
    failed: Mapping[str, Any],
) -> None:  # fmt: skip
    """Puts the work before who had it again: the open item, else a new one after the last. The item says what failed and why.

    Somebody else's answer that fails gives them neither the work nor the customer's history: it is their own word, not the customer's.
    """
    if item is None:
        item_id = await reopen(
            connection, workspace_id=workspace_id, conversation_id=conversation_id, at=at, trigger="delivery_failed",
            sticky=writer if await _had_last(connection, workspace_id, conversation_id, writer) else None, own_word=writer is not None,
        )  # fmt: skip
    elif item.state.state == "assigned" and writer not in (None, item.state.agent):
        item_id = item.state.id  # a colleague has it by now, and it stays theirs
    else:
        item_id = item.state.id
        agent = writer if writer == item.last_agent_id else None
        after = transition(item.state, Change(trigger="delivery_failed", agent=agent), at.timestamp())
        if after.state != item.state.state or after.preferred != item.state.preferred:
            await write_moves(connection, [Move(stored=item, after=after, trigger="delivery_failed", actor="courier")], at)
        if writer not in (None, item.state.agent) and item.state.state in ("parked", "wrapping"):
            await mark_own_word(connection, workspace_id, item_id, at)
    if item_id is not None:
        await note_outcome(connection, workspace_id, item_id, {"failed": dict(failed)})


async def _had_last(connection: Connection, workspace_id: UUID, conversation_id: UUID, agent_id: UUID | None) -> bool:
    """Whether the last work of the conversation was this agent's."""
    return bool(await connection.fetchval(_HAD_LAST, workspace_id, conversation_id, agent_id))

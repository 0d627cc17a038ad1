"""Commands on work items: claim, done, park, assign, cancel, abandon. One transaction of the caller's each; 200 or 409, at once.

Handing an item to somebody else is in `router/commands/transfer.py`, answering offers in `router/commands/offer.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from router.commands.last_agent import served_by_item
from router.commands.reopening import reopen
from router.item.item import ItemState
from router.item.transition import Change, transition
from router.moves.absence import gone
from router.moves.item_store import StoredItem, lock_items, read_items
from router.moves.marks import note_outcome
from router.moves.moves import Move, numbered, write_moves
from router.moves.notes import write_note
from shared.database import Connection
from shared.errors import Conflict, NotFound, Unprocessable
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record

PARKED_MAX: Final = timedelta(days=366)
"""How long work may be put off: its owner has it all the while, and no capacity of theirs."""
_CAME_OTHERWISE: Final = """
select exists (select from santral.message m where m.workspace_id = $1 and m.conversation_id = $2 and m.direction = 'in'
               and (m.inbox_id = $3 and m.handle_id = any($4::uuid[])) is not true)
"""
OPEN_STATES = ("queued", "offered", "assigned", "parked", "wrapping")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """An item as a command leaves it."""

    id: UUID
    conversation_id: UUID
    queue_id: UUID
    channel: str
    state: str
    version: int
    agent_id: UUID | None


def _view(stored: StoredItem, after: ItemState) -> ItemView:
    return ItemView(
        id=after.id, conversation_id=stored.conversation_id, queue_id=after.queue, channel=after.terms.channel, state=after.state,
        version=after.version, agent_id=after.agent,
    )  # fmt: skip


async def item_of(connection: Connection, workspace_id: UUID, item_id: UUID) -> ItemView:
    """An item as it stands, unlocked. Raises `NotFound`."""
    found = await read_items(connection, [(workspace_id, item_id)])
    if not found:
        raise NotFound("no such item", field="item_id")
    return _view(found[0], found[0].state)


async def database_now(connection: Connection) -> datetime:
    """The database's clock, which leases and deadlines are measured by."""
    now: datetime = await connection.fetchval("select clock_timestamp()")
    return now


async def move_item(
    connection: Connection,
    *,
    workspace_id: UUID,
    item_id: UUID,
    change: Change,
    actor: str,
    reason: str = "",
    outcome: Mapping[str, Any] | None = None,
    offer_id: UUID | None = None,
    override: bool = False,
    note: str = "",
    author: UUID | None = None,
) -> ItemView:
    """Locks the item, applies one change, writes it. Raises `NotFound`, or `Conflict` with nothing written.

    ``offer_id`` is the offer the caller answers: an older one of the same item is a conflict. ``note`` is kept in the
    conversation, for agents, as written by ``author``.
    """
    stored = await locked_item(connection, workspace_id, item_id)
    if offer_id is not None and stored.offer_id != offer_id:
        raise Conflict("this offer is no longer open", field="offer_id", remedy="take the next one")
    at = await database_now(connection)
    if change.trigger in ("decline", "customer_wrote") and stored.state.giver is not None:
        change = replace(change, gone=bool(await gone(connection, [stored])))
    if change.queue is not None:
        goals_s = await connection.fetchval(
            "select goals_s from santral.queue where workspace_id = $1 and id = $2", workspace_id, change.queue
        )
        change = replace(change, due=stored.due_with(goals_s or {}))
    after = transition(stored.state, change, at.timestamp())
    note_id = new_id() if note else None
    move = Move(
        stored=stored, after=after, trigger=change.trigger, actor=actor, reason=reason, outcome=outcome or {}, override=override,
        message_id=note_id,
    )  # fmt: skip
    seq = await _write(connection, move, at)
    if note_id is not None:
        await write_note(
            connection, workspace_id=workspace_id, conversation_id=stored.conversation_id, note_id=note_id, seq=seq,
            agent_id=author, actor=actor, text=note, at=at,
        )  # fmt: skip
    return _view(stored, after)


async def locked_item(connection: Connection, workspace_id: UUID, item_id: UUID) -> StoredItem:
    """The item, its conversation and itself locked. Raises `NotFound`."""
    found = await lock_items(connection, [(workspace_id, item_id)])
    if not found:
        raise NotFound("no such item", field="item_id")
    return found[0]


async def _write(connection: Connection, move: Move, at: datetime) -> int:
    """Writes one move; returns the number of its event. Raises `Conflict` when capacity refuses it."""
    moved = await write_moves(connection, [move], at)
    if not moved:
        raise Conflict("the agent has no room for it", field="agent", remedy="finish or park something first, or go online")
    return moved[0].seq


async def claim(connection: Connection, *, workspace_id: UUID, item_id: UUID, agent_id: UUID) -> ItemView:
    """An agent takes a waiting item by itself, where the queue allows pull and the agent is a member, within their capacity.

    What an agent gave away and nobody took yet, they may take back from any queue.
    """
    row = await connection.fetchrow(
        "select q.mode, q.name, coalesce(i.giver_agent_id = $3, false) as given,"
        " exists (select from santral.queue_member m where m.workspace_id = i.workspace_id and m.queue_id = i.queue_id and m.agent_id = $3) as member"
        " from santral.work_item i join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id"
        " where i.workspace_id = $1 and i.id = $2",
        workspace_id, item_id, agent_id,
    )  # fmt: skip
    if row is None:
        raise NotFound("no such item", field="item_id")
    if row["mode"] == "push" and not row["given"]:
        raise Conflict(f"the queue {row['name']} is not for claiming", field="queue.mode", remedy="set it to pull or both")
    if not row["member"] and not row["given"]:
        raise Conflict(f"the agent is no member of {row['name']}", field="agent", remedy="add the agent to the queue")
    change = Change(trigger="claim", agent=agent_id)
    return await move_item(connection, workspace_id=workspace_id, item_id=item_id, change=change, actor=f"agent:{agent_id}")


async def done(
    connection: Connection, *, workspace_id: UUID, item_id: UUID, agent_id: UUID, outcome: Mapping[str, Any] | None = None
) -> ItemView:
    """The agent is finished: the capacity comes back, at once or after the channel's wrap time."""
    await served_by_item(connection, workspace_id, item_id, agent_id)
    change = Change(trigger="done", agent=agent_id)
    return await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=change, actor=f"agent:{agent_id}", outcome=outcome
    )


async def park(
    connection: Connection, *, workspace_id: UUID, item_id: UUID, agent_id: UUID, wake_at: datetime | None = None
) -> ItemView:
    """The capacity comes back, the owner is remembered. Ends when the customer writes; with ``wake_at`` also then.

    At ``wake_at`` the item queues again for its owner. Raises `Unprocessable` for a time that has passed, or that is over a year away.
    """
    if wake_at is not None:
        now = await database_now(connection)
        if wake_at <= now:
            raise Unprocessable("this time has passed", field="wake_at", remedy="name a later one")
        if wake_at > now + PARKED_MAX:
            raise Unprocessable(
                "this is more than a year away", field="wake_at", remedy="name an earlier one, and park it again then"
            )
    change = Change(trigger="park", agent=agent_id, until=None if wake_at is None else wake_at.timestamp())
    return await move_item(connection, workspace_id=workspace_id, item_id=item_id, change=change, actor=f"agent:{agent_id}")


async def assign(
    connection: Connection,
    *,
    workspace_id: UUID,
    item_id: UUID,
    agent_id: UUID,
    actor: str,
    override: bool = False,
    reason: str = "",
    note: str = "",
) -> ItemView:
    """A supervisor gives an open item to an agent, whoever had it; an offer is rescinded. The caller audits it.

    Raises `NotFound`, `Conflict` when the agent has the item already or, without ``override``, has no room or is not online.
    """
    await require_agent_row(connection, workspace_id, agent_id)
    return await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=Change(trigger="reassign", agent=agent_id), actor=actor,
        override=override, reason=reason, note=note,
    )  # fmt: skip


async def require_agent_row(connection: Connection, workspace_id: UUID, agent_id: UUID) -> None:
    """Raises `NotFound` for an agent who does not exist or is disabled."""
    known = await connection.fetchval(
        "select 1 from santral.agent where workspace_id = $1 and id = $2 and enabled", workspace_id, agent_id
    )
    if known is None:
        raise NotFound("no such agent", field="agent", remedy="the id of an agent who is enabled")


async def cancel(connection: Connection, *, workspace_id: UUID, item_id: UUID, actor: str, reason: str) -> ItemView:
    """Ends an open item by explicit command; the caller audits it. ``reason`` stays with the item, not in the event."""
    view = await move_item(connection, workspace_id=workspace_id, item_id=item_id, change=Change(trigger="cancel"), actor=actor)
    await note_outcome(connection, workspace_id, item_id, {"canceled": reason})
    return view


async def abandon(
    connection: Connection,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    reason: str = "",
    chat: UUID | None = None,
    handle_ids: Sequence[UUID] = (),
) -> None:
    """The customer left. A waiting item is abandoned; one that an agent has stays with the agent, who is told. Twice is harmless.

    Who leaves a ``chat`` (its inbox), under these handles, ends no work that others wait for too, or they themselves elsewhere: where words
    that came otherwise stand in the conversation, that they left is told alone.
    Where the channel's terms say so, an item of kind ``callback`` takes the place of the abandoned one.
    """
    item_id = await connection.fetchval(
        "select id from santral.work_item where workspace_id = $1 and conversation_id = $2 and state = any($3)",
        workspace_id, conversation_id, list(OPEN_STATES),
    )  # fmt: skip
    if item_id is None:
        return
    stored = await locked_item(connection, workspace_id, item_id)
    at = await database_now(connection)
    # Asked with the conversation held: nobody merges another's words into it, or writes, between this and the commit.
    shared = chat is not None and await connection.fetchval(_CAME_OTHERWISE, workspace_id, conversation_id, chat, list(handle_ids))
    if shared or stored.state.state not in ("queued", "offered"):
        await _tell_left(connection, stored, reason, at)
        return
    after = transition(stored.state, Change(trigger="customer_left"), at.timestamp())
    await _write(connection, Move(stored=stored, after=after, trigger="customer_left", actor="customer", reason=reason), at)
    if stored.state.terms.callback:
        await reopen(
            connection, workspace_id=workspace_id, conversation_id=conversation_id, at=at, trigger="customer_left", kind="callback"
        )


async def _tell_left(connection: Connection, stored: StoredItem, reason: str, at: datetime) -> None:
    event = Event(
        id=new_id(), workspace_id=stored.workspace_id, type="conversation.left", at=at, conversation_id=stored.conversation_id,
        data={"item_id": str(stored.state.id), "reason": reason},
    )  # fmt: skip
    await record(connection, await numbered(connection, [event]))

"""Commands on work items: claim, done, park, cancel, abandon. One transaction of the caller's each; 200 or 409, at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from router.item import ItemState
from router.item_store import StoredItem, lock_items
from router.moves import Move, numbered, write_moves
from router.transition import Change, transition
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record

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
) -> ItemView:
    """Locks the item, applies one change, writes it. Raises `NotFound`, or `Conflict` with nothing written.

    ``offer_id`` is the offer the caller answers: an older one of the same item is a conflict.
    """
    stored = await _locked(connection, workspace_id, item_id)
    if offer_id is not None and stored.offer_id != offer_id:
        raise Conflict("this offer is no longer open", field="offer_id", remedy="take the next one")
    at = await database_now(connection)
    after = transition(stored.state, change, at.timestamp())
    return await _write(connection, stored, after, change, at, actor=actor, reason=reason, outcome=outcome, override=override)


async def _locked(connection: Connection, workspace_id: UUID, item_id: UUID) -> StoredItem:
    found = await lock_items(connection, [(workspace_id, item_id)])
    if not found:
        raise NotFound("no such item", field="item_id")
    return found[0]


async def _write(
    connection: Connection, stored: StoredItem, after: ItemState, change: Change, at: datetime, *, actor: str, reason: str,
    outcome: Mapping[str, Any] | None, override: bool = False,
) -> ItemView:  # fmt: skip
    move = Move(
        stored=stored, after=after, trigger=change.trigger, actor=actor, reason=reason, outcome=outcome or {}, override=override
    )
    if not await write_moves(connection, [move], at):
        raise Conflict("the agent has no room for it", field="agent", remedy="finish or park something first, or go online")
    return _view(stored, after)


async def claim(connection: Connection, *, workspace_id: UUID, item_id: UUID, agent_id: UUID) -> ItemView:
    """An agent takes a waiting item by itself, where the queue allows pull and the agent is a member."""
    row = await connection.fetchrow(
        "select q.mode, q.name, exists (select from santral.queue_member m where m.workspace_id = i.workspace_id"
        " and m.queue_id = i.queue_id and m.agent_id = $3) as member"
        " from santral.work_item i join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id"
        " where i.workspace_id = $1 and i.id = $2",
        workspace_id, item_id, agent_id,
    )  # fmt: skip
    if row is None:
        raise NotFound("no such item", field="item_id")
    if row["mode"] == "push":
        raise Conflict(f"the queue {row['name']} is not for claiming", field="queue.mode", remedy="set it to pull or both")
    if not row["member"]:
        raise Conflict(f"the agent is no member of {row['name']}", field="agent", remedy="add the agent to the queue")
    change = Change(trigger="claim", agent=agent_id)
    return await move_item(connection, workspace_id=workspace_id, item_id=item_id, change=change, actor=f"agent:{agent_id}")


async def done(
    connection: Connection, *, workspace_id: UUID, item_id: UUID, agent_id: UUID, outcome: Mapping[str, Any] | None = None
) -> ItemView:
    """The agent is finished: the capacity comes back, at once or after the channel's wrap time."""
    change = Change(trigger="done", agent=agent_id)
    return await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=change, actor=f"agent:{agent_id}", outcome=outcome
    )


async def park(
    connection: Connection, *, workspace_id: UUID, item_id: UUID, agent_id: UUID, wake_at: datetime | None = None
) -> ItemView:
    """The agent waits for the customer: the capacity comes back, the owner is remembered. ``wake_at`` ends the waiting."""
    stored = await _locked(connection, workspace_id, item_id)
    at = await database_now(connection)
    if stored.state.state != "assigned" or stored.state.agent != agent_id:
        raise Conflict("only what the agent has can be parked", field="item_id")
    change = Change(trigger="silence_passed", agent=agent_id)
    after = transition(stored.state, change, at.timestamp())
    if wake_at is not None:
        after = replace(after, deadline=wake_at.timestamp())
    return await _write(connection, stored, after, change, at, actor=f"agent:{agent_id}", reason="", outcome=None)


async def cancel(connection: Connection, *, workspace_id: UUID, item_id: UUID, actor: str, reason: str) -> ItemView:
    """Ends an open item by explicit command; the caller audits it."""
    return await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=Change(trigger="cancel"), actor=actor, reason=reason
    )


async def abandon(connection: Connection, *, workspace_id: UUID, conversation_id: UUID, reason: str = "") -> None:
    """The customer left. A waiting item is abandoned; one that an agent has stays with the agent, who is told. Twice is harmless."""
    item_id = await connection.fetchval(
        "select id from santral.work_item where workspace_id = $1 and conversation_id = $2 and state = any($3)",
        workspace_id, conversation_id, list(OPEN_STATES),
    )  # fmt: skip
    if item_id is None:
        return
    stored = await _locked(connection, workspace_id, item_id)
    at = await database_now(connection)
    if stored.state.state not in ("queued", "offered"):
        await _tell_left(connection, stored, reason, at)
        return
    change = Change(trigger="customer_left")
    after = transition(stored.state, change, at.timestamp())
    await _write(connection, stored, after, change, at, actor="customer", reason=reason, outcome=None)


async def _tell_left(connection: Connection, stored: StoredItem, reason: str, at: datetime) -> None:
    event = Event(
        id=new_id(), workspace_id=stored.workspace_id, type="conversation.left", at=at, conversation_id=stored.conversation_id,
        data={"item_id": str(stored.state.id), "reason": reason},
    )  # fmt: skip
    await record(connection, await numbered(connection, [event]))

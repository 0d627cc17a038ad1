"""New work items: the one writer of their rows, for intake's batch as for an agent's single command.

A :class:`NewItem` names every column that a beginning may set; the statement's column list is made from it, its types from the table.
Who opens one in a conversation holds that conversation's lock. **Units**: times aware UTC, ``predicted_s`` seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from router.item.item import State
from router.moves.moves import feed, numbered
from router.moves.plan_again import PLAN_AGAIN
from router.moves.tables import work_item
from shared.database import Connection
from shared.event import Event, EventType
from shared.ids import new_id
from shared.outbox import record
from shared.recordset import recordset


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item as it begins. ``queued_at``: since when it is in its state, and in its plan's first step.

    ``account_owner``: the name or id of the agent who is asked first where ``sticky_agent_id`` names none.
    """

    workspace_id: UUID
    id: UUID = field(default_factory=new_id)
    conversation_id: UUID
    queue_id: UUID
    channel: str
    kind: str = "conversation"
    state: State = "queued"
    due_class: int = 1
    due_at: datetime
    enqueued_at: datetime
    queued_at: datetime
    plan: Any = ()
    skills: Mapping[str, Any] = field(default_factory=dict)
    held: Mapping[str, Any] = field(default_factory=dict)
    agent_id: UUID | None = None
    sticky_agent_id: UUID | None = None
    sticky_until: datetime | None = None
    last_agent_id: UUID | None = None
    reopened_from: UUID | None = None
    reopen_count: int = 0
    policy_version: int | None = None
    profile_version: int | None = None
    decision_id: UUID | None = None
    external: bool = False
    begun_by: UUID | None = None
    own_word_at: datetime | None = None
    by_name: bool = False
    hold_until: datetime | None = None
    expires_at: datetime | None = None
    overflowed: bool = False
    assigned_at: datetime | None = None
    first_reply_at: datetime | None = None
    parked_at: datetime | None = None
    timer_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    predicted_s: float | None = None
    predicted_p90_s: float | None = None
    account_owner: str | None = None

    def row(self) -> dict[str, Any]:
        """What the statement reads of it: what is not said is null there."""
        return {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}


_FIELDS: Final = tuple(one.name for one in fields(NewItem))
_COLUMNS: Final = tuple(name for name in _FIELDS if name != "account_owner")
_OWNER: Final = """coalesce(n.sticky_agent_id, case when n.account_owner is not null then (
    select a.id from santral.agent a where a.workspace_id = n.workspace_id and n.account_owner in (a.name, a.id::text)) end)"""


def insert_items(parameter: str) -> str:
    """The statement, or a part of one, that writes the rows of new items from this parameter (``$1``)."""
    values = ", ".join(_OWNER if name == "sticky_agent_id" else f"n.{name}" for name in _COLUMNS)
    return f"""insert into santral.work_item ({", ".join(_COLUMNS)}, step_at)
    select {values}, n.queued_at from {recordset(parameter, work_item, *_COLUMNS, account_owner=sa.Text())}"""


_INSERT: Final = insert_items("$1")
_CARRIED: Final = (
    "workspace_id", "conversation_id", "queue_id", "channel", "kind", "due_class", "due_at", "enqueued_at", "queued_at", "skills",
    "agent_id", "last_agent_id", "reopen_count", "policy_version", "profile_version", "decision_id", "own_word_at", "by_name",
    "hold_until", "expires_at", "overflowed", "first_reply_at", "parked_at",
)  # fmt: skip
_AGAIN: Final = f"""
select {", ".join(f"i.{name}" for name in _CARRIED)}, i.id as reopened_from, {PLAN_AGAIN} as plan
from santral.work_item i where i.workspace_id = $1 and i.id = $2
"""


async def item_again(connection: Connection, workspace_id: UUID, item_id: UUID) -> NewItem:
    """An item to begin where this one ended: all that it was for, its agent and its times, under a new id; not yet written."""
    row = await connection.fetchrow(_AGAIN, workspace_id, item_id)
    assert row is not None, "an item that ended stays"
    return NewItem(**dict(row))


async def begin_item(
    connection: Connection,
    item: NewItem,
    *,
    trigger: str,
    actor: str | None = None,
    at: datetime,
    kind: EventType = "item.queued",
    agent_id: UUID | None = None,
    queue: str | None = None,
    over_capacity: bool = False,
) -> UUID:
    """Writes one item with its event, and tells dispatch; returns its id.

    ``queue``: its queue's name. ``agent_id``: whom the event concerns, whose row is locked. ``over_capacity``: it takes more of
    them than they have, which is an event.
    """
    await connection.execute(_INSERT, [item.row()])
    events = [
        Event(
            id=new_id(), workspace_id=item.workspace_id, type=kind, at=at, conversation_id=item.conversation_id, agent_id=agent_id,
            data=begun(item, trigger=trigger, actor=actor, queue=queue),
        )
    ]  # fmt: skip
    if over_capacity:
        data = {"item_id": str(item.id), "actor": actor}
        events.append(
            Event(
                id=new_id(), workspace_id=item.workspace_id, type="agent.over_capacity", at=at, conversation_id=item.conversation_id,
                agent_id=agent_id, data=data,
            )
        )  # fmt: skip
    await record(connection, await numbered(connection, events))
    if item.closed_at is None:
        await feed(
            connection, [(item.workspace_id, "item", item.id), *([(item.workspace_id, "agent", agent_id)] if agent_id else [])]
        )
    return item.id


def begun(
    item: NewItem, *, trigger: str, actor: str | None = None, queue: str | None = None, rule: str | None = None
) -> dict[str, Any]:
    """What the event of a beginning says, whoever began it: the item's ids, its key, and by what."""
    said = {
        "item_id": str(item.id),
        "state": item.state,
        "version": 1,
        "queue_id": str(item.queue_id),
        "queue": queue,
        "channel": item.channel,
        "kind": item.kind,
        "trigger": trigger,
        "due_class": item.due_class,
        "due_at": item.due_at.isoformat(),
        "enqueued_at": item.enqueued_at.isoformat(),
        "reopened_from": None if item.reopened_from is None else str(item.reopened_from),
        "decision_id": None if item.decision_id is None else str(item.decision_id),
        "rule": rule,
        "external": item.external or None,
        "outcome": dict(item.outcome) or None,
        "actor": actor,
    }
    return {name: value for name, value in said.items() if value is not None}

"""The commands that move messages between conversations: merge, split, move, undo. One transaction of the caller's each.

Each writes one operation, a placement per message, the events of both conversations (the operation in each, and one for every
message at its new number) and what becomes of open work. Replies on their way are another room's: what comes back says which
messages went where. Calling a merge or an undo twice changes nothing more.
**Units**: times aware UTC. ``by``: the agent by whose own word it is done; None where who does it may decide over others' work. Of an
agent, a merge (and the undo of a split, which ends work) raises `Forbidden` where somebody else has the work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from router.moves.capacity import lock_agents
from router.moves.item_store import StoredItem
from router.moves.moves import numbered
from router.placements import placements, rows, work
from router.placements.placements import Done, Place, Placed
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.event import Event, EventType
from shared.ids import new_id
from shared.outbox import record

_WHERE: Final = "select conversation_id from santral.receipt where workspace_id = $1 and id = $2 and seq is not null"
_TOLD: Final[Mapping[str, EventType]] = {"merge": "conversation.merged", "split": "conversation.split", "move": "message.moved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operated:
    """An operation that holds, or was undone, with the messages that went somewhere by this call."""

    id: UUID
    from_id: UUID
    to_id: UUID
    placed: tuple[Placed, ...] = ()


async def where_is(connection: Connection, workspace_id: UUID, message_id: UUID) -> UUID:
    """The conversation in which a message is. Raises `NotFound`."""
    found: UUID | None = await connection.fetchval(_WHERE, workspace_id, message_id)
    if found is None:
        raise NotFound("no such message", field="message_id", remedy="the id of a message that stands in a conversation")
    return found


async def merge(
    connection: Connection, *, workspace_id: UUID, conversation_id: UUID, into: UUID, reason: str | None, actor: str,
    by: UUID | None,
) -> Operated:  # fmt: skip
    """Puts all of a conversation into another one, which goes on. Raises `NotFound`, `Conflict`, `Unprocessable`."""
    messages = await rows.message_ids(connection, workspace_id, conversation_id)
    stored = await rows.lock(connection, workspace_id, {conversation_id, into}, messages)
    source, target = stored[conversation_id], stored[into]
    if source.place.merged_into == into:
        known = await rows.merge_of(connection, workspace_id, conversation_id, into)
        if known is not None:
            return Operated(id=known, from_id=conversation_id, to_id=into)
    done = placements.merge(source.place, target.place)
    items = await _locked_items(connection, workspace_id, (conversation_id, into))
    operation = await _write(connection, workspace_id, done, stored, items, reason=reason, actor=actor)
    await rows.follow(connection, workspace_id, source.followers, into)
    prior = await work.join(
        connection,
        workspace_id=workspace_id,
        source_id=conversation_id,
        target_id=into,
        items=items,
        actor=actor,
        at=source.now,
        by=by,
    )
    await rows.add_prior(connection, workspace_id, operation, {**prior, "followers": list(source.followers)})
    return Operated(id=operation, from_id=conversation_id, to_id=into, placed=done.placed)


async def split(
    connection: Connection, *, workspace_id: UUID, conversation_id: UUID, messages: Sequence[UUID], reason: str | None, actor: str,
    by: UUID | None,
) -> Operated:  # fmt: skip
    """Makes some messages of a conversation a new one, with work of its own where the customer waits for an answer.

    Raises `NotFound`, `Conflict`, `Unprocessable`.
    """
    together = await rows.with_amendments(connection, workspace_id, conversation_id, messages)
    rows.require_carried(len(together))
    stored = await rows.lock(connection, workspace_id, {conversation_id}, together)
    source = stored[conversation_id]
    done = placements.split(source.place, new_id(), messages)
    items = await _locked_items(connection, workspace_id, (conversation_id,))
    opened_at = min(one.at for one in done.target.messages)
    await rows.open_place(connection, workspace_id, conversation_id, done.target, opened_at, source.now)
    stored[done.target.id] = replace(source, place=done.target, subject="", window_expires_at=None, followers=())
    operation = await _write(connection, workspace_id, done, stored, items, reason=reason, actor=actor)
    await _ask(connection, workspace_id, operation, done, items, actor, source.now, by)
    return Operated(id=operation, from_id=conversation_id, to_id=done.target.id, placed=done.placed)


async def move(
    connection: Connection, *, workspace_id: UUID, message_id: UUID, into: UUID, reason: str | None, actor: str,
    by: UUID | None,
) -> Operated:  # fmt: skip
    """Puts one message, and what amends it, into another conversation. Raises `NotFound`, `Conflict`, `Unprocessable`."""
    conversation_id = await where_is(connection, workspace_id, message_id)
    if conversation_id == into:
        raise Conflict("the message is in this conversation", field="conversation", remedy="name another one")
    together = await rows.with_amendments(connection, workspace_id, conversation_id, [message_id])
    stored = await rows.lock(connection, workspace_id, {conversation_id, into}, together)
    source, target = stored[conversation_id], stored[into]
    done = placements.move(source.place, target.place, message_id)
    items = await _locked_items(connection, workspace_id, (conversation_id, into))
    operation = await _write(connection, workspace_id, done, stored, items, reason=reason, actor=actor)
    await _ask(connection, workspace_id, operation, done, items, actor, source.now, by)
    return Operated(id=operation, from_id=conversation_id, to_id=into, placed=done.placed)


async def undo(connection: Connection, *, workspace_id: UUID, operation_id: UUID, actor: str, by: UUID | None) -> Operated:
    """Takes an operation back; what it did is as it was. Twice is once.

    Raises `NotFound`, or `Conflict` naming the operation that builds on it and is to be undone first.
    """
    known = await rows.read_operation(connection, workspace_id, operation_id)
    placed = await rows.placed_by(connection, workspace_id, operation_id)
    carried = [one.message_id for one in placed]
    if known.kind == "split" and known.undone_at is None:
        carried = list({*carried, *await rows.message_ids(connection, workspace_id, known.to_id)})
    stored = await rows.lock(connection, workspace_id, {known.from_id, known.to_id}, carried)
    operation = await rows.read_operation(connection, workspace_id, operation_id, lock=True)
    result = Operated(id=operation_id, from_id=operation.from_id, to_id=operation.to_id)
    if operation.undone_at is not None:
        return result
    await _require_last(connection, workspace_id, operation)
    source, target = stored[operation.from_id], stored[operation.to_id]
    back, home, left = placements.undo(
        operation.kind, placed, source.place, target.place, rows.before_of(operation.prior["source"]),
        rows.before_of(operation.prior["target"]),
    )  # fmt: skip
    items = await _locked_items(connection, workspace_id, (operation.from_id, operation.to_id))
    told = _Told(operation_id, operation.kind, workspace_id, source.now, actor, undone=True)
    since = [way for way in back if way.to_seq > source.place.seq]
    await _tell(connection, told, source.place, target.place, since, target.place.id, items, len(back))
    await rows.carry(connection, workspace_id, operation_id, back, actor=actor, undo=True)
    await rows.write_place(connection, workspace_id, home, window_expires_at=source.window_expires_at, subject=source.subject)
    window, subject = target.window_expires_at, target.subject
    if operation.prior["window"]["after"] == _text(window):
        window = rows.when(operation.prior["window"]["before"])
    if operation.prior["subject_taken"] and subject == source.subject:
        subject = ""
    await rows.write_place(connection, workspace_id, left, window_expires_at=window, subject=subject)
    await rows.mark_undone(connection, workspace_id, operation_id, actor, source.now)
    await _unwork(connection, workspace_id, operation, home, left, placed, items, actor, source.now, by)
    return replace(result, placed=tuple(back))


async def _require_last(connection: Connection, workspace_id: UUID, operation: rows.Operation) -> None:
    later = await rows.later_one(connection, workspace_id, operation)
    if later is not None:
        raise Conflict(
            f"a later {later['kind']} builds on it",
            field="operation_id",
            remedy=f"undo {later['id']} first",
            undo_first=str(later["id"]),
        )


async def _locked_items(
    connection: Connection, workspace_id: UUID, conversations: Collection[UUID]
) -> dict[UUID, StoredItem]:  # fmt: skip
    """Open items by conversation, with the agents who have them: all locks before the first event is numbered."""
    items = await work.open_items(connection, workspace_id, conversations)
    agents = {(workspace_id, agent) for one in conversations if (agent := work.agents_of(items, one)) is not None}
    await lock_agents(connection, sorted(agents))
    return items


async def _write(
    connection: Connection, workspace_id: UUID, done: Done, stored: Mapping[UUID, rows.Stored], items: Mapping[UUID, StoredItem],
    *, reason: str | None, actor: str,
) -> UUID:  # fmt: skip
    """The operation with its placements and events, and both conversations; returns its id."""
    source, target = stored[done.source.id], stored[done.target.id]
    operation_id, at = new_id(), source.now
    window = _window(done, source, target)
    # A subject goes along within one handle only: somebody else's words are not what a conversation is called by itself.
    same = done.kind != "move" and done.source.handle_id == done.target.handle_id
    subject = target.subject or (source.subject if same else "")
    prior = {
        "source": rows.prior_of(done.source_before),
        "target": rows.prior_of(done.target_before),
        "window": {"before": _text(target.window_expires_at), "after": _text(window)},
        "subject_taken": subject != target.subject,
        "closed_at": _text(target.closed_at),
    }
    operation = rows.Operation(
        id=operation_id,
        number=0,
        kind=done.kind,
        from_id=done.source.id,
        to_id=done.target.id,
        actor=actor,
        prior=prior,
        undone_at=None,
    )
    await rows.write_operation(connection, workspace_id, operation, reason=reason, at=at)
    told = _Told(operation_id, done.kind, workspace_id, at, actor, undone=False)
    await _tell(connection, told, source.place, target.place, done.placed, done.source.id, items, len(done.placed))
    await rows.carry(connection, workspace_id, operation_id, done.placed, actor=actor)
    await rows.write_place(
        connection, workspace_id, done.source, window_expires_at=source.window_expires_at, subject=source.subject
    )
    await rows.write_place(connection, workspace_id, done.target, window_expires_at=window, subject=subject)
    return operation_id


def _window(done: Done, source: rows.Stored, target: rows.Stored) -> datetime | None:
    """Until when the target may be answered freely: as the conversation says whose customer wrote last."""
    last, came = done.target.facts, source.place.facts
    if (last.last_in_at, last.last_handle_id, last.last_inbox_id) == (came.last_in_at, came.last_handle_id, came.last_inbox_id):
        return source.window_expires_at
    return target.window_expires_at


@dataclass(frozen=True, slots=True)
class _Told:
    """What the events of an operation have in common."""

    operation_id: UUID
    kind: str
    workspace_id: UUID
    at: datetime
    actor: str
    undone: bool


async def _tell(
    connection: Connection, told: _Told, source: Place, target: Place, carried: Sequence[Placed], came_from: UUID,
    items: Mapping[UUID, StoredItem], count: int,
) -> None:  # fmt: skip
    """Writes the events: the operation in both conversations, then each message that takes a new number where it goes."""
    about = partial(Event, workspace_id=told.workspace_id, at=told.at)
    data: dict[str, Any] = {
        "operation_id": str(told.operation_id), "from_conversation_id": str(source.id), "to_conversation_id": str(target.id),
        "messages": count, "actor": told.actor, **({"undone": True} if told.undone else {}),
    }  # fmt: skip
    single = told.kind == "move"
    if single:
        data = {**data, "message_id": str(carried[0].message_id) if carried else None}
    events = []
    if told.kind == "split" and not told.undone:
        opened = {"channel": target.channel, "inbox_id": str(target.inbox_id), "visibility": target.visibility, "actor": told.actor}
        events.append(about(id=new_id(), type="conversation.opened", conversation_id=target.id, data=opened))
    for place in (source, target):
        agent = work.agents_of(items, place.id)
        events.append(about(id=new_id(), type=_TOLD[told.kind], conversation_id=place.id, agent_id=agent, data=data))
    # A move's own event stands at the number of its message; what amends that one comes after it.
    events += [
        about(
            id=new_id(), type="message.moved", conversation_id=one.to_id,
            data={
                "operation_id": str(told.operation_id), "message_id": str(one.message_id), "from_conversation_id": str(came_from),
                "from_seq": one.from_seq, **({"undone": True} if told.undone else {}),
            },
        )
        for one in (carried[1:] if single and not told.undone else carried)
    ]  # fmt: skip
    placed = await numbered(connection, events)
    numbers = {(e.conversation_id, e.data.get("message_id")): e.seq for e in placed if e.type == "message.moved"}
    for one in carried:
        assert numbers[one.to_id, str(one.message_id)] == one.to_seq, "a message stands at the number of its event"
    await record(connection, placed)


async def _ask(
    connection: Connection, workspace_id: UUID, operation_id: UUID, done: Done, items: Mapping[UUID, StoredItem], actor: str, at: datetime,
    by: UUID | None,
) -> None:  # fmt: skip
    """Work for what nobody has answered among the messages that came: a new item, or the parked one wakes."""
    said = placements.unanswered(done.target, {one.message_id for one in done.placed})
    if said is None:
        return
    item = items.get(done.target.id)
    if item is None:
        opened = await work.begin(
            connection,
            workspace_id=workspace_id,
            conversation_id=done.target.id,
            like=[done.source.id],
            said=said,
            actor=actor,
            at=at,
            by=by,
        )
        await rows.add_prior(connection, workspace_id, operation_id, {"opened": opened})
    elif item.state.state == "parked":
        await work.wake(connection, item, said, actor, at, by)


async def _unwork(
    connection: Connection, workspace_id: UUID, operation: rows.Operation, home: Place, left: Place, placed: Sequence[Placed],
    items: Mapping[UUID, StoredItem], actor: str, at: datetime, by: UUID | None,
) -> None:  # fmt: skip
    """Open work after an undo."""
    begin = partial(work.begin, connection, workspace_id=workspace_id, actor=actor, at=at, by=by)
    if operation.kind == "split":
        # The new conversation is gone into the one it came from; there the work stays that is there.
        await work.join(
            connection,
            workspace_id=workspace_id,
            source_id=left.id,
            target_id=home.id,
            items=items,
            actor=actor,
            at=at,
            by=by,
            keep_target=True,
        )
        return
    if operation.kind == "merge":
        await rows.unfollow(connection, workspace_id, operation, [UUID(one) for one in operation.prior["followers"]], home.id)
        await work.part(
            connection, workspace_id=workspace_id, prior=operation.prior, source_id=home.id, target_id=left.id, actor=actor, at=at, by=by,
            closed_at=rows.when(operation.prior["closed_at"]),
        )  # fmt: skip
        last = max((one.to_seq for one in placed), default=0)
        said = placements.unanswered(left, {one.id for one in left.messages if one.seq > last})
        carried = operation.prior.get("carried")
        if said is not None and carried and left.id not in await work.open_items(connection, workspace_id, [left.id]):
            await begin(conversation_id=left.id, like=[home.id], said=said)
        return
    opened, item = operation.prior.get("opened"), items.get(left.id)
    if opened and item is not None and str(item.state.id) == opened and item.state.state in ("queued", "offered"):
        await work.end(connection, item, actor, at, "moved")
        await work.settle(connection, workspace_id, left.id, rows.when(operation.prior["closed_at"]))
        said = placements.unanswered(home, {one.message_id for one in placed})
        if said is not None and home.id not in items:
            await begin(conversation_id=home.id, like=[left.id], said=said)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()

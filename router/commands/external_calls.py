"""Calls that a telephone system connects by itself, as external items: the agent on the phone is offered nothing else meanwhile.

A live call is registered when it is connected and when it ends; a call's record, which comes after it, ends what is still open and
makes a finished item of a call nobody registered. Such an item may exceed the agent's capacity, because the call is there whatever
we say; an event says so.
**Identity**: a call by its inbox and the telephone system's id; saying the same twice changes nothing. **Units**: seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from router.commands.first_contact import assigned_item, open_conversation
from router.commands.reached import SeenOf, end_callbacks
from router.commands.work import ItemView, item_of
from router.item.transition import Change, transition
from router.moves.capacity import lock_agents
from router.moves.item_store import lock_items
from router.moves.moves import Move, write_moves
from router.moves.new_items import NewItem, begin_item
from shared.database import Connection, Contended
from shared.errors import Conflict, NotFound
from shared.message import Call

_DEFINE: Final = """
insert into santral.thread_ref (workspace_id, ref, conversation_id) values ($1, $2, $3) on conflict do nothing returning 1
"""
_BY_REF: Final = """
select i.id, i.state, i.external, i.conversation_id, c.handle_id from santral.thread_ref t
join santral.conversation c on c.workspace_id = t.workspace_id and c.id = t.conversation_id
join santral.work_item i on i.workspace_id = t.workspace_id and i.conversation_id = t.conversation_id
where t.workspace_id = $1 and t.ref = $2 and i.external order by i.id desc limit 1
"""
_IN: Final = """
select i.id, i.state, i.external from santral.work_item i where i.workspace_id = $1 and i.conversation_id = $2
order by i.state in ('completed', 'abandoned', 'canceled'), i.id desc limit 1
"""
_AGENT: Final = """
select a.id from unnest($2::text[]) with ordinality as g(device, place)
join santral.inbox x on x.workspace_id = $1 and x.id = $3
join santral.agent a on a.workspace_id = $1 and a.enabled
  and (a.id::text = g.device or a.name = coalesce(x.settings->'agents'->>g.device, g.device))
order by g.place limit 1
"""
_QUEUE: Final = """
select q.id from santral.queue q
left join santral.queue_member m on m.workspace_id = q.workspace_id and m.queue_id = q.id and m.agent_id = $2
where q.workspace_id = $1 and q.enabled order by m.agent_id is null, m.priority, q.name limit 1
"""
_FINAL: Final = ("completed", "abandoned", "canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """An answered call as its message tells of it, and the conversation where that stands."""

    workspace_id: UUID
    conversation_id: UUID
    inbox_id: UUID
    call: Call


async def agent_on(connection: Connection, *, workspace_id: UUID, inbox_id: UUID, devices: Sequence[str]) -> UUID | None:
    """The agent whom the first known of these names: an agent's id or name, or a device or extension under the inbox's ``agents``."""
    names = [name for device in devices for name in dict.fromkeys((device, device.rpartition("/")[2])) if name]
    found: UUID | None = await connection.fetchval(_AGENT, workspace_id, names, inbox_id)
    return found


async def conversation_of_call(connection: Connection, workspace_id: UUID, inbox_id: UUID, call_id: str) -> UUID | None:
    """Where a call stands that was registered before; None for one that is new."""
    known = await connection.fetchrow(_BY_REF, workspace_id, _ref(inbox_id, call_id))
    return None if known is None else known["conversation_id"]


async def call_connected(
    connection: Connection,
    *,
    workspace_id: UUID,
    inbox_id: UUID,
    call_id: str,
    handle_id: UUID,
    agent_id: UUID,
    actor: str,
    at: datetime,
    queue: str | None = None,
    begun_by: UUID | None = None,
    own_word: bool = False,
    seen_of: SeenOf | None = None,
) -> tuple[ItemView, list[UUID]]:
    """Registers a call that an agent is on, incoming or outgoing, in a conversation of its own. Again: the item as it is.

    Returns also the call-backs that ended by it, of conversations that who says so sees (``seen_of``; None: all). Raises `NotFound`
    (queue), `Conflict` where this id is another number's call. The agent's capacity is taken whether there is room or not.
    """
    await connection.execute(
        "select 1 from santral.handle where workspace_id = $1 and id = $2 for no key update", workspace_id, handle_id
    )
    known = await connection.fetchrow(_BY_REF, workspace_id, _ref(inbox_id, call_id))
    if known is not None:
        if known["handle_id"] != handle_id:
            raise Conflict(
                f"this call is known with another number: item {known['id']}", field="call_id", remedy="a new call has a new id"
            )
        return await item_of(connection, workspace_id, known["id"]), []
    people = [(workspace_id, handle_id)]
    ended = await end_callbacks(connection, people, at, actor=actor, call_id=call_id, connected_at=at, seen_of=seen_of)
    conversation_id = await open_conversation(
        connection, workspace_id=workspace_id, handle_id=handle_id, inbox_id=inbox_id, channel="phone", subject="", agent_id=agent_id,
        at=at,
    )  # fmt: skip
    if not await connection.fetchval(_DEFINE, workspace_id, _ref(inbox_id, call_id), conversation_id):
        # Somebody said it at the same moment: read again, it is that call or another number's.
        raise Contended("this call was registered just now", field="call_id", retry_after_s=1)
    item_id = await assigned_item(
        connection, workspace_id=workspace_id, conversation_id=conversation_id, channel="phone", agent_id=agent_id, actor=actor, at=at,
        queue=queue, kind="call", external=True, begun_by=begun_by, own_word=own_word,
    )  # fmt: skip
    return await item_of(connection, workspace_id, item_id), ended


async def call_ended(
    connection: Connection, *, workspace_id: UUID, inbox_id: UUID, call_id: str, actor: str, at: datetime, measures: Mapping[str, Any]
) -> ItemView:  # fmt: skip
    """Ends a registered call: its capacity comes back, at once or after the wrap time. Again: the item as it is.

    Raises `NotFound` for a call nobody registered.
    """
    known = await connection.fetchrow(_BY_REF, workspace_id, _ref(inbox_id, call_id))
    if known is None:
        raise NotFound("no such call", field="call_id", remedy="register it when it is connected")
    await _end(connection, workspace_id, known["id"], actor, at, measures)
    return await item_of(connection, workspace_id, known["id"])


async def settle_calls(connection: Connection, calls: Iterable[CallRecord], at: datetime) -> None:
    """What the records of answered calls say: ends open external items, and keeps calls nobody registered as finished ones.

    Work on a conversation that is open otherwise goes on: the call was part of it.
    """
    for one in calls:
        ref = _ref(one.inbox_id, one.call.call_id)
        known = await connection.fetchrow(_BY_REF, one.workspace_id, ref)
        known = known or await connection.fetchrow(_IN, one.workspace_id, one.conversation_id)
        if known is not None and known["external"] and known["state"] not in _FINAL:
            await _end(connection, one.workspace_id, known["id"], "pbx", at, measures_of(one.call))
        elif known is None or (known["state"] in _FINAL and not await connection.fetchrow(_BY_REF, one.workspace_id, ref)):
            await _keep(connection, one, at)


def measures_of(call: Call) -> dict[str, Any]:
    """What a finished call measured."""
    return {"talk_s": call.talk_s, "wait_s": call.wait_s, "direction": call.direction}


async def _end(
    connection: Connection, workspace_id: UUID, item_id: UUID, actor: str, at: datetime, measures: Mapping[str, Any]
) -> None:
    for stored in await lock_items(connection, [(workspace_id, item_id)]):
        if stored.state.state != "assigned":
            continue
        after = transition(stored.state, Change(trigger="call_ended", agent=stored.state.agent), at.timestamp())
        move = Move(stored=stored, after=after, trigger="call_ended", actor=actor, outcome={"call": dict(measures)})
        await write_moves(connection, [move], at)


async def _keep(connection: Connection, one: CallRecord, at: datetime) -> None:
    """A finished item of a call that was over before we heard of it."""
    call = one.call
    devices = [*call.agents, call.caller] if call.direction == "out" else [*reversed(call.agents), call.callee]
    agent_id = await agent_on(connection, workspace_id=one.workspace_id, inbox_id=one.inbox_id, devices=devices)
    queue_id = await connection.fetchval(_QUEUE, one.workspace_id, agent_id)
    if queue_id is None:
        return
    if agent_id is not None:
        await lock_agents(connection, [(one.workspace_id, agent_id)])
    item = NewItem(
        workspace_id=one.workspace_id, conversation_id=one.conversation_id, queue_id=queue_id, channel="phone", kind="call",
        state="completed", due_at=call.started_at, enqueued_at=call.started_at, queued_at=call.ended_at, last_agent_id=agent_id,
        external=True, assigned_at=call.ended_at - timedelta(seconds=call.talk_s), closed_at=call.ended_at,
        outcome={"call": measures_of(call)},
    )  # fmt: skip
    await begin_item(connection, item, kind="item.completed", trigger="call_recorded", at=at, agent_id=agent_id)


def _ref(inbox_id: UUID, call_id: str) -> str:
    """The same reference that a call's message defines."""
    return f"ext:{inbox_id}:{call_id}"

"""Moving work items: the one writer of transitions, for dispatch's batches and for an agent's single command.

A move is an item before and after (`router/item/item.py` says what after is). Written together, in the caller's transaction: capacity
given back and taken, the item, its offer, its decision, one event per transition and agent concerned, dispatch's feed. Callers
have locked conversations and items (`item_store.lock_items`); agents are locked here. A move whose capacity was not granted is
left out whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from router.item.item import ItemState, Trigger, holders, is_new_to
from router.moves.capacity import Claim, Granted, Held, hold, lock_agents, lock_free_agents, release
from router.moves.item_store import StoredItem, item_row, moment, write_items
from shared.database import Connection
from shared.event import Event, EventType
from shared.ids import new_id
from shared.outbox import record

SLOTS: Final = 64

_EVENTS: Final[Mapping[tuple[Trigger, str], EventType]] = {
    ("offer", "offered"): "offer.made",
    ("assign", "assigned"): "item.assigned",
    ("claim", "assigned"): "item.assigned",
    ("reassign", "assigned"): "item.assigned",
    ("accept", "assigned"): "offer.accepted",
    ("decline", "queued"): "offer.declined",
    ("decline", "assigned"): "offer.declined",
    ("offer_expired", "queued"): "offer.expired",
    ("offer_expired", "assigned"): "offer.expired",
    ("agent_lost", "queued"): "item.requeued",
    ("agent_lost", "assigned"): "item.assigned",
    ("customer_left", "abandoned"): "item.abandoned",
    ("customer_wrote", "queued"): "item.woken",
    ("customer_wrote", "assigned"): "item.woken",
    ("reply", "parked"): "item.parked",
    ("silence_passed", "parked"): "item.parked",
    ("silence_passed", "completed"): "item.completed",
    ("silence_passed", "queued"): "item.woken",
    ("park", "parked"): "item.parked",
    ("transfer", "queued"): "item.requeued",
    ("target_unavailable", "assigned"): "item.assigned",
    ("target_unavailable", "queued"): "item.requeued",
    ("delivery_failed", "queued"): "item.requeued",
    ("done", "wrapping"): "item.wrapping",
    ("done", "completed"): "item.completed",
    ("call_ended", "wrapping"): "item.wrapping",
    ("call_ended", "completed"): "item.completed",
    ("wrap_expired", "completed"): "item.completed",
    ("time_to_live_passed", "queued"): "item.requeued",
    ("time_to_live_passed", "canceled"): "item.canceled",
    ("step_passed", "queued"): "item.requeued",
    ("overflow", "queued"): "item.requeued",
    ("hand_over", "queued"): "item.requeued",
    ("cancel", "canceled"): "item.canceled",
}
_OFFER_ENDS: Final[Mapping[Trigger, str]] = {
    "accept": "accepted",
    "decline": "declined",
    "offer_expired": "expired",
    "agent_lost": "revoked",
    "customer_left": "rescinded",
    "cancel": "rescinded",
    "reassign": "rescinded",
    "hand_over": "rescinded",
}
_CONVERSATION_SEQ: Final = """
update santral.conversation c set seq = c.seq + n.n
from jsonb_to_recordset($1::jsonb) as n(w uuid, c uuid, n bigint)
where c.workspace_id = n.w and c.id = n.c returning c.id, c.seq
"""
_AGENT_SEQ: Final = """
update santral.agent a set seq = a.seq + n.n
from jsonb_to_recordset($1::jsonb) as n(w uuid, a uuid, n bigint)
where a.workspace_id = n.w and a.id = n.a returning a.id, a.seq
"""
_OPEN_OFFERS: Final = """
insert into santral.offer (workspace_id, id, item_id, agent_id, decision_id, state, until)
select w, i, item, a, d, 'open', to_timestamp(u)
from jsonb_to_recordset($1::jsonb) as n(w uuid, i uuid, item uuid, a uuid, d uuid, u double precision)
"""
_CLOSE_OFFERS: Final = """
update santral.offer o set state = n.s, reason = n.r, closed_at = clock_timestamp()
from jsonb_to_recordset($1::jsonb) as n(w uuid, i uuid, s text, r text)
where o.workspace_id = n.w and o.id = n.i and o.state = 'open'
"""
_DECISIONS: Final = """
insert into santral.decision (workspace_id, id, kind, conversation_id, item_id, record)
select n.w, n.i, 'dispatch', n.c, n.item,
       n.r || jsonb_build_object('policy_version', k.policy_version, 'profile_version', k.profile_version)
from jsonb_to_recordset($1::jsonb) as n(w uuid, i uuid, c uuid, item uuid, r jsonb)
join santral.work_item k on k.workspace_id = n.w and k.id = n.item
"""
_FEED: Final = """
insert into santral.dispatch_change (workspace_id, slot, kind, id)
select w, s, k, i from jsonb_to_recordset($1::jsonb) as n(w uuid, s smallint, k text, i uuid)
"""
_CLOSE_CONVERSATIONS: Final = """
update santral.conversation c set state = n.s, closed_at = case when n.s = 'closed' then clock_timestamp() end
from jsonb_to_recordset($1::jsonb) as n(w uuid, c uuid, s text)
where c.workspace_id = n.w and c.id = n.c and c.state <> n.s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One item that moves. ``reason`` is the agent's or the rule's word; ``decision`` the record of a reservation.

    ``message_id`` is a message that belongs to this move (a note); it stands at the number of the move's event.
    """

    stored: StoredItem
    after: ItemState
    trigger: Trigger
    actor: str = ""
    reason: str = ""
    decision: Mapping[str, Any] | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    override: bool = False
    message_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A move that was written. ``seq`` is the number of its first event in the conversation."""

    move: Move
    offer_id: UUID | None
    decision_id: UUID | None
    seq: int = 0


def slot_of(workspace_id: UUID) -> int:
    """The dispatch slot of a workspace, 0..63."""
    return workspace_id.int % SLOTS


async def feed(connection: Connection, changes: Sequence[tuple[UUID, str, UUID]]) -> None:
    """Tells dispatch that (workspace, ``item`` | ``agent`` | ``queue``, id) changed; duplicates are harmless."""
    if changes:
        rows = [{"w": str(workspace), "s": slot_of(workspace), "k": kind, "i": str(one)} for workspace, kind, one in changes]
        await connection.execute(_FEED, rows)


async def write_moves(connection: Connection, moves: Sequence[Move], at: datetime, *, skip_locked: bool = False) -> list[Moved]:
    """Writes what capacity allows and returns it; what is missing in the answer was refused and left as it was.

    ``skip_locked`` refuses what concerns an agent whom somebody else holds: who moves items of many workspaces waits for none.
    """
    agents = {agent for move in moves for agent in _agents(move)}
    if not skip_locked:
        await lock_agents(connection, list(agents))
    elif held := await lock_free_agents(connection, agents):
        moves = [move for move in moves if not _agents(move) & held]
    losers, takers = _capacity(moves)
    granted = await _granted(connection, moves, takers, losers)
    kept = [move for move in moves if (taker := _taker(move)) is None or taker in granted]
    if not kept:
        return []
    moved = [_moved(move) for move in kept]
    await write_items(connection, [_row(one, granted) for one in moved])
    await _write_offers(connection, moved)
    await _write_conversations(connection, moved)
    numbers = await _write_events(connection, moved, granted, at)
    moved = [replace(one, seq=numbers.get(one.move.after.id, 0)) for one in moved]
    await _feed_moves(connection, kept)
    return moved


def _agents(move: Move) -> set[tuple[UUID, UUID]]:
    """Whose rows a move changes."""
    losers, takers = _capacity([move])
    agents = {one.agent_id for one in losers} | {one.agent_id for one in takers.values()} | set(_concerned(move))
    return {(move.stored.workspace_id, agent) for agent in agents}


async def _feed_moves(connection: Connection, moves: Sequence[Move]) -> None:
    """Tells dispatch of what it has not done itself: of its reservations its core is told by the answer, at once."""
    others = [move for move in moves if move.decision is None]
    losers, takers = _capacity(others)
    changed = {(move.stored.workspace_id, "item", move.after.id) for move in others}
    changed |= {(one.workspace_id, "agent", one.agent_id) for one in losers}
    changed |= {(one.workspace_id, "agent", one.agent_id) for one in takers.values()}
    await feed(connection, sorted(changed, key=str))


def _taker(move: Move) -> UUID | None:
    """Who holds the item after the move and did not before."""
    before = holders(move.stored.state)
    return next((agent for agent in holders(move.after) if agent not in before), None)


def _concerned(move: Move) -> tuple[UUID, ...]:
    """The agents whom the transition is about: who has the item after it, else who had it; then who lost it by it."""
    before, after = move.stored.state, move.after
    first = after.agent if after.state in ("offered", "assigned", "wrapping") else before.agent
    held = holders(after)
    lost = [agent for agent in holders(before) if agent not in held]
    return tuple(dict.fromkeys(agent for agent in (first, *lost) if agent is not None))


def _capacity(moves: Sequence[Move]) -> tuple[list[Held], dict[int, Claim]]:
    losers: list[Held] = []
    takers: dict[int, Claim] = {}
    for place, move in enumerate(moves):
        after = holders(move.after)
        losers.extend(held for held in move.stored.held if held.agent_id not in after)
        taker = _taker(move)
        if taker is not None:
            takers[place] = Claim(
                workspace_id=move.stored.workspace_id, agent_id=taker, channel=_channel(move), queue_id=move.after.queue,
                new=is_new_to(move.stored.state, taker) and move.after.target != taker, met=_met(move), override=move.override,
            )  # fmt: skip
    return losers, takers


def _met(move: Move) -> tuple[UUID, ...]:
    """The queue through which dispatch found the agent."""
    return (UUID(move.decision["queue_id"]),) if move.decision is not None and "queue_id" in move.decision else ()


def _channel(move: Move) -> str:
    return move.after.terms.channel


async def _granted(
    connection: Connection, moves: Sequence[Move], takers: Mapping[int, Claim], losers: Sequence[Held]
) -> dict[UUID, Granted]:
    """Takes first what must be taken, so that a move refused for want of room gives nothing back either."""
    granted = await hold(connection, list(takers.values()))
    refused = {
        held
        for place, move in enumerate(moves)
        if place in takers and takers[place].agent_id not in granted
        for held in move.stored.held
    }
    await release(connection, [held for held in losers if held not in refused])
    return granted


def _moved(move: Move) -> Moved:
    offer_id = new_id() if move.trigger == "offer" else (move.stored.offer_id if move.after.state == "offered" else None)
    decision_id = new_id() if move.decision is not None else None
    return Moved(move=move, offer_id=offer_id, decision_id=decision_id)


def _row(moved: Moved, granted: Mapping[UUID, Granted]) -> dict[str, Any]:
    move = moved.move
    after = holders(move.after)
    held = [one for one in move.stored.held if one.agent_id in after]
    taker = _taker(move)
    if taker is not None:
        price = granted[taker].prices[_channel(move)]
        held.append(Held(workspace_id=move.stored.workspace_id, agent_id=taker, channel=_channel(move), **price))
    return item_row(
        move.stored,
        move.after,
        held=held,
        offer_id=moved.offer_id,
        decision_id=moved.decision_id,
        outcome=dict(move.outcome),
        trigger=move.trigger,
    )


async def _write_offers(connection: Connection, moved: Sequence[Moved]) -> None:
    opened, closed, decisions = [], [], []
    for one in moved:
        stored, after = one.move.stored, one.move.after
        workspace = str(stored.workspace_id)
        if one.decision_id is not None:
            decisions.append(
                {"w": workspace, "i": str(one.decision_id), "c": str(stored.conversation_id), "item": str(after.id),
                 "r": one.move.decision}
            )  # fmt: skip
        if one.move.trigger == "offer":
            opened.append(
                {"w": workspace, "i": str(one.offer_id), "item": str(after.id), "a": str(after.agent),
                 "d": str(one.decision_id or stored.decision_id), "u": after.deadline}
            )  # fmt: skip
        elif stored.offer_id is not None and one.move.trigger in _OFFER_ENDS and stored.state.state == "offered":
            closed.append({"w": workspace, "i": str(stored.offer_id), "s": _OFFER_ENDS[one.move.trigger], "r": one.move.reason})
    if decisions:
        await connection.execute(_DECISIONS, decisions)
    if opened:
        await connection.execute(_OPEN_OFFERS, opened)
    if closed:
        await connection.execute(_CLOSE_OFFERS, closed)


async def _write_conversations(connection: Connection, moved: Sequence[Moved]) -> None:
    """A conversation is open while it has an open item."""
    ends = [
        {"w": str(one.move.stored.workspace_id), "c": str(one.move.stored.conversation_id), "s": "closed"}
        for one in moved
        if one.move.after.state in ("completed", "abandoned", "canceled")
    ]
    if ends:
        await connection.execute(_CLOSE_CONVERSATIONS, ends)


async def _write_events(
    connection: Connection, moved: Sequence[Moved], granted: Mapping[UUID, Granted], at: datetime
) -> dict[UUID, int]:
    """Writes the events of all moves; returns the number of each item's first one."""
    events: list[Event] = []
    firsts: dict[UUID, int] = {}
    for one in moved:
        firsts[one.move.after.id] = len(events)
        events.extend(_events(one, granted, at))
    placed = await numbered(connection, events)
    await record(connection, placed)
    return {item: placed[place].seq or 0 for item, place in firsts.items() if place < len(placed)}


def _events(moved: Moved, granted: Mapping[UUID, Granted], at: datetime) -> list[Event]:
    """One event per agent concerned, at least one; and one for capacity that is exceeded."""
    move, stored, after = moved.move, moved.move.stored, moved.move.after
    kind = _EVENTS.get((move.trigger, after.state))
    if kind is None:
        return []
    if move.trigger == "agent_lost" and stored.state.state == "offered":
        kind = "offer.revoked"
    data = _event_data(moved, at)
    about = partial(Event, workspace_id=stored.workspace_id, at=at, conversation_id=stored.conversation_id)
    events = [about(id=new_id(), type=kind, agent_id=agent, data=data) for agent in _concerned(move) or (None,)]
    taker = _taker(move)
    if taker is not None and move.override and granted[taker].over:
        over = {"item_id": str(after.id), "actor": move.actor, "reason": move.reason}
        events.append(about(id=new_id(), type="agent.over_capacity", agent_id=taker, data=over))
    return events


def _event_data(moved: Moved, at: datetime) -> dict[str, Any]:
    move, stored, after = moved.move, moved.move.stored, moved.move.after
    data = {
        "item_id": str(after.id),
        "state": after.state,
        "version": after.version,
        "queue_id": str(after.queue),
        "queue": stored.queue_name if after.queue == stored.state.queue else None,
        "channel": after.terms.channel,
        "trigger": move.trigger,
        "waited_ms": max(0, int((at.timestamp() - after.enqueued_at) * 1000)),
        "actor": move.actor or None,
        "reason": move.reason or None,
        "offer_id": str(moved.offer_id or stored.offer_id) if moved.offer_id or stored.offer_id else None,
        "decision_id": str(moved.decision_id) if moved.decision_id else None,
        "until": moment(after.deadline).isoformat() if after.deadline else None,
        "giver_id": str(after.giver) if after.giver else None,
        "target_id": str(after.target) if after.target else None,
        "holder_id": str(after.agent) if after.agent and after.state != "queued" else None,
        "message_id": str(move.message_id) if move.message_id else None,
        "external": stored.external or None,
        "outcome": dict(move.outcome) or None,
    }
    return {name: value for name, value in data.items() if value is not None}


async def numbered(connection: Connection, events: Sequence[Event]) -> list[Event]:
    """Gives events their places: contiguous per conversation and per agent, in the order given. Rows are locked already."""
    per_conversation = Counter((e.workspace_id, e.conversation_id) for e in events if e.conversation_id is not None)
    per_agent = Counter((e.workspace_id, e.agent_id) for e in events if e.agent_id is not None)
    ends: dict[UUID, int] = {}
    if per_conversation:
        rows = [{"w": str(w), "c": str(c), "n": n} for (w, c), n in per_conversation.items()]
        ends |= {row["id"]: row["seq"] for row in await connection.fetch(_CONVERSATION_SEQ, rows)}
    if per_agent:
        rows = [{"w": str(w), "a": str(a), "n": n} for (w, a), n in per_agent.items()]
        ends |= {row["id"]: row["seq"] for row in await connection.fetch(_AGENT_SEQ, rows)}
    given: Counter[UUID] = Counter()
    placed = []
    for event in events:
        seq = agent_seq = None
        if event.conversation_id is not None:
            given[event.conversation_id] += 1
            total = per_conversation[event.workspace_id, event.conversation_id]
            seq = ends[event.conversation_id] - total + given[event.conversation_id]
        if event.agent_id is not None:
            given[event.agent_id] += 1
            agent_seq = ends[event.agent_id] - per_agent[event.workspace_id, event.agent_id] + given[event.agent_id]
        placed.append(replace(event, seq=seq, agent_seq=agent_seq))
    return placed

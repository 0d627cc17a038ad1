"""What dispatch writes: reservations through the guarded statement, and what time has done to items.

What is locked by somebody else is skipped and tried again from rows read anew; what has changed since the core saw it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from router.commands.presence import note_no_answer
from router.dispatch.vocabulary import Advance, Committed, Decision, Effect, Escalate, Refused, Reserve, Told, Widen
from router.item.item import Trigger
from router.item.transition import Change, transition
from router.moves.absence import gone
from router.moves.item_store import StoredItem, lock_items
from router.moves.marks import enter_steps, note_outcome
from router.moves.moves import Move, Moved, numbered, write_moves
from router.moves.time_to_live import quarantine_expired
from shared.database import Connection
from shared.errors import Conflict
from shared.event import Event
from shared.ids import new_id
from shared.metrics import DISPATCH_ESCALATIONS, OFFERS_EXPIRED
from shared.outbox import record

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Carried:
    """What became of the effects: answers for the cores, what to read again, and how much was written."""

    answers: dict[UUID, list[Told]] = field(default_factory=dict)
    again: set[tuple[UUID, str, UUID]] = field(default_factory=set)
    reserved: int = 0
    moved: int = 0


async def carry_out(connection: Connection, effects: Mapping[UUID, Sequence[Effect]], at: datetime) -> Carried:
    """Executes all workspaces' effects in one transaction of the caller's."""
    carried = Carried(answers={workspace: [] for workspace in effects})
    wanted = [(workspace, effect) for workspace, asked in effects.items() for effect in asked]
    pairs = list(dict.fromkeys((workspace, effect.item) for workspace, effect in wanted))
    stored = {(one.workspace_id, one.state.id): one for one in await lock_items(connection, pairs, skip_locked=True)}
    await _widen(connection, carried, wanted, stored)
    away = await gone(connection, [one for one in stored.values() if one.state.giver is not None])
    moves: list[tuple[UUID, Effect, Move]] = []
    moved_items: set[tuple[UUID, UUID]] = set()
    for workspace, effect in wanted:
        if isinstance(effect, Widen):
            continue
        found = stored.get((workspace, effect.item))
        if isinstance(effect, Escalate):
            escalating = _escalated(carried, workspace, effect, found)
            if escalating is None:
                continue
            await _alarm(connection, escalating, effect, at)
            if not overflows(escalating, effect):
                continue
        move = _move(found, effect, at, away) if found is not None and (workspace, effect.item) not in moved_items else None
        if move is None:
            _refuse(carried, workspace, effect)
        else:
            moved_items.add((workspace, effect.item))
            moves.append((workspace, effect, move))
    done = {id(one.move): one for one in await write_moves(connection, [move for _, _, move in moves], at, skip_locked=True)}
    for workspace, effect, move in moves:
        written = done.get(id(move))
        if written is None:
            _refuse(carried, workspace, effect)
        else:
            await _written(connection, carried, workspace, effect, written, at)
    return carried


async def _widen(
    connection: Connection,
    carried: Carried,
    wanted: Sequence[tuple[UUID, Effect]],
    stored: dict[tuple[UUID, UUID], StoredItem],
) -> None:
    """Stores the step an item entered. Its version stays: a reservation by the same version may follow in the same answer."""
    rows = []
    for workspace, effect in wanted:
        found = stored.get((workspace, effect.item))
        if not isinstance(effect, Widen):
            continue
        if found is None or found.state.version != effect.item_version:
            carried.again.add((workspace, "item", effect.item))
            continue
        state = replace(found.state, step=effect.step, step_at=effect.step_at)
        stored[workspace, effect.item] = replace(found, state=state)
        rows.append((workspace, effect.item, effect.step, effect.step_at))
    await enter_steps(connection, rows)


def _move(stored: StoredItem | None, effect: Effect, at: datetime, away: set[UUID]) -> Move | None:
    """The move an effect means for the row as it is now; None when the row has moved on since."""
    if stored is None or stored.state.version != effect.item_version:
        return None
    change, decision = _change(effect, stored, away)
    try:
        after = transition(stored.state, change, at.timestamp())
    except Conflict:
        return None
    reason = effect.reason if isinstance(effect, Escalate | Advance) else ""
    return Move(stored=stored, after=after, trigger=change.trigger, actor="dispatch", reason=reason, decision=decision)


def _change(effect: Effect, stored: StoredItem, away: set[UUID]) -> tuple[Change, dict[str, Any] | None]:
    if isinstance(effect, Reserve):
        trigger: Trigger = "offer" if effect.kind == "offer" else "assign"
        return Change(trigger=trigger, agent=effect.agent), _record(effect.decision, given=stored.state.target == effect.agent)
    if isinstance(effect, Escalate):
        return _overflowing("overflow", stored), None
    assert isinstance(effect, Advance)
    if effect.trigger == "time_to_live_passed":
        return _overflowing(effect.trigger, stored), None
    return Change(trigger=effect.trigger, agent=effect.agent, gone=stored.state.id in away), None


def _overflowing(trigger: Trigger, stored: StoredItem) -> Change:
    due = stored.due_with(stored.overflow_goals_s)
    return Change(trigger=trigger, queue=stored.overflow_id, wait_s=stored.state.terms.live_s, due=due)


def _escalated(carried: Carried, workspace: UUID, effect: Escalate, found: StoredItem | None) -> StoredItem | None:
    """The item that nobody is left to take, once for each reason and queue; None when it has moved on or was told of before."""
    if found is None or found.state.version != effect.item_version:
        carried.again.add((workspace, "item", effect.item))
        return None
    return None if found.escalated == [effect.reason, str(found.state.queue)] else found


def overflows(stored: StoredItem, effect: Escalate) -> bool:
    """Whether the item goes to the overflow queue: its plan is at its end, or everybody there declined it too often."""
    return effect.reason in ("exhausted", "plan_passed") and not stored.state.overflowed and stored.overflow_id is not None


async def _alarm(connection: Connection, stored: StoredItem, effect: Escalate, at: datetime) -> None:
    """Says in an event, a metric and the log that nobody is left; never twice of the same, across restarts too."""
    DISPATCH_ESCALATIONS.labels(reason=effect.reason).inc()
    log.warning(
        "nobody is left who would take an item", action="item_escalated", workspace=str(stored.workspace_id),
        item=str(effect.item), reason=effect.reason,
    )  # fmt: skip
    overflow = stored.overflow_id if overflows(stored, effect) else None
    data = {
        "item_id": str(effect.item), "reason": effect.reason, "queue_id": str(stored.state.queue), "queue": stored.queue_name,
        "step": stored.state.step, "overflow_id": None if overflow is None else str(overflow), "overflowed": stored.state.overflowed,
    }  # fmt: skip
    event = Event(
        id=new_id(),
        workspace_id=stored.workspace_id,
        type="item.escalated",
        at=at,
        conversation_id=stored.conversation_id,
        data=data,
    )
    await record(connection, await numbered(connection, [event]))
    alarm = {"escalated": [effect.reason, str(stored.state.queue)]}
    await note_outcome(connection, stored.workspace_id, effect.item, alarm)


def _refuse(carried: Carried, workspace: UUID, effect: Effect) -> None:
    if isinstance(effect, Reserve):
        carried.answers[workspace].append(Refused(ticket=effect.ticket))
        carried.again.add((workspace, "agent", effect.agent))
    carried.again.add((workspace, "item", effect.item))


async def _written(connection: Connection, carried: Carried, workspace: UUID, effect: Effect, moved: Moved, at: datetime) -> None:
    carried.moved += 1
    if isinstance(effect, Reserve):
        carried.reserved += 1
        # The agent's row may hold changes that the core has not seen: its version comes with the row itself, by the feed.
        carried.answers[workspace].append(Committed(ticket=effect.ticket, item_version=moved.move.after.version, agent_version=0))
        return
    carried.answers[workspace].append(moved.move.after)
    if moved.move.trigger == "time_to_live_passed" and moved.move.after.state == "canceled":
        await quarantine_expired(connection, [moved.move.stored], at)
    stored = moved.move.stored
    if isinstance(effect, Advance) and effect.trigger == "offer_expired" and stored.state.agent and stored.offer_id:
        OFFERS_EXPIRED.inc()
        await note_no_answer(connection, workspace_id=workspace, agent_id=stored.state.agent, offer_id=stored.offer_id)


def _record(decision: Decision, *, given: bool) -> dict[str, Any]:
    """The decision as stored: the winner first, then the runners-up, and counts of the excluded by reason.

    ``transfer`` stands only where a colleague named the agent: the customer may never have talked with them.
    """
    return {
        **({"transfer": True} if given else {}),
        "queue_id": str(decision.queue),
        "comparator": decision.comparator,
        "personal": decision.personal,
        "step": decision.step,
        **({"unmet": list(decision.unmet)} if decision.unmet else {}),
        "key": {"class": decision.urgency, "due": decision.due},
        "waited_s": round(decision.waited_s, 3),
        "candidates": [
            {"agent_id": str(agent), "load": round(load, 4), "idle_s": round(idle, 3), "score": [first, second]}
            for agent, load, idle, first, second in decision.candidates
        ],
        "excluded": dict(decision.excluded),
    }

"""Items that leave a queue for bulk mail, because a person wrote: moved under their lock, with the events and dispatch's feed of any move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from router.intake.batch_view import Key
from router.intake.effects import Leaving
from router.item.plan import OWN_QUEUE
from router.moves.item_store import item_row, lock_items, write_items
from router.moves.marks import reroute
from router.moves.moves import feed, numbered
from shared.database import Connection
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record


async def leave_bulk(connection: Connection, leaving: Mapping[Key, Leaving], now: datetime) -> None:
    """Moves those that wait; what somebody has in their hands by now stays with them. The conversations are locked."""
    if not leaving:
        return
    rows: list[Mapping[str, Any]] = []
    routed: list[Mapping[str, Any]] = []
    events: list[Event] = []
    for stored in await lock_items(connection, sorted(leaving)):
        state = stored.state
        if state.state != "queued":
            continue
        to = leaving[stored.workspace_id, state.id]
        after = replace(
            state, version=state.version + 1, queue=to.queue_id, urgency=to.due_class, due=to.due_at.timestamp(),
            enqueued_at=to.enqueued_at.timestamp(), plan=OWN_QUEUE, step=0, step_at=now.timestamp(), exclusions={}, last_offered=None,
        )  # fmt: skip
        rows.append(item_row(stored, after, held=stored.held, offer_id=stored.offer_id, decision_id=to.decision_id, outcome={}))
        routed.append(
            {
                "workspace_id": stored.workspace_id,
                "id": state.id,
                "plan": to.plan,
                "skills": to.skills,
                "decision_id": to.decision_id,
            }
        )
        data = {
            "item_id": str(after.id), "state": after.state, "version": after.version, "queue_id": str(to.queue_id), "queue": to.queue,
            "channel": to.channel, "trigger": "customer_wrote", "due_at": to.due_at.isoformat(), "decision_id": str(to.decision_id),
        }  # fmt: skip
        events.append(
            Event(
                id=new_id(), workspace_id=stored.workspace_id, type="item.requeued", at=now, conversation_id=stored.conversation_id,
                data=data,
            )
        )  # fmt: skip
    await write_items(connection, rows)
    await reroute(connection, routed)
    await record(connection, await numbered(connection, events))
    await feed(
        connection,
        [(event.workspace_id, "item", after_id) for event, after_id in zip(events, [row["id"] for row in routed], strict=True)],
    )

"""The clocks of service levels, kept by one router at a time: started, paused, resumed and ended after what the items' rows say.

Nothing tells it of a change: it looks, each second or as seldom as keeps it under a twentieth of a processor, so that neither intake
nor an agent's command writes anything for it, and nothing is lost in a crash. A look is one transaction under the lease; what is
breached is raised in a second one, which finds its work in the rows too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol
from uuid import UUID

from router.calendars.clock_store import (
    Behind,
    NewItem,
    adopt_clocks,
    clocks_behind,
    clocks_of,
    items_without_clocks,
    lock_conversations,
    mark_escalated,
    start_clocks,
    write_clocks,
)
from router.calendars.sla import KINDS, Clock, Happening, looked_at, started
from router.clocks.following import Look, Start, calendar_of, chosen_for, counted, followed, queue_of
from router.clocks.spent import Spent
from router.item.goals import BOOST_MAX_S, due_key
from router.item.item import ItemState
from router.item.plan import OWN_QUEUE
from router.moves.capacity import lock_free_agents
from router.moves.item_store import StoredItem, item_row, lock_items, moment, write_items
from router.moves.moves import feed, numbered
from router.workspace.workspace import Workspace
from shared.database import Connection, Contended, Database
from shared.errors import SantralError
from shared.event import Event, EventType
from shared.hints import Hints
from shared.ids import new_id
from shared.leases import SlotLeases
from shared.logs import get_log
from shared.metrics import SLA_ESCALATIONS, SLA_HAPPENED, SLA_ROUND
from shared.outbox import record

log = get_log(__name__)
LOOK_S: Final = 1.0
LOAD_SHARE: Final = 0.05
BATCH: Final = 500
_CLOSED_AT_START: Final = timedelta(days=1)
_CLOSED_LATER: Final = timedelta(minutes=2)
_EVENTS: Final[Mapping[Happening, EventType]] = {"warned": "sla.warned", "breached": "sla.breached", "met": "sla.met"}


class Workspaces(Protocol):
    """The configuration as last read. `router/workspace/configuration.py` has the real one."""

    def workspace(self, workspace_id: UUID) -> Workspace | None: ...


class SlaClocks:
    """One process's clocks. Any number of processes run it; who holds the lease does the work."""

    def __init__(
        self, *, db: Database, leases: SlotLeases, hints: Hints, workspaces: Workspaces, batch: int = BATCH,
        spent: Callable[[], Spent] = Spent,
    ) -> None:  # fmt: skip
        self._db = db
        self._leases = leases
        self._hints = hints
        self._workspaces = workspaces
        self._batch = batch
        self._spent = spent
        self._looked_at: datetime | None = None

    async def run(self) -> None:
        """Looks for ever; the worker loop around it restarts it after an unforeseen error."""
        while True:
            began = time.monotonic()
            try:
                more = await self.round()
            except Contended:
                more = False
            except SantralError as error:
                log.warning("the service level clocks wait", action="dependency_down", error=str(error))
                more = False
            took = time.monotonic() - began
            SLA_ROUND.set(took)
            await asyncio.sleep(took if more else max(LOOK_S, took / LOAD_SHARE))

    async def round(self) -> bool:
        """One look. True when there is more to do at once. Nothing without the lease."""
        if not self._leases.held:
            self._looked_at = None
            return False
        async with self._db.batch() as connection:
            if not await self._leases.lock_and_check(connection, [0]):
                return False
            now: datetime = await connection.fetchval("select clock_timestamp()")
            since = now - _CLOSED_AT_START if self._looked_at is None else self._looked_at - _CLOSED_LATER
            if self._looked_at is None:
                await adopt_clocks(connection)
            fresh = await items_without_clocks(connection, closed_since=since, limit=self._batch)
            spent = self._spent()
            moved, starts = await self._moved(connection, [item for item in fresh if item.moved], now, spent)
            starts += [one for item in fresh if not item.moved for one in self._started(item, spent)]
            await start_clocks(connection, starts)
            behind = await clocks_behind(connection, limit=self._batch)
            raised, told = await self._look(connection, moved, behind, now, spent)
        if len(fresh) < self._batch and not spent.left_out:
            self._looked_at = now
        if raised:
            async with self._db.batch() as connection:
                if await self._leases.lock_and_check(connection, [0]):
                    told |= await self._escalate(connection, raised, now)
        self._wake(told)
        return len(fresh) == self._batch or len(behind) == self._batch

    def _wake(self, told: set[UUID]) -> None:
        if told:
            self._hints.wake("outbox")
            self._hints.wake("dispatch")
            for workspace_id in told:
                self._hints.wake("stream", str(workspace_id))

    def _started(self, item: NewItem, spent: Spent) -> list[Start]:
        workspace = self._workspaces.workspace(item.workspace_id)
        if workspace is None or queue_of(workspace, item.queue_id) is None or spent.is_over(item.workspace_id):
            return []  # the configuration is read again within a second
        clocks: list[Start] = []
        for kind in KINDS:
            chosen = chosen_for(kind, item, workspace)
            if chosen is not None:
                calendar = calendar_of(item, chosen, workspace)
                try:
                    with spent.by(item.workspace_id):
                        clock = counted(calendar, partial(started, chosen, work=item.work))
                except Exception as error:
                    _unforeseen(item.item_id, error)
                    continue
                clocks.append((item, chosen, calendar.name, clock))
        return clocks

    async def _moved(
        self, connection: Connection, items: Sequence[NewItem], now: datetime, spent: Spent
    ) -> tuple[list[Look], list[Start]]:
        """The clocks of items that went to another queue, as they count there."""
        looks: list[Look] = []
        starts: list[Start] = []
        clocks = await clocks_of(connection, items) if items else []
        for item in items:
            workspace = self._workspaces.workspace(item.workspace_id)
            if workspace is None or queue_of(workspace, item.queue_id) is None or spent.is_over(item.workspace_id):
                continue
            own = [one for one in clocks if (one.workspace_id, one.item_id) == (item.workspace_id, item.item_id)]
            try:
                with spent.by(item.workspace_id):
                    followed_looks, followed_starts = followed(item, own, workspace, now)
            except Exception as error:
                _unforeseen(item.item_id, error)
                continue
            looks += followed_looks
            starts += followed_starts
        return looks, starts

    async def _look(
        self, connection: Connection, moved: Sequence[Look], behind: Sequence[Behind], now: datetime, spent: Spent
    ) -> tuple[dict[tuple[UUID, UUID], Behind], set[UUID]]:
        """Brings clocks up to date and says what happened. Returns the items to raise, and the workspaces that heard something."""
        looks = list(moved)
        for one in behind:
            workspace = self._workspaces.workspace(one.workspace_id)
            if workspace is not None and workspace.is_bulk(one.queue_id) and not one.clock.ended:
                # An agent put it among bulk mail, where nobody waits.
                looks.append(Look(before=one, clock=replace(one.clock, stopped_at=now)))
            elif workspace is not None and not spent.is_over(one.workspace_id):
                calendar = workspace.calendar_named(one.calendar)
                try:
                    with spent.by(one.workspace_id):
                        clock, happened = counted(calendar, partial(looked_at, one.clock, work=one.work, now=now))
                except Exception as error:
                    _unforeseen(one.item_id, error)
                    continue
                looks.append(Look(before=one, clock=clock, happened=happened))
        locked = await lock_conversations(
            connection, [(look.before.workspace_id, look.before.conversation_id) for look in looks if look.happened]
        )
        found = [look for look in looks if not look.happened or look.before.conversation_id in locked]
        told = [(look, [self._event(look.before, look.told or look.clock, kind, now) for kind in look.happened]) for look in found]
        # Like a conversation, an agent whom somebody else holds is waited for until the next look, not here.
        held = await lock_free_agents(connection, {one for _, events in told for one in _agents(events)})
        told = [(look, events) for look, events in told if not _agents(events) & held]
        kept, events = [look for look, _ in told], [event for _, own in told for event in own]
        changed = [look for look in kept if look.clock != look.before.clock or look.after is not None]
        await write_clocks(connection, [(look.after or look.before, look.clock) for look in changed])
        await record(connection, await numbered(connection, events))
        for look in kept:
            for kind in look.happened:
                SLA_HAPPENED.labels(kind=look.clock.kind, result=kind).inc()
        raised = {
            (look.before.workspace_id, look.before.item_id): look.before
            for look in kept
            if look.after is None and look.clock.breached_at is not None and not look.clock.ended and not look.before.escalated
            and look.before.work.state == "queued"
        }  # fmt: skip
        return raised, {event.workspace_id for event in events}

    def _event(self, one: Behind, clock: Clock, kind: Happening, now: datetime) -> Event:
        workspace = self._workspaces.workspace(one.workspace_id)
        queue = None if workspace is None else queue_of(workspace, one.queue_id)
        data: dict[str, Any] = {
            "item_id": str(one.item_id), "kind": clock.kind, "sla": one.sla or None, "target_s": clock.target_s,
            "calendar": one.calendar, "channel": one.work.channel, "state": one.work.state, "queue_id": str(one.queue_id),
            "queue": None if queue is None else queue.name, "started_at": clock.started_at.isoformat(),
            "due_at": clock.due_at.isoformat() if clock.due_at is not None else None,
        }  # fmt: skip
        if kind == "met":
            data |= {"elapsed_s": round(clock.elapsed_s, 3), "late": clock.breached_at is not None}
        return Event(
            id=new_id(), workspace_id=one.workspace_id, type=_EVENTS[kind], at=now, conversation_id=one.conversation_id,
            agent_id=one.agent_id if one.work.state in ("offered", "assigned", "parked", "wrapping") else None,
            data={name: value for name, value in data.items() if value is not None},
        )  # fmt: skip

    async def _escalate(self, connection: Connection, raised: Mapping[tuple[UUID, UUID], Behind], now: datetime) -> set[UUID]:
        """Raises what still waits: to the queue its target names, else forward in its own. Once per breach."""
        rows, events, done = [], [], []
        for stored in await lock_items(connection, sorted(raised), skip_locked=True):
            one = raised[stored.workspace_id, stored.state.id]
            workspace = self._workspaces.workspace(stored.workspace_id)
            state = stored.state
            if workspace is None or state.state != "queued" or state.target is not None or state.giver is not None:
                continue
            done.append((stored.workspace_id, state.id))
            after, queue = _raised(stored, workspace, one.escalate_to, now)
            if after is None:
                continue
            rows.append(item_row(stored, after, held=stored.held, offer_id=stored.offer_id, decision_id=None, outcome={}))
            events.append(_raise_event(stored, after, queue, now))
            result = "moved" if after.queue != state.queue else "rekeyed"
            SLA_ESCALATIONS.labels(result=result).inc()
            log.warning(
                "an item was raised because its target was missed", action="item_escalated", workspace=str(stored.workspace_id),
                item=str(state.id), reason=result,
            )  # fmt: skip
        await write_items(connection, rows)
        await record(connection, await numbered(connection, events))
        await feed(connection, [(event.workspace_id, "item", UUID(event.data["item_id"])) for event in events])
        if done:
            await mark_escalated(connection, done)
        return {event.workspace_id for event in events}


def _agents(events: Sequence[Event]) -> set[tuple[UUID, UUID]]:
    """Whose numbers they take."""
    return {(event.workspace_id, event.agent_id) for event in events if event.agent_id is not None}


def _unforeseen(item_id: UUID, error: Exception) -> None:
    """One item's clock that cannot be counted stops nobody else's; it is looked at again."""
    log.error("a clock cannot be counted", action="worker_failed", item=str(item_id), error=type(error).__name__)


def _raised(stored: StoredItem, workspace: Workspace, escalate_to: str | None, now: datetime) -> tuple[ItemState | None, str]:
    """The item in the queue it is raised to, or forward in its own; None when it stands there already."""
    state = stored.state
    to = workspace.queues.get(escalate_to or "")
    if to is not None and to.enabled and to.id != state.queue:
        moved = replace(
            state, version=state.version + 1, queue=to.id, plan=OWN_QUEUE, step=0, step_at=now.timestamp(), exclusions={},
            last_offered=None, due=stored.due_with(to.goals_s),
        )  # fmt: skip
        return moved, to.name
    queue = queue_of(workspace, state.queue)
    key = due_key(
        moment(state.enqueued_at), channel=state.terms.channel, goals={} if queue is None else queue.goals_s, boost_s=BOOST_MAX_S
    )
    if key.due_at.timestamp() >= state.due:
        return None, stored.queue_name
    return replace(state, version=state.version + 1, due=key.due_at.timestamp()), stored.queue_name


def _raise_event(stored: StoredItem, after: ItemState, queue: str, now: datetime) -> Event:
    moved = after.queue != stored.state.queue
    data = {
        "item_id": str(after.id), "state": after.state, "version": after.version, "queue_id": str(after.queue), "queue": queue,
        "channel": after.terms.channel, "trigger": "target_missed", "due_at": moment(after.due).isoformat(),
        "waited_ms": max(0, int((now.timestamp() - after.enqueued_at) * 1000)),
    }  # fmt: skip
    return Event(
        id=new_id(), workspace_id=stored.workspace_id, type="item.requeued" if moved else "item.rekeyed", at=now,
        conversation_id=stored.conversation_id, data=data,
    )  # fmt: skip

"""One transaction of intake: from messages that were decoded to every row they cause. The caller opens and commits it.

In this order, which is the lock order of every writer: receipts, handles, conversations, items; then agents, where work in progress
is woken. What has a receipt already drops out here, so taking the same messages twice writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.commands.bot_handover import hand_over_to_people
from router.commands.external_calls import settle_calls
from router.commands.reached import end_callbacks, waiting_callbacks
from router.intake import store
from router.intake.arrivals import Arrival, Workspaces
from router.intake.batch_view import BatchView, Conversation, Key, Owner, Person, ProviderWord
from router.intake.bulk import looks_bulk
from router.intake.effects import Effects
from router.intake.leaving_bulk import leave_bulk
from router.intake.lookups import Resolution, former_ids, look_ups, readable_sender
from router.intake.quarantine import write_entries
from router.intake.receipts import insert_receipts, known_before
from router.intake.rule_time import RuleTime
from router.intake.taking_in import TakingIn
from router.intake.threads import Candidates, Found, is_doubted, key_by_handle, thread_key
from router.item.transition import Change, transition
from router.moves.absence import gone
from router.moves.item_store import lock_items
from router.moves.moves import Move, write_moves
from shared import outbox
from shared.database import Connection, Contended
from shared.errors import InputRejected, Unavailable
from shared.event import Event
from shared.ids import new_id
from shared.logs import get_log
from shared.message import InboundMessage
from shared.metrics import POLICY_ERRORS, POLICY_SECONDS
from shared.turns import Turn

log = get_log(__name__)
SNAPSHOT_MS: Final = 200
HALF_MS: Final = 50
PEOPLE_S: Final = 1.0
"""So long it is looked for whose people take too long; then the rest do without, too."""
ProviderWords = Callable[[Connection, Sequence[ProviderWord]], Awaitable[None]]
Snapshots = Callable[[Connection, Sequence[Any]], Awaitable[Mapping[Any, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one message that was new. ``failed`` counts toward the limit of quarantine."""

    arrival: Arrival
    conversation_id: UUID | None = None
    seq: int | None = None
    item_id: UUID | None = None
    queue: str | None = None

    @property
    def quarantined(self) -> bool:
        """Whether it is in quarantine instead of a conversation."""
        return self.arrival.refusal is not None


@dataclass(slots=True)
class _People:
    """Who wrote, as far as it could be read. ``slow``: workspaces whose people took too long."""

    snapshots: dict[Key, Any] = field(default_factory=dict)
    counted: dict[Key, int] = field(default_factory=dict)
    met: dict[Key, bool] = field(default_factory=dict)
    slow: set[UUID] = field(default_factory=set)


@dataclass(slots=True)
class _Work:
    """What one transaction knows while it runs."""

    view: BatchView
    resolved: Mapping[Key, Resolution]
    senders: dict[Key, Key] = field(default_factory=dict)  # message → handle
    people: dict[Key, Person] = field(default_factory=dict)  # message → who wrote it
    owners: Mapping[Key, Owner] = field(default_factory=dict)  # handle → whose it is


class Batch:
    """Runs transactions of intake. Safe to use one after another; it keeps nothing between them but what rules took."""

    def __init__(
        self, *, topic: str, workspaces: Workspaces, snapshots: Snapshots, on_provider_words: ProviderWords, rule_time: RuleTime
    ) -> None:
        self._topic = topic
        self._workspaces = workspaces
        self._snapshots = snapshots
        self._on_provider_words = on_provider_words
        self._rule_time = rule_time

    async def take(
        self,
        connection: Connection,
        arrivals: Sequence[Arrival],
        resolved: Mapping[Key, Resolution],
        *,
        erased: Set[Key] = frozenset(),
    ) -> list[Outcome]:
        """Takes new arrivals in, in the order given; what has a receipt is left out of the answer.

        ``erased``: what leaves nothing but its receipt, because its sender was erased since.

        Raises `Contended` when the whole should run again, and what the database refuses; nothing is kept then.
        """
        first: dict[Key, Arrival] = {}
        for arrival in arrivals:
            first.setdefault((arrival.workspace_id, arrival.id), arrival)
        states = {key: "taken" if arrival.refusal is None else "quarantined" for key, arrival in first.items()}
        states |= dict.fromkeys(erased & first.keys(), "erased") if erased else {}
        ours = await insert_receipts(connection, states)
        if not ours:
            return []
        fresh = [arrival for key, arrival in first.items() if key in ours and key not in erased]
        before = await known_before(connection, fresh)
        fresh = [arrival for arrival in fresh if (arrival.workspace_id, arrival.id) not in before]
        now = next(iter(ours.values()))
        waiting, fresh = [one for one in fresh if one.waits], [one for one in fresh if not one.waits]
        outcomes = await self.route(connection, fresh, resolved, now=now) if fresh else []
        if waiting:
            await self._let_wait(connection, waiting, now)
            outcomes += [Outcome(arrival=arrival) for arrival in waiting]
        return outcomes

    async def route(
        self, connection: Connection, fresh: Sequence[Arrival], resolved: Mapping[Key, Resolution], *, now: datetime
    ) -> list[Outcome]:
        """Gives arrivals whose receipts are ours their conversations, work and events."""
        work = _Work(view=BatchView(now=now), resolved=resolved)
        await self._name_senders(connection, work, fresh)
        await self._find(connection, work, fresh)
        await self._know(connection, work, fresh)
        taking = TakingIn(work.view, self._rule_time)
        outcomes: list[Outcome] = []
        turn = Turn()
        for arrival in fresh:
            outcomes.append(self._take_one(taking, work, arrival))
            await turn.over()
        effects = taking.effects
        refused = [one.arrival for one in outcomes if one.quarantined]
        if refused:
            self._note_gaps(work, effects, refused, now)
        if effects.rule_errors:
            POLICY_ERRORS.inc(effects.rule_errors)
        for seconds in effects.rule_seconds:
            POLICY_SECONDS.observe(seconds)
        await store.write(
            connection, conversations=effects.touched.values(), messages=effects.messages, refs=effects.refs,
            items=effects.items, decisions=effects.decisions, receipts=effects.receipts,
        )  # fmt: skip
        if refused:
            await _mark_quarantined(connection, refused)
            await write_entries(connection, refused, topic=self._topic)
        await outbox.record(connection, effects.events)
        await wake_items(connection, effects, now)
        await leave_bulk(connection, effects.leaving, now)
        await hand_over_to_people(connection, effects.persons, now)
        # First, so that a call which ended a call-back counts as work of its own.
        await end_callbacks(connection, effects.called, now, actor="pbx")
        await settle_calls(connection, effects.calls, now)
        if effects.words:
            await self._on_provider_words(connection, effects.words)
        return outcomes

    async def _let_wait(self, connection: Connection, waiting: Sequence[Arrival], now: datetime) -> None:
        """What met a lock: written down for its replay without a look at anybody's rows, which would wait for the lock again."""
        await _mark_quarantined(connection, waiting)
        await write_entries(connection, waiting, topic=self._topic)
        events = [
            Event(
                id=new_id(), workspace_id=arrival.workspace_id, type="message.quarantined", at=now,
                data={"message_id": arrival.id, "reason": "busy"},
            )
            for arrival in waiting
        ]  # fmt: skip
        await outbox.record(connection, events)

    async def _name_senders(self, connection: Connection, work: _Work, fresh: Sequence[Arrival]) -> None:
        """The handle each message was written with, for those that were resolved, or are refused but show a known handle."""
        unresolved: list[tuple[Arrival, tuple[UUID, str, str, str]]] = []
        for arrival in fresh:
            key = (arrival.workspace_id, arrival.id)
            if key in work.resolved:
                work.senders[key] = (arrival.workspace_id, work.resolved[key].handle_id)
            elif arrival.refusal is not None and (sender := readable_sender(arrival)) is not None:
                unresolved.append((arrival, sender))
        if unresolved:
            for place, handle_id in (await store.handle_ids(connection, [sender for _, sender in unresolved])).items():
                arrival = unresolved[place][0]
                work.senders[arrival.workspace_id, arrival.id] = (arrival.workspace_id, handle_id)

    async def _find(self, connection: Connection, work: _Work, fresh: Sequence[Arrival]) -> None:
        """Locks the handles, then looks up and locks every conversation that may be continued."""
        handles = set(work.senders.values())
        for arrival in fresh:
            if arrival.message is not None:
                who = work.resolved.get((arrival.workspace_id, arrival.id))
                handles |= {(arrival.workspace_id, one) for one in former_ids(arrival.message, who)}
        work.owners = await store.lock_handles(connection, handles) if handles else {}
        if len(work.owners) < len(handles):
            raise Contended("a handle was removed between resolving and taking in", retry_after_s=1)
        wanted = look_ups(fresh, work.senders, work.owners, work.resolved, self._workspaces)
        candidates, view = work.view.candidates, work.view
        owners: dict[Key, UUID | None] = {}
        for via, row, found in await store.find_conversations(connection, wanted.refs, wanted.handles, wanted.profiles):
            owners[found.workspace_id, found.id] = found.profile_id
            if via == "ref":
                candidates.by_ref[found.workspace_id, row["ref"]] = found
                if row["message_id"] is not None:
                    view.named[found.workspace_id, row["ref"]] = row["message_id"]
                if row["writer_id"] is not None:
                    candidates.writers[found.workspace_id, row["ref"]] = row["writer_id"]
            elif via == "handle":
                candidates.by_handle[found.workspace_id, row["given_id"], row["ref"]] = found
            else:
                candidates.by_profile[found.workspace_id, row["given_id"]] = found
        called = {
            work.senders[key]
            for one in fresh
            if one.message is not None and one.message.call is not None and (key := (one.workspace_id, one.id)) in work.senders
        }
        for waits in await waiting_callbacks(connection, called):
            owners[waits.workspace_id, waits.conversation_id] = waits.profile_id
        if owners:
            view.conversations = await store.lock_conversations(connection, owners)
            if any(one.merged_into is not None for one in view.conversations.values()):
                raise Contended("a conversation was merged between finding and locking it", retry_after_s=1)

    async def _know(self, connection: Connection, work: _Work, fresh: Sequence[Arrival]) -> None:
        """Fills in who wrote, with the profile as it is now, or without when that takes too long."""
        resolved = work.resolved
        known = await self._read_people(connection, work, fresh)
        for arrival in fresh:
            key = (arrival.workspace_id, arrival.id)
            if key not in resolved or arrival.message is None or arrival.message.sender is None:
                continue
            who = resolved[key]
            owner = work.owners[arrival.workspace_id, who.handle_id]
            snapshot = known.snapshots.get((arrival.workspace_id, who.identity_handle_id))
            work.people[key] = Person(
                handle_id=who.handle_id, profile_id=snapshot.profile_id if snapshot is not None else who.profile_id,
                assurance=arrival.message.sender.assurance, former_ids=former_ids(arrival.message, who),
                is_doubted=is_doubted(arrival.message, known_as=owner.known_as), is_left=owner.is_left,
                snapshot=snapshot, degraded=arrival.workspace_id in known.slow,
                open_conversations=None if snapshot is None else known.counted.get((arrival.workspace_id, snapshot.profile_id)),
                contacted=None if snapshot is None else known.met.get((arrival.workspace_id, snapshot.profile_id)),
            )  # fmt: skip

    async def _read_people(self, connection: Connection, work: _Work, fresh: Sequence[Arrival]) -> _People:
        """Everybody in one go; where that takes too long in halves, so that only the workspaces whose people it is do without."""
        known = _People()
        arrivals: dict[UUID, list[Arrival]] = {}
        for arrival in fresh:
            if (arrival.workspace_id, arrival.id) in work.resolved:
                arrivals.setdefault(arrival.workspace_id, []).append(arrival)
        pending = [sorted(arrivals)] if arrivals else []
        began_s, wait_ms = time.monotonic(), SNAPSHOT_MS
        while pending:
            part = pending.pop()
            try:
                await connection.execute(f"savepoint snapshots; set local statement_timeout = {wait_ms}")
                await self._read_some(connection, work, [one for workspace_id in part for one in arrivals[workspace_id]], known)
                await connection.execute("release snapshots; set local statement_timeout = '30s'")
            except Exception as error:
                if connection.is_closed():
                    raise Unavailable("the connection was lost") from error
                await connection.execute("rollback to snapshots; release snapshots")
                wait_ms = HALF_MS
                if len(part) > 1 and time.monotonic() - began_s < PEOPLE_S:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
                    continue
                known.slow.update(part)
                log.warning("profiles were not read in time", action="dependency_down", error=type(error).__name__, count=len(part))
        return known

    async def _read_some(self, connection: Connection, work: _Work, fresh: Sequence[Arrival], known: _People) -> None:
        """Snapshots of who wrote these, and what rules ask beyond them; all of it or nothing."""
        wanted = {(one.workspace_id, work.resolved[one.workspace_id, one.id].identity_handle_id) for one in fresh}
        snapshots = await self._snapshots(connection, sorted(wanted))
        asked = {(key[0], one.profile_id) for key, one in snapshots.items() if self._asks_open_conversations(key[0])}
        counted = await store.open_conversations(connection, asked) if asked else {}
        strangers = {
            (one.workspace_id, snapshots[key].profile_id)
            for one in fresh
            if self._asks_contact(one)
            and (key := (one.workspace_id, work.resolved[one.workspace_id, one.id].identity_handle_id)) in snapshots
        }
        met = await store.contacted(connection, strangers) if strangers else {}
        known.snapshots |= snapshots
        known.counted |= counted
        known.met |= met

    def _asks_open_conversations(self, workspace_id: UUID) -> bool:
        workspace = self._workspaces.workspace(workspace_id)
        return workspace is not None and workspace.policy.asks_open_conversations

    def _asks_contact(self, arrival: Arrival) -> bool:
        """Whether it matters that nobody ever wrote to its sender."""
        workspace = self._workspaces.workspace(arrival.workspace_id)
        if workspace is None or workspace.bulk_queue is None or arrival.message is None or arrival.refusal is not None:
            return False
        return looks_bulk(arrival.message, arrival.signals)

    def _take_one(self, taking: TakingIn, work: _Work, arrival: Arrival) -> Outcome:
        workspace = self._workspaces.workspace(arrival.workspace_id)
        if arrival.refusal is not None or arrival.message is None or workspace is None:
            return Outcome(arrival=arrival)
        effects = taking.effects
        items, receipts = len(effects.items), len(effects.receipts)
        try:
            taking.take_in(arrival, arrival.message, work.people.get((arrival.workspace_id, arrival.id)), workspace)
        except InputRejected as error:
            return Outcome(arrival=arrival.refused("not_routable", error))
        except Exception as error:
            refused = arrival.refused("failed", error)
            assert refused.refusal is not None
            # Neither text nor locals of an exception go to the log: they may hold the customer's words.
            log.error(  # noqa: TRY400
                "a message could not be taken in",
                action="message_quarantined",
                message=str(arrival.id),
                error=f"{type(error).__name__} {refused.refusal.trace_hash}",
            )
            return Outcome(arrival=refused)
        where = effects.receipts[receipts]
        opened = effects.items[items] if len(effects.items) > items else None
        return Outcome(
            arrival=arrival, conversation_id=where["c"], seq=where["s"],
            item_id=None if opened is None else opened.id,
            queue=None if opened is None else effects.decisions[-1]["r"]["queue"],
        )  # fmt: skip

    def _note_gaps(self, work: _Work, effects: Effects, refused: Sequence[Arrival], now: datetime) -> None:
        """Says in the event log, and in the conversation where it is known, that a message is missing."""
        for arrival in refused:
            assert arrival.refusal is not None
            data = {"message_id": arrival.id, "reason": arrival.refusal.reason}
            conversation = _conversation_of(arrival, work)
            if conversation is None:
                effects.events.append(
                    Event(id=new_id(), workspace_id=arrival.workspace_id, type="message.quarantined", at=now, data=data)
                )
                continue
            effects.touched[conversation.workspace_id, conversation.id] = conversation
            effects.event("message.quarantined", conversation, now, data)


async def _mark_quarantined(connection: Connection, refused: Sequence[Arrival]) -> None:
    await connection.execute(
        "update santral.receipt r set state = 'quarantined' from unnest($1::uuid[], $2::uuid[]) as g(w, i)"
        " where r.workspace_id = g.w and r.id = g.i and r.state <> 'quarantined'",
        [arrival.workspace_id for arrival in refused], [arrival.id for arrival in refused],
    )  # fmt: skip


async def wake_items(connection: Connection, effects: Effects, now: datetime) -> None:
    """Moves open items to which the customer wrote; capacity, sequence and dispatch's feed follow as for any move."""
    if not effects.wakes:
        return
    moves: list[Move] = []
    locked = await lock_items(connection, sorted(effects.wakes))
    away = await gone(connection, [one for one in locked if one.state.state == "wrapping"])
    for stored in locked:
        if stored.state.state not in ("parked", "wrapping", "assigned"):
            continue
        wake = effects.wakes[stored.workspace_id, stored.state.id]
        change = Change(trigger="customer_wrote", due=wake.due_at.timestamp(), urgency=wake.due_class, gone=stored.state.id in away)
        after = transition(stored.state, change, now.timestamp())
        moves.append(Move(stored=stored, after=after, trigger="customer_wrote", actor="customer"))
    await write_moves(connection, moves, now)


def _conversation_of(arrival: Arrival, work: _Work) -> Conversation | None:
    """Where a refused message would have stood, as far as that can be told without routing it."""
    message: InboundMessage | None = arrival.message
    if message is None:
        return None
    candidates: Candidates = work.view.candidates
    found: Found | None = next(
        (one for ref in message.refs if (one := candidates.by_ref.get((arrival.workspace_id, ref))) is not None), None
    )
    if found is None:
        sender = work.senders.get((arrival.workspace_id, arrival.id))
        if sender is not None:
            doubted = is_doubted(message, known_as=work.owners[sender].known_as)
            found = candidates.by_handle.get((*sender, key_by_handle(thread_key(message), doubted=doubted)))
    return None if found is None else work.view.conversations.get((found.workspace_id, found.id))

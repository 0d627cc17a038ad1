"""Taking a message out of quarantine and into its conversation, with the time at which it was accepted.

One transaction: the receipt is locked and must still be `quarantined`, the message takes the way of any other, the receipt becomes
`taken`, the entry resolved. So two replays at once, or a replay and a discard, have one winner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from router.commands.reopening import reopen
from router.intake.arrivals import Arrival, of_message
from router.intake.batch import Batch, Outcome
from router.intake.forgotten import forgotten
from router.intake.intake import Configuration, resolved_people
from router.intake.quarantine import Entry, end_entry, show_entry
from router.moves.time_to_live import EXPIRED
from shared import outbox
from shared.cloudevent import decode_message
from shared.database import Connection, Contended, Database, retried
from shared.errors import Conflict, Unprocessable
from shared.event import Event
from shared.ids import new_id
from shared.message import InboundMessage

LOCK_MS: Final = 200
_TAKE: Final = """
select state, clock_timestamp() as now from santral.receipt where workspace_id = $1 and id = $2 for no key update
"""
_SURVIVOR: Final = "select coalesce(merged_into, id) from santral.conversation where workspace_id = $1 and id = $2"
_LOCK_CONVERSATION: Final = "select id, merged_into from santral.conversation where workspace_id = $1 and id = $2 for no key update"
_TAKEN: Final = "update santral.receipt set state = 'taken' where workspace_id = $1 and id = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Where the message stands now, or would stand."""

    message_id: UUID
    conversation_id: UUID | None
    seq: int | None
    item_id: UUID | None
    queue: str | None
    dry_run: bool


class _RolledBack(Exception):
    """Ends a dry run's transaction with its result."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("dry run")
        self.outcome = outcome


async def replay(
    db: Database,
    batch: Batch,
    configuration: Configuration,
    *,
    workspace_id: UUID,
    entry_id: UUID,
    actor: str,
    secret: bytes,
    dry_run: bool = False,
) -> Replayed:
    """Replays one entry through the worker's role. A second time is a `Conflict`.

    Raises `NotFound`, `Conflict` (resolved before), `Unprocessable` (it fails again, or its bytes need their parser), `Contended` (somebody
    holds its rows; no lock is waited for longer than `LOCK_MS`): the entry stays as it was.
    """
    async with db.session() as connection:
        entry = await show_entry(connection, workspace_id, entry_id)
    if entry.reason == EXPIRED:
        return await _revived(db, entry, actor=actor, dry_run=dry_run)
    message = message_of(entry)
    workspace = configuration.workspace(workspace_id)
    if workspace is None or message.workspace_id != workspace_id:
        raise Unprocessable("the message belongs to another workspace", field="workspace_id", remedy="discard it")
    arrival = of_message(message, workspace=workspace)
    async with db.session() as connection:
        erased, (arrival,) = await forgotten(connection, secret, [arrival], {workspace_id})
    if erased:
        raise Unprocessable("its sender was erased after it was accepted", field="record", remedy="discard it")
    resolved = await resolved_people(db, [arrival], configuration, lock_ms=LOCK_MS)

    async def once() -> Outcome:
        async with db.batch(lock_ms=LOCK_MS) as connection:
            outcome = await _replayed(connection, batch, arrival, resolved, entry, actor)
            if dry_run:
                raise _RolledBack(outcome)
            return outcome

    try:
        outcome = await retried(once, tries=3)
    except _RolledBack as rolled_back:
        outcome = rolled_back.outcome
    return Replayed(
        message_id=message.id, conversation_id=outcome.conversation_id, seq=outcome.seq, item_id=outcome.item_id,
        queue=outcome.queue, dry_run=dry_run,
    )  # fmt: skip


async def _revived(db: Database, entry: Entry, *, actor: str, dry_run: bool) -> Replayed:
    """What waited too long waits again, as a new item of the conversation where its message stands. Commits by itself."""
    conversation_id = UUID(entry.source["conversation_id"])

    async def once() -> UUID | None:
        nonlocal conversation_id
        async with db.batch(lock_ms=LOCK_MS) as connection:
            receipt = await connection.fetchrow(_TAKE, entry.workspace_id, entry.message_id)
            if receipt is None or receipt["state"] != "quarantined":
                raise Conflict("the message is not in quarantine any more", field="state")
            conversation_id = await _survivor(connection, entry.workspace_id, conversation_id)
            if dry_run:
                return None
            opened = await reopen(
                connection, workspace_id=entry.workspace_id, conversation_id=conversation_id, at=receipt["now"], trigger="replayed"
            )
            await _resolved_as_taken(connection, entry, receipt["now"], actor)
            return opened

    item_id = await retried(once, tries=3)
    return Replayed(
        message_id=entry.message_id, conversation_id=conversation_id, seq=None, item_id=item_id, queue=None, dry_run=dry_run
    )


async def _survivor(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> UUID:
    """The conversation, or the one it was merged into, locked. Raises `Contended` when that changes meanwhile."""
    into = await connection.fetchval(_SURVIVOR, workspace_id, conversation_id)
    found = await connection.fetchrow(_LOCK_CONVERSATION, workspace_id, into)
    if found is None or found["merged_into"] is not None:
        raise Contended("the conversation was merged meanwhile", retry_after_s=1)
    survivor: UUID = found["id"]
    return survivor


async def _resolved_as_taken(connection: Connection, entry: Entry, at: datetime, actor: str) -> None:
    await connection.execute(_TAKEN, entry.workspace_id, entry.message_id)
    await end_entry(connection, entry.workspace_id, entry.id, state="replayed", actor=actor)
    data = {"message_id": str(entry.message_id), "quarantine_id": str(entry.id)}
    await outbox.record(
        connection, [Event(id=new_id(), workspace_id=entry.workspace_id, type="message.replayed", at=at, data=data)]
    )


def message_of(entry: Entry) -> InboundMessage:
    """The message in an entry. Raises `Unprocessable` when it still cannot be read."""
    message = decode_message({name: value.encode() for name, value in entry.headers.items()}, entry.record)
    if message.kind == "unparsed":
        raise Unprocessable(
            "the provider's bytes were never understood", field="record", remedy="repair the adapter, then parse them again"
        )
    return message


async def _replayed(connection: Connection, batch: Batch, arrival: Arrival, resolved: object, entry: Entry, actor: str) -> Outcome:
    receipt = await connection.fetchrow(_TAKE, arrival.workspace_id, entry.message_id)
    if receipt is None or receipt["state"] != "quarantined":
        raise Conflict("the message is not in quarantine any more", field="state")
    (outcome,) = await batch.route(connection, [arrival], resolved, now=receipt["now"])  # type: ignore[arg-type]
    if outcome.arrival.refusal is not None:
        raise Unprocessable(f"it fails again: {outcome.arrival.refusal.error}", field="record", remedy="repair the cause first")
    await _resolved_as_taken(connection, entry, receipt["now"], actor)
    return outcome

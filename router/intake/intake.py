"""Intake: from what one poll returned to its effects in the database, once, whatever fails on the way.

One transaction a batch: it locks its partitions' leases, drops what they no longer allow, takes the rest in and moves the positions.

| what fails | what happens |
|---|---|
| the database asks to try again (deadlock, lock time-out) | the whole batch runs again, then halves that wait for no lock \
until the one message is alone: it goes to quarantine as `busy`, from where it is replayed by itself when the lock is free |
| the database refuses a value (class 22; 23 the second time) | halves, until the one record is alone and goes to quarantine |
| a record cannot be decoded, a message cannot be placed | that one goes to quarantine in the batch's own transaction |
| too many of these | nothing is written any more: `QuarantineLimitReached`, unless plain messages on the same channels would be taken in |
| the database or the broker is away | `Unavailable`: the caller waits and offers the same batch again; nothing is skipped |
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol
from uuid import UUID

import asyncpg

from profiles.resolve import resolve, resolve_within
from profiles.sighting import Key as HandleKey
from profiles.sighting import SeenHandle, Sighting
from router.intake.arrivals import Arrival, LogRecord, Workspaces, arrival_of, of_message
from router.intake.batch import Batch, Outcome, ProviderWords, Snapshots
from router.intake.batch_view import Key
from router.intake.classifier import Classifier, classified
from router.intake.forgotten import forgotten, observed_at
from router.intake.lookups import Resolution
from router.intake.quarantine_limit import COUNTED, Judged, QuarantineLimit, QuarantineLimitReached
from router.intake.receipts import known_receipts
from router.intake.rule_time import RuleTime
from router.intake.witnesses import get_through
from shared.database import Connection, Contended, Database, Overlong, concerns_all, retried
from shared.errors import Conflict, InputRejected
from shared.ids import MessageId, WorkspaceId
from shared.log_position import Mark, mark_of
from shared.logs import get_log
from shared.message import ACCOUNT, InboundMessage
from shared.metrics import INTAKE_BATCH_SECONDS, INTAKE_MESSAGES, INTAKE_RETRIES
from shared.turns import let_others

log = get_log(__name__)
OVERLONG_TRIES: Final = 5
BRIEF_MS: Final = 200
BRIEF_S: Final = 30.0
"""For so long after somebody held a lock no lock is waited for longer than that."""
BUSY_MAX: Final = 3
"""So many messages of a workspace that met a lock, and the fetch's others of it are not tried."""
FAILED_MAX: Final = 8
"""So many messages of a workspace that failed, and each of the fetch's others of it is tried by itself: nobody's are halved because of it."""
Records = Mapping[tuple[int, int], LogRecord]
_NOBODY: Final = frozenset({"receipt", "unparsed"})
_BUSY: Final = Contended("somebody holds rows of this workspace")


class Leases(Protocol):
    """What intake needs of `shared.partition_leases.PartitionLeases`."""

    async def lock_and_check(self, connection: Connection, first_offsets: Mapping[int, int]) -> set[int]: ...

    async def advance(self, connection: Connection, last: Mapping[int, Mark]) -> None: ...

    def advanced(self, last: Mapping[int, Mark]) -> None: ...


class Configuration(Workspaces, Protocol):
    """The configuration in memory, which can be read again when a message names something new."""

    async def refresh(self) -> bool: ...

    def alone(self) -> bool:
        """Whether there is one workspace only."""
        ...

    def own_handles(self) -> Container[HandleKey]:
        """The workspaces' own addresses and numbers, which are nobody's handle."""
        ...


class _Undone(Exception):
    """Ends a transaction of which nothing is to be kept."""


@dataclass(slots=True)
class Taken:
    """What became of a fetch. Partitions in ``fenced`` belong to somebody else now; their records were dropped."""

    outcomes: list[Outcome] = field(default_factory=list)
    next_offsets: dict[int, int] = field(default_factory=dict)
    fenced: set[int] = field(default_factory=set)
    retries: int = 0


class Intake:
    """Takes fetches in, one after another. One per reader of the topic."""

    def __init__(
        self,
        db: Database,
        *,
        topic: str,
        leases: Leases,
        configuration: Configuration,
        secret: bytes,
        snapshots: Snapshots,
        on_provider_words: ProviderWords,
        limit: QuarantineLimit | None = None,
        classifier: Classifier | None = None,
        rule_time: RuleTime | None = None,
    ) -> None:
        self._db = db
        self._topic = topic
        self._leases = leases
        self._configuration = configuration
        self.secret = secret
        self._limit = limit or QuarantineLimit()
        self._classifier = classifier
        self._overlong: dict[tuple[int, int], int] = {}  # of the message that took too long last, how often
        self._brief_until = 0.0  # by this process's clock
        self.batch = Batch(
            topic=topic, workspaces=configuration, snapshots=snapshots, on_provider_words=on_provider_words,
            rule_time=rule_time or RuleTime(is_alone=configuration.alone),
        )  # fmt: skip

    async def take(self, fetch: Mapping[int, Sequence[LogRecord]]) -> Taken:
        """Takes in what a poll returned, by partition. Calling it again with the same records changes nothing.

        Raises `Unavailable` (try the same again; what was committed drops out), `QuarantineLimitReached` (stop).
        """
        taken = Taken()
        arrivals = await self._decoded([record for partition in sorted(fetch) for record in fetch[partition]])
        if self._classifier is not None:
            arrivals = await classified(arrivals, self._classifier, self._configuration)
        if arrivals:
            await self._divide(arrivals, taken, {(one.partition, one.offset): one for records in fetch.values() for one in records})
        return taken

    async def _decoded(self, records: Sequence[LogRecord]) -> list[Arrival]:
        arrivals = await self._arrivals(records)
        if any(one.refusal is not None and one.refusal.reason == "unknown_workspace" for one in arrivals):
            # A workspace younger than what is in memory: read it now instead of refusing its first messages.
            await self._configuration.refresh()
            arrivals = await self._arrivals(records)
        return arrivals

    async def _arrivals(self, records: Sequence[LogRecord]) -> list[Arrival]:
        arrivals: list[Arrival] = []
        for place, record in enumerate(records):
            await let_others(place)
            arrivals.append(arrival_of(record, topic=self._topic, secret=self.secret, workspaces=self._configuration))
        return arrivals

    async def _divide(self, arrivals: Sequence[Arrival], taken: Taken, records: Records) -> None:
        """One transaction for all; halves of it when something in it cannot be taken in; alone, it goes to quarantine.

        Whatever the reason: a message that raises where nobody thought of it must not stand before all others for ever. A release that
        fails with each stops at the limit of quarantine. Nor do others wait for a lock that somebody holds on one workspace's rows.
        """
        pending: list[Sequence[Arrival]] = [arrivals]
        repeated = False
        busy: Counter[UUID] = Counter()
        failed: Counter[UUID] = Counter()
        while pending:
            pending += _apart(pending.pop(), {one for one in failed if failed[one] >= FAILED_MAX})
            part = [
                one.refused("busy", _BUSY) if busy[one.workspace_id] >= BUSY_MAX and _may_wait(one) else one
                for one in pending.pop()
            ]
            brief = time.monotonic() < self._brief_until
            try:
                await retried(
                    lambda part=part, brief=brief: self._attempt(part, taken, records, lock_ms=BRIEF_MS if brief else None),  # type: ignore[misc]
                    tries=_tries(part) if brief else 1, on_retry=lambda: _count_retry(taken),
                )  # fmt: skip
            except QuarantineLimitReached:
                # What cannot be decoded no sender wrote, but a process.
                if any(map(_is_undecodable, part)) or not await get_through(self._db, part, self._would_take):
                    raise
                # Halves: what fails in one fetch alone may be more than the limit.
                self._limit.forget()
                pending += _halves(part)
            except Exception as error:
                held = isinstance(error, Contended)
                if (not held and concerns_all(error)) or (isinstance(error, Overlong) and len(part) == 1 and self._waits(part[0])):
                    raise
                if held:
                    self._brief_until = time.monotonic() + BRIEF_S
                if held and not brief:
                    # Once more as a whole: what only met others for a moment is through now.
                    pending.append(part)
                elif isinstance(error.__cause__, asyncpg.IntegrityConstraintViolationError) and not repeated:
                    # A row that was missing or doubled may be right the second time.
                    repeated = True
                    pending.append(part)
                elif len(part) > 1:
                    pending += _halves(part)
                elif part[0].refusal is not None and part[0].message is not None:
                    # It only said where it would have stood, which it can do without: what cannot be read must not stand before all others.
                    pending.append([replace(part[0], message=None)])
                elif part[0].refusal is not None:
                    raise
                elif held:
                    busy[part[0].workspace_id] += 1
                    pending.append([part[0].refused("busy", error)])
                else:
                    refused = part[0].refused(
                        "refused_by_database" if isinstance(error, InputRejected | Conflict) else "failed", error
                    )
                    # The text of a database error may hold the row: only its kind is logged, the entry keeps the rest.
                    log.error(  # noqa: TRY400
                        "a message cannot be taken in; it goes to quarantine",
                        action="message_quarantined",
                        message=str(part[0].id),
                        partition=part[0].partition,
                        offset=part[0].offset,
                        error=type(error.__cause__ or error).__name__,
                    )
                    failed[refused.workspace_id] += 1
                    pending.append([refused])

    def _waits(self, arrival: Arrival) -> bool:
        """Whether a message that takes too long alone is tried again: the database may be slow today; the same one again and again is not."""
        place = (arrival.partition, arrival.offset)
        self._overlong = {place: self._overlong.get(place, 0) + 1}
        return self._overlong[place] < OVERLONG_TRIES

    async def _attempt(self, arrivals: Sequence[Arrival], taken: Taken, records: Records, *, lock_ms: int | None) -> None:
        """One transaction. Commits all of it or raises with nothing written."""
        arrivals, resolved, erased = await self._resolved(arrivals, lock_ms=lock_ms)
        first: dict[int, int] = {}
        last: dict[int, LogRecord] = {}
        for arrival in arrivals:
            record = records[arrival.partition, arrival.offset]
            first.setdefault(arrival.partition, record.offset if record.since is None else record.since)
            last[arrival.partition] = record
        with INTAKE_BATCH_SECONDS.time():
            async with self._db.batch(lock_ms=lock_ms) as connection:
                kept = await self._leases.lock_and_check(connection, first)
                mine = [arrival for arrival in arrivals if arrival.partition in kept]
                outcomes = await self.batch.take(connection, mine, resolved, erased=erased) if mine else []
                judged = [_judged(outcome) for outcome in outcomes]
                self._limit.check(judged, alone=self._configuration.alone())
                moved = {partition: mark_of(record) for partition, record in last.items() if partition in kept}
                await self._leases.advance(connection, moved)
        self._limit.count(judged)
        self._leases.advanced(moved)
        taken.outcomes += outcomes
        taken.next_offsets |= {partition: mark.offset + 1 for partition, mark in moved.items()}
        taken.fenced |= set(first) - kept
        quarantined = sum(outcome.quarantined for outcome in outcomes)
        INTAKE_MESSAGES.labels(result="quarantined").inc(quarantined)
        INTAKE_MESSAGES.labels(result="taken").inc(len(outcomes) - quarantined)
        INTAKE_MESSAGES.labels(result="known").inc(len(mine) - len(outcomes))

    async def _would_take(self, message: InboundMessage) -> bool:
        """Whether a message would be taken in now, from finding out who wrote it to its last row. Nothing of it is kept."""
        workspace = self._configuration.workspace(message.workspace_id)
        if workspace is None:
            return False
        arrival = of_message(message, workspace=workspace)
        outcomes: list[Outcome] = []
        with suppress(_Undone):
            async with self._db.batch(lock_ms=BRIEF_MS) as connection:
                who = await resolve_within(connection, sighting_of(arrival, message))
                outcomes = await self.batch.take(connection, [arrival], {(arrival.workspace_id, arrival.id): who})
                raise _Undone
        return bool(outcomes) and not outcomes[0].quarantined

    async def _resolved(
        self, arrivals: Sequence[Arrival], *, lock_ms: int | None
    ) -> tuple[Sequence[Arrival], Mapping[Key, Resolution], set[Key]]:
        """Who wrote what has no receipt yet, and what may not come in. Facts about people are written here, in transactions of their own."""
        async with self._db.session() as connection:
            known, buried = await known_receipts(connection, {(one.workspace_id, one.id) for one in arrivals})
            erased: set[Key] = set()
            if buried:
                erased, arrivals = await forgotten(connection, self.secret, arrivals, buried)
                known |= erased
        new = [one for one in arrivals if (one.workspace_id, one.id) not in known]
        return arrivals, await resolved_people(self._db, new, self._configuration, lock_ms=lock_ms), erased


async def resolved_people(
    db: Database, arrivals: Sequence[Arrival], configuration: Configuration, *, lock_ms: int | None = None
) -> Mapping[Key, Resolution]:
    """Who wrote each of these, by (workspace, message); those that nobody wrote or that are refused are left out."""
    sightings = [sighting_of(one, one.message) for one in arrivals if one.message is not None and _has_writer(one)]
    if not sightings:
        return {}
    found: Mapping[Any, Any] = await resolve(db, sightings, own=configuration.own_handles(), tries=2, lock_ms=lock_ms)
    return found


def sighting_of(arrival: Arrival, message: InboundMessage) -> Sighting:
    """What a message says about who wrote it."""
    assert message.sender is not None, "only messages with a sender"
    return Sighting(
        workspace_id=WorkspaceId(arrival.workspace_id),
        message_id=MessageId(arrival.id),
        senders=tuple(
            SeenHandle(handle=one.handle(), raw=one.raw, name=one.name, assurance=one.assurance)
            for one in (message.sender, *message.other_handles)
        ),
        seen_at=message.accepted_at,
        said_at=observed_at(message),
        account=message.traits.get(ACCOUNT, ""),
    )


def _has_writer(arrival: Arrival) -> bool:
    message = arrival.message
    return arrival.refusal is None and message is not None and message.sender is not None and message.kind not in _NOBODY


def _halves(part: Sequence[Arrival]) -> list[Sequence[Arrival]]:
    """The later first, as they are taken from the end; one alone stays one."""
    middle = len(part) // 2
    return [half for half in (part[middle:], part[:middle]) if half]


def _apart(part: Sequence[Arrival], failing: Container[UUID]) -> list[Sequence[Arrival]]:
    """The part in its order, in pieces in which messages of failing workspaces stand alone; the first piece last, as they are taken from the end."""
    pieces: list[list[Arrival]] = []
    alone = True
    for one in part:
        if one.workspace_id in failing or alone:
            pieces.append([one])
        else:
            pieces[-1].append(one)
        alone = one.workspace_id in failing
    return list(reversed(pieces))


def _tries(part: Sequence[Arrival]) -> int:
    # Alone it is put aside after this, so what meets others only for a moment gets its chance.
    return 4 if len(part) == 1 else 2


def _may_wait(arrival: Arrival) -> bool:
    return arrival.refusal is None and arrival.message is not None


def _is_undecodable(arrival: Arrival) -> bool:
    return arrival.refusal is not None and arrival.refusal.reason == "undecodable"


def _judged(outcome: Outcome) -> Judged:
    arrival = outcome.arrival
    return Judged(arrival.partition, arrival.workspace_id, arrival.refusal is not None and arrival.refusal.reason in COUNTED)


def _count_retry(taken: Taken) -> None:
    taken.retries += 1
    INTAKE_RETRIES.inc()

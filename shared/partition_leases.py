"""Who reads a partition, and how far its effects are: table ``partition_lease``. The position moves in the effects' transaction.

Taking a lease raises its epoch, so whoever held it before can write nothing more: every batch locks its leases first, in partition
order, and keeps only partitions whose owner, epoch and position are those it fetched under. With a position stands the mark of the
record before it, and whoever takes a lease first asks whether the log still has it (`shared/log_position.py`). A lease must be locked in a statement
of its own, never joined into the guarded UPDATE, which would pass a fence that moved on while it waited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.database import Connection, Database
from shared.errors import Unavailable
from shared.log_position import REMEDY, STOPS, Log, Mark, Position, look, said
from shared.logs import get_log
from shared.metrics import FENCED

log = get_log(__name__)
_TAKE: Final = """
insert into santral.partition_lease as l (topic, partition, owner, epoch, next_offset)
select $1, n.partition, $3, 1, n.log_start from unnest($2::int[], $4::bigint[]) as n(partition, log_start) order by n.partition
on conflict (topic, partition) do update set owner = $3, epoch = l.epoch + 1, updated_at = now()
returning partition, epoch, next_offset, last_offset, last_at, last_digest
"""
_READ: Final = """
select partition, next_offset, last_offset, last_at, last_digest from santral.partition_lease where topic = $1 order by partition
"""
_LOCK: Final = """
select partition, owner, epoch, next_offset from santral.partition_lease
where topic = $1 and partition = any($2::int[]) order by partition for no key update
"""
_ADVANCE: Final = """
update santral.partition_lease l
set next_offset = n.last_offset + 1, updated_at = now(), last_offset = n.last_offset, last_at = n.last_at, last_digest = n.last_digest
from unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::bytea[]) as n(partition, last_offset, last_at, last_digest)
where l.topic = $1 and l.partition = n.partition
"""


class LogCutOff(Unavailable):
    """The log no longer holds what comes next: messages ran out before they were taken, or it is another log."""

    kind = "log-cut-off"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPartition:
    """A lease as it was taken."""

    epoch: int
    next_offset: int


class PartitionLeases:
    """The partitions of one topic that this reader holds."""

    def __init__(self, db: Database, *, topic: str, owner: UUID) -> None:
        self._db = db
        self._topic = topic
        self._owner = owner
        self.held: dict[int, HeldPartition] = {}

    async def take(self, partitions: Sequence[int], there: Log) -> dict[int, int]:
        """Takes the leases (epochs + 1) and returns the offset to read from for each; a partition nobody read starts at its log's start.

        Raises `LogCutOff`, with none of them held, when the log under a position is not the one that was read, or begins after it.
        """
        wanted = sorted(partitions)
        starts = [start for _, (start, _) in sorted((await there.bounds(wanted)).items())]
        async with self._db.batch() as connection:
            rows = await connection.fetch(_TAKE, self._topic, wanted, self._owner, starts)
        positions = [_position(row) for row in rows]
        comparisons = await look(there, positions)
        if any(one.state in STOPS for one in comparisons):
            raise LogCutOff(said(comparisons), remedy=REMEDY)
        for one in comparisons:
            if one.text:
                log.info(one.text, action="lease_taken", partition=one.partition)
        for row in rows:
            self.held[row["partition"]] = HeldPartition(epoch=row["epoch"], next_offset=row["next_offset"])
            log.info(
                "a partition's lease was taken",
                action="lease_taken",
                partition=row["partition"],
                epoch=row["epoch"],
                offset=row["next_offset"],
            )
        return {row["partition"]: row["next_offset"] for row in rows}

    async def lock_and_check(self, connection: Connection, first_offsets: Mapping[int, int]) -> set[int]:
        """Locks the leases and returns the partitions whose owner, epoch and position are still those of the fetch."""
        rows = await connection.fetch(_LOCK, self._topic, sorted(first_offsets))
        kept = set()
        for row in rows:
            held = self.held.get(row["partition"])
            ours = held is not None and row["owner"] == self._owner and row["epoch"] == held.epoch
            if ours and row["next_offset"] == first_offsets[row["partition"]]:
                kept.add(row["partition"])
            else:
                FENCED.labels(kind="partition").inc()
                log.warning("a partition's lease moved on; its records are dropped", action="fenced", partition=row["partition"])
        return kept

    async def advance(self, connection: Connection, last: Mapping[int, Mark]) -> None:
        """Moves the positions behind the last record of each partition, in the transaction of the effects."""
        if last:
            marks = list(last.values())
            values = [mark.offset for mark in marks], [mark.at for mark in marks], [mark.digest for mark in marks]
            await connection.execute(_ADVANCE, self._topic, list(last), *values)

    def advanced(self, last: Mapping[int, Mark]) -> None:
        """After the commit: what is held is behind these records now."""
        for partition, mark in last.items():
            held = self.held.get(partition)
            if held is not None:
                self.held[partition] = HeldPartition(epoch=held.epoch, next_offset=mark.offset + 1)

    def forget(self, partitions: Iterable[int]) -> None:
        """Drops leases: revoked, or fenced; their records in memory are dropped with them."""
        for partition in partitions:
            self.held.pop(partition, None)


async def positions_of(connection: Connection, topic: str) -> list[Position]:
    """How far each partition of a topic was read, by anybody."""
    rows = await connection.fetch(_READ, topic)
    return [_position(row) for row in rows]


def _position(row: Any) -> Position:
    known = row["last_digest"] is not None
    mark = Mark(offset=row["last_offset"], at=row["last_at"], digest=bytes(row["last_digest"])) if known else None
    return Position(partition=row["partition"], next_offset=row["next_offset"], mark=mark)

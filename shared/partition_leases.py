"""Who reads a partition, and how far its effects are: table ``partition_lease``. The position moves in the effects' transaction.

Taking a lease raises its epoch, so whoever held it before can write nothing more: every batch locks its leases first, in partition
order, and keeps only partitions whose owner, epoch and position are those it fetched under. A lease must be locked in a statement
of its own, never joined into the guarded UPDATE, which would pass a fence that moved on while it waited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.database import Connection, Database
from shared.errors import Unavailable
from shared.logs import get_log
from shared.metrics import FENCED

log = get_log(__name__)
_TAKE: Final = """
insert into santral.partition_lease as l (topic, partition, owner, epoch, next_offset) values ($1, $2, $3, 1, $4)
on conflict (topic, partition) do update set owner = $3, epoch = l.epoch + 1, updated_at = now()
returning epoch, next_offset
"""
_LOCK: Final = """
select partition, owner, epoch, next_offset from santral.partition_lease
where topic = $1 and partition = any($2::int[]) order by partition for no key update
"""
_ADVANCE: Final = """
update santral.partition_lease l set next_offset = n.next_offset, updated_at = now()
from unnest($2::int[], $3::bigint[]) as n(partition, next_offset)
where l.topic = $1 and l.partition = n.partition
"""


class LogCutOff(Unavailable):
    """The log no longer holds what comes next: messages ran out before they were taken, or it was cut or made anew."""

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

    async def take(self, partition: int, *, log_start: int, log_end: int | None = None) -> int:
        """Takes the lease (epoch + 1) and returns the offset to read from.

        Raises `LogCutOff` naming how many records are lost when the log starts after the position, or ends before it
        (``log_end`` is the offset its next record will have; what it gets from now on would never be read).
        """
        async with self._db.batch() as connection:
            row = await connection.fetchrow(_TAKE, self._topic, partition, self._owner, log_start)
        assert row is not None
        if row["next_offset"] < log_start:
            lost = log_start - row["next_offset"]
            raise LogCutOff(
                f"partition {partition}: {lost} records ran out of the log before they were taken",
                remedy="restore the topic, or confirm the loss with: santral topics accept-loss",
            )
        if log_end is not None and row["next_offset"] > log_end:
            raise LogCutOff(
                f"partition {partition}: the log ends {row['next_offset'] - log_end} records before what was taken already",
                remedy="restore the topic, or confirm that it is another one with: santral topics accept-loss",
            )
        self.held[partition] = HeldPartition(epoch=row["epoch"], next_offset=row["next_offset"])
        log.info(
            "a partition's lease was taken",
            action="lease_taken",
            partition=partition,
            epoch=row["epoch"],
            offset=row["next_offset"],
        )
        return int(row["next_offset"])

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

    async def advance(self, connection: Connection, next_offsets: Mapping[int, int]) -> None:
        """Moves the positions, in the transaction of the effects."""
        if next_offsets:
            await connection.execute(_ADVANCE, self._topic, list(next_offsets), list(next_offsets.values()))

    def advanced(self, next_offsets: Mapping[int, int]) -> None:
        """After the commit: what is held is at these positions now."""
        for partition, offset in next_offsets.items():
            held = self.held.get(partition)
            if held is not None:
                self.held[partition] = HeldPartition(epoch=held.epoch, next_offset=offset)

    def forget(self, partitions: Iterable[int]) -> None:
        """Drops leases: revoked, or fenced; their records in memory are dropped with them."""
        for partition in partitions:
            self.held.pop(partition, None)

"""The operator's word about positions on the log: the database moves to another cluster, or what the log no longer holds is lost.

Both raise the leases' epochs, so a router that still reads under the old positions writes nothing more and takes its partitions anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.database import Database
from shared.kafka import KafkaSettings, log_bounds, looking_at
from shared.kafka_topics import cluster_id
from shared.topics import PARTITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Records of one partition that ran out of the log before they were taken, or by which it was cut."""

    partition: int
    records: int


async def accept_cluster(db: Database, settings: KafkaSettings, topic: str) -> str:
    """Binds the database to the cluster that answers now, each partition from that log's start; returns the cluster's id.

    Messages that were only on the old cluster are not taken in any more. Calling it again for the same cluster changes nothing.
    """
    cluster = await cluster_id(settings)
    starts = {partition: start for partition, (start, _) in (await _log(settings, topic)).items()}
    async with db.batch() as connection:
        known = await connection.fetchval("select kafka_cluster_id from santral.deployment for update")
        if known != cluster:
            await connection.execute("update santral.deployment set kafka_cluster_id = $1", cluster)
            await connection.execute(
                "update santral.partition_lease l set epoch = epoch + 1, next_offset = n.start, updated_at = now()"
                " from unnest($2::int[], $3::bigint[]) as n(partition, start) where l.topic = $1 and l.partition = n.partition",
                topic, list(starts), list(starts.values()),
            )  # fmt: skip
    return cluster


async def accept_loss(db: Database, settings: KafkaSettings, topic: str) -> list[Lost]:
    """Moves each position that the log no longer holds to the log's start; returns what is lost. Positions it holds stay.

    A log that ends before the position was cut or made anew: it is read from its start, and what was taken before is known again.
    """
    bounds = await _log(settings, topic)
    async with db.batch() as connection:
        rows = await connection.fetch(
            "select partition, next_offset from santral.partition_lease where topic = $1 order by partition for no key update",
            topic,
        )
        lost = [
            Lost(partition=row["partition"], records=max(start - row["next_offset"], row["next_offset"] - end))
            for row in rows
            for start, end in [bounds.get(row["partition"], (0, row["next_offset"]))]
            if not start <= row["next_offset"] <= end
        ]
        for one in lost:
            await connection.execute(
                "update santral.partition_lease set epoch = epoch + 1, next_offset = $3, updated_at = now()"
                " where topic = $1 and partition = $2",
                topic, one.partition, bounds[one.partition][0],
            )  # fmt: skip
    return lost


async def _log(settings: KafkaSettings, topic: str) -> Mapping[int, tuple[int, int]]:
    """The log's first offset and its next, by partition."""
    async with looking_at(settings, topic) as consumer:
        return await log_bounds(consumer, topic, range(PARTITIONS))

"""The operator's word about positions on the log: the database moves to another cluster, or what the log no longer holds is lost.

Both raise the leases' epochs, so a router that still reads under the old positions writes nothing more and takes its partitions anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.database import Database
from shared.kafka import KafkaSettings
from shared.kafka_reader import looking_at
from shared.kafka_topics import cluster_id
from shared.log_position import STOPS, look
from shared.partition_leases import positions_of
from shared.topics import PARTITIONS

_LOCK: Final = """
select partition, next_offset from santral.partition_lease
where topic = $1 and partition = any($2::int[]) order by partition for no key update
"""
_MOVE: Final = """
update santral.partition_lease l set epoch = epoch + 1, next_offset = n.start, updated_at = now()
from unnest($2::int[], $3::bigint[]) as n(partition, start) where l.topic = $1 and l.partition = n.partition
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A partition that is read from its log's start from now on, and why; ``records`` is how many are missing, where that is known."""

    partition: int
    records: int
    text: str


async def accept_cluster(db: Database, settings: KafkaSettings, topic: str) -> str:
    """Binds the database to the cluster that answers now, each partition from that log's start; returns the cluster's id.

    Messages that were only on the old cluster are not taken in any more. Calling it again for the same cluster changes nothing.
    """
    cluster = await cluster_id(settings)
    async with looking_at(settings, topic) as log:
        starts = {partition: start for partition, (start, _) in (await log.bounds(range(PARTITIONS))).items()}
    async with db.batch() as connection:
        known = await connection.fetchval("select kafka_cluster_id from santral.deployment for update")
        if known != cluster:
            await connection.execute("update santral.deployment set kafka_cluster_id = $1", cluster)
            await connection.execute(_MOVE, topic, list(starts), list(starts.values()))
    return cluster


async def accept_loss(db: Database, settings: KafkaSettings, topic: str) -> list[Lost]:
    """Moves positions that the log no longer holds to the log's start; returns which, and what is lost. Positions it holds stay.

    Where one partition's log is another one, the topic was made anew: every partition is read from its start that is not shown to be the
    same, and what was taken before is known again. Calling it again changes nothing.
    """
    async with db.session() as connection:
        positions = await positions_of(connection, topic)
    async with looking_at(settings, topic) as log:
        comparisons = await look(log, positions)
    anew = any(one.state == "another" for one in comparisons)
    before = {one.partition: one.next_offset for one in positions}
    moving = {
        one.partition: one
        for one in comparisons
        if one.state in STOPS or (anew and one.state == "unknown" and before[one.partition] > one.start)
    }
    async with db.batch() as connection:
        rows = await connection.fetch(_LOCK, topic, list(moving))
        # A position that moved since it was compared is a router's that reads on: it is left alone.
        moved = [moving[row["partition"]] for row in rows if row["next_offset"] == before[row["partition"]]]
        await connection.execute(_MOVE, topic, [one.partition for one in moved], [one.start for one in moved])
    return [
        Lost(partition=one.partition, records=one.records, text=one.text if one.state in STOPS else "the others are another log")
        for one in moved
    ]

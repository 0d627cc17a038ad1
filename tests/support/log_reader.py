"""Reads what a topic holds, as any other system would: no group, from the start to where the end is now."""

from __future__ import annotations

import aiokafka

from shared.kafka import Fetched


async def read_topic(bootstrap: str, topic: str) -> list[Fetched]:
    """Every record, by partition and in its order."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()
        partitions = [aiokafka.TopicPartition(topic, one) for one in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Fetched] = []
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [
                    Fetched(
                        partition=partition.partition, offset=one.offset, key=one.key, value=one.value or b"",
                        headers=tuple(one.headers), timestamp_ms=one.timestamp,
                    )
                    for one in records
                ]  # fmt: skip
        return sorted(found, key=lambda one: (one.partition, one.offset))
    finally:
        await consumer.stop()

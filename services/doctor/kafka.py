"""What `santral doctor` looks at in Kafka: the cluster, both topics, and how far behind intake is. Records and seconds.

Positions are the database's (``partition_lease``), never the group's offsets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import aiokafka

from services.doctor.finding import Finding, fail, graded, ok, warn
from services.frame.settings import Settings
from shared.database import Database
from shared.errors import Unavailable
from shared.kafka import kafka_errors
from shared.kafka_topics import cluster_id, plan_topics

REACH_S: Final = 10.0
AGE_S: Final = (30.0, 300.0)
_LOOK_S: Final = 3.0


async def look_at_cluster(settings: Settings, db: Database | None) -> Sequence[Finding]:
    """Whether the brokers answer, and are the ones this database belongs to. Raises `Unavailable`."""
    kafka = settings.kafka()
    try:
        async with asyncio.timeout(REACH_S):
            found = await cluster_id(kafka)
    except TimeoutError as error:
        raise Unavailable(f"{kafka.bootstrap} does not answer within {REACH_S:g} s") from error
    known = None
    if db is not None:
        async with db.session() as connection:
            known = await connection.fetchval("select kafka_cluster_id from santral.deployment")
    if known is not None and known != found:
        text = f"this is the cluster {found}, the database's positions belong to {known}"
        return [fail("kafka", text, "point at the old cluster, or run: santral topics accept-cluster")]
    return [ok("kafka", f"answers on {kafka.bootstrap}, cluster {found}")]


async def look_at_topics(settings: Settings) -> Sequence[Finding]:
    """Whether both topics are there and as they must be."""
    async with asyncio.timeout(REACH_S):
        plans = await plan_topics(settings.kafka(), settings.topics())
    found: list[Finding] = []
    for plan in plans:
        check = f"topic {plan.topic}"
        if plan.state == "missing":
            found.append(fail(check, "missing", "run: santral topics apply"))
        elif plan.state == "half made":
            found.append(fail(check, "; ".join(plan.differences), "run: santral topics apply"))
        elif plan.reshaped:
            found.append(fail(check, "; ".join(plan.differences), "choose another SANTRAL_TOPIC_PREFIX"))
        elif plan.differences:
            found.append(warn(check, "; ".join(plan.differences), "set it on the topic: kafka-configs.sh --alter"))
        else:
            found.append(ok(check, "as it must be"))
    return found


async def look_at_lag(settings: Settings, db: Database) -> Sequence[Finding]:
    """How many records are not taken in yet, how old the oldest is, and whether the log still holds it."""
    topic = settings.topics().messages
    async with db.session() as connection:
        rows = await connection.fetch("select partition, next_offset from santral.partition_lease where topic = $1", topic)
    positions = {row["partition"]: row["next_offset"] for row in rows}
    consumer = aiokafka.AIOKafkaConsumer(**settings.kafka().client(), enable_auto_commit=False, auto_offset_reset="earliest")
    with kafka_errors("lag"):
        async with asyncio.timeout(2 * REACH_S):
            await consumer.start()
            try:
                parts = [aiokafka.TopicPartition(topic, one) for one in sorted(await _partitions(consumer, topic))]
                starts, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
                places = {part: positions.get(part.partition, starts[part]) for part in parts}
                behind = {part: max(starts[part], place) for part, place in places.items() if ends[part] > place}
                age_s = await _oldest_s(consumer, behind)
            finally:
                await consumer.stop()
    lost = sum(max(0, starts[part] - place) for part, place in places.items())
    if lost:
        text = f"{lost} records ran out of the log before they were taken in"
        return [fail("intake", text, "restore the topic, or confirm the loss with: santral topics accept-loss")]
    records = sum(ends[part] - place for part, place in behind.items())
    text = f"{records} records behind in {len(behind)} partitions, the oldest {age_s:.0f} s old" if records else "nothing waits"
    remedy = "a router must run and its /healthz must pass; more routers share the partitions"
    return [graded("intake", text, remedy, value=age_s, warn_at=AGE_S[0], fail_at=AGE_S[1])]


async def _partitions(consumer: aiokafka.AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.force_metadata_update()  # the client refreshes topics it does not read only when it is told to
    found: set[int] | None = consumer.partitions_for_topic(topic)
    if found is None:
        consumer.assign([aiokafka.TopicPartition(topic, 0)])
        await consumer._client.force_metadata_update()
        found = consumer.partitions_for_topic(topic)
    return set(found or ())


async def _oldest_s(consumer: aiokafka.AIOKafkaConsumer, behind: Mapping[aiokafka.TopicPartition, int]) -> float:
    """The age of the oldest record at these places, as far as they can be read in time; 0 when there is none."""
    if not behind:
        return 0.0
    consumer.assign(list(behind))
    for part, place in behind.items():
        consumer.seek(part, place)
    oldest_ms, missing, until = time.time() * 1000, set(behind), time.monotonic() + _LOOK_S
    while missing and time.monotonic() < until:
        for part, records in (await consumer.getmany(*missing, timeout_ms=500)).items():
            if records:
                oldest_ms = min(oldest_ms, records[0].timestamp)
                missing.discard(part)
    return max(0.0, time.time() - oldest_ms / 1000)

"""The log itself: read again from its start it changes nothing (R5); what cannot be taken stands aside, the rest flows (R7)."""

from __future__ import annotations

import json
import os
import signal
import time

import aiokafka
import asyncpg

from shared.cloudevent import decode_message, encode_message
from shared.kafka import KafkaSettings, Publisher, Record
from shared.topics import PARTITIONS, Topics
from tests.support.desks import Desks
from tests.support.effects import connect, drained, effects, require_invariants, snapshot
from tests.support.house import everything_finished, stopped
from tests.support.load import Load
from tests.support.serving import Served
from tests.support.waiting import eventually

RESTING_S = 5.0
TOPIC = Topics.under().messages
TABLES = ("message", "work_item", "receipt", "conversation", "handle", "event", "offer")


async def ends(bootstrap: str) -> dict[int, int]:
    """The end of each partition that has records."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        places = [aiokafka.TopicPartition(TOPIC, one) for one in range(PARTITIONS)]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items() if end}
    finally:
        await consumer.stop()


async def positions(url: str) -> dict[int, int]:
    """How far intake is, by partition."""
    connection = await connect(url)
    try:
        rows = await connection.fetch("select partition, next_offset from santral.partition_lease where topic = $1", TOPIC)
        return {row["partition"]: row["next_offset"] for row in rows}
    finally:
        await connection.close()


async def last_record(bootstrap: str, external_id: str) -> aiokafka.ConsumerRecord:
    """The record of a message on the log."""
    consumer = aiokafka.AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        async for record in consumer:
            if record.value and f'"external_id":"{external_id}"'.encode() in record.value:
                return record
    finally:
        await consumer.stop()
    raise AssertionError("unreachable: the consumer reads for ever")


async def at_rest(url: str) -> dict[str, str]:
    """The tables once nothing was written for a while: the clocks of service levels follow what is finished a few seconds behind."""
    seen, since = await snapshot(url, *TABLES), time.monotonic()

    async def still() -> bool:
        nonlocal seen, since
        now = await snapshot(url, *TABLES)
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > RESTING_S

    await eventually(still, 60, "nothing is written any more")
    return seen


async def test_the_whole_log_again_changes_nothing(house: Served, load: Load, desks: Desks) -> None:
    url = house.facts["postgres"]
    async with load.flowing(senders={"api": 5, "hook": 5}, pause_s=0.02):

        async def enough() -> bool:
            return len(load.acknowledged) >= 200

        await eventually(enough, 30, "200 messages")
    await drained(url, load, 30)
    await everything_finished(house, desks)
    await drained(url, load, 30)
    wanted = await ends(house.facts["kafka"])
    assert sum(wanted.values()) >= 200
    before = await at_rest(url)
    connection = await connect(url)
    router = house.child("router")
    with stopped(router):
        await connection.execute("update santral.partition_lease set next_offset = 0 where topic = $1", TOPIC)
        os.kill(router, signal.SIGKILL)
    await connection.close()
    begun = time.monotonic()

    async def read_again() -> bool:
        found = await positions(url)
        return all(found.get(partition, 0) >= end for partition, end in wanted.items())

    await eventually(read_again, 60, "every partition is read again")
    took_s = time.monotonic() - begun
    after = await snapshot(url, *TABLES)
    changed = [table for table in TABLES if before[table] != after[table]]
    print(
        (await effects(url, load)).line(
            "the whole log again", records=sum(wanted.values()), changed_tables=len(changed), took_s=took_s
        )
    )
    assert changed == []
    await require_invariants(url)


async def test_poison_in_the_middle_of_a_batch(house: Served, load: Load) -> None:
    url = house.facts["postgres"]
    sender = f"hook-poison-{load.run}@load.example"
    await load.deliver("hook", sender, 0)
    sample = await last_record(house.facts["kafka"], load.acknowledged[0].external_id)
    message = decode_message(sample.headers, sample.value)
    changed = json.loads(sample.value) | {
        "id": str(message.id)[:-12] + load.run.zfill(12),
        "external_id": f"nul-{load.run}",
        "text": "a\0b",
    }
    nul = Record(key=sample.key, value=json.dumps(changed).encode(), headers=encode_message(message, key=sample.key).headers)
    garbage = Record(key=sample.key, value=b"\xff\xfe not json " + load.run.encode(), headers=tuple(sample.headers))
    publisher = Publisher(KafkaSettings(bootstrap=house.facts["kafka"]))
    await publisher.start()
    with stopped(house.child("router")):
        for number in range(1, 6):
            await load.deliver("hook", sender, number)
        await publisher.publish(TOPIC, [garbage])
        for number in range(6, 11):
            await load.deliver("hook", sender, number)
        await publisher.publish(TOPIC, [nul])
        for number in range(11, 16):
            await load.deliver("hook", sender, number)
    await publisher.stop()
    recovered_s = await drained(url, load, 20)
    connection: asyncpg.Connection = await connect(url)
    try:
        entries = await connection.fetch(
            "select reason, count(*) as n, max(attempts) as attempts from santral.quarantine where position($1 in record) > 0 group by reason",
            load.run.encode(),
        )  # fmt: skip
        stored = await connection.fetchval("select count(*) from santral.message where external_id = $1", f"nul-{load.run}")
    finally:
        await connection.close()
    rows = {one["reason"]: one["n"] for one in entries}
    found = await effects(url, load)
    print(found.line("poison in a batch", quarantined=sum(rows.values()), others_after_s=recovered_s))
    assert rows == {"undecodable": 1, "refused_by_database": 1}
    assert stored == 0
    assert (found.lost, found.duplicated, found.disordered) == ((), (), ())
    await require_invariants(url)

"""The log is not what was read: made anew, cut off, or with offsets that are no records. Nothing is passed over, and it is said."""

from __future__ import annotations

import asyncio

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.doctor.kafka import look_at_lag
from services.frame.settings import Settings
from services.schema.positions import accept_loss
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import Unavailable
from shared.kafka import KafkaSettings, partition_of
from shared.kafka_metadata import TopicUnfit
from shared.kafka_topics import ensure_topics
from shared.metrics import INTAKE_STOPPED
from shared.partition_leases import LogCutOff, positions_of
from shared.topics import Topics
from tests.support.consume_loop import Running, publishing, records, running, until
from tests.support.intake_line import assert_contiguous, counts, rows
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace

MESSAGES = "select count(*) from santral.message"


async def delete(kafka: str, topics: Topics) -> None:
    """Deletes the topic of messages; returns when it is gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([topics.messages])
        async with asyncio.timeout(20):
            while topics.messages in await admin.list_topics():
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def told(kafka: str, topics: Topics, db: Database) -> tuple[str, str]:
    """What `santral doctor` says of intake."""
    settings = Settings(kafka_bootstrap_servers=kafka, topic_prefix=topics.messages.removesuffix(".messages.v1"))
    (finding,) = await look_at_lag(settings, db)
    return finding.state, finding.text


async def test_a_topic_made_anew_with_more_records_is_refused_then_read_from_its_start(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, kafka: str, topics: Topics
) -> None:
    settings = KafkaSettings(bootstrap=kafka)
    async with publishing(kafka) as publisher:
        await publisher.publish(topics.messages, records(workspace, range(40)))
        async with running(worker_db, database_urls, kafka, topics) as first:
            await until(worker_db, MESSAGES, 40)
            # While a router runs: it notices that its topic is gone, and does not go on in whatever comes under the name.
            await delete(kafka, topics)
            with pytest.raises(TopicUnfit, match="is not there"):
                await first.task
            with pytest.raises(Unavailable, match="is not there"):
                await first.loop.check()
        await ensure_topics(settings, topics, replication=1)
        await publisher.publish(topics.messages, records(workspace, range(20, 140)))
    async with running(worker_db, database_urls, kafka, topics) as second:
        with pytest.raises(LogCutOff, match="the log has another record at"):
            await second.task
        with pytest.raises(Unavailable, match=r"intake has stopped: .* santral topics accept-loss"):
            await second.loop.check()
        assert INTAKE_STOPPED._value.get() == 1
        state, text = await told(kafka, topics, worker_db)
        assert (state, "the log has another record at" in text) == ("FAIL", True)
        assert (await rows(worker_db, MESSAGES))[0]["count"] == 40
        moved = await accept_loss(worker_db, settings, topics.messages)
        assert {one.partition for one in moved} == {partition_of(f"c{number}".encode()) for number in range(20)}
        assert await accept_loss(worker_db, settings, topics.messages) == []
        # The process starts its loop again by itself.
        second.task = asyncio.create_task(second.loop.run())
        await until(worker_db, MESSAGES, 140)
        assert await second.loop.check()
        assert INTAKE_STOPPED._value.get() == 0
    found = await counts(worker_db)
    assert (found["receipt"], found["message"], found["quarantine"]) == (140, 140, 0)
    await assert_contiguous(worker_db)
    assert await told(kafka, topics, worker_db) == ("OK", "nothing waits")


async def test_a_topic_made_anew_with_fewer_records_starts_every_partition_that_is_not_shown_to_be_the_same(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, kafka: str, topics: Topics
) -> None:
    settings = KafkaSettings(bootstrap=kafka)
    async with publishing(kafka) as publisher:
        await publisher.publish(topics.messages, records(workspace, range(40)))
        async with running(worker_db, database_urls, kafka, topics):
            await until(worker_db, MESSAGES, 40)
        # One partition's mark is an older release's leftover, so that nothing can be said of it alone.
        unmarked = partition_of(b"c0")
        async with worker_db.batch() as connection:
            await connection.execute("update santral.partition_lease set last_offset = 400 where partition = $1", unmarked)
        await delete(kafka, topics)
    async with publishing(kafka) as publisher:
        await ensure_topics(settings, topics, replication=1)
        await publisher.publish(topics.messages, records(workspace, range(40, 60)) + records(workspace, range(60, 100, 20), who=1))
    state, text = await told(kafka, topics, worker_db)
    assert (state, "records before what was taken already" in text) == ("FAIL", True)
    async with running(worker_db, database_urls, kafka, topics) as one:
        with pytest.raises(LogCutOff, match="records before what was taken already"):
            await one.task
    moved = await accept_loss(worker_db, settings, topics.messages)
    assert unmarked in {one.partition for one in moved}
    async with running(worker_db, database_urls, kafka, topics):
        await until(worker_db, MESSAGES, 62)


async def test_what_ran_out_of_the_log_before_it_was_taken_is_counted(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, kafka: str, topics: Topics
) -> None:
    place = partition_of(b"c0")
    async with publishing(kafka) as publisher:
        await publisher.publish(topics.messages, records(workspace, range(10), who=1))
        async with running(worker_db, database_urls, kafka, topics):
            await until(worker_db, MESSAGES, 10)
        await publisher.publish(topics.messages, records(workspace, range(10, 20), who=1))
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        for before, lost in ((10, 0), (13, 3)):
            await admin.delete_records({aiokafka.TopicPartition(topics.messages, place): RecordsToDelete(before_offset=before)})
            state, text = await told(kafka, topics, worker_db)
            assert (state, f"{lost} records ran out" in text) == (("FAIL", True) if lost else ("OK", False)), text
        await admin.close()
    async with running(worker_db, database_urls, kafka, topics) as one:
        with pytest.raises(LogCutOff, match=f"partition {place}: 3 records ran out of the log before they were taken"):
            await one.task
    await accept_loss(worker_db, KafkaSettings(bootstrap=kafka), topics.messages)
    async with running(worker_db, database_urls, kafka, topics):
        await until(worker_db, MESSAGES, 17)


async def test_offsets_that_are_no_records_are_no_gap(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, kafka: str, topics: Topics
) -> None:
    """Another system may publish in transactions: their marks, and what was taken back, have offsets and are never handed out."""
    place = partition_of(b"c0")
    given = records(workspace, range(9), who=1)
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topics.messages}-tx")
    await producer.start()
    try:
        for number in range(0, 9, 3):
            await producer.begin_transaction()
            for record in given[number : number + 3]:
                await producer.send(topics.messages, record.value, record.written_key, place, headers=list(record.headers))
            await (producer.abort_transaction() if number == 3 else producer.commit_transaction())
            async with running(worker_db, database_urls, kafka, topics) as one:
                await until(worker_db, MESSAGES, {0: 3, 3: 3, 6: 6}[number])

                async def none_waits(at_work: Running = one) -> bool:
                    held = at_work.member.leases.held
                    return place in held and await at_work.loop._reader.lag({place: held[place].next_offset}) == {place: 0}

                await eventually(none_waits, 20, "a transaction's mark at the end is nothing that waits")
    finally:
        await producer.stop()
    async with worker_db.session() as connection:
        (position,) = [one for one in await positions_of(connection, topics.messages) if one.partition == place]
    assert (position.next_offset, position.mark and position.mark.offset) == (11, 10)
    async with publishing(kafka) as publisher, running(worker_db, database_urls, kafka, topics):
        await publisher.publish(topics.messages, records(workspace, [20], who=1))
        await until(worker_db, MESSAGES, 7)

"""A broker with default settings makes every topic that is named: none of our looks does, and what others made is said and mended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.doctor.kafka import look_at_topics
from services.frame.settings import Settings
from shared.errors import Conflict, Unavailable
from shared.kafka import KafkaSettings, Publisher, Record
from shared.kafka_metadata import TopicUnfit
from shared.kafka_reader import Reader, looking_at
from shared.kafka_topics import cluster_id, ensure_topics, plan_topics
from shared.topics import Topics
from tests.support.open_kafka import OpenKafka
from tests.support.serving import said_by
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KafkaSettings]:
    async with OpenKafka(tmp_path_factory.mktemp("open")) as server:
        yield KafkaSettings(bootstrap=server.bootstrap)


@pytest.fixture
def topics() -> Topics:
    return Topics.under(f"t{uuid4().hex[:12]}")


@contextlib.asynccontextmanager
async def admin_of(broker: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**broker.client())
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def made(broker: KafkaSettings, topics: Topics) -> set[str]:
    """Which of the two are on the broker."""
    async with admin_of(broker) as admin:
        return {topics.messages, topics.events} & set(await admin.list_topics())


async def make(broker: KafkaSettings, name: str, partitions: int) -> None:
    async with admin_of(broker) as admin:
        await admin.create_topics([NewTopic(name=name, num_partitions=partitions, replication_factor=1)])


async def test_no_look_makes_a_topic(broker: KafkaSettings, topics: Topics) -> None:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap, topic_prefix=topics.messages.removesuffix(".messages.v1"))
    publisher = Publisher(broker)
    reader = Reader(broker, topic=topics.messages, group=f"{topics.messages}-router")
    assert {plan.state for plan in await plan_topics(broker, topics)} == {"missing"}
    assert {(one.state, one.text) for one in await look_at_topics(settings)} == {("FAIL", "missing")}
    await cluster_id(broker)
    await publisher.start()
    with pytest.raises(TopicUnfit, match=r"is not there \(run: santral topics apply\)"):
        await publisher.publish(topics.messages, [Record(key=b"k", value=b"v")])
    with pytest.raises(TopicUnfit, match="is not there"):
        await reader.start()
    with pytest.raises(TopicUnfit):
        async with looking_at(broker, topics.messages):
            raise AssertionError("unreachable")
    assert await made(broker, topics) == set()
    assert await ensure_topics(broker, topics) == [topics.messages, topics.events]
    assert {(plan.state, plan.differences) for plan in await plan_topics(broker, topics)} == {("right", ())}
    await publisher.publish(topics.messages, [Record(key=b"k", value=b"v")])
    await publisher.stop()


async def test_a_deleted_topic_is_not_made_again_by_those_who_used_it(broker: KafkaSettings, topics: Topics) -> None:
    await ensure_topics(broker, topics)
    async with contextlib.AsyncExitStack() as stack:
        publisher, reader = Publisher(broker), Reader(broker, topic=topics.messages, group=f"{topics.messages}-router")
        stack.push_async_callback(publisher.stop)
        stack.push_async_callback(reader.stop)
        await publisher.publish(topics.messages, [Record(key=b"k", value=b"v")])
        await reader.start()
        for partition in reader.assigned:
            reader.seek(partition, 0)
        async with admin_of(broker) as admin:
            await admin.delete_topics([topics.messages])
            async with asyncio.timeout(20):
                while topics.messages in await admin.list_topics():
                    await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await publisher.publish(topics.messages, [Record(key=b"k", value=b"v")])
        with pytest.raises(TopicUnfit):
            await publisher.publish(topics.messages, [Record(key=b"k", value=b"v")])
        with pytest.raises(TopicUnfit):
            async for _ in reader.fetches():
                pass
    assert await made(broker, topics) == {topics.events}


async def test_what_the_broker_made_by_itself_is_said_and_completed_while_nothing_is_in_it(
    broker: KafkaSettings, topics: Topics
) -> None:
    await make(broker, topics.messages, 1)
    prefix = topics.messages.removesuffix(".messages.v1")
    environment = {"SANTRAL_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "SANTRAL_TOPIC_PREFIX": prefix}
    half = "1 partitions where 24 are needed; nothing was ever written to it, so apply adds the others"
    said = f"{topics.messages}: half made\n  {half}\n{topics.events}: missing"
    assert await said_by("topics", "plan", environment=environment) == (0, said)
    publisher, reader = Publisher(broker), Reader(broker, topic=topics.messages, group=f"{topics.messages}-router")
    with pytest.raises(TopicUnfit, match="has 1 partitions where 24 are needed"):
        await publisher.publish(topics.messages, [Record(key=b"k", value=b"v")])
    with pytest.raises(TopicUnfit, match="has 1 partitions where 24 are needed"):
        await reader.start()
    found = await look_at_topics(Settings(kafka_bootstrap_servers=broker.bootstrap, topic_prefix=prefix))
    assert (found[0].state, found[0].text) == ("FAIL", half)
    twice = await asyncio.gather(ensure_topics(broker, topics), ensure_topics(broker, topics))
    assert sorted(name for names in twice for name in names) == sorted([topics.messages, topics.events])

    async def right() -> bool:  # settings reach the broker that is asked a moment after the controller took them
        return {plan.state for plan in await plan_topics(broker, topics)} == {"right"}

    await eventually(right, 10, "both topics are as they must be")
    await publisher.publish(topics.messages, [Record(key=b"k", value=b"v")])
    await publisher.stop()


async def test_what_holds_records_is_left_as_it_is(broker: KafkaSettings, topics: Topics) -> None:
    await make(broker, topics.messages, 1)
    producer = aiokafka.AIOKafkaProducer(**broker.client())
    await producer.start()
    await producer.send_and_wait(topics.messages, b"somebody's")
    await producer.stop()
    with pytest.raises(Conflict, match="1 partitions where 24 are needed; they cannot be changed in place"):
        await ensure_topics(broker, topics)
    assert [plan.state for plan in await plan_topics(broker, topics)] == ["differs", "missing"]
    async with admin_of(broker) as admin:
        (found,) = await admin.describe_topics([topics.messages])
    assert len(found["partitions"]) == 1

"""Publishing and reading on a real broker, and through a line that goes dead."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from shared.errors import TooLarge, Unavailable
from shared.kafka import Fetched, KafkaSettings, Publisher, Record, partition_of
from shared.kafka_reader import Reader
from shared.kafka_topics import cluster_id, ensure_topics, plan_topics
from shared.topics import PARTITIONS, Topics
from tests.support.chaos_proxy import ChaosProxy
from tests.support.log_reader import read_topic


def records(count: int, *, mark: str = "") -> list[Record]:
    return [
        Record(key=b"key %d" % (number % 50), value=f"{mark}{number}".encode(), headers=(("ce_id", b"%d" % number),))
        for number in range(count)
    ]


@contextlib.asynccontextmanager
async def line_to(kafka: str) -> AsyncIterator[ChaosProxy]:
    host, _, port = kafka.rpartition(":")
    async with ChaosProxy(host, int(port), kafka=True) as proxy:
        yield proxy


async def landed(publisher: Publisher, topic: str, sent: list[Record]) -> None:
    """Publishes until it is acknowledged: a topic just made has no leaders for a moment."""
    async with asyncio.timeout(40):
        while True:
            with contextlib.suppress(Unavailable):
                return await publisher.publish(topic, sent)


async def test_what_is_acknowledged_is_on_the_log_in_order_and_in_its_place(kafka: str, topics: Topics) -> None:
    publisher = Publisher(KafkaSettings(bootstrap=kafka))
    await publisher.start()
    await publisher.publish(topics.messages, [])
    sent = records(1000)
    await publisher.publish(topics.messages, sent)
    await publisher.stop()
    found = await read_topic(kafka, topics.messages)
    assert len(found) == 1000
    by_key: dict[bytes, list[bytes]] = {}
    for one in found:
        assert one.key is not None
        assert one.partition == partition_of(bytes.fromhex(one.key.decode()))
        by_key.setdefault(one.key, []).append(one.value)
    for key, values in by_key.items():
        assert values == [one.value for one in sent if one.written_key == key]
    assert dict(found[0].headers)["ce_id"] == found[0].value


async def test_a_record_over_the_limit_is_too_large_and_others_flow(kafka: str, topics: Topics) -> None:
    publisher = Publisher(KafkaSettings(bootstrap=kafka))
    with pytest.raises(TooLarge):
        await publisher.publish(topics.messages, [Record(key=b"k", value=b"x" * 2_000_000)])
    await publisher.publish(topics.messages, records(1))
    await publisher.stop()


async def test_a_line_that_goes_dead_costs_three_seconds_and_comes_back(kafka: str, topics: Topics) -> None:
    async with line_to(kafka) as proxy:
        publisher = Publisher(KafkaSettings(bootstrap=proxy.address))
        await landed(publisher, topics.messages, records(10, mark="before "))
        assert proxy.connections > 0
        await proxy.set("blackhole")
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            await publisher.publish(topics.messages, records(10, mark="during "))
        assert 2.9 < time.monotonic() - begun < 4
        await proxy.set("ok")
        await landed(publisher, topics.messages, records(10, mark="after "))
        await publisher.stop()
    values = {one.value.decode() for one in await read_topic(kafka, topics.messages)}
    assert {f"before {number}" for number in range(10)} | {f"after {number}" for number in range(10)} <= values


async def test_brokers_that_were_never_there_are_tried_again(kafka: str, topics: Topics) -> None:
    async with line_to(kafka) as proxy:
        await proxy.set("refuse")
        publisher = Publisher(KafkaSettings(bootstrap=proxy.address))
        await publisher.start()
        with pytest.raises(Unavailable):
            await publisher.publish(topics.messages, records(1))
        await proxy.set("ok")
        await publisher.publish(topics.messages, records(1))
        await publisher.stop()


async def test_closing_with_records_in_flight_ends_and_leaves_nothing(kafka: str, topics: Topics) -> None:
    before = asyncio.all_tasks()
    async with line_to(kafka) as proxy:
        publisher = Publisher(KafkaSettings(bootstrap=proxy.address), deadline_s=1)
        await landed(publisher, topics.messages, records(1))
        await proxy.set("blackhole")
        with pytest.raises(Unavailable):
            await publisher.publish(topics.messages, records(10))
        async with asyncio.timeout(8):
            await publisher.stop()
        await publisher.stop()
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


async def test_topics_are_planned_made_once_and_never_reshaped(kafka: str) -> None:
    settings, topics = KafkaSettings(bootstrap=kafka), Topics.under(f"plan-{time.monotonic_ns()}")
    assert {plan.state for plan in await plan_topics(settings, topics)} == {"missing"}
    made = await asyncio.gather(ensure_topics(settings, topics), ensure_topics(settings, topics))
    assert sorted(name for names in made for name in names) == sorted([topics.messages, topics.events])
    assert [(plan.state, plan.differences) for plan in await plan_topics(settings, topics)] == [("right", ()), ("right", ())]
    assert await ensure_topics(settings, topics) == []
    assert await cluster_id(settings)


class Member:
    """A reader at work: what it was given, from the start of each partition."""

    def __init__(self, kafka: str, topic: str, *, silent_s: float = 60) -> None:
        self.reader = Reader(KafkaSettings(bootstrap=kafka), topic=topic, group=f"{topic}-group", silent_s=silent_s)
        self.seen: list[Fetched] = []
        self.polled = asyncio.Event()

    async def run(self) -> None:
        await self.reader.start()
        try:
            sought: frozenset[int] = frozenset()
            async for fetch in self.reader.fetches():
                for partition in self.reader.astray() | (self.reader.assigned - sought):
                    self.reader.seek(partition, 0)
                sought = self.reader.assigned
                self.seen += [one for found in fetch.values() for one in found]
                self.polled.set()
        finally:
            await self.reader.stop()


@contextlib.asynccontextmanager
async def at_work(*members: Member) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(member.run()) for member in members]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_two_readers_share_the_partitions_and_a_third_moves_few(kafka: str, topics: Topics) -> None:
    members = [Member(kafka, topics.messages) for _ in range(3)]

    async def shared(count: int) -> list[frozenset[int]]:
        async with asyncio.timeout(40):
            while True:
                for member in members[:count]:
                    member.polled.clear()
                    await member.polled.wait()
                found = [member.reader.assigned for member in members[:count]]
                if sorted(one for held in found for one in held) == list(range(PARTITIONS)) and min(map(len, found)) >= 24 // count:
                    return found

    async with at_work(members[0], members[1]):
        two = await shared(2)
        async with at_work(members[2]):
            three = await shared(3)
            kept = [len(before & after) for before, after in zip(two, three, strict=False)]
            assert kept == [8, 8]


async def test_a_reader_starts_where_it_is_told_and_knows_its_lag(kafka: str, topics: Topics) -> None:
    publisher = Publisher(KafkaSettings(bootstrap=kafka))
    key = b"one key"
    place = partition_of(key)
    await publisher.publish(topics.messages, [Record(key=key, value=b"%d" % number) for number in range(20)])
    await publisher.stop()
    reader = Reader(KafkaSettings(bootstrap=kafka), topic=topics.messages, group=f"{topics.messages}-group")
    await reader.start()
    assert place in reader.assigned
    assert (await reader.log.bounds([place]))[place][0] == 0
    for partition in reader.assigned:
        reader.seek(partition, 15 if partition == place else 0)
    seen: list[Fetched] = []
    async with asyncio.timeout(20):
        async for fetch in reader.fetches():
            seen += fetch.get(place, [])
            if len(seen) >= 5:
                break
    assert [one.offset for one in seen] == [15, 16, 17, 18, 19]
    assert await reader.lag({place: 15}) == {place: 5}
    await reader.tell_lag_tools({place: 20})
    reader.seek(place, 500)
    async with asyncio.timeout(20):
        async for fetch in reader.fetches():
            assert not fetch.get(place), "it never goes on elsewhere by itself"
            if reader.astray() == {place}:
                break
    await reader.stop()


async def test_a_reader_that_hears_nothing_but_knows_of_nothing_is_content(kafka: str, topics: Topics) -> None:
    member = Member(kafka, topics.messages, silent_s=0.2)
    async with at_work(member) as tasks:
        for _ in range(5):
            member.polled.clear()
            await member.polled.wait()
        assert not tasks[0].done()


async def test_a_coordinator_that_does_not_answer_holds_no_reader_up(kafka: str, topics: Topics) -> None:
    async with line_to(kafka) as proxy:
        member = Member(proxy.address, topics.messages)
        async with at_work(member):
            await member.polled.wait()
            await proxy.set("blackhole")
            with pytest.raises(Unavailable, match="coordinator does not answer"):
                await asyncio.wait_for(member.reader.tell_lag_tools({0: 0}), 20)


async def test_a_reader_that_goes_dumb_says_so(kafka: str, topics: Topics) -> None:
    async with line_to(kafka) as proxy:
        member = Member(proxy.address, topics.messages, silent_s=1)
        async with at_work(member) as tasks:
            await member.polled.wait()
            await proxy.set("blackhole")
            with pytest.raises(Unavailable):
                await asyncio.wait_for(tasks[0], 40)

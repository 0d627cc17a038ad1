"""The spool keeps what was acknowledged, in order, through torn ends, failures, full disks and cancelled callers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Conflict, Unavailable
from shared.kafka import Record
from shared.spool import Spool

TOPIC = "t.messages.v1"


def record(number: int) -> Record:
    return Record(key=b"k%d" % number, value=b"v%d" % number * 20, headers=(("ce_id", b"\x00\xff%d" % number),))


def waits(spool: Spool) -> bool:
    return not spool.empty


class Broker:
    """Takes what is published, or fails when told to."""

    def __init__(self) -> None:
        self.taken: list[Record] = []
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        assert topic == TOPIC
        self.asked.set()
        await self.gate.wait()
        if self.away:
            raise Unavailable("away")
        self.taken += records


async def test_what_is_appended_is_drained_in_order_and_once(tmp_path: Path) -> None:
    broker, spool = Broker(), Spool(tmp_path)
    assert not waits(spool)
    for number in range(250):
        await spool.append(TOPIC, [record(number)])
    assert waits(spool)
    assert spool.filled.is_set()
    assert await spool.drain(broker.publish) == 250
    assert broker.taken == [record(number) for number in range(250)]
    assert not waits(spool)
    assert not spool.filled.is_set()
    assert await spool.drain(broker.publish) == 0
    spool.close()
    assert (tmp_path / "spool.log").stat().st_size == 0


async def test_a_restart_finds_what_waits(tmp_path: Path) -> None:
    broker, spool = Broker(), Spool(tmp_path)
    await spool.append(TOPIC, [record(number) for number in range(150)])
    broker.away = True
    with pytest.raises(Unavailable):
        await spool.drain(broker.publish)
    spool.close()
    again = Spool(tmp_path)
    assert again.filled.is_set()
    broker.away = False
    await again.append(TOPIC, [record(150)])
    assert await again.drain(broker.publish) == 151
    assert broker.taken == [record(number) for number in range(151)]
    again.close()


async def test_a_failure_in_the_middle_keeps_the_rest(tmp_path: Path) -> None:
    broker, spool = Broker(), Spool(tmp_path)
    await spool.append(TOPIC, [record(number) for number in range(250)])
    batches = 0

    async def one_batch(topic: str, records: Sequence[Record]) -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise Unavailable("away")
        await broker.publish(topic, records)

    with pytest.raises(Unavailable):
        await spool.drain(one_batch)
    spool.close()
    again = Spool(tmp_path)
    assert await again.drain(broker.publish) == 150
    assert broker.taken == [record(number) for number in range(250)]
    again.close()


@given(cut=st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_a_torn_end_never_hides_what_was_whole(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    async def tear() -> None:
        folder = tmp_path_factory.mktemp("spool")
        spool = Spool(folder)
        ends = []
        for number in range(3):
            await spool.append(TOPIC, [record(number)])
            ends.append((folder / "spool.log").stat().st_size)
        spool.close()
        left = max(0, ends[-1] - cut)
        with open(folder / "spool.log", "r+b") as file:
            file.truncate(left)
        whole = sum(end <= left for end in ends)
        again, broker = Spool(folder), Broker()
        await again.append(TOPIC, [record(9)])
        assert await again.drain(broker.publish) == whole + 1
        assert broker.taken == [*(record(number) for number in range(whole)), record(9)]
        again.close()

    asyncio.run(tear())


@pytest.mark.parametrize("rest", [b"\x00" * 64, b"\xff" * 64, b"\x00\x00\x00\x05\x00\x00\x00\x00hello"])
async def test_an_end_that_is_not_a_frame_is_put_aside(tmp_path: Path, rest: bytes) -> None:
    spool = Spool(tmp_path)
    await spool.append(TOPIC, [record(1)])
    spool.close()
    with open(tmp_path / "spool.log", "ab") as file:
        file.write(rest)
    again, broker = Spool(tmp_path), Broker()
    assert await again.drain(broker.publish) == 1
    (kept,) = tmp_path.glob("spool.cut-*")
    assert kept.read_bytes() == rest
    again.close()


async def test_a_crash_between_emptying_and_remembering_loses_and_repeats_nothing(tmp_path: Path) -> None:
    broker, spool = Broker(), Spool(tmp_path)
    await spool.append(TOPIC, [record(number) for number in range(150)])
    with pytest.raises(Unavailable):
        await spool.drain(_once(broker))
    spool.close()
    with open(tmp_path / "spool.log", "r+b") as file:
        file.truncate(0)
    again = Spool(tmp_path)
    assert again.empty
    await again.append(TOPIC, [record(200)])
    again.close()
    last = Spool(tmp_path)
    assert await last.drain(broker.publish) == 1
    assert broker.taken[-1] == record(200)
    last.close()


def _once(broker: Broker) -> Publishing:
    return Publishing(broker)


class Publishing:
    """Publishes one batch, then the broker is away."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._done = False

    async def __call__(self, topic: str, records: Sequence[Record]) -> None:
        if self._done:
            raise Unavailable("away")
        self._done = True
        await self._broker.publish(topic, records)


async def test_appending_goes_on_while_the_broker_is_slow(tmp_path: Path) -> None:
    broker, spool = Broker(), Spool(tmp_path)
    broker.gate.clear()
    await spool.append(TOPIC, [record(0)])
    draining = asyncio.create_task(spool.drain(broker.publish))
    await broker.asked.wait()
    async with asyncio.timeout(2):
        await spool.append(TOPIC, [record(1)])
    assert not draining.done()
    broker.gate.set()
    assert await draining == 2
    assert broker.taken == [record(0), record(1)]
    spool.close()


async def test_a_caller_that_leaves_in_the_middle_leaves_the_file_whole(tmp_path: Path) -> None:
    broker, spool = Broker(), Spool(tmp_path)
    for number in range(40):
        leaving = asyncio.create_task(spool.append(TOPIC, [Record(key=b"left", value=b"x" * 50_000)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        leaving.cancel()
        await spool.append(TOPIC, [record(number)])
        await asyncio.gather(leaving, return_exceptions=True)
    spool.close()
    again = Spool(tmp_path)
    await again.drain(broker.publish)
    assert [one for one in broker.taken if one.key != b"left"] == [record(number) for number in range(40)]
    assert list(tmp_path.glob("spool.cut-*")) == []
    again.close()


async def test_a_full_spool_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    broker, spool = Broker(), Spool(tmp_path, bytes_max=1000)
    await spool.append(TOPIC, [record(1)])
    with pytest.raises(Unavailable, match="full"):
        await spool.append(TOPIC, [Record(key=b"k", value=b"x" * 1000)])
    assert await spool.drain(broker.publish) == 1
    await spool.append(TOPIC, [record(2)])
    spool.close()


async def test_a_spool_belongs_to_one_gateway(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    with pytest.raises(Conflict, match="another gateway"):
        Spool(tmp_path)
    first.close()
    Spool(tmp_path).close()

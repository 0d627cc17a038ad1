"""Leases on slots and on partitions: one owner, a fence that holds, positions that move with their effects."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from shared.database import Database
from shared.errors import Unavailable
from shared.kafka import Fetched
from shared.leases import Leases
from shared.log_position import Mark, mark_of
from shared.partition_leases import LogCutOff, PartitionLeases

TOPIC = "t.messages.v1"


def leases_of(db: Database, slots: int = 8) -> Leases:
    return Leases(db, kind="test", slots=slots, owner=uuid4())


def partitions_of(db: Database) -> PartitionLeases:
    return PartitionLeases(db, topic=TOPIC, owner=uuid4())


async def run_out(db: Database) -> None:
    """As if nobody had renewed for three seconds."""
    async with db.batch() as connection:
        await connection.execute("update santral.lease set until = clock_timestamp() - interval '1 s'")


async def ours(db: Database, leases: Leases, slots: list[int]) -> set[int]:
    async with db.batch() as connection:
        return await leases.lock_and_check(connection, slots)


async def test_slots_are_shared_evenly_with_whoever_comes_and_goes(worker_db: Database) -> None:
    one, two, three = (leases_of(worker_db) for _ in range(3))
    await one.round()
    assert set(one.held) == set(range(8))
    await two.round()
    assert set(two.held) == set()
    await one.round()
    await two.round()
    assert len(one.held) == len(two.held) == 4
    assert set(one.held) | set(two.held) == set(range(8))
    for leases in (three, one, two, three):
        await leases.round()
    assert sorted(len(leases.held) for leases in (one, two, three)) == [2, 3, 3]
    await one.give_back()
    for leases in (two, three, two):
        await leases.round()
    assert len(two.held) == len(three.held) == 4


async def test_who_does_not_renew_loses_everything_to_those_who_do(worker_db: Database) -> None:
    gone, left = leases_of(worker_db), leases_of(worker_db)
    await gone.round()
    await run_out(worker_db)
    await left.round()
    assert set(left.held) == set(range(8))
    await gone.round()
    assert set(gone.held) == set()


async def test_many_that_start_at_once_never_hold_the_same_slot(worker_db: Database) -> None:
    owners = [leases_of(worker_db, 64) for _ in range(6)]
    for _ in range(5):
        await asyncio.gather(*(one.round() for one in owners))
        held = [slot for one in owners for slot in one.held]
        assert len(held) == len(set(held))
    assert len(held) == 64
    assert min(len(one.held) for one in owners) >= 9


async def test_an_owner_that_was_stopped_finds_itself_fenced(worker_db: Database) -> None:
    zombie, heir = leases_of(worker_db), leases_of(worker_db)
    await zombie.round()
    assert await ours(worker_db, zombie, [3, 1, 3]) == {1, 3}
    await run_out(worker_db)
    await heir.round()
    assert await ours(worker_db, zombie, [1, 3]) == set()
    assert set(zombie.held) == set(range(8)) - {1, 3}
    assert await ours(worker_db, heir, [1, 3]) == {1, 3}
    await zombie.round()
    assert set(zombie.held) == set()


async def test_taking_again_is_a_new_epoch_even_for_the_same_owner(worker_db: Database) -> None:
    leases = leases_of(worker_db)
    await leases.round()
    async with worker_db.batch() as connection:
        held = await leases.lock_and_check(connection, [2])
        await connection.execute("update santral.lease set epoch = epoch + 1 where slot = 2")
    assert held == {2}
    assert await ours(worker_db, leases, [2]) == set()


async def test_a_fence_that_moves_while_one_waits_for_it_holds(worker_db: Database) -> None:
    zombie, waiting = leases_of(worker_db), asyncio.Event()
    await zombie.round()

    async def late() -> set[int]:
        async with worker_db.batch() as connection:
            waiting.set()
            return await zombie.lock_and_check(connection, [5])

    async with worker_db.batch() as connection:
        await connection.execute("update santral.lease set owner = $1, epoch = epoch + 1 where slot = 5", uuid4())
        checking = asyncio.create_task(late())
        await waiting.wait()
        await asyncio.sleep(0.05)
        assert not checking.done()
    assert await checking == set()


async def test_renewing_and_working_at_once_meet_in_no_deadlock(worker_db: Database) -> None:
    leases = leases_of(worker_db, 64)
    await leases.round()
    chance = random.Random(1)

    async def work() -> None:
        for _ in range(40):
            slots = chance.sample(range(64), 20)
            async with worker_db.batch() as connection:
                assert await leases.lock_and_check(connection, slots) == set(slots)
                # Written in any order, so that the rows lie in any order.
                for slot in slots[:3]:
                    await connection.execute("update santral.lease set until = until where kind = 'test' and slot = $1", slot)

    async def renew() -> None:
        for _ in range(60):
            await leases.round()

    await asyncio.gather(work(), work(), work(), renew())
    assert set(leases.held) == set(range(64))


async def test_run_keeps_them_and_gives_them_back_when_cancelled(worker_db: Database) -> None:
    one, two = leases_of(worker_db), leases_of(worker_db)
    keeping = asyncio.create_task(one.run())
    async with asyncio.timeout(10):
        while len(one.held) < 8:
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert set(one.held) == set()
    await two.round()
    assert len(two.held) == 8


@dataclass(slots=True)
class Log:
    """Partitions by number: the log's first offset, its end, and records by partition and offset."""

    ends: dict[int, tuple[int, int]]
    records: dict[tuple[int, int], Fetched] = field(default_factory=dict)

    async def bounds(self, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        return {one: self.ends.get(one, (0, 1000)) for one in partitions}

    async def firsts(self, places: Mapping[int, int]) -> dict[int, Fetched]:
        return {one: self.records.get((one, offset), fetched(one, offset)) for one, offset in places.items()}


def fetched(partition: int, offset: int, value: bytes = b"v", at_ms: int = 1_790_000_000_000) -> Fetched:
    return Fetched(partition=partition, offset=offset, key=b"k", value=value, headers=(), timestamp_ms=at_ms)


def behind(partition: int, offset: int) -> dict[int, Mark]:
    """What `advance` is given when the record before this offset was the last."""
    return {partition: mark_of(fetched(partition, offset - 1))}


WHOLE = Log({})


async def test_a_partition_starts_at_the_logs_start_and_goes_on_where_its_effects_are(worker_db: Database) -> None:
    first, second = partitions_of(worker_db), partitions_of(worker_db)
    there = Log({7: (100, 200)})
    assert await first.take([7], there) == {7: 100}
    async with worker_db.batch() as connection:
        assert await first.lock_and_check(connection, {7: 100}) == {7}
        await first.advance(connection, behind(7, 160))
    first.advanced(behind(7, 160))
    assert first.held[7].next_offset == 160
    assert await second.take([7], there) == {7: 160}
    assert second.held[7].epoch == first.held[7].epoch + 1


async def test_a_zombie_reader_writes_nothing_though_its_transaction_began_first(worker_db: Database) -> None:
    zombie, heir = partitions_of(worker_db), partitions_of(worker_db)
    await zombie.take([4, 3], WHOLE)
    async with worker_db.batch() as stopped:
        await stopped.execute("select 1")
        await heir.take([3], WHOLE)
        async with worker_db.batch() as connection:
            assert await heir.lock_and_check(connection, {3: 0}) == {3}
            await heir.advance(connection, behind(3, 50))
        kept = await zombie.lock_and_check(stopped, {3: 0, 4: 0})
        assert kept == {4}
        await zombie.advance(stopped, behind(4, 9))
    async with worker_db.session() as connection:
        rows = await connection.fetch("select partition, next_offset from santral.partition_lease order by partition")
    assert [tuple(row) for row in rows] == [(3, 50), (4, 9)]


async def test_the_same_owner_again_is_another_fetch(worker_db: Database) -> None:
    """A partition that left and came back between two polls: what was fetched before is dropped by its position or its epoch."""
    one, other = partitions_of(worker_db), partitions_of(worker_db)
    await one.take([0], WHOLE)
    await other.take([0], WHOLE)
    async with worker_db.batch() as connection:
        await other.advance(connection, behind(0, 30))
    assert await one.take([0], WHOLE) == {0: 30}
    async with worker_db.batch() as connection:
        assert await one.lock_and_check(connection, {0: 10}) == set()
        assert await one.lock_and_check(connection, {0: 30}) == {0}
    one.forget([0])
    async with worker_db.batch() as connection:
        assert await one.lock_and_check(connection, {0: 30}) == set()


async def test_an_effect_that_fails_leaves_the_position(worker_db: Database) -> None:
    one = partitions_of(worker_db)
    await one.take([0], WHOLE)

    async def fail() -> None:
        async with worker_db.batch() as connection:
            await one.lock_and_check(connection, {0: 0})
            await one.advance(connection, behind(0, 500))
            raise Unavailable("in the middle")

    with pytest.raises(Unavailable):
        await fail()
    assert await one.take([0], WHOLE) == {0: 0}


async def test_a_log_that_is_not_what_was_read_gives_no_lease(worker_db: Database) -> None:
    one = partitions_of(worker_db)
    await one.take([5, 11], Log({}))
    async with worker_db.batch() as connection:
        await one.advance(connection, behind(11, 40))
    one.forget([5, 11])
    with pytest.raises(LogCutOff, match="partition 11: the log ends 15 records before"):
        await one.take([5, 11], Log({11: (0, 25)}))
    with pytest.raises(LogCutOff, match="partition 11: 60 records ran out"):
        await one.take([5, 11], Log({11: (100, 200)}))
    with pytest.raises(LogCutOff, match="partition 11: the log has another record at 39") as refused:
        await one.take([5, 11], Log({}, {(11, 39): fetched(11, 39, b"another")}))
    assert str(refused.value).endswith("santral topics accept-loss)")
    assert one.held == {}
    assert await one.take([5, 11], Log({11: (40, 40)})) == {5: 0, 11: 40}

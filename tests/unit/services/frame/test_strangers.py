"""Strangers' turns and places: a few at a time, each address's after the other's."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from services.frame.peers import shares_of
from services.frame.strangers import PLACES, STEPS, Strangers
from shared.errors import Throttled

MANY = 40


async def test_so_many_of_all_have_a_turn_in_a_round() -> None:
    strangers, rounds, of_round = Strangers(), 0, Counter[int]()

    async def one(address: str) -> None:
        await strangers.turn(shares_of(address))
        of_round[rounds] += 1

    asked = [asyncio.create_task(one(f"192.0.2.{place % 8}")) for place in range(MANY)]
    while not all(task.done() for task in asked):
        await asyncio.sleep(0)
        rounds += 1
    assert of_round.total() == MANY
    assert max(of_round.values()) <= STEPS


@pytest.mark.parametrize("many", [["192.0.2.1"], ["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1"]])
async def test_whoever_comes_alone_stands_behind_one_of_each_other(many: list[str]) -> None:
    strangers, order = Strangers(steps=1), list[str]()

    async def one(address: str) -> None:
        await strangers.turn(shares_of(address))
        order.append(address)

    await asyncio.gather(*(one(many[place % len(many)]) for place in range(MANY)), one("198.51.100.7"))
    assert order.index("198.51.100.7") <= 1


async def test_so_many_places_there_are_and_each_address_has_the_next() -> None:
    strangers, inside, most, order = Strangers(), 0, 0, list[str]()
    going = asyncio.Event()

    async def one(address: str) -> None:
        nonlocal inside, most
        async with strangers.place(shares_of(address)):
            inside += 1
            most = max(most, inside)
            await going.wait()
            order.append(address)
            inside -= 1

    asked = [asyncio.create_task(one("192.0.2.1")) for _ in range(MANY)]
    await asyncio.sleep(0)
    asked.append(asyncio.create_task(one("198.51.100.7")))
    await asyncio.sleep(0)
    going.set()
    await asyncio.gather(*asked)
    assert most == PLACES
    assert order.index("198.51.100.7") <= PLACES + 1


async def test_who_had_no_place_in_time_or_left_takes_none() -> None:
    strangers = Strangers(places=1, wait_s=0)
    async with strangers.place(shares_of("192.0.2.1")):
        with pytest.raises(Throttled) as refused:
            async with strangers.place(shares_of("198.51.100.7")):
                raise AssertionError("there is no place")
        assert refused.value.retry_after_s == 1
        patient = Strangers(places=1)
        async with patient.place(shares_of("192.0.2.1")):
            leaves = asyncio.create_task(patient.place(shares_of("192.0.2.2")).__aenter__())
            await asyncio.sleep(0)
            leaves.cancel()
            await asyncio.gather(leaves, return_exceptions=True)
        async with patient.place(shares_of("192.0.2.3")):
            pass
    async with strangers.place(shares_of("192.0.2.2")):
        pass

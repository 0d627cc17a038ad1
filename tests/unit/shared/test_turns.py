"""One question of a workspace at a time, whatever another asks for."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from shared.errors import Throttled
from shared.ids import new_id
from shared.shares import Share
from shared.turns import Turns


async def test_masses_of_one_workspace_let_another_in_after_one_question() -> None:
    turns, pool, loud, quiet = Turns(), asyncio.Lock(), new_id(), new_id()
    done: list[str] = []

    async def ask(name: str, workspace_id: UUID) -> None:
        async with turns.of(workspace_id), pool:
            await asyncio.sleep(0)
            done.append(name)

    masses = [asyncio.create_task(ask("loud", loud)) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.gather(asyncio.create_task(ask("quiet", quiet)), *masses)
    assert done.index("quiet") <= 1
    assert len(done) == 51


async def test_who_waits_too_long_a_line_is_told_at_once_and_others_are_not() -> None:
    turns, loud = Turns(waiting_max=2), new_id()
    leave = asyncio.Event()

    async def hold() -> None:
        async with turns.of(loud):
            await leave.wait()

    held = [asyncio.create_task(hold()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Throttled):
        async with turns.of(loud):
            pass
    async with turns.of(new_id()):
        pass
    held.pop().cancel()
    leave.set()
    await asyncio.gather(*held)
    async with turns.of(loud):
        pass


async def test_neighbours_have_half_of_the_places_together() -> None:
    turns, leave = Turns(places=4), asyncio.Event()
    inside: asyncio.Queue[str] = asyncio.Queue()

    async def ask(house: str, street: str) -> None:
        async with turns.of(Share(house), Share(street, 8)):
            inside.put_nowait(house)
            await leave.wait()

    asked = [asyncio.create_task(ask(f"house {number // 2}", "street")) for number in range(10)]
    asked.append(asyncio.create_task(ask("elsewhere", "other street")))
    async with asyncio.timeout(5):
        assert {await inside.get() for _ in range(3)} == {"house 0", "house 1", "elsewhere"}
        assert inside.empty()
        leave.set()
        await asyncio.gather(*asked)
    assert inside.qsize() == 8

"""Dispatch's invariants on the running system: agents at random, messages delivered twice, routers killed and stopped.

I1 nothing accepted is lost · I2 one open item per conversation · I3 and I4 capacity, all the time and at the end · I11 an accept
succeeds once · I14 twice is once · I18 each transition is told once, sequences have no gaps.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator

from tests.support.desks import Desks
from tests.support.effects import drained, effects, require_invariants
from tests.support.house import everything_finished, second_router, stopped
from tests.support.load import Load
from tests.support.restless import Restless, require_dispatch_invariants
from tests.support.serving import Served
from tests.support.waiting import eventually

SEED = 4


@contextlib.asynccontextmanager
async def delivered_again(load: Load) -> AsyncIterator[list[int]]:
    """While the block runs, what was acknowledged comes again; yields the statuses of the answers."""
    stopping, chance = asyncio.Event(), random.Random(SEED)
    statuses: list[int] = []

    async def again() -> None:
        while not stopping.is_set():
            if load.acknowledged:
                one = chance.choice(load.acknowledged)
                entrance = {"api": load.post, "hook": load.hook}[one.entrance]
                statuses.append(await entrance(one.external_id, one.sender, f"mesaj {one.number}"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 0.1)

    task = asyncio.create_task(again())
    try:
        yield statuses
    finally:
        stopping.set()
        await task


async def test_dispatch_keeps_its_invariants(house: Served, load: Load, desks: Desks) -> None:
    url = house.facts["postgres"]
    load.inbox = await load.chat_inbox()
    restless = Restless(desks=desks, seed=SEED)
    begun = time.monotonic()

    async def flows(more: int) -> None:
        wanted = len(load.acknowledged) + more

        async def there() -> bool:
            return len(load.acknowledged) >= wanted

        await eventually(there, 30, "traffic flows")

    async with (
        second_router(house) as second,
        restless.working(url),
        load.flowing(senders={"api": 6, "hook": 3}, pause_s=0.3),
        delivered_again(load) as repeated,  # ends first: it sends by what the load has open
    ):
        await flows(40)
        os.kill(house.child("router"), signal.SIGKILL)
        await flows(60)
        with stopped(second.pid):
            await flows(150)
        await flows(60)
    recovered_s = await drained(url, load, 60)
    found = await effects(url, load)
    await require_dispatch_invariants(url, finished=False)
    await everything_finished(house, desks)
    print(
        found.line(
            "dispatch under everything", took_s=time.monotonic() - begun, zero_lag_after_s=recovered_s, repeated=len(repeated),
            accepted=desks.answers["accept", 200], late_accepts=desks.answers["accept", 409],
            declined=desks.answers["decline", 204], claimed=desks.answers["claim", 200], transferred=desks.answers["transfer", 200],
            replied=desks.answers["reply", 201] + desks.answers["reply", 202], finished=desks.done, looks=restless.looks,
        )
    )  # fmt: skip
    assert (found.lost, found.duplicated, found.disordered) == ((), (), ())
    assert desks.failures == 0
    assert restless.twice == []
    assert restless.won, "offers were accepted twice at once"
    assert repeated, "messages came again"
    assert all(desks.answers[name, status] for name, status in (("decline", 204), ("transfer", 200)))
    await require_invariants(url)
    await require_dispatch_invariants(url, finished=True)

"""SIGKILL to each process under traffic (R1): serve starts it again, nothing acknowledged is lost or has two effects."""

from __future__ import annotations

import os
import signal
import time
from typing import Literal

import httpx
import pytest

from tests.support.desks import Desks
from tests.support.effects import drained, effects, require_invariants
from tests.support.load import Load
from tests.support.serving import Served
from tests.support.waiting import eventually

KILLS = 3


async def killed_and_back(house: Served, name: Literal["gateway", "router", "api", "courier"]) -> float:
    """Kills the process; returns the seconds until another one takes work."""
    pid = house.child(name)
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:

        async def back() -> bool:
            try:
                if house.child(name) == pid:
                    return False
                return (await client.get(f"{house.facts['health'][name]}/readyz")).status_code == 200
            except (LookupError, httpx.HTTPError):
                return False

        await eventually(back, 30, f"the {name} runs again")
    return time.monotonic() - begun


@pytest.mark.parametrize("name", ["router", "gateway", "api", "courier"])
async def test_a_process_is_killed_under_traffic(
    house: Served, load: Load, desks: Desks, name: Literal["gateway", "router", "api", "courier"]
) -> None:
    took: list[float] = []
    async with desks.working(answering=True), load.flowing(senders={"api": 4, "hook": 4, "mail": 1}, pause_s=0.1):
        for _ in range(KILLS):
            before = len(load.acknowledged)

            async def flows(before: int = before) -> bool:
                return len(load.acknowledged) >= before + 20

            await eventually(flows, 30, "traffic flows")
            took.append(await killed_and_back(house, name))
    recovered_s = await drained(house.facts["postgres"], load, 60)
    found = await effects(house.facts["postgres"], load)
    print(found.line(f"{name} killed {KILLS} times", back_after_s=max(took), zero_lag_after_s=recovered_s, finished=desks.done))
    assert (found.lost, found.duplicated, found.disordered) == ((), (), ())
    await require_invariants(house.facts["postgres"])

"""The broker and the database away under traffic (R2, R3): what is acknowledged meanwhile is durable, what cannot be is refused."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import httpx

from tests.support.effects import drained, effects, require_invariants
from tests.support.load import Load
from tests.support.serving import Served
from tests.support.waiting import eventually

AWAY_S = 20.0


async def acknowledged(load: Load, count: int) -> None:
    """Returns when that many more were acknowledged."""
    wanted = len(load.acknowledged) + count

    async def enough() -> bool:
        return len(load.acknowledged) >= wanted

    await eventually(enough, 30, f"{count} more acknowledgements")


async def metric(house: Served, name: str, sample: str) -> float:
    """The sum of a metric's samples whose line starts with ``sample``; 0 when the process does not answer."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        try:
            lines = (await client.get(f"{house.facts['health'][name]}/metrics")).text.splitlines()
        except httpx.HTTPError:
            return 0.0
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample))


def children(house: Served) -> dict[str, int]:
    """Our processes' ids by name."""
    return {name: house.child(name) for name in ("gateway", "router", "api", "courier")}


async def test_the_broker_is_silent_for_a_while(house: Served, load: Load) -> None:
    broker, before = house.server("kafka"), children(house)
    async with load.flowing(senders={"api": 3, "hook": 3, "mail": 1}, pause_s=0.2):
        await acknowledged(load, 20)
        os.kill(broker, signal.SIGSTOP)
        begun = time.monotonic()
        try:

            async def spooled() -> bool:
                return await metric(house, "gateway", "santral_spool_records") > 0 and load.answers["api", 503] >= 3

            await eventually(spooled, AWAY_S, "posts go to the spool and the API says 503")
            await asyncio.sleep(max(0.0, begun + AWAY_S - time.monotonic()))
        finally:
            os.kill(broker, signal.SIGCONT)
        away = {door: len(load.since(begun + 4, door)) for door in ("hook", "mail")}
        back = time.monotonic()
        await acknowledged(load, 20)
    await drained(house.facts["postgres"], load, 75)
    recovered_s = time.monotonic() - back
    found = await effects(house.facts["postgres"], load)
    print(
        found.line(
            f"broker stopped for {AWAY_S:.0f} s", refused_by_the_api=load.answers["api", 503], hooks_meanwhile=away["hook"],
            mails_meanwhile=away["mail"], zero_lag_after_s=recovered_s,
        )
    )  # fmt: skip
    assert (found.lost, found.duplicated, found.disordered) == ((), (), ())
    assert away["hook"] > 0
    assert away["mail"] > 0
    assert load.no_retry_after == 0
    assert {status for door, status in load.answers if door == "hook"} == {200}
    assert {status for door, status in load.answers if door == "mail"} == {250}
    assert {status for door, status in load.answers if door == "api"} == {202, 503}
    assert await metric(house, "gateway", "santral_spool_records") == 0
    assert children(house) == before
    await require_invariants(house.facts["postgres"])


async def test_the_broker_is_killed(house: Served, load: Load) -> None:
    broker = house.server("kafka")
    async with load.flowing(senders={"api": 3, "hook": 3, "mail": 1}, pause_s=0.1):
        await acknowledged(load, 20)
        os.kill(broker, signal.SIGKILL)
        killed = time.monotonic()

        async def again() -> bool:
            try:
                return house.server("kafka") != broker and bool(load.since(killed + 1, "api"))
            except LookupError:
                return False

        await eventually(again, 60, "another broker takes messages")
        back_s = time.monotonic() - killed
    await drained(house.facts["postgres"], load, 60)
    recovered_s = time.monotonic() - killed
    found = await effects(house.facts["postgres"], load)
    print(
        found.line("broker killed", back_after_s=back_s, zero_lag_after_s=recovered_s, refused_by_the_api=load.answers["api", 503])
    )
    assert (found.lost, found.duplicated, found.disordered) == ((), (), ())
    assert load.no_retry_after == 0
    assert {status for door, status in load.answers if door == "hook"} == {200}
    await require_invariants(house.facts["postgres"])


async def test_postgres_is_killed(house: Served, load: Load) -> None:
    before = children(house)
    took: list[float] = []
    async with load.flowing(senders={"api": 3, "hook": 3, "mail": 1}, pause_s=0.05):
        for _ in range(3):
            await acknowledged(load, 20)
            server = house.server("postgres")
            os.kill(server, signal.SIGKILL)
            killed = time.monotonic()

            async def again(server: int = server, killed: float = killed) -> bool:
                try:
                    return house.server("postgres") != server and bool(load.since(killed + 0.5, "api"))
                except LookupError:
                    return False

            await eventually(again, 60, "another server takes messages")
            took.append(time.monotonic() - killed)
    await drained(house.facts["postgres"], load, 60)
    recovered_s = time.monotonic() - killed
    found = await effects(house.facts["postgres"], load)
    print(
        found.line(
            "PostgreSQL killed 3 times",
            back_after_s=max(took),
            zero_lag_after_s=recovered_s,
            refused_by_the_api=load.answers["api", 503],
        )
    )
    assert (found.lost, found.duplicated, found.disordered) == ((), (), ())
    assert recovered_s <= 30
    assert load.no_retry_after == 0
    assert {status for door, status in load.answers if door == "api"} <= {202, 503}
    assert {status for door, status in load.answers if door == "hook"} == {200}
    assert {status for door, status in load.answers if door == "mail"} == {250}
    assert children(house) == before, "our processes needed no restart"
    await require_invariants(house.facts["postgres"])

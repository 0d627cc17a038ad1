"""Whose turn it is in a loop that is late, by a clock and beats that are played."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.frame.processor_time import (
    IDLE_S,
    LATE_S,
    LEAST,
    LOOKED_BACK,
    SAY_AGAIN_S,
    STORE_S,
    WAITING_MAX,
    ProcessorTime,
    counted,
    counts_for,
    turn_again,
    turn_of,
)
from services.frame.rates import headers_of
from shared.errors import Throttled
from shared.health import BEAT_S

LOUD, QUIET, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
LATE, ON_TIME = 2 * LATE_S, 0.0
DEAR_S, MUCH_S = 0.02, 4 * STORE_S


class Played:
    """A loop in which nothing takes time but what is said."""

    def __init__(self, *, wait_s: float = 60) -> None:
        self.now_s = 0.0
        self.taken_s = 0.0
        self.times = ProcessorTime(wait_s=wait_s, taken_s=lambda: self.taken_s, now_s=lambda: self.now_s)
        self.order: list[Hashable] = []

    async def call(self, workspace: UUID, seconds: float = 0.0, caller: Hashable = "one") -> None:
        """An operation of so much work, once its turn came."""

        async def work() -> None:
            await turn_of(workspace, caller)
            self.order.append(caller)
            self.taken_s += seconds

        await self.times.of_work(work())

    def begin(self, workspace: UUID, seconds: float = 0.0, caller: Hashable = "one") -> asyncio.Task[None]:
        return asyncio.create_task(self.call(workspace, seconds, caller))

    async def beat(self, late_s: float) -> None:
        self.times.beat(late_s)
        await settled()

    async def used_up(self, *workspaces: UUID) -> None:
        """The loop is late, and these have used up their shares."""
        await self.call(QUIET)
        for one in workspaces:
            await self.call(one, MUCH_S)
        self.times.beat(LATE)
        self.order.clear()

    async def waits(self, workspace: UUID) -> bool:
        """Whether an operation would have to wait now."""
        task = self.begin(workspace)
        async with going(task):
            return not task.done()


async def settled() -> None:
    """Everybody had the turns they are ready for."""
    for _ in range(20):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def going(*tasks: asyncio.Task[None]) -> AsyncIterator[None]:
    """Tasks that are ended with the block."""
    await settled()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_used_up_their_share_of_a_late_loop_waits_and_others_do_not() -> None:
    played = Played()
    await played.used_up(LOUD)
    loud, quiet = played.begin(LOUD, caller="loud"), played.begin(QUIET, caller="quiet")
    async with going(loud, quiet):
        while not loud.done():
            await played.beat(LATE)
        assert played.order == ["quiet", "loud"]


async def test_who_is_alone_is_never_put_off() -> None:
    played = Played()
    for _ in range(200):
        await played.call(LOUD, DEAR_S)
        played.times.beat(LATE)
    assert not await played.waits(LOUD)


async def test_who_waited_goes_on_once_the_others_have_nothing_to_do() -> None:
    played = Played()
    await played.used_up(LOUD)
    waiting = [played.begin(LOUD, STORE_S) for _ in range(WAITING_MAX)]
    async with going(*waiting):
        for _ in range(round(IDLE_S / (BEAT_S + LATE)) + 1):  # their share alone would take ten times as long
            await played.beat(LATE)
        assert all(one.done() for one in waiting)


async def test_in_a_loop_that_is_on_time_nobody_is_put_off() -> None:
    played = Played()
    for _ in range(200):
        await played.call(QUIET)
        await played.call(LOUD, 2 * DEAR_S)
        played.times.beat(ON_TIME)
    assert not await played.waits(LOUD)


async def test_it_was_late_for_some_beats_and_then_nobody_waits() -> None:
    played = Played()
    await played.used_up(LOUD)
    for beats in range(1, LOOKED_BACK + 1):
        await played.call(QUIET)
        await played.call(THIRD)
        assert await played.waits(LOUD)
        played.times.beat(ON_TIME)
        if beats == LOOKED_BACK:
            assert not await played.waits(LOUD)


async def test_what_is_let_through_is_what_the_share_pays_for() -> None:
    """A workspace that never stops, beside one that does little: half of the loop, and no more at once than a beat's share."""
    played, beats, most = Played(), 0, 0
    await played.used_up(LOUD)
    tasks: set[asyncio.Task[None]] = set()
    while beats < 300:
        await played.call(QUIET)
        while sum(not one.done() for one in tasks) < WAITING_MAX:
            tasks.add(played.begin(LOUD, DEAR_S, "loud"))
        await settled()
        before = played.order.count("loud")
        await played.beat(LATE)
        most = max(most, played.order.count("loud") - before)
        beats += most > 0
    async with going(*tasks):
        assert played.order.count("loud") * DEAR_S == pytest.approx(beats * BEAT_S * LEAST / 2, rel=0.2)
        assert most * DEAR_S <= BEAT_S * LEAST / 2 + DEAR_S


async def test_shares_are_of_those_who_use_much_and_one_more() -> None:
    played = Played()
    await played.used_up(LOUD, THIRD)
    played.times.beat(LATE)
    async with going(*(played.begin(LOUD) for _ in range(WAITING_MAX))):
        with pytest.raises(Throttled) as refused:
            await played.call(LOUD)
    assert headers_of([refused.value.details["standing"]])["ratelimit-policy"] == '"processor-time";q=333;w=1'


async def test_each_caller_of_a_workspace_has_a_turn_after_the_other() -> None:
    played = Played()
    await played.used_up(LOUD)
    many = [played.begin(LOUD, DEAR_S, "many") for _ in range(WAITING_MAX)]
    async with going(*many):
        colleague = played.begin(LOUD, DEAR_S, "colleague")
        async with going(colleague):
            while not colleague.done():
                await played.beat(LATE)
            assert played.order.index("colleague") <= 1


async def test_too_many_of_one_caller_are_refused_and_said_once_a_minute() -> None:
    played = Played()
    await played.used_up(LOUD)
    before = REGISTRY.get_sample_value("santral_throttled_total", {"kind": "processor-time"}) or 0.0
    many = [played.begin(LOUD, DEAR_S, "many") for _ in range(WAITING_MAX)]
    async with going(*many):
        with capture_logs() as said:
            for _ in range(3):
                with pytest.raises(Throttled) as refused:
                    await played.call(LOUD, caller="many")
            played.now_s = SAY_AGAIN_S
            with pytest.raises(Throttled):
                await played.call(LOUD, caller="many")
    error = refused.value
    assert 1 <= error.retry_after_s == error.details["standing"].reset_s <= 5
    assert [(one["kind"], one["workspace"]) for one in said] == [("processor-time", str(LOUD))] * 2
    assert REGISTRY.get_sample_value("santral_throttled_total", {"kind": "processor-time"}) == before + 4


async def test_who_has_no_turn_in_time_is_refused_and_leaves_no_trace() -> None:
    played = Played(wait_s=0)
    await played.used_up(LOUD)
    for _ in range(2 * WAITING_MAX):
        with pytest.raises(Throttled):
            await played.call(LOUD)
    for _ in range(LOOKED_BACK):
        await played.beat(ON_TIME)
    await played.call(LOUD)
    assert played.order == ["one"]


async def test_what_strangers_use_up_is_not_the_peoples_of_a_workspace() -> None:
    played = Played()
    await played.call(QUIET)

    async def asked() -> None:
        await turn_of(LOUD, "an address", stranger=True)
        played.taken_s += MUCH_S

    await played.times.of_work(asked())
    played.times.beat(LATE)
    stranger = asyncio.create_task(played.times.of_work(asked()))
    async with going(stranger):
        await played.call(LOUD, caller="agent")
        assert played.order[-1] == "agent"
        assert not stranger.done()


async def test_what_is_refused_keeps_nobody_else_from_their_turn() -> None:
    """However much comes and is refused, and whatever each takes before and after that."""
    played = Played()
    await played.used_up(LOUD)

    async def refused() -> None:
        played.taken_s += DEAR_S
        try:
            await turn_of(LOUD, "many")
        except Throttled:
            await asyncio.sleep(0)
            played.taken_s += DEAR_S
            raise

    colleague, many, beats = played.begin(LOUD, caller="colleague"), set[asyncio.Task[None]](), 0
    while not colleague.done():
        while sum(not one.done() for one in many) < WAITING_MAX:
            many.add(played.begin(LOUD, DEAR_S, "many"))
        await settled()
        for _ in range(20):
            with pytest.raises(Throttled):
                await played.times.of_work(refused())
        await played.call(QUIET)
        await played.beat(LATE)
        beats += 1
    async with going(colleague, *many):
        assert beats < 40


async def test_who_leaves_while_waiting_takes_nobodys_turn() -> None:
    played = Played()
    await played.used_up(LOUD)
    async with going(*(played.begin(LOUD, caller="gone") for _ in range(WAITING_MAX))):
        pass
    stays = played.begin(LOUD, caller="stays")
    async with going(stays):
        while not stays.done():
            await played.beat(LATE)
        assert played.order == ["stays"]


async def test_who_is_just_leaving_when_the_beat_comes_is_passed_over() -> None:
    """In a late loop the end of a caller's patience and the beat are due in the same round."""
    played = Played()
    await played.used_up(LOUD)
    gone, stays = (played.begin(LOUD, caller=who) for who in ("gone", "stays"))
    async with going(gone, stays):
        gone.cancel()
        for _ in range(LOOKED_BACK):
            played.times.beat(ON_TIME)
        await settled()
        assert gone.cancelled()
        assert played.order == ["stays"]


async def test_what_comes_later_in_the_same_call_waits_again() -> None:
    """A body that took its time, a frame of a socket."""
    played, came = Played(), asyncio.Event()

    async def work() -> None:
        await turn_of(LOUD, "slow")
        await came.wait()
        await turn_again()
        played.order.append("slow")

    slow = asyncio.create_task(played.times.of_work(work()))
    async with going(slow):
        await played.used_up(LOUD)
        came.set()
        await settled()
        assert played.order == []
        while not slow.done():
            await played.beat(LATE)
        assert played.order == ["slow"]


async def _in_parts(played: Played) -> None:
    async def part() -> None:
        await asyncio.sleep(0)
        played.taken_s += MUCH_S

    await asyncio.create_task(counted(part()))


async def _before_it_was_known(played: Played) -> None:
    played.taken_s += MUCH_S
    await asyncio.sleep(0)
    counts_for(LOUD, "one")


async def _in_what_failed(played: Played) -> None:
    await asyncio.sleep(0)
    played.taken_s += MUCH_S
    raise ValueError


async def _in_what_was_cancelled(played: Played) -> None:
    try:
        raise asyncio.CancelledError
    finally:
        played.taken_s += MUCH_S


@pytest.mark.parametrize("spend", [_in_parts, _before_it_was_known, _in_what_failed, _in_what_was_cancelled])
async def test_all_that_is_done_is_counted(spend: Callable[[Played], Awaitable[None]]) -> None:
    played = Played()

    async def work() -> None:
        if spend is not _before_it_was_known:
            await turn_of(LOUD, "one")
        await spend(played)

    await played.call(QUIET)
    with contextlib.suppress(ValueError, asyncio.CancelledError):
        await played.times.of_work(work())
    played.times.beat(LATE)
    assert await played.waits(LOUD)


async def test_what_is_nobodys_is_counted_for_nobody() -> None:
    played = Played()

    async def page() -> None:
        played.taken_s += MUCH_S
        await turn_again()

    await played.call(QUIET)
    for _ in range(10):
        await played.times.of_work(page())
        played.times.beat(LATE)
    assert not await played.waits(QUIET)


async def test_a_step_is_what_await_would_have_done() -> None:
    """What is awaited, sent, raised and cancelled comes through."""
    times, seen = ProcessorTime(), []

    async def inner() -> int:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("timeout")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
        return 7

    task = asyncio.create_task(times.of_work(inner()))
    while not seen:
        await asyncio.sleep(0)
    await settled()
    task.cancel()
    assert await task == 7
    assert seen == ["timeout", "cancelled"]

"""Whose processor time an event loop spends, and who waits for their turn while it is late.

Everything of a process stands behind everything else in its loop, so who asks for what is dear, from many connections at once, would hold up all
workspaces. Each step of a call, of a socket and of a mail session is counted for the workspace it works for, once that is known. A workspace has a
store that fills with its share: the loop's time is divided among those whose stores are half used up, and one more. While the loop is late *and*
others have work in it, who used up their store waits: nothing is held meanwhile, their callers are let through in turn, and what had no turn for
`WAIT_S` is refused. Who is alone is never put off, and what works for no workspace (health, pages, who shows no credential) is not counted.
What strangers ask of a workspace (a chat's visitors, who sends mail) has a store of its own, so that they use up nothing of its people's. Nor does
what is refused: that it came costs the loop, whoever is blamed, and who is blamed for it had no turn again as long as it comes.
**Units**: seconds; what is counted is the thread's processor time, which a busy machine does not stretch. **Identity**: a workspace by its id, and
whether it is its strangers'.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import coroutine as awaitable_generator
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from services.frame.rates import Standing
from shared.errors import Throttled
from shared.health import BEAT_S
from shared.logs import get_log
from shared.metrics import PUT_OFF, THROTTLED

log = get_log(__name__)
Result = TypeVar("Result")
LATE_S: Final = 0.1
LOOKED_BACK: Final = 10
"""The loop is late where one of so many beats was."""
STORE_S: Final = 1.0
LEAST: Final = 0.2
"""Of the time that passes, what a late loop has to divide at least."""
IDLE_S: Final = 2.0
WAIT_S: Final = 2.0
WAITING_MAX: Final = 8
"""Of one caller; each caller of a workspace has a turn after the other."""
SAY_AGAIN_S: Final = 60.0
_REMEMBERED: Final = 0.95


class Payer(NamedTuple):
    """Whose store it is."""

    workspace_id: UUID
    strangers: bool


@dataclass(slots=True)
class _Account:
    """A payer's: what is ``left_s`` of its share, and what the dearest of its last operations took (``each_s``), less with each beat."""

    left_s: float
    each_s: float = 0.0
    idle_s: float = 0.0
    said_s: float = -math.inf
    waiting: dict[Hashable, deque[asyncio.Future[float]]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Work:
    """A call, a socket or a session: whose it is, once known; what it spent since its last turn, and what was counted for that ahead.

    ``refused``: it had no turn, and what it takes from then on is nobody's.
    """

    times: ProcessorTime
    payer: Payer | None = None
    caller: Hashable = None
    spent_s: float = 0.0
    ahead_s: float = 0.0
    refused: bool = False


_WORK: Final[ContextVar[_Work | None]] = ContextVar("work", default=None)


class ProcessorTime:
    """Of one process. ``beat`` is told of each beat of its loop (`shared/health.py`)."""

    def __init__(
        self, *, store_s: float = STORE_S, wait_s: float = WAIT_S, taken_s: Callable[[], float] = time.thread_time,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.taken_s = taken_s
        self._store_s = store_s
        self._wait_s = wait_s
        self._now_s = now_s
        self._accounts: dict[Payer, _Account] = {}
        self._beats: deque[float] = deque(maxlen=LOOKED_BACK)
        self._late = False
        self._share = 0.5
        self._beat_s = taken_s()

    async def of_work(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Counts the steps of what begins here, which is nobody's until `counts_for` or `turn_of` says whose it is."""
        own = _Work(self)
        token = _WORK.set(own)
        try:
            return await _stepped(work, own)
        finally:
            self._settle(own)
            _WORK.reset(token)

    def beat(self, late_s: float) -> None:
        """A beat came so late: stores fill, and those go on whose turn it is. Told in the loop's own thread."""
        self._beats.append(late_s)
        self._late = max(self._beats) > LATE_S
        busy = sum(account.left_s < self._store_s / 2 for account in self._accounts.values())
        self._share = 1 / (max(1, busy) + 1)
        before_s, self._beat_s = self._beat_s, self.taken_s()
        # A late loop divides the time it had: where the machine is busy elsewhere that is less than what passed.
        fill_s = (max(BEAT_S * LEAST, self._beat_s - before_s) if self._late else BEAT_S) * self._share
        for payer, account in list(self._accounts.items()):
            account.left_s = min(self._store_s, max(-self._store_s, account.left_s + fill_s))
            account.idle_s += BEAT_S + late_s
            account.each_s *= _REMEMBERED
            self._let_through(account)
            if account.idle_s >= IDLE_S and account.left_s >= self._store_s and not account.waiting:
                del self._accounts[payer]

    def count(self, work: _Work, seconds: float) -> None:
        """A step took so long."""
        if work.refused:
            return
        work.spent_s += seconds
        if work.payer is not None:
            account = self._account(work.payer)
            account.left_s -= seconds
            account.idle_s = 0.0

    def begin(self, work: _Work, payer: Payer, caller: Hashable) -> None:
        """What was spent so far, and what comes, is this payer's."""
        if work.payer is None:
            self._account(payer).left_s -= work.spent_s
        elif work.payer != payer:
            self._settle(work)
        work.payer, work.caller = payer, caller

    async def turn(self, work: _Work) -> None:
        """Waits where the work's payer is put off. Raises `Throttled`."""
        if work.payer is None:
            return
        work.refused, spent_s = False, work.spent_s
        self._settle(work)
        account = self._account(work.payer)
        if not account.waiting and not (self._late and account.left_s <= 0 and self._has_others):
            return
        own = account.waiting.setdefault(work.caller, deque())
        PUT_OFF.inc()
        if len(own) >= WAITING_MAX:
            raise self._refusal(account, work, spent_s)
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        own.append(turn)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except TimeoutError as error:
            raise self._refusal(account, work, spent_s) from error
        finally:
            if turn.done() and not turn.cancelled():
                work.ahead_s = turn.result()
            elif turn in own:
                own.remove(turn)
                if not own:
                    account.waiting.pop(work.caller, None)

    @property
    def _has_others(self) -> bool:
        return len(self._accounts) > 1

    def _account(self, payer: Payer) -> _Account:
        account = self._accounts.get(payer)
        if account is None:
            account = self._accounts[payer] = _Account(self._store_s)
        return account

    def _let_through(self, account: _Account) -> None:
        """As many as there is time for, each caller's after the other. What one will take is counted ahead: they begin at the same time."""
        room_s = account.left_s
        if not self._has_others:
            room_s = math.inf
        elif not self._late:
            room_s = max(room_s, BEAT_S)
        while account.waiting and room_s > 0:
            caller = next(iter(account.waiting))
            own = account.waiting.pop(caller)
            turn = own.popleft()
            if own:
                account.waiting[caller] = own  # behind the others
            if turn.done():
                continue  # whose patience ended in this very round of the loop
            turn.set_result(account.each_s)
            account.left_s -= account.each_s
            room_s -= account.each_s

    def _settle(self, work: _Work) -> None:
        """Of what was counted ahead the steps are counted by now."""
        if work.payer is not None:
            account = self._account(work.payer)
            account.left_s += work.ahead_s
            account.each_s = max(account.each_s, work.spent_s)
        work.spent_s = work.ahead_s = 0.0

    def _refusal(self, account: _Account, work: _Work, spent_s: float) -> Throttled:
        assert work.payer is not None, "who waits is known"
        account.left_s += spent_s
        work.refused = True
        THROTTLED.labels(kind="processor-time").inc()
        now_s = self._now_s()
        if account.said_s + SAY_AGAIN_S <= now_s:
            account.said_s = now_s
            log.warning(
                "a workspace uses more than its share of a loop that is late; its calls wait, and some are refused", action="throttled",
                kind="processor-time", workspace=str(work.payer.workspace_id),
            )  # fmt: skip
        reset_s = max(1, math.ceil(-account.left_s / self._share))
        standing = Standing(kind="processor-time", amount=round(1000 * self._share), window_s=1, left=0, reset_s=reset_s)
        return Throttled(
            "the workspace uses more than its share of the processor's time, and others wait", retry_after_s=reset_s,
            remedy=f"come again in {reset_s} s, with less at once", standing=standing,
        )  # fmt: skip


class CountedApp:
    """The outermost layer of an ASGI app: requests and sockets are counted."""

    def __init__(self, app: ASGIApp, *, times: ProcessorTime) -> None:
        self._app = app
        self._times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._times.of_work(_called(self._app, scope, receive, send))


async def _called(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def counts_for(workspace_id: UUID, caller: Hashable, *, stranger: bool = False) -> None:
    """From here on what is being done is done for this workspace, and within it for this caller. ``stranger``: whoever it is may ask it."""
    work = _WORK.get()
    if work is not None:
        work.times.begin(work, Payer(workspace_id, stranger), caller)


async def turn_of(workspace_id: UUID, caller: Hashable, *, stranger: bool = False) -> None:
    """`counts_for`, and waits for the turn. Hold nothing meanwhile: no connection, no lock. Raises `Throttled`."""
    counts_for(workspace_id, caller, stranger=stranger)
    await turn_again()


async def turn_again() -> None:
    """The same where it is known whose work it is: for a body that has come, for a frame. Raises `Throttled`."""
    work = _WORK.get()
    if work is not None:
        await work.times.turn(work)


async def counted(part: Awaitable[Result]) -> Result:
    """A part of what is being done, in a task of its own."""
    work = _WORK.get()
    return await part if work is None else await _stepped(part, work)


@awaitable_generator
def _stepped(awaitable: Awaitable[Result], work: _Work) -> Generator[Any, Any, Result]:
    """Drives it step by step, as ``await`` would, and counts each."""
    steps = awaitable.__await__()
    step: Callable[[Any], Any] = steps.send
    given: Any = None
    count, taken_s = work.times.count, work.times.taken_s
    while True:
        began_s = taken_s()
        try:
            waits_for = step(given)
        except StopIteration as done:
            result: Result = done.value
            return result
        finally:
            count(work, taken_s() - began_s)
        try:
            given, step = (yield waits_for), steps.send
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:
            given, step = error, steps.throw

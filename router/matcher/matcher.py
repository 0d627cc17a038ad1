"""Dispatch's shell: feeds the pure core with rows, executes its effects through the guarded statement, keeps its time.

A matcher owns slots of workspaces by lease. Memory is a copy and may be thrown away: any error or unknown commit drops it, and it is
read anew; a fenced owner forgets it. Each round is two transactions, feed in and effects out, and both lock the slots' leases
first, so a matcher that was stopped and came back writes nothing. **Units**: the core's seconds are the database's clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import Effect, Told
from router.matcher.effects import carry_out
from router.matcher.feed import Changes, changed_slots, read_changes, read_everything, take_changes
from router.moves.moves import slot_of
from shared.database import Contended, Database
from shared.errors import SantralError
from shared.hints import Hints, Waiter
from shared.leases import SlotLeases
from shared.metrics import DISPATCH_LAG, DISPATCH_RESERVATIONS, DISPATCH_WAITING

log = structlog.get_logger(__name__)
LOOK_S: Final = 1.0
_TURNS_MAX: Final = 1000  # rounds of one look; a core that never comes to rest is thrown away


class Matcher:
    """One process's dispatch. Run one :meth:`run` per process; any number of processes share the slots."""

    def __init__(self, *, db: Database, leases: SlotLeases, hints: Hints) -> None:
        self._db = db
        self._leases = leases
        self._hints = hints
        self._cores: dict[UUID, Dispatch] = {}
        self._loaded: set[int] = set()
        self._again: set[tuple[UUID, str, UUID]] = set()
        self._offset_s = time.time() - time.monotonic()

    async def run(self, waiter: Waiter) -> None:
        """Works for ever; the worker loop around it restarts it after an unforeseen error."""
        while True:
            started = time.monotonic()
            try:
                worked = await self.round()
            except Contended:
                self.forget()
                worked = True
            except SantralError as error:
                log.warning("dispatch starts over", action="dispatch_reset", error=str(error))
                self.forget()
                await asyncio.sleep(0.2)
                continue
            DISPATCH_LAG.set(time.monotonic() - started)
            if not worked:
                await waiter.wait(self._sleep_s())

    def forget(self) -> None:
        """Drops all memory; the next round reads it anew."""
        self._cores.clear()
        self._loaded.clear()
        self._again.clear()

    async def round(self) -> bool:
        """One look at the feed and at the time. True when there is more to do at once."""
        slots = set(self._leases.held)
        for slot in self._loaded - slots:
            self._drop(slot)
        if not slots:
            return False
        told, now = await self._feed(slots)
        effects: dict[UUID, list[Effect]] = {}
        for workspace, core in self._cores.items():
            if workspace in told or (core.next_wake_at is not None and core.next_wake_at <= now):
                asked = core.steps(told.get(workspace, ()), now)
                if asked:
                    effects[workspace] = asked
        DISPATCH_WAITING.set(sum(core.waiting for core in self._cores.values()))
        worked = bool(effects)
        for _ in range(_TURNS_MAX):
            if not effects:
                break
            effects = await self._carry_out(effects)
        else:
            self.forget()
        return worked

    async def _feed(self, slots: set[int]) -> tuple[Mapping[UUID, list[Told]], float]:
        """What changed, as the core is told it. A slot that is new here is read whole."""
        async with self._db.batch() as connection:
            at, changed = await changed_slots(connection, slots)
            now = self._read_clock(at)
            wanted = changed | (slots - self._loaded) | {slot_of(workspace) for workspace, _, _ in self._again}
            if not wanted:
                return {}, now
            kept = await self._leases.lock_and_check(connection, wanted)
            for slot in wanted - kept:
                self._drop(slot)
            fresh = kept - self._loaded
            changes = await take_changes(connection, kept)
            changes.merge(Changes.of(self._again))
            self._again.clear()
            told: dict[UUID, list[Told]] = {}
            if fresh:
                for workspace, all_of_it in (await read_everything(connection, fresh)).items():
                    self._cores[workspace] = Dispatch(reserve_max=200)
                    told[workspace] = all_of_it
            known = changes.only(lambda workspace: slot_of(workspace) in kept - fresh)
            for workspace, some in (await read_changes(connection, known)).items():
                self._cores.setdefault(workspace, Dispatch(reserve_max=200))
                told.setdefault(workspace, []).extend(some)
        self._loaded |= fresh
        return told, now

    async def _carry_out(self, effects: Mapping[UUID, Sequence[Effect]]) -> dict[UUID, list[Effect]]:
        """Executes what the cores ask, tells them what became of it, and returns what they ask next.

        An error drops all memory, because the commit is unknown.
        """
        try:
            async with self._db.batch() as connection:
                slots = {slot_of(workspace) for workspace in effects}
                kept = await self._leases.lock_and_check(connection, slots)
                now = self._read_clock(await connection.fetchval("select clock_timestamp()"))
                mine = {workspace: asked for workspace, asked in effects.items() if slot_of(workspace) in kept}
                carried = await carry_out(connection, mine, datetime.fromtimestamp(now, UTC))
        except (SantralError, asyncio.CancelledError):
            self.forget()
            raise
        for slot in slots - kept:
            self._drop(slot)
        self._again |= carried.again
        DISPATCH_RESERVATIONS.inc(carried.reserved)
        if carried.moved:
            self._hints.wake("outbox")
            for workspace in mine:
                self._hints.wake("stream", str(workspace))
        more = {workspace: self._cores[workspace].steps(answers, now) for workspace, answers in carried.answers.items()}
        return {workspace: asked for workspace, asked in more.items() if asked}

    def _read_clock(self, at: datetime) -> float:
        self._offset_s = at.timestamp() - time.monotonic()
        return at.timestamp()

    def _sleep_s(self) -> float:
        if self._again:
            return 0.02
        now = time.monotonic() + self._offset_s
        wakes = [core.next_wake_at for core in self._cores.values() if core.next_wake_at is not None]
        return max(0.001, min([LOOK_S, *(wake - now for wake in wakes)]))

    def _drop(self, slot: int) -> None:
        self._loaded.discard(slot)
        for workspace in [one for one in self._cores if slot_of(one) == slot]:
            del self._cores[workspace]

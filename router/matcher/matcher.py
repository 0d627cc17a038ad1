"""Dispatch's shell: feeds the pure core with rows, executes its effects through the guarded statement, keeps its time.

A matcher owns slots of workspaces by lease. Memory is a copy and may be thrown away: an unknown commit drops it, and it is
read anew; a fenced owner forgets it. Each round is two transactions, feed in and effects out, and both lock the slots' leases
first, so a matcher that was stopped and came back writes nothing. What became of the effects is told in the next round, with what the
feed brings: who has masses to hand out takes one turn a round, as everybody does. A workspace whose rows cannot be read, or whose effects cannot be
carried out, or wait for what somebody else holds, is set aside alone and read anew after a while: the others go on. So they do while
filters are asked of its agents (`readying.py`). **Units**: the core's seconds are the database's clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import Effect, Told
from router.matcher.effects import carry_out
from router.matcher.feed import (
    Changes,
    Seen,
    changed_slots,
    is_known,
    of_agents,
    read_changes,
    read_everything,
    states,
    take_changes,
    workspaces_in,
)
from router.matcher.known_filters import KnownFilters, read_filters
from router.matcher.readying import Readied, Readying
from router.moves.moves import slot_of
from shared.database import Contended, Database, Overlong, concerns_all
from shared.errors import SantralError, Unavailable
from shared.hints import Hints, Waiter
from shared.leases import SlotLeases
from shared.metrics import DISPATCH_ASIDE, DISPATCH_LAG, DISPATCH_RESERVATIONS, DISPATCH_WAITING

log = structlog.get_logger(__name__)
LOOK_S: Final = 1.0
ASIDE_S: Final = 10.0
TURN: Final = 200
"""So many effects of a workspace are carried out in a round, and so many reservations its core makes at once."""
LOCK_MS: Final = 200
LOCK_AGAIN_MS: Final = 50
"""How long effects wait for what somebody else holds: of all together, and where one is looked for who does not get on."""
_NOW_WITH_LOCKS: Final = "select clock_timestamp() from set_config('lock_timeout', $1, true)"


class Matcher:
    """One process's dispatch. Run one :meth:`run` per process; any number of processes share the slots."""

    def __init__(self, *, db: Database, leases: SlotLeases, hints: Hints) -> None:
        self._db = db
        self._leases = leases
        self._hints = hints
        self._cores: dict[UUID, Dispatch] = {}
        self._answers: dict[UUID, list[Told]] = {}  # what became of effects, not told yet
        self._left: dict[UUID, list[Effect]] = {}  # what a core asked beyond its turn
        self._news: dict[UUID, list[Told]] = {}  # told to it when all that is carried out
        self._loaded: set[int] = set()
        self._again: set[tuple[UUID, str, UUID]] = set()
        self._aside: dict[UUID, float] = {}  # since when, by this process's clock
        self._filters = KnownFilters()
        self._readying = Readying(self._filters, ring=lambda: hints.wake("dispatch"))
        self._offset_s = time.time() - time.monotonic()

    async def run(self, waiter: Waiter) -> None:
        """Works for ever; the worker loop around it restarts it after an unforeseen error."""
        try:
            await self._go_round(waiter)
        finally:
            self.forget()
            await self._readying.stop()

    async def _go_round(self, waiter: Waiter) -> None:
        while True:
            started = time.monotonic()
            try:
                worked = await self.round()
            except Contended:
                # Of the leases, as the feed was to be taken: nothing was.
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
        self._answers.clear()
        self._left.clear()
        self._news.clear()
        self._loaded.clear()
        self._again.clear()
        self._readying.drop(lambda _: True)

    async def made_ready(self) -> bool:
        """Waits until no filters are asked any more; whether a round would tell something because of it."""
        return await self._readying.finished()

    async def round(self) -> bool:
        """One look at the feed and at the time, and one turn of every core. True when there is more to do at once."""
        slots = set(self._leases.held)
        for slot in self._loaded - slots:
            self._drop(slot)
        if not slots:
            return False
        try:
            told, now = await self._feed(slots)
        except Exception as error:
            if concerns_all(error) or not await self._set_unreadable_aside(slots):
                raise
            log.warning("workspaces that cannot be read are set aside", action="dispatch_aside", error=type(error).__name__)
            return True
        effects = self._asked(told, now)
        DISPATCH_WAITING.set(sum(core.waiting for core in self._cores.values()))
        if effects:
            await self._carry_out(effects)
        return bool(effects) or any(_is_due(core, now) for core in self._cores.values())

    def _asked(self, told: Mapping[UUID, Iterable[Told]], now: float) -> dict[UUID, list[Effect]]:
        """What is carried out next: a turn of what is left of each core's last answer, else of what it asks now.

        Asked are who are told something, first what became of their effects, or whose time has come.
        """
        effects: dict[UUID, list[Effect]] = {}
        for workspace, core in list(self._cores.items()):
            news = [*self._news.pop(workspace, ()), *told.get(workspace, ())]
            asked = self._left.pop(workspace, None)
            if asked is not None:
                self._news[workspace] = news
            else:
                answers = self._answers.pop(workspace, None)
                if answers is None and not news and not _is_due(core, now):
                    continue
                try:
                    # Apart, in the order in which it happened: who let an offer pass is still there as the item hears of it.
                    asked = core.steps(answers, now) if answers is not None else []
                    if answers is None or news:
                        asked = [*asked, *core.steps(news, now)]
                except Exception as error:
                    self._set_aside(workspace, error)
                    continue
            if asked:
                effects[workspace] = asked[:TURN]
            if len(asked) > TURN:
                self._left[workspace] = asked[TURN:]
        return effects

    async def _feed(self, slots: set[int]) -> tuple[Mapping[UUID, list[Told]], float]:
        """What changed, as the core is told it. A slot that is new here is read whole, and a workspace that comes back."""
        back = {one for one in self._come_back() if slot_of(one) in self._loaded}
        ready = self._readying.ready()
        again = self._again.union(*(one.changed for one in ready))
        held = set(self._readying.kept) - {one.workspace for one in ready}
        async with self._db.batch() as connection:
            at, changed = await changed_slots(connection, slots)
            now = self._read_clock(at)
            named = (*back, *(one.workspace for one in ready), *(one[0] for one in again))
            wanted = changed | (slots - self._loaded) | {slot_of(workspace) for workspace in named}
            if not wanted:
                return {}, now
            kept = await self._leases.lock_and_check(connection, wanted)
            for slot in wanted - kept:
                self._drop(slot)
            fresh = kept - self._loaded
            changes = await take_changes(connection, kept)
            changes.merge(Changes.of(again))
            whole = {one for one in back if slot_of(one) in kept} | set(await workspaces_in(connection, fresh) if fresh else ())
            whole -= self._aside.keys() - back
            seen: dict[UUID, list[Seen]] = await read_everything(connection, list(whole)) if whole else {}
            apart = whole | self._aside.keys() | held
            known = changes.only(lambda workspace: slot_of(workspace) in kept and workspace not in apart)
            seen |= await read_changes(connection, known)
            sources = await read_filters(connection, of_agents(seen))
        self._again -= again
        self._readying.note(changes.named(lambda workspace: workspace in held and workspace in self._readying.kept))
        for workspace in whole:
            self._lose(workspace)
            self._aside.pop(workspace, None)
        told = self._ready(ready, seen, sources)
        for workspace in told:
            self._cores.setdefault(workspace, Dispatch(reserve_max=TURN))
        DISPATCH_ASIDE.set(len(self._aside))
        self._loaded |= fresh
        return told, now

    def _ready(
        self, ready: Collection[Readied], seen: Mapping[UUID, Sequence[Seen]], sources: Mapping[UUID, Mapping[str, str]]
    ) -> dict[UUID, list[Told]]:
        """What was made ready and what was read, as the core is told it. Whose filters are still to be asked is made ready beside."""
        told: dict[UUID, list[Told]] = {}
        for one in ready:
            if one.workspace not in self._readying.kept:
                continue  # Its slot is somebody else's now.
            self._readying.drop(lambda workspace, done=one.workspace: workspace == done)  # type: ignore[misc]
            if one.error is not None:
                self._set_aside(one.workspace, one.error)
            else:
                told[one.workspace] = one.told
        for workspace, some in seen.items():
            if workspace in self._aside:
                continue
            try:
                filters = self._filters.known(workspace, sources.get(workspace, {}))
                if filters is None or not is_known(some, filters):
                    self._readying.begin(workspace, some, sources[workspace])
                else:
                    told.setdefault(workspace, []).extend(states(some, filters))
            except Exception as error:
                told.pop(workspace, None)
                self._set_aside(workspace, error)
        return told

    async def _carry_out(self, effects: Mapping[UUID, Sequence[Effect]]) -> None:
        """Executes what the cores ask, and keeps what became of it for the next round.

        In one transaction for all; in halves where something in it cannot be done, down to the workspace whose it is. What waited for
        somebody else in vain is tried once more before that. An unknown commit drops all memory.
        """
        pending = [(dict(effects), LOCK_MS)]
        while pending:
            part, lock_ms = pending.pop()
            try:
                await self._carry_out_together(part, lock_ms)
            except asyncio.CancelledError:
                self.forget()
                raise
            except Exception as error:
                contended = isinstance(error, Contended)
                if concerns_all(error) and not contended:
                    self.forget()
                    raise
                if contended and lock_ms == LOCK_MS:
                    pending.append((part, LOCK_AGAIN_MS))
                    continue
                workspaces = list(part)
                if len(workspaces) == 1:
                    self._set_aside(workspaces[0], error)
                    continue
                middle = len(workspaces) // 2
                pending += [({one: part[one] for one in half}, lock_ms) for half in (workspaces[middle:], workspaces[:middle])]

    async def _carry_out_together(self, effects: Mapping[UUID, Sequence[Effect]], lock_ms: int) -> None:
        slots, leased = {slot_of(workspace) for workspace in effects}, False
        try:
            async with self._db.batch() as connection:
                kept = await self._leases.lock_and_check(connection, slots)
                leased = True
                now = self._read_clock(await connection.fetchval(_NOW_WITH_LOCKS, str(lock_ms)))
                mine = {workspace: asked for workspace, asked in effects.items() if slot_of(workspace) in kept}
                carried = await carry_out(connection, mine, datetime.fromtimestamp(now, UTC))
        except Contended as error:
            if leased:
                raise
            raise Unavailable("the leases are held by somebody else", retry_after_s=1) from error
        for slot in slots - kept:
            self._drop(slot)
        self._again |= carried.again
        DISPATCH_RESERVATIONS.inc(carried.reserved)
        if carried.moved:
            self._hints.wake("outbox")
            for workspace in mine:
                self._hints.wake("stream", str(workspace))
        for workspace, answers in carried.answers.items():
            self._answers.setdefault(workspace, []).extend(answers)

    async def _set_unreadable_aside(self, slots: set[int]) -> bool:
        """Reads each workspace by itself; whether there were some that cannot be read."""
        async with self._db.session() as connection:
            workspaces = [
                one for one in await workspaces_in(connection, slots) if one not in self._aside.keys() - self._come_back()
            ]
        found = False
        for workspace in workspaces:
            try:
                async with self._db.batch() as connection:
                    await read_everything(connection, [workspace])
            except Exception as error:
                if concerns_all(error):
                    raise
                self._set_aside(workspace, error)
                found = True
        return found

    def _come_back(self) -> set[UUID]:
        """Who was set aside long enough ago to be tried again."""
        return {one for one, since in self._aside.items() if since + ASIDE_S <= time.monotonic()}

    def _set_aside(self, workspace: UUID, error: Exception) -> None:
        # The error's text may hold a row of theirs: only its kind is logged.
        log.error(
            "a workspace's work cannot be dispatched now", action="dispatch_aside", workspace=str(workspace), error=type(error).__name__,
        )  # fmt: skip
        self._lose(workspace)
        self._again = {one for one in self._again if one[0] != workspace}
        self._readying.drop(lambda one: one == workspace)
        # What took too long may have been the machine's doing, and who holds something lets it go, so it is soon tried again.
        self._aside[workspace] = time.monotonic() - (ASIDE_S - LOOK_S if isinstance(error, Overlong | Contended) else 0.0)
        DISPATCH_ASIDE.set(len(self._aside))

    def _read_clock(self, at: datetime) -> float:
        self._offset_s = at.timestamp() - time.monotonic()
        return at.timestamp()

    def _sleep_s(self) -> float:
        if self._again:
            return 0.02
        now = time.monotonic() + self._offset_s
        wakes = [core.next_wake_at for core in self._cores.values() if core.next_wake_at is not None]
        return max(0.001, min([LOOK_S, *(wake - now for wake in wakes)]))

    def _lose(self, workspace: UUID) -> None:
        """Drops one workspace's memory. Another core counts its promises anew, so answers to this one's are nothing to it."""
        for memory in (self._cores, self._answers, self._left, self._news):
            memory.pop(workspace, None)

    def _drop(self, slot: int) -> None:
        self._loaded.discard(slot)
        for workspace in [one for one in self._aside if slot_of(one) == slot]:
            del self._aside[workspace]
        for workspace in [one for one in self._cores if slot_of(one) == slot]:
            self._lose(workspace)
        self._readying.drop(lambda workspace: slot_of(workspace) == slot)
        self._filters.forget(lambda workspace: slot_of(workspace) == slot)


def _is_due(core: Dispatch, now: float) -> bool:
    """Whether the core has something to do by itself."""
    return core.next_wake_at is not None and core.next_wake_at <= now

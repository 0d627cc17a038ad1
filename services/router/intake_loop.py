"""The consume loop: leases, fetches, intake, wake-ups. It decides nothing; it never skips a record.

A partition's records are taken in only under its lease. Leases are taken here, between polls: records of a partition without one
are dropped, the lease is taken, and the next poll starts at its position. Where the log under a position is not the one that was read,
nothing is read on: readiness, metric and log say why, and each new start looks again. Who is fenced while the broker still gives it the
partition takes the lease again after a second. Units: seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from router.intake.batch import Outcome
from router.intake.intake import Intake
from router.intake.quarantine_limit import QuarantineLimitReached
from services.router.intake_lanes import Fetch, Lanes
from shared.errors import Unavailable
from shared.hints import Hints
from shared.kafka_metadata import TopicUnfit
from shared.kafka_reader import SILENT_S, Reader
from shared.logs import get_log
from shared.metrics import INTAKE_STOPPED, RECORD_AGE, RECORD_LAG
from shared.partition_leases import LogCutOff, PartitionLeases

log = get_log(__name__)
AGAIN_S: Final = 1.0
TELL_S: Final = 5.0
_BACKOFF_S: Final = (0.1, 2.0)


class IntakeLoop:
    """One member of the group of routers. `run` works until it is cancelled; a restart of it is harmless at any point."""

    def __init__(self, *, reader: Reader, leases: PartitionLeases, intake: Intake, hints: Hints) -> None:
        self._reader = reader
        self._leases = leases
        self._intake = intake
        self._hints = hints
        self._lanes = Lanes(self._take)
        self._fenced_at: dict[int, float] = {}
        self._told_at = 0.0
        self._moved_at = time.monotonic()
        self.stopped = ""

    async def run(self) -> None:
        """Reads for ever. Raises `Unavailable` when the broker is away or silent, or the log is not what was read: start it again."""
        await self._reader.start()
        self._moved_at = time.monotonic()
        try:
            async for fetch in self._reader.fetches():
                await self._step(fetch)
        except QuarantineLimitReached as error:
            self._say_stopped(str(error))
        except (LogCutOff, TopicUnfit) as error:
            # Said until a later run finds its partitions well: somebody restores the topic, or confirms what is lost.
            self._say_stopped(str(error))
            raise
        finally:
            await self._lanes.stop()
            self._leases.forget(list(self._leases.held))
            await self._reader.stop()
        await self._stand_still()

    async def check(self) -> str:
        """For readiness: raises `Unavailable` while intake stands still, with the reason."""
        if self.stopped:
            raise Unavailable(f"intake has stopped: {self.stopped}")
        return f"{len(self._leases.held)} partitions"

    async def _stand_still(self) -> NoReturn:
        """Takes nothing in until somebody restarts the process; the topic keeps everything."""
        await asyncio.Event().wait()
        raise AssertionError("unreachable: nobody sets it")

    def _say_stopped(self, reason: str) -> None:
        INTAKE_STOPPED.set(1)
        if reason != self.stopped:
            log.error("intake stops, so that nothing is lost or passed over", action="intake_stopped", reason=reason)
        self.stopped = reason

    async def _step(self, fetch: Fetch) -> None:
        await self._hold(fetch)
        held = {partition: records for partition, records in fetch.items() if partition in self._leases.held}
        RECORD_AGE.set(max((time.time() - records[0].timestamp_ms / 1000 for records in held.values()), default=0.0))
        await self._lanes.give(held)
        if held:
            self._moved_at = time.monotonic()
        await self._tell()

    async def _hold(self, fetch: Fetch) -> None:
        """Drops the leases of partitions that are gone, takes those of partitions that are new."""
        assigned = self._reader.assigned
        astray = self._reader.astray()
        self._leases.forget([one for one in self._leases.held if one not in assigned or one in astray])
        now = time.monotonic()
        wanted = [one for one in sorted(assigned) if one not in self._leases.held and now >= self._fenced_at.get(one, 0) + AGAIN_S]
        if not wanted:
            return
        for partition in wanted:
            fetch.pop(partition, None)
        for partition, offset in (await self._leases.take(wanted, self._reader.log)).items():
            self._reader.seek(partition, offset)
        if self.stopped:
            self.stopped = ""
            INTAKE_STOPPED.set(0)
            log.info("intake goes on", action="ready", name="intake")

    def _ours(self, fetch: Fetch) -> Fetch:
        """Records of held partitions that are not taken in yet."""
        held = self._leases.held
        kept = {
            partition: [one for one in records if one.offset >= held[partition].next_offset]
            for partition, records in fetch.items()
            if partition in held
        }
        return {partition: records for partition, records in kept.items() if records}

    async def _take(self, fetch: Fetch) -> None:
        """Takes a fetch in, however long the database is away; what is committed already is left out of the next try."""
        wait_s, most_s = _BACKOFF_S
        while fetch := self._ours(fetch):
            try:
                taken = await self._intake.take(fetch)
            except QuarantineLimitReached:
                raise
            except Unavailable as error:
                log.warning("intake waits and tries the same again", action="dependency_down", error=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(most_s, wait_s * 2)
                continue
            self._leases.forget(taken.fenced)
            self._fenced_at |= dict.fromkeys(taken.fenced, time.monotonic())
            wake_for(self._hints, taken.outcomes)
            return

    async def _tell(self) -> None:
        """Shows lag to metrics and to tools that watch groups; notices a client that went silent."""
        now = time.monotonic()
        if now - self._told_at < TELL_S or not self._leases.held:
            return
        self._told_at = now
        positions = {partition: held.next_offset for partition, held in self._leases.held.items()}
        lag = await self._reader.lag(positions)
        for partition, records in lag.items():
            RECORD_LAG.labels(partition=str(partition)).set(records)
        await self._reader.tell_lag_tools(positions)
        if not any(lag.values()):
            self._moved_at = now
        elif now - self._moved_at > SILENT_S:
            raise Unavailable("the client hands out nothing though records wait", remedy="the reader is started again")


def wake_for(hints: Hints, outcomes: Sequence[Outcome]) -> None:
    """The hints that follow a commit: work for dispatch, events for the relay, news for the streams of each workspace."""
    if not outcomes:
        return
    hints.wake("dispatch")
    hints.wake("outbox")
    hints.wake("delivery")
    for workspace_id in _workspaces(outcomes):
        hints.wake("stream", workspace_id)


def _workspaces(outcomes: Iterable[Outcome]) -> list[str]:
    return sorted({str(one.arrival.workspace_id) for one in outcomes})

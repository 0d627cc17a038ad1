"""Reading the log: a group member whose positions the caller sets, and looks at what the log holds.

Positions live in the database (`shared/partition_leases.py`): nothing is committed for correctness, and the client never moves a position
by itself, for where it would go on is past what is lost, or in another log. Units: offsets; seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from shared.errors import Unavailable
from shared.kafka import Fetched, KafkaSettings, closed_in_time, kafka_errors
from shared.kafka_metadata import require_topic
from shared.logs import get_log
from shared.topics import PARTITIONS

log = get_log(__name__)
FETCH_RECORDS: Final = 1000  # two lanes of intake take about half each
SILENT_S: Final = 60.0
_ANSWER_S: Final = 10.0
_COMMIT_S: Final = 5.0
_POLL_MS: Final = 200


class KafkaLog:
    """What the log of a topic holds, asked through a consumer to which its partitions are assigned."""

    def __init__(self, consumer: aiokafka.AIOKafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

    async def bounds(self, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """By partition: the log's first offset, and the one that its next record will have. Raises `Unavailable`."""
        asked = [aiokafka.TopicPartition(self._topic, one) for one in partitions]
        with kafka_errors("reading"):
            starts, ends = await self._consumer.beginning_offsets(asked), await self._consumer.end_offsets(asked)
        return {one.partition: (starts[one], ends[one]) for one in asked}

    async def firsts(self, places: Mapping[int, int], *, within_s: float = _ANSWER_S) -> dict[int, Fetched]:
        """The first record at or after each offset, by partition, as far as they could be read in time.

        Each offset must be one the log holds. Moves these partitions. Raises `Unavailable`.
        """
        found: dict[int, Fetched] = {}
        until = time.monotonic() + within_s
        with kafka_errors("reading"):
            for partition, offset in places.items():
                self._consumer.seek(aiokafka.TopicPartition(self._topic, partition), offset)
            while (missing := places.keys() - found) and (left_s := until - time.monotonic()) > 0:
                asked = [aiokafka.TopicPartition(self._topic, one) for one in missing]
                async with asyncio.timeout(left_s + _ANSWER_S):
                    polled = await self._consumer.getmany(*asked, timeout_ms=_POLL_MS, max_records=1)
                found |= {place.partition: _fetched(records[0]) for place, records in polled.items() if records}
        return found


@contextlib.asynccontextmanager
async def looking_at(settings: KafkaSettings, topic: str, *, partitions: int | None = None) -> AsyncIterator[KafkaLog]:
    """A topic's log, outside any group. With ``partitions`` it may have another number of them than is needed.

    Raises `Unavailable`, `TopicUnfit`.
    """
    consumer = aiokafka.AIOKafkaConsumer(**settings.client(), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        with kafka_errors("reading"):
            await consumer.start()
            if partitions is None:
                await require_topic(consumer._client, topic)
            consumer.assign([aiokafka.TopicPartition(topic, one) for one in range(partitions or PARTITIONS)])
        yield KafkaLog(consumer, topic)
    finally:
        await consumer.stop()


def _fetched(record: aiokafka.ConsumerRecord, *, since: int | None = None) -> Fetched:
    return Fetched(
        partition=record.partition, offset=record.offset, key=record.key, value=record.value or b"", headers=tuple(record.headers),
        timestamp_ms=record.timestamp, since=since,
    )  # fmt: skip


class _Regrouping(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Forgets where partitions stood whenever the group shares them out anew: the client begins elsewhere then, until it is sought."""

    def __init__(self, places: dict[int, int]) -> None:
        self._places = places

    def on_partitions_revoked(self, revoked: object) -> None:
        self._places.clear()

    def on_partitions_assigned(self, assigned: object) -> None:
        """Nothing: leases are taken in the caller's loop."""


class Reader:
    """A group member that hands out what one poll returned. Positions are set by the caller, nothing is committed by itself.

    Leases are the caller's business and are taken in its loop, never in the client's callbacks: those swallow exceptions, and
    records may be handed out before a seek in them takes effect.
    """

    def __init__(
        self, settings: KafkaSettings, *, topic: str, group: str, member: str | None = None, silent_s: float = SILENT_S
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._group = group
        self._member = member
        self._consumer: aiokafka.AIOKafkaConsumer | None = None
        self._silent_s = silent_s
        self._moved_at = 0.0
        self._places: dict[int, int] = {}
        self._astray: set[int] = set()
        # The client keeps an assignor's memory on its class, so two readers of one process would mix theirs up.
        self._assignor = type("StickyAssignor", (StickyPartitionAssignor,), {})

    async def start(self) -> None:
        """Joins the group. Raises `TopicUnfit`, `Unavailable`."""
        consumer = aiokafka.AIOKafkaConsumer(
            **self._settings.client(), group_id=self._group, group_instance_id=self._member,
            enable_auto_commit=False, auto_offset_reset="none", isolation_level="read_committed",
            max_poll_records=FETCH_RECORDS, session_timeout_ms=10000, heartbeat_interval_ms=2000, max_poll_interval_ms=300000, fetch_max_wait_ms=200,
            fetch_max_bytes=16_000_000, max_partition_fetch_bytes=4_000_000, partition_assignment_strategy=(self._assignor,),
        )  # fmt: skip
        self._places.clear()
        self._astray.clear()
        consumer.subscribe([self._topic], listener=_Regrouping(self._places))
        try:
            with kafka_errors("reading"):
                await consumer._client.bootstrap()
                await require_topic(consumer._client, self._topic)
                await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer
        self._moved_at = time.monotonic()

    async def stop(self) -> None:
        """Leaves the group; without a goodbye when the broker does not answer within three seconds."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await closed_in_time(consumer.stop(), consumer._client, lambda: None)

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions this member has now."""
        assert self._consumer is not None, "start the reader first"
        return frozenset(one.partition for one in self._consumer.assignment())

    async def fetches(self) -> AsyncIterator[dict[int, list[Fetched]]]:
        """What each poll returned, by partition; an empty one each 200 ms without records, so that the loop can look around.

        Raises `Unavailable` when the client has gone dumb: for a minute no partition, or no record although the log has more;
        `TopicUnfit` when the topic has gone, for what comes under its name is another log.
        """
        assert self._consumer is not None, "start the reader first"
        while True:
            with kafka_errors("reading"):
                found = await self._polled(self._consumer)
                if found:
                    self._moved_at = time.monotonic()
                elif time.monotonic() - self._moved_at > self._silent_s:
                    await self._require_alive(self._consumer)
            yield {place.partition: self._fetched(place.partition, records) for place, records in found.items()}

    def _fetched(self, partition: int, records: Sequence[aiokafka.ConsumerRecord]) -> list[Fetched]:
        fetched, since = [], self._places.get(partition)
        if since is not None and since > records[0].offset:
            since = None
        for one in records:
            fetched.append(_fetched(one, since=since))
            since = one.offset + 1
        self._places[partition] = records[-1].offset + 1
        return fetched

    def astray(self) -> set[int]:
        """Partitions that cannot be read where they stand, since this was asked last: nobody sought them since the group last shared out
        its partitions, or the log does not hold their place. The client does not move them by itself.
        """
        found, self._astray = self._astray, set()
        return found

    async def _polled(self, consumer: aiokafka.AIOKafkaConsumer) -> Mapping[aiokafka.TopicPartition, Sequence[Any]]:
        """One poll. Without its topic the group never agrees and the client would wait for ever, so that is looked at meanwhile."""
        polling = asyncio.ensure_future(consumer.getmany(timeout_ms=_POLL_MS, max_records=FETCH_RECORDS))
        try:
            while not (await asyncio.wait([polling], timeout=5 * _POLL_MS / 1000))[0]:
                await require_topic(consumer._client, self._topic)
            found: Mapping[aiokafka.TopicPartition, Sequence[Any]] = polling.result()
        except NoOffsetForPartitionError as error:
            self._astray.add(error.args[0].partition)
            return {}
        except OffsetOutOfRangeError as error:
            self._astray |= {one.partition for one in error.args[0]}
            return {}
        else:
            if not found:
                await require_topic(consumer._client, self._topic)
            return found
        finally:
            polling.cancel()

    async def _require_alive(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        """The client may stay up and never join or fetch again after a broker's restart; only asking the broker shows it."""
        assigned = consumer.assignment()
        async with asyncio.timeout(_ANSWER_S):
            ends = await consumer.end_offsets(list(assigned)) if assigned else {}
            waiting = [one for one, end in ends.items() if await consumer.position(one) < end]
        if waiting or not assigned:
            what = f"{len(waiting)} partitions have records" if assigned else "it has no partition"
            raise Unavailable(
                f"the client handed out nothing for {self._silent_s:g} s, and {what}", remedy="start the reader again"
            )
        self._moved_at = time.monotonic()

    def seek(self, partition: int, offset: int) -> None:
        """The next poll of this partition starts here; before the first seek a partition hands out nothing that counts."""
        assert self._consumer is not None, "start the reader first"
        with kafka_errors("seeking"):
            self._consumer.seek(aiokafka.TopicPartition(self._topic, partition), offset)
        self._places[partition] = offset

    @property
    def log(self) -> KafkaLog:
        """The log of the partitions this member has. A look at a record moves its place: seek afterwards."""
        assert self._consumer is not None, "start the reader first"
        return KafkaLog(self._consumer, self._topic)

    async def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Records behind the end, by partition, as far as the client knows; offsets that are no records are not counted at the end."""
        assert self._consumer is not None, "start the reader first"
        found = {}
        for partition, position in positions.items():
            place = aiokafka.TopicPartition(self._topic, partition)
            end = self._consumer.highwater(place)
            if end is not None:
                with kafka_errors("reading"):
                    all_read = position == self._places.get(partition) and await self._consumer.position(place) >= end
                found[partition] = 0 if all_read else max(0, end - position)
        return found

    async def tell_lag_tools(self, positions: Mapping[int, int]) -> None:
        """Commits positions for tools that watch groups; a refusal costs nothing. Raises `Unavailable` when there is no answer.

        The client asks for the group's coordinator for as long as it takes, and after a broker's restart that may be for ever.
        """
        assert self._consumer is not None, "start the reader first"
        try:
            async with asyncio.timeout(_COMMIT_S):
                await self._consumer.commit(
                    {aiokafka.TopicPartition(self._topic, one): offset for one, offset in positions.items()}
                )
        except TimeoutError as error:
            raise Unavailable("the group's coordinator does not answer", remedy="start the reader again") from error
        except (KafkaError, IllegalStateError, OSError) as error:
            log.debug("positions were not shown to lag tools", action="dependency_down", error=str(error))

"""Kafka: publishing with a deadline of our own, and reading with positions that live in the database.

Partition = murmur2(key) as the Java client computes it. The idempotent producer never gives up while the broker is away, so a
deadline stands around it; after it the fate of a batch is unknown and publishing it again is right, because receipts drop
duplicates. The consumer commits nothing for correctness: see `shared/partition_leases.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiokafka
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, MessageSizeTooLargeError, ProducerClosed
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import murmur2

from shared.errors import TooLarge, Unavailable
from shared.kafka_metadata import TopicUnfit, require_topic
from shared.logs import get_log
from shared.metrics import PUBLISH_FAILURES, PUBLISH_SECONDS
from shared.topics import PARTITIONS

log = get_log(__name__)
PUBLISH_DEADLINE_S: Final = 3.0
CLOSE_S: Final = 3.0
FETCH_RECORDS: Final = 1000  # two lanes of intake take about half each
SILENT_S: Final = 60.0
_ANSWER_S: Final = 10.0
_POLL_MS: Final = 200
Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How to reach the brokers. ``security`` is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""

    bootstrap: str
    security: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def client(self) -> dict[str, Any]:
        """Keyword arguments for any aiokafka client."""
        options: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "security_protocol": self.security}
        if self.security.endswith("SSL"):
            options["ssl_context"] = create_ssl_context(cafile=self.ca_file) if self.ca_file else ssl.create_default_context()
        if self.security.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record to publish. Its partition comes from the octets of ``key``; on the log the key stands as text.

    The text is ``key_text``, or else the octets as hexadecimal digits: consumers that keep keys as text could not read the octets,
    and 0.1.0, whose keys they were, put the same sender into the same partition.
    """

    key: bytes
    value: bytes
    headers: Headers = ()
    key_text: str | None = None

    @property
    def written_key(self) -> bytes:
        """The key as it stands on the log."""
        return (self.key_text or self.key.hex()).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A record as read."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp_ms: int


def partition_of(key: bytes, partitions: int = PARTITIONS) -> int:
    """The partition the Java client's default partitioner gives a key."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


@contextlib.contextmanager
def kafka_errors(what: str) -> Iterator[None]:
    """The client's exceptions as ours: `TooLarge` for a record over the limit, else `Unavailable`."""
    try:
        yield
    except MessageSizeTooLargeError as error:
        raise TooLarge("the record is larger than the broker takes", field="message") from error
    except (KafkaError, OSError, TimeoutError, IllegalStateError) as error:
        raise Unavailable(f"{what}: the broker cannot be reached ({type(error).__name__})", remedy="see santral doctor") from error


async def _closed(closing: Coroutine[Any, Any, None], client: Any, give_up: Callable[[], None]) -> None:
    """Lets a client close for three seconds, then cuts its connections, upon which it ends by itself.

    Cancelled instead, it would leave tasks and connections behind. Never raises: there is nothing a caller could do.
    """
    task = asyncio.create_task(closing)
    try:
        await asyncio.wait([task], timeout=CLOSE_S)
        if not task.done():
            log.warning("the brokers do not answer; the client is closed without them", action="stopping")
            give_up()
            await client.close()
            await asyncio.wait([task], timeout=CLOSE_S)
    finally:
        if not task.cancel() and not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a client did not close well", action="stopping", error=type(error).__name__)


class Publisher:
    """The producer. Start it in `main()`; publishing is safe from any number of tasks."""

    def __init__(self, settings: KafkaSettings, *, deadline_s: float = PUBLISH_DEADLINE_S, linger_ms: int = 0) -> None:
        self._settings = settings
        self._deadline_s = deadline_s
        self._linger_ms = linger_ms
        self._producer: aiokafka.AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connects in the background when the broker is away: the first publish tries again."""
        try:
            await asyncio.wait_for(self._connected(), self._deadline_s)
        except (Unavailable, TimeoutError):
            log.warning("the broker cannot be reached yet", action="dependency_down", host=self._settings.bootstrap)

    async def stop(self) -> None:
        """Flushes what is in flight for at most three seconds, then closes; calling it twice is harmless."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        await _closed(producer.stop(), producer.client, lambda: producer._message_accumulator.fail_all(ProducerClosed()))

    async def _connected(self) -> aiokafka.AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = aiokafka.AIOKafkaProducer(
                    **self._settings.client(), acks="all", enable_idempotence=True, linger_ms=self._linger_ms,
                    max_batch_size=131072, max_request_size=1_000_000, compression_type="lz4", request_timeout_ms=15000,
                    metadata_max_age_ms=60000,
                )  # fmt: skip
                try:
                    with kafka_errors("publishing"):
                        await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
        return self._producer

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        """Returns when the broker has every record.

        Raises `TooLarge`; `TopicUnfit` with nothing published; `Unavailable` at the deadline, their fate then unknown.
        """
        if not records:
            return
        with PUBLISH_SECONDS.time():
            try:
                async with asyncio.timeout(self._deadline_s):
                    producer = await self._connected()
                    with kafka_errors("publishing"):
                        await require_topic(producer.client, topic)
                        sent = [
                            await producer.send(
                                topic,
                                record.value,
                                key=record.written_key,
                                headers=list(record.headers),
                                partition=partition_of(record.key),
                            )
                            for record in records
                        ]
                        await asyncio.gather(*sent)
            except TopicUnfit:
                PUBLISH_FAILURES.inc()
                raise
            except (TimeoutError, Unavailable) as error:
                PUBLISH_FAILURES.inc()
                raise Unavailable("the broker did not acknowledge in time", remedy="try again; see santral doctor") from error


@contextlib.asynccontextmanager
async def looking_at(settings: KafkaSettings, topic: str | None = None) -> AsyncIterator[aiokafka.AIOKafkaConsumer]:
    """A consumer outside any group, for a look at the log. Raises `Unavailable`; `TopicUnfit` where ``topic`` is not as it must be."""
    consumer = aiokafka.AIOKafkaConsumer(**settings.client(), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        with kafka_errors("reading"):
            await consumer.start()
            if topic is not None:
                await require_topic(consumer._client, topic)
        yield consumer
    finally:
        await consumer.stop()


async def log_bounds(consumer: aiokafka.AIOKafkaConsumer, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
    """What the log holds, by partition: its first offset, and the one that its next record will have. Raises `Unavailable`."""
    asked = [aiokafka.TopicPartition(topic, one) for one in partitions]
    with kafka_errors("reading"):
        starts, ends = await consumer.beginning_offsets(asked), await consumer.end_offsets(asked)
    return {one.partition: (starts[one], ends[one]) for one in asked}


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
        # The client keeps an assignor's memory on its class, so two readers of one process would mix theirs up.
        self._assignor = type("StickyAssignor", (StickyPartitionAssignor,), {})

    async def start(self) -> None:
        """Joins the group. Raises `TopicUnfit`, `Unavailable`."""
        consumer = aiokafka.AIOKafkaConsumer(
            self._topic, **self._settings.client(), group_id=self._group, group_instance_id=self._member,
            enable_auto_commit=False, auto_offset_reset="earliest", isolation_level="read_committed",
            max_poll_records=FETCH_RECORDS, session_timeout_ms=10000, heartbeat_interval_ms=2000, max_poll_interval_ms=300000, fetch_max_wait_ms=200,
            fetch_max_bytes=16_000_000, max_partition_fetch_bytes=4_000_000, partition_assignment_strategy=(self._assignor,),
        )  # fmt: skip
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
            await _closed(consumer.stop(), consumer._client, lambda: None)

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
            yield {
                partition.partition: [
                    Fetched(
                        partition=partition.partition,
                        offset=one.offset,
                        key=one.key,
                        value=one.value or b"",
                        headers=tuple(one.headers),
                        timestamp_ms=one.timestamp,
                    )
                    for one in records
                ]
                for partition, records in found.items()
            }

    async def _polled(self, consumer: aiokafka.AIOKafkaConsumer) -> Mapping[aiokafka.TopicPartition, Sequence[Any]]:
        """One poll. Without its topic the group never agrees and the client would wait for ever, so that is looked at meanwhile."""
        polling = asyncio.ensure_future(consumer.getmany(timeout_ms=_POLL_MS, max_records=FETCH_RECORDS))
        try:
            while not (await asyncio.wait([polling], timeout=5 * _POLL_MS / 1000))[0]:
                await require_topic(consumer._client, self._topic)
            found: Mapping[aiokafka.TopicPartition, Sequence[Any]] = polling.result()
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
        """The next poll of this partition starts here."""
        assert self._consumer is not None, "start the reader first"
        with kafka_errors("seeking"):
            self._consumer.seek(aiokafka.TopicPartition(self._topic, partition), offset)

    async def bounds(self, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """What the log holds, by partition: its first offset, and the one that its next record will have."""
        assert self._consumer is not None, "start the reader first"
        return await log_bounds(self._consumer, self._topic, partitions)

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Records behind the end, by partition, as far as the client knows."""
        assert self._consumer is not None, "start the reader first"
        ends = {one: self._consumer.highwater(aiokafka.TopicPartition(self._topic, one)) for one in positions}
        return {one: max(0, end - positions[one]) for one, end in ends.items() if end is not None}

    async def tell_lag_tools(self, positions: Mapping[int, int]) -> None:
        """Commits positions for tools that watch groups; a failure costs nothing."""
        assert self._consumer is not None, "start the reader first"
        try:
            await self._consumer.commit({aiokafka.TopicPartition(self._topic, one): offset for one, offset in positions.items()})
        except (KafkaError, IllegalStateError, OSError) as error:
            log.debug("positions were not shown to lag tools", action="dependency_down", error=str(error))

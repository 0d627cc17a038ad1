"""Kafka: how the brokers are reached, records, and publishing with a deadline of our own. Reading: `shared/kafka_reader.py`.

Partition = murmur2(key) as the Java client computes it. The idempotent producer never gives up while the broker is away, so a
deadline stands around it; after it the fate of a batch is unknown and publishing it again is right, because receipts drop
duplicates.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiokafka
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
    since: int | None = None
    """Where the reader stood before it; offsets between are no records (a transaction's marks, or what was taken back). None: unknown."""


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


async def closed_in_time(closing: Coroutine[Any, Any, None], client: Any, give_up: Callable[[], None]) -> None:
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
        await closed_in_time(producer.stop(), producer.client, lambda: producer._message_accumulator.fail_all(ProducerClosed()))

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

"""What our clients ask the brokers about topics: by name, and never so that asking makes one.

A broker with its default settings (``auto.create.topics.enable``) makes every topic that a client names in a metadata request, with
one partition, unless the request says not to. The client library always lets it, so its request is given the other default here,
for producers, consumers and administration alike.

Source: Kafka protocol, Metadata (key 3), ``allow_auto_topic_creation`` from version 4 on.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import aiokafka.admin.client
import aiokafka.client
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.errors import Unavailable
from shared.topics import PARTITIONS

_AGAIN_S: Final = 0.1


class _Look(MetadataRequest):  # type: ignore[misc]
    """A metadata request that makes no topic."""

    def __init__(self, topics: list[str] | None = None, allow_auto_topic_creation: bool = False) -> None:
        super().__init__(topics, allow_auto_topic_creation)


aiokafka.client.MetadataRequest = _Look
aiokafka.admin.client.MetadataRequest = _Look


class TopicUnfit(Unavailable):
    """A topic is not there, or has another number of partitions: nothing can be published to it or read from it."""

    kind = "topic-unfit"


async def require_topic(client: AIOKafkaClient, topic: str, *, patience_s: float = 1.0) -> None:
    """Returns when the topic is there with all its partitions; asks the brokers only while the client does not know it so.

    A broker may hear of a new topic a moment late, so it is asked for ``patience_s``. Raises `TopicUnfit` with the remedy, `KafkaError`
    when no broker answers.
    """
    until = time.monotonic() + patience_s
    while (found := len(client.cluster.partitions_for_topic(topic) or ())) != PARTITIONS:
        if time.monotonic() > until:
            what = f"has {found} partitions where {PARTITIONS} are needed" if found else "is not there"
            raise TopicUnfit(f"the topic {topic} {what}", remedy="run: santral topics apply")
        client.add_topic(topic)
        if not await client.force_metadata_update():
            raise KafkaConnectionError("no broker answers")
        if len(client.cluster.partitions_for_topic(topic) or ()) != PARTITIONS:
            await asyncio.sleep(_AGAIN_S)

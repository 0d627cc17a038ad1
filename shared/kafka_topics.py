"""The topics as they must be, compared with the cluster; made, but nothing that holds records is ever shrunk, grown or deleted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidPartitionsError, TopicAlreadyExistsError, for_code

from shared.errors import Conflict
from shared.kafka import KafkaSettings, kafka_errors
from shared.kafka_metadata import require_topic
from shared.kafka_reader import looking_at
from shared.topics import PARTITIONS, Topics

COPIES: Final = 3
_MADE_S: Final = 30.0  # until brokers know of a topic that the controller made
_TOPICS_OWN: Final = 1  # config_source DYNAMIC_TOPIC_CONFIG of DescribeConfigs


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """One topic: how it stands, and in words what differs.

    ``state`` is ``missing`` or ``half made``, which `ensure_topics` mends; ``right``; or ``differs``, which is left to the operator.
    Half made is what a broker makes of a name that somebody asked for: too few partitions, and nothing was ever written to them.
    """

    topic: str
    state: str
    differences: tuple[str, ...] = ()
    reshaped: bool = False
    """Whether the partitions differ, so that nothing can be published to it or read from it."""


async def plan_topics(settings: KafkaSettings, topics: Topics) -> list[TopicPlan]:
    """What `ensure_topics` would do; looking makes no topic, whatever the broker's settings. Raises `Unavailable`."""
    async with _asking(settings) as admin:
        known = {one["topic"]: one for one in await admin.describe_topics([topics.messages, topics.events])}
        return [await _plan(settings, admin, name, known.get(name), topics) for name in (topics.messages, topics.events)]


async def _plan(
    settings: KafkaSettings, admin: AIOKafkaAdminClient, name: str, found: Mapping[str, Any] | None, topics: Topics
) -> TopicPlan:
    if found is None or found.get("error_code") or not found.get("partitions"):
        return TopicPlan(topic=name, state="missing")
    count = len(found["partitions"])
    if count < PARTITIONS and await _never_written(settings, name, count):
        text = f"{count} partitions where {PARTITIONS} are needed; nothing was ever written to it, so apply adds the others"
        return TopicPlan(topic=name, state="half made", differences=(text,), reshaped=True)
    differences = []
    if count != PARTITIONS:
        differences.append(f"{count} partitions where {PARTITIONS} are needed; they cannot be changed in place")
    actual = {key: value for key, (value, _) in (await _configs(admin, name)).items()}
    wanted = topics.configs(len(found["partitions"][0]["replicas"]))
    differences += [f"{key} is {actual.get(key)}, wanted {value}" for key, value in wanted.items() if actual.get(key) != value]
    state = "differs" if differences else "right"
    return TopicPlan(topic=name, state=state, differences=tuple(differences), reshaped=count != PARTITIONS)


async def ensure_topics(settings: KafkaSettings, topics: Topics, *, replication: int | None = None) -> list[str]:
    """Makes what is missing, and the rest of what is half made; returns their names. Again, or twice at once, it changes nothing.

    Each partition of a new topic gets three copies, or one on every broker where there are fewer, unless ``replication`` says
    otherwise. Raises `Conflict` when a topic that holds records has another number of partitions, `Unavailable` when the cluster
    cannot be reached.
    """
    plans = await plan_topics(settings, topics)
    for plan in plans:
        if plan.reshaped and plan.state == "differs":
            remedy = "choose another topic prefix, or delete the topic if nobody needs its records"
            raise Conflict(f"{plan.topic}: {plan.differences[0]}", field="partitions", remedy=remedy)
    missing = [plan.topic for plan in plans if plan.state == "missing"]
    half = [plan.topic for plan in plans if plan.state == "half made"]
    if not missing and not half:
        return []
    async with _asking(settings) as admin:
        copies = replication or min(COPIES, len((await admin.describe_cluster())["brokers"]))
        new = [
            NewTopic(name=name, num_partitions=PARTITIONS, replication_factor=copies, topic_configs=topics.configs(copies))
            for name in missing
        ]
        answer = await admin.create_topics(new) if new else None
        made = [name for name in missing if _made(answer, name)]
        made += [name for name in half if await _completed(admin, name, topics)]
        for name in (*missing, *half):
            await require_topic(admin._client, name, patience_s=_MADE_S)
        return made


async def _never_written(settings: KafkaSettings, name: str, count: int) -> bool:
    async with looking_at(settings, name, partitions=count) as log:
        return not any(end for _, end in (await log.bounds(range(count))).values())


async def _configs(admin: AIOKafkaAdminClient, name: str) -> dict[str, tuple[str, int]]:
    """A topic's settings: value, and where it comes from, by the protocol's number."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {entry[0]: (entry[1], entry[3]) for answer in answers for resource in answer.resources for entry in resource[4]}


async def _completed(admin: AIOKafkaAdminClient, name: str, topics: Topics) -> bool:
    """Gives a topic its partitions and settings, beside those that somebody gave it; False when somebody else was first."""
    try:
        await admin.create_partitions({name: NewPartitions(PARTITIONS)})
    except InvalidPartitionsError:
        return False
    (found,) = await admin.describe_topics([name])
    own = {key: value for key, (value, source) in (await _configs(admin, name)).items() if source == _TOPICS_OWN}
    wanted = own | topics.configs(len(found["partitions"][0]["replicas"]))
    for changed in await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=wanted)]):
        for code, message, *_ in changed.resources:
            if code:
                raise for_code(code)(message)
    return True


@contextlib.asynccontextmanager
async def _asking(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**settings.client())
    with kafka_errors("topics"):
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


def _made(answer: Any, name: str) -> bool:
    """Whether this call made the topic; False when somebody else was first. Raises the broker's error."""
    code, message = next((error[1], error[2]) for error in answer.topic_errors if error[0] == name)
    if code == TopicAlreadyExistsError.errno:
        return False
    if code:
        raise for_code(code)(message)
    return True


async def cluster_id(settings: KafkaSettings) -> str:
    """The cluster's own id, which a database is bound to."""
    async with _asking(settings) as admin:
        return str((await admin.describe_cluster())["cluster_id"])

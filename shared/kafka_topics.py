"""The topics as they must be, compared with the cluster; made, but never shrunk, grown or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.errors import Conflict
from shared.kafka import KafkaSettings, kafka_errors
from shared.topics import PARTITIONS, Topics

COPIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """One topic: what is to be done, in words, and whether `apply` can do it."""

    topic: str
    state: str  # missing, right, differs
    differences: tuple[str, ...] = ()


async def plan_topics(settings: KafkaSettings, topics: Topics) -> list[TopicPlan]:
    """What `apply` would do. Raises `Unavailable`."""
    admin = AIOKafkaAdminClient(**settings.client())
    with kafka_errors("topics"):
        await admin.start()
        try:
            known = {one["topic"]: one for one in await admin.describe_topics([topics.messages, topics.events])}
            return [await _plan(admin, name, known.get(name), topics) for name in (topics.messages, topics.events)]
        finally:
            await admin.close()


async def _plan(admin: AIOKafkaAdminClient, name: str, found: Mapping[str, Any] | None, topics: Topics) -> TopicPlan:
    if found is None or found.get("error_code") or not found.get("partitions"):
        return TopicPlan(topic=name, state="missing")
    differences = []
    if len(found["partitions"]) != PARTITIONS:
        differences.append(f"{len(found['partitions'])} partitions where {PARTITIONS} are needed; they cannot be changed in place")
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    actual = {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}
    wanted = topics.configs(len(found["partitions"][0]["replicas"]))
    differences += [f"{key} is {actual.get(key)}, wanted {value}" for key, value in wanted.items() if actual.get(key) != value]
    return TopicPlan(topic=name, state="differs" if differences else "right", differences=tuple(differences))


async def ensure_topics(settings: KafkaSettings, topics: Topics, *, replication: int | None = None) -> list[str]:
    """Makes what is missing and returns its names; calling it again, or twice at once, changes nothing.

    Each partition gets three copies, or one on every broker where there are fewer, unless ``replication`` says otherwise.
    Raises `Conflict` when a topic has another number of partitions, `Unavailable` when the cluster cannot be reached.
    """
    missing = []
    for plan in await plan_topics(settings, topics):
        if plan.state == "missing":
            missing.append(plan.topic)
        elif any("partitions" in one for one in plan.differences):
            raise Conflict(f"{plan.topic}: {plan.differences[0]}", field="partitions", remedy="choose another topic prefix")
    if not missing:
        return []
    admin = AIOKafkaAdminClient(**settings.client())
    with kafka_errors("topics"):
        await admin.start()
        try:
            copies = replication or min(COPIES, len((await admin.describe_cluster())["brokers"]))
            answer = await admin.create_topics(
                [
                    NewTopic(name=name, num_partitions=PARTITIONS, replication_factor=copies, topic_configs=topics.configs(copies))
                    for name in missing
                ]
            )
        finally:
            await admin.close()
        return [name for name in missing if _made(answer, name)]


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
    admin = AIOKafkaAdminClient(**settings.client())
    with kafka_errors("cluster"):
        await admin.start()
        try:
            described = await admin.describe_cluster()
        finally:
            await admin.close()
    return str(described["cluster_id"])

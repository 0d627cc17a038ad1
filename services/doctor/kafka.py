"""What `santral doctor` looks at in Kafka: the cluster, both topics, and how far behind intake is. Records and seconds.

Positions are the database's (``partition_lease``), never the group's offsets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from services.doctor.finding import Finding, fail, graded, ok, warn
from services.frame.settings import Settings
from shared.database import Database
from shared.errors import Unavailable
from shared.kafka_reader import looking_at
from shared.kafka_topics import cluster_id, plan_topics
from shared.log_position import REMEDY, look, said
from shared.partition_leases import positions_of
from shared.topics import PARTITIONS

REACH_S: Final = 10.0
AGE_S: Final = (30.0, 300.0)
_LOOK_S: Final = 3.0


async def look_at_cluster(settings: Settings, db: Database | None) -> Sequence[Finding]:
    """Whether the brokers answer, and are the ones this database belongs to. Raises `Unavailable`."""
    kafka = settings.kafka()
    try:
        async with asyncio.timeout(REACH_S):
            found = await cluster_id(kafka)
    except TimeoutError as error:
        raise Unavailable(f"{kafka.bootstrap} does not answer within {REACH_S:g} s") from error
    known = None
    if db is not None:
        async with db.session() as connection:
            known = await connection.fetchval("select kafka_cluster_id from santral.deployment")
    if known is not None and known != found:
        text = f"this is the cluster {found}, the database's positions belong to {known}"
        return [fail("kafka", text, "point at the old cluster, or run: santral topics accept-cluster")]
    return [ok("kafka", f"answers on {kafka.bootstrap}, cluster {found}")]


async def look_at_topics(settings: Settings) -> Sequence[Finding]:
    """Whether both topics are there and as they must be."""
    async with asyncio.timeout(REACH_S):
        plans = await plan_topics(settings.kafka(), settings.topics())
    found: list[Finding] = []
    for plan in plans:
        check = f"topic {plan.topic}"
        if plan.state == "missing":
            found.append(fail(check, "missing", "run: santral topics apply"))
        elif plan.state == "half made":
            found.append(fail(check, "; ".join(plan.differences), "run: santral topics apply"))
        elif plan.reshaped:
            found.append(fail(check, "; ".join(plan.differences), "choose another SANTRAL_TOPIC_PREFIX"))
        elif plan.differences:
            found.append(warn(check, "; ".join(plan.differences), "set it on the topic: kafka-configs.sh --alter"))
        else:
            found.append(ok(check, "as it must be"))
    return found


async def look_at_lag(settings: Settings, db: Database) -> Sequence[Finding]:
    """How many records are not taken in yet, how old the oldest is, and whether the log under each position is the one that was read."""
    topic = settings.topics().messages
    async with db.session() as connection:
        positions = await positions_of(connection, topic)
    async with asyncio.timeout(3 * REACH_S), looking_at(settings.kafka(), topic) as log:
        if wrong := said(await look(log, positions)):
            return [fail("intake", wrong, REMEDY)]
        bounds = await log.bounds(range(PARTITIONS))
        places = {one: start for one, (start, _) in bounds.items()} | {one.partition: one.next_offset for one in positions}
        behind = {one: place for one, place in places.items() if bounds[one][1] > place}
        oldest = await log.firsts(behind, within_s=_LOOK_S)
    records = sum(bounds[one][1] - place for one, place in behind.items())
    age_s = max((time.time() - one.timestamp_ms / 1000 for one in oldest.values()), default=0.0)
    text = f"{records} records behind in {len(behind)} partitions, the oldest {age_s:.0f} s old" if records else "nothing waits"
    remedy = "a router must run and its /healthz must pass; more routers share the partitions"
    return [graded("intake", text, remedy, value=max(0.0, age_s), warn_at=AGE_S[0], fail_at=AGE_S[1])]

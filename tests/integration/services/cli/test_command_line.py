"""`santral migrate`, `init`, `topics` and the processes, as an operator runs them against servers of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from services.api.credentials import read_token
from services.schema.migrate import head
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.kafka import KafkaSettings, Publisher, Record, partition_of
from shared.topics import Topics
from tests.support.servers import PostgresServer
from tests.support.serving import said_by, santral


def addresses(urls: PostgresUrls) -> dict[str, str]:
    return {
        "SANTRAL_DATABASE_URL": urls.api,
        "SANTRAL_DATABASE_WORKER_URL": urls.worker,
        "SANTRAL_DATABASE_OWNER_URL": urls.owner,
    }


async def test_migrate_twice_at_once_and_again(postgres: PostgresServer) -> None:
    name = f"test_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    try:
        said = await asyncio.gather(*(said_by("migrate", environment=addresses(urls)) for _ in range(2)))
        said.append(await said_by("migrate", environment=addresses(urls)))
        assert said == [(0, f"database schema is at {head()}")] * 3
    finally:
        await postgres.drop_database(name)


async def test_init_makes_a_workspace_and_shows_its_key_once(database_urls: PostgresUrls, worker_db: Database) -> None:
    status, said = await said_by("init", "--name", "acme", "--json", environment=addresses(database_urls))
    assert status == 0, said
    made = json.loads(said)
    async with worker_db.session() as connection:
        key = await connection.fetchrow("select * from santral.api_key where workspace_id = $1", made["workspace_id"])
        roles = await connection.fetch("select name from santral.role where workspace_id = $1 order by name", made["workspace_id"])
    assert key is not None
    assert key["secret_hash"] == read_token(made["api_key"]).secret_hash
    assert key["scopes"] == ["admin"]
    assert [role["name"] for role in roles] == ["admin", "agent", "supervisor"]
    status, said = await said_by("init", "--name", "acme", environment=addresses(database_urls))
    assert (status, said) == (1, "santral: name: there is a workspace acme already (another name, or --new-key)")
    status, said = await said_by("init", "--name", "acme", "--new-key", "--json", environment=addresses(database_urls))
    assert status == 0
    assert json.loads(said)["api_key"] != made["api_key"]


async def test_init_before_migrate_says_so(postgres: PostgresServer) -> None:
    name = f"test_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    try:
        status, said = await said_by("init", environment=addresses(urls))
        assert status == 1
        assert said.endswith("(run: santral migrate)")
    finally:
        await postgres.drop_database(name)


async def test_topics_are_planned_made_and_then_right(kafka: str) -> None:
    prefix = f"t{uuid4().hex[:12]}"
    environment = {"SANTRAL_KAFKA_BOOTSTRAP_SERVERS": kafka, "SANTRAL_TOPIC_PREFIX": prefix}
    names = [f"{prefix}.messages.v1", f"{prefix}.events.v1"]
    assert await said_by("topics", "plan", environment=environment) == (0, "\n".join(f"{name}: missing" for name in names))
    assert await said_by("topics", "apply", environment=environment) == (0, "\n".join(f"{name}: made" for name in names))
    assert await said_by("topics", "apply", environment=environment) == (0, "Both topics are there.")
    assert await said_by("topics", "plan", environment=environment) == (0, "\n".join(f"{name}: right" for name in names))


async def test_another_cluster_is_accepted_only_when_asked(
    kafka: str, topics: Topics, database_urls: PostgresUrls, worker_db: Database
) -> None:
    prefix = topics.messages.removesuffix(".messages.v1")
    environment = addresses(database_urls) | {"SANTRAL_KAFKA_BOOTSTRAP_SERVERS": kafka, "SANTRAL_TOPIC_PREFIX": prefix}
    async with worker_db.batch() as connection:
        await connection.execute("update santral.deployment set kafka_cluster_id = 'another'")
        await connection.execute(
            "insert into santral.partition_lease (topic, partition, owner, epoch, next_offset) values ($1, 3, $2, 7, 4000)",
            topics.messages, uuid4(),
        )  # fmt: skip
    status, said = await said_by(
        "courier", environment=environment | {"SANTRAL_SECRET": "s" * 32, "SANTRAL_COURIER_HEALTH_PORT": "0"}
    )
    assert status == 1
    assert said.splitlines()[-1].endswith("or run: santral topics accept-cluster)")
    assert (await said_by("topics", "accept-cluster", environment=environment))[0] != 0, "nobody said yes"
    status, said = await said_by("topics", "accept-cluster", "--yes", environment=environment)
    assert (status, said.split(" cluster ")[0]) == (0, "The database belongs to the Kafka")
    async with worker_db.session() as connection:
        lease = await connection.fetchrow(
            "select epoch, next_offset from santral.partition_lease where topic = $1", topics.messages
        )
    assert lease is not None
    assert (lease["epoch"], lease["next_offset"]) == (8, 0)


async def test_loss_is_accepted_only_where_the_log_is_cut_off(
    kafka: str, topics: Topics, database_urls: PostgresUrls, worker_db: Database
) -> None:
    publisher = Publisher(KafkaSettings(bootstrap=kafka))
    await publisher.publish(topics.messages, [Record(key=b"one", value=b"x")] * 3)
    await publisher.stop()
    cut = partition_of(b"one")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(topics.messages, cut): RecordsToDelete(before_offset=2)})
    await admin.close()
    other = (cut + 1) % 24
    async with worker_db.batch() as connection:
        await connection.executemany(
            "insert into santral.partition_lease (topic, partition, owner, epoch, next_offset) values ($1, $2, $3, 1, $4)",
            [(topics.messages, cut, uuid4(), 0), (topics.messages, other, uuid4(), 0)],
        )
    environment = addresses(database_urls) | {
        "SANTRAL_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "SANTRAL_TOPIC_PREFIX": topics.messages.removesuffix(".messages.v1"),
    }
    lost = f"partition {cut}: 2 records ran out of the log before they were taken; read from the log's start from now on"
    assert await said_by("topics", "accept-loss", "--yes", environment=environment) == (0, lost)
    assert await said_by("topics", "accept-loss", "--yes", environment=environment) == (0, "Nothing is lost.")
    async with worker_db.session() as connection:
        rows = await connection.fetch(
            "select partition, epoch, next_offset from santral.partition_lease where topic = $1", topics.messages
        )
    assert {row["partition"]: (row["epoch"], row["next_offset"]) for row in rows} == {cut: (2, 2), other: (1, 0)}


async def test_a_process_by_itself_starts_and_ends_on_sigterm(
    kafka: str, topics: Topics, database_urls: PostgresUrls, tmp_path: Path
) -> None:
    environment = addresses(database_urls) | {
        "SANTRAL_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "SANTRAL_TOPIC_PREFIX": topics.messages.removesuffix(".messages.v1"),
        "SANTRAL_SECRET": "s" * 32,
        "SANTRAL_BLOB_DIR": str(tmp_path / "blobs"),
        "SANTRAL_SPOOL_DIR": str(tmp_path / "spool"),
        **{f"SANTRAL_{name}_PORT": "0" for name in ("GATEWAY_HEALTH", "WEBHOOK", "SMTP")},
    }
    process = await santral("gateway", environment=environment)
    assert process.stdout is not None
    actions = []
    async for line in process.stdout:
        actions.append(json.loads(line)["action"])
        if actions[-1] == "ready":
            process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert [action for action in actions if action in ("started", "ready", "stopping", "stopped")] == [
        "started", "ready", "stopping", "stopped",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["gateway", "router", "api", "courier"])
async def test_a_process_without_settings_names_what_is_missing(name: str) -> None:
    status, said = await said_by(name)
    assert status == 1
    assert said.splitlines()[-1].startswith("santral: SANTRAL_"), said


async def test_a_taken_port_ends_a_process_with_a_sentence(
    kafka: str, topics: Topics, database_urls: PostgresUrls, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = addresses(database_urls) | {
            "SANTRAL_KAFKA_BOOTSTRAP_SERVERS": kafka,
            "SANTRAL_TOPIC_PREFIX": topics.messages.removesuffix(".messages.v1"),
            "SANTRAL_SECRET": "s" * 32,
            "SANTRAL_BLOB_DIR": str(tmp_path),
            "SANTRAL_GATEWAY_HEALTH_PORT": "0",
            "SANTRAL_WEBHOOK_PORT": str(taken.getsockname()[1]),
            "SANTRAL_SMTP_PORT": "0",
        }
        status, said = await said_by("gateway", environment=environment)
    assert status == 1
    assert "SANTRAL_WEBHOOK_PORT" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert os.listdir(tmp_path) == []

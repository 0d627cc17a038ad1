"""The embedded Kafka: what it promises, what it survives, and whom it leaves alone."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.embedded.cache import JarCache
from shared.embedded.errors import FolderInUse, FolderUnusable, ServerFailed
from shared.embedded.kafka import EmbeddedKafka
from shared.embedded.process import processes_of
from tests.support.embedded_host import TOPIC, create_topic
from tests.support.embedded_run import gone, host

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent death signal and pidfd")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    async with EmbeddedKafka(tmp_path) as running:
        yield running


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A stranger that happens to work in the broker's folder."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    with subprocess.Popen(["sleep", "600"], cwd=folder) as process:
        yield process
        process.kill()


async def write(bootstrap: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(TOPIC, value, partition=0)
    finally:
        await producer.stop()


async def read_all(bootstrap: str) -> list[bytes]:
    partition = TopicPartition(TOPIC, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes] = []
        while await consumer.position(partition) < end:
            batch = await consumer.getmany(partition, timeout_ms=1000)
            values += [record.value for record in batch.get(partition, [])]
        return values
    finally:
        await consumer.stop()


async def test_a_second_start_keeps_records_and_port(tmp_path: Path) -> None:
    server = EmbeddedKafka(tmp_path)
    bootstrap = await server.start()
    assert list(await asyncio.gather(server.start(), server.start())) == [bootstrap, bootstrap]
    await create_topic(bootstrap)
    await write(bootstrap, [b"merhaba"])
    await server.stop()
    await server.stop()
    async with EmbeddedKafka(tmp_path) as again:
        assert again.bootstrap == bootstrap
        assert await read_all(bootstrap) == [b"merhaba"]
    with pytest.raises(ServerFailed, match="not running"):
        _ = server.pid


async def test_an_acknowledgement_means_on_disk_and_topics_are_made_on_purpose(server: EmbeddedKafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
    await admin.close()
    settings = {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}
    assert settings["log.flush.interval.messages"] == "1"
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["listeners"].startswith(f"BROKER://{server.bootstrap}")
    assert (server.folder / "log" / "broker.log").stat().st_size > 0
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700


async def test_kill_and_start_again_keeps_what_was_acknowledged(server: EmbeddedKafka) -> None:
    bootstrap, first = server.bootstrap, server.pid
    await create_topic(bootstrap)
    values = [str(n).encode() for n in range(200)]
    await write(bootstrap, values)
    await server.kill()
    assert not server.running
    assert await server.start() == bootstrap
    assert server.pid != first
    assert await read_all(bootstrap) == values
    await write(bootstrap, [b"more"])


async def test_a_stopped_broker_goes_on_where_it_was(server: EmbeddedKafka) -> None:
    await create_topic(server.bootstrap)
    os.kill(server.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(write(server.bootstrap, [b"late"]))
    done, _ = await asyncio.wait([waiting], timeout=3)  # twice the broker's session
    assert not done
    os.kill(server.pid, signal.SIGCONT)
    await asyncio.wait_for(waiting, 30)
    assert await read_all(server.bootstrap) == [b"late"]


@linux
@pytest.mark.parametrize("whole_tree", [True, False])
async def test_acknowledged_records_survive_a_kill(tmp_path: Path, *, whole_tree: bool) -> None:
    async with host("kafka", tmp_path) as writer:
        await writer.hear_acknowledged(50)
        if whole_tree:
            os.kill(writer.server_pid, signal.SIGKILL)
        await writer.kill()
        await asyncio.wait_for(gone(writer.server_pid), 30)
    async with EmbeddedKafka(tmp_path) as server:
        assert {int(value) for value in await read_all(server.bootstrap)} >= set(writer.acknowledged)


@linux
async def test_a_broker_left_behind_is_ended(tmp_path: Path) -> None:
    async with host("kafka", tmp_path) as writer:
        await writer.hear_acknowledged(1)
        os.kill(writer.server_pid, signal.SIGSTOP)  # it cannot follow its parent
        await writer.kill()
        assert processes_of(tmp_path / "kafka", "java") == [writer.server_pid]
        sentences: list[str] = []
        server = EmbeddedKafka(tmp_path)
        await server.start(sentences.append)
    await asyncio.wait_for(gone(writer.server_pid), 5)
    assert any("left behind" in sentence for sentence in sentences)
    assert len(await read_all(server.bootstrap)) >= len(writer.acknowledged)
    await server.stop()


async def test_a_stranger_in_the_folder_is_left_alone(tmp_path: Path, bystander: subprocess.Popen[bytes]) -> None:
    async with EmbeddedKafka(tmp_path):
        assert bystander.poll() is None
    assert bystander.poll() is None


async def test_a_folder_in_use_is_refused_by_name(server: EmbeddedKafka) -> None:
    with pytest.raises(FolderInUse, match=f"process {os.getpid()}"):
        await EmbeddedKafka(server.folder.parent).start()
    async with host("kafka", server.folder.parent) as second:
        assert (await second.hear()).startswith(f"refused The folder {server.folder} is in use by another Santral")


async def test_a_taken_port_is_replaced_and_told(tmp_path: Path) -> None:
    async with EmbeddedKafka(tmp_path) as server:
        await create_topic(server.bootstrap)
        await write(server.bootstrap, [b"kept"])
        before = server.bootstrap
    sentences: list[str] = []
    port = int(before.partition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        server = EmbeddedKafka(tmp_path)
        assert await server.start(sentences.append) != before
        assert any(f"Port {port} is taken" in sentence for sentence in sentences)
        assert await read_all(server.bootstrap) == [b"kept"]
        await server.stop()


async def test_a_full_cache_starts_without_a_network(tmp_path: Path) -> None:
    await JarCache().ensure()
    nowhere = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    async with EmbeddedKafka(tmp_path, cache=JarCache(environment=nowhere)) as server:
        assert server.running


async def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "kafka").write_text("")
    with pytest.raises(FolderUnusable, match="a file stands where a folder is needed"):
        await EmbeddedKafka(tmp_path).start()


async def test_a_broken_folder_gives_one_sentence(tmp_path: Path) -> None:
    async with EmbeddedKafka(tmp_path) as server:
        meta = server.folder / "data" / "meta.properties"
    meta.write_text("version=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\nnode.id=7\n")
    with pytest.raises(ServerFailed, match="Kafka stopped while starting"):
        await EmbeddedKafka(tmp_path).start()
    assert processes_of(tmp_path / "kafka", "java") == []

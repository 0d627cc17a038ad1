"""One workspace's posts to the gateway while another is sent a hundred times its quota: p95 beside p95, both from this run.

Broker, database and the gateway's own door on this machine; the flood comes from a process of its own. Quiet and loud stretches take turns,
so that what else the machine does falls on both.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ingest.directory import Directory
from ingest.parse import Parser
from ingest.receive import Receiver
from services.frame.bodies import Bodies
from services.frame.doors import WebDoor
from services.frame.rates import Rates
from services.gateway.app import create_gateway
from services.gateway.one_time_tokens import ReplayGuard
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.database import Database
from shared.kafka import KafkaSettings, Publisher
from shared.sealing import Sealer
from shared.topics import Topics
from tests.support.figures import Figures, percentile
from tests.support.workspaces import make_workspace

QUOTA_PER_S = 10
FLOOD_PER_S = 100 * QUOTA_PER_S
SENDERS = 20
STRETCHES, STRETCH_S = 4, 8.0
PACE_S = 1 / (QUOTA_PER_S - 2)
RATIO_MAX = 2.0
SECRET = b"a secret of thirty-two characters!"
MAIL = b"From: a@ornek.net\r\nSubject: x\r\n\r\nmerhaba %d\r\n"
FLOOD = """
import asyncio, sys, time
port, path, senders, pace_s = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
head = f"POST {path} HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: 5\\r\\nconnection: close\\r\\n\\r\\nloud!".encode()

async def one():
    due = time.monotonic()
    while True:
        due = max(due + pace_s, time.monotonic())
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        print((await reader.read(64))[9:12].decode(), flush=True)
        writer.close()

async def main():
    await asyncio.gather(*(one() for _ in range(senders)))

asyncio.run(main())
"""

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


@contextlib.asynccontextmanager
async def gateway(db: Database, kafka: str, topics: Topics, folder: Path) -> AsyncIterator[int]:
    """Its port."""
    publisher = Publisher(KafkaSettings(bootstrap=kafka))
    directory = Directory(db, Sealer(SECRET), grace_until=datetime.max.replace(tzinfo=UTC))
    await directory.refresh()
    receiver = Receiver(publisher=publisher, topic=topics.messages, blobs=FileBlobs(folder), secret=SECRET, clock=SystemClock())
    async with Parser() as parser:
        app = create_gateway(
            directory=directory, receiver=receiver, parser=parser, replays=ReplayGuard(db), clock=SystemClock(), bodies=Bodies(),
            rates=Rates({"workspace": QUOTA_PER_S}),
        )  # fmt: skip
        door = WebDoor(app, host="127.0.0.1", port=0, setting="port")
        await door.open()
        try:
            yield door.port
        finally:
            await door.close(5)
            await publisher.stop()


@contextlib.asynccontextmanager
async def flood(port: int, path: str) -> AsyncIterator[list[str]]:
    """A hundred times the quota, from its first answer on; the statuses, once it has ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FLOOD, str(port), path, str(SENDERS), str(SENDERS / FLOOD_PER_S), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    statuses = [(await process.stdout.readline()).decode().strip()]

    async def hear(stream: asyncio.StreamReader) -> None:
        statuses.extend([line.decode().strip() async for line in stream])

    hearing = asyncio.create_task(hear(process.stdout))
    try:
        yield statuses
    finally:
        process.terminate()
        await asyncio.gather(process.wait(), hearing)


async def stretch(client: httpx.AsyncClient, address: str) -> list[float]:
    """Milliseconds of posts at a steady pace below the quota, each of them taken."""
    took: list[float] = []
    due = time.perf_counter()
    for _ in range(int(STRETCH_S / PACE_S)):
        # Never two at once to catch up: that would be over the quota.
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        due = time.perf_counter() + PACE_S
        sent = time.perf_counter()
        answer = await client.post(address, content=MAIL % time.monotonic_ns())
        assert answer.status_code == 200, answer.text
        took.append((time.perf_counter() - sent) * 1000)
    return took


async def test_one_workspaces_flood_beside_anothers_posts(worker_db: Database, kafka: str, topics: Topics, tmp_path: Path) -> None:
    loud, quiet = await make_workspace(worker_db, name="loud"), await make_workspace(worker_db, name="quiet")
    path, theirs = (f"/in/token-{one.inboxes['asterisk']}" for one in (quiet, loud))
    alone: list[float] = []
    beside: list[float] = []
    answered: list[str] = []
    async with gateway(worker_db, kafka, topics, tmp_path) as port, httpx.AsyncClient(trust_env=False) as client:
        address = f"http://127.0.0.1:{port}{path}"
        await stretch(client, address)  # the broker's connection, and what is read once
        for _ in range(STRETCHES):
            alone += await stretch(client, address)
            async with flood(port, theirs) as statuses:
                beside += await stretch(client, address)
            answered += statuses
    ratio = percentile(beside, 0.95) / percentile(alone, 0.95)
    figures = Figures(f"A workspace's posts while another is sent {FLOOD_PER_S}/s at a quota of {QUOTA_PER_S}/s")
    figures.add(
        "p95 of a post", f"{percentile(beside, 0.95):.1f} ms", f"alone {percentile(alone, 0.95):.1f} ms; {len(beside)} posts each",
        f"{ratio:.2f}",
    )  # fmt: skip
    figures.add(
        "the flood", f"{len(answered) / (STRETCHES * STRETCH_S):.0f}/s", f"{answered.count('503')} of {len(answered)} put off"
    )
    print(figures.show())
    assert answered.count("503") > len(answered) / 2
    assert ratio < RATIO_MAX

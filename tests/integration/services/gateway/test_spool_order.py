"""One sender's order through a gateway's spool: kept behind it, and what it means to come in at another door."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from ingest.adapter import Draft, Inbox, Target
from ingest.receive import Receiver
from services.gateway.process import drain
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.cloudevent import decode_message
from shared.kafka import KafkaSettings, Publisher
from shared.spool import Spool
from shared.topics import Topics
from tests.support.chaos_proxy import ChaosProxy
from tests.support.log_reader import read_topic
from tests.support.waiting import eventually

INBOX = Inbox(workspace_id=uuid4(), id=uuid4(), name="mail", channel="email", provider="smtp")
TARGET = Target(id=INBOX.id, workspace_id=INBOX.workspace_id, provider="smtp", inboxes=(INBOX,))
SENDER = {"kind": "email", "value": "ayse@ornek.com", "assurance": "channel_verified"}


def receiver(publisher: Publisher, topics: Topics, folder: Path, spool: Spool | None = None) -> Receiver:
    return Receiver(
        publisher=publisher, topic=topics.messages, blobs=FileBlobs(folder / "blobs"), secret=b"s" * 32, clock=SystemClock(), spool=spool
    )  # fmt: skip


async def received(door: Receiver, *names: str) -> list[bool]:
    """Takes these messages in, one after the other; whether each went to the spool."""
    drafts = [Draft(inbox=INBOX, external_id=name, values={"text": name, "sender": SENDER}) for name in names]
    return [(await door.receive(TARGET, [draft]))[0].spooled for draft in drafts]


@pytest.fixture
async def line(kafka: str) -> AsyncIterator[ChaosProxy]:
    """A gateway's way to the broker, which can be cut."""
    host, _, port = kafka.rpartition(":")
    async with ChaosProxy(host, int(port), kafka=True) as proxy:
        yield proxy


async def test_what_comes_later_goes_behind_the_spool_and_another_door_does_not_wait(
    kafka: str, topics: Topics, line: ChaosProxy, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        publisher, other = (
            Publisher(KafkaSettings(bootstrap=line.address)),
            Publisher(KafkaSettings(bootstrap=kafka), deadline_s=20),
        )
        spool = Spool(tmp_path / "spool")
        stack.push_async_callback(publisher.stop)
        stack.push_async_callback(other.stop)
        stack.callback(spool.close)
        gateway, api = receiver(publisher, topics, tmp_path, spool), receiver(other, topics, tmp_path)
        await line.set("rst")
        assert await received(gateway, "1", "2", "3") == [True, True, True]
        await line.set("ok")
        assert await received(gateway, "4", "5") == [True, True], "the broker is back, but they go behind the others"
        assert await received(api, "another door") == [False]
        draining = asyncio.create_task(drain(spool, publisher))

        async def empty() -> bool:
            return spool.empty

        await eventually(empty, 20, "the spool is empty")
        assert await received(gateway, "6") == [False]
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
    found = await read_topic(kafka, topics.messages)
    messages = [decode_message(one.headers, one.value) for one in found]
    assert len({one.partition for one in found}) == 1
    assert list(dict.fromkeys(one.text for one in messages)) == ["another door", "1", "2", "3", "4", "5", "6"]
    # Who was first is still told by when each was accepted.
    order = sorted({(one.accepted_at, one.text) for one in messages})
    assert [text for _, text in order] == ["1", "2", "3", "4", "5", "another door", "6"]

"""Decoding a fetch gives whoever else waits in the event loop their turns."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from router.intake.intake import Intake
from router.workspace.workspace import Workspace, workspace_of
from shared.cloudevent import encode_message
from shared.errors import Unavailable
from shared.message import InboundMessage
from shared.turns import A_TURN

WORKSPACE = workspace_of(UUID(int=7), {})
TURNS = 4


@dataclass(frozen=True)
class FromLog:
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    offset: int
    partition: int = 0
    timestamp_ms: int = 0
    since: int | None = None


class Counted:
    """A configuration that says how many messages were decoded."""

    def __init__(self) -> None:
        self.decoded = 0

    def workspace(self, workspace_id: UUID) -> Workspace | None:
        self.decoded += 1
        return WORKSPACE

    def first(self) -> Workspace | None:
        return WORKSPACE

    def alone(self) -> bool:
        return True


class NoDatabase:
    """Where a fetch goes once it is decoded: nowhere."""

    def session(self) -> Any:
        raise Unavailable("no database")


async def test_others_have_a_turn_every_few_messages_of_a_fetch() -> None:
    configuration: Any = Counted()
    database: Any = NoDatabase()
    nothing: Any = None
    intake = Intake(
        database, topic="t", leases=nothing, configuration=configuration, secret=b"s" * 32, snapshots=nothing,
        on_provider_words=nothing,
    )  # fmt: skip
    fetch = [_record(offset) for offset in range(TURNS * A_TURN)]
    seen: list[int] = []

    async def other() -> None:
        while True:
            seen.append(configuration.decoded)
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    with suppress(Unavailable):
        await intake.take({0: fetch})
    waiting.cancel()
    assert len(seen) == TURNS, "one turn for each few"
    assert max(later - earlier for earlier, later in zip([0, *seen], [*seen, len(fetch)], strict=True)) <= A_TURN


def _record(offset: int) -> FromLog:
    message = InboundMessage(
        id=uuid4(), workspace_id=WORKSPACE.id, inbox_id=uuid4(), external_id=str(offset), channel="chat", provider="webchat",
        text="Merhaba", accepted_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    record = encode_message(message, key=b"k")
    return FromLog(record.value, record.headers, offset)

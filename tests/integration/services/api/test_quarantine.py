"""Entries of quarantine over REST: what is resolved takes nothing in again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from ingest import parse_worker
from ingest.adapter import Inbox, Parsed, Request, Target, Unparsed
from ingest.parse import Parser
from shared.database import Database
from shared.ids import new_id
from shared.kafka import Record
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace

MAIL = b"From: Ayse <ayse@ornek.com>\r\nSubject: siparis\r\n\r\nSiparisim nerede?\r\n"


async def entry_of(api: Api, worker: Database, workspace: Workspace, state: str, *, mail: bytes = MAIL) -> UUID:
    """A mail that an inbox did not understand once, and does now."""
    inbox = Inbox(
        workspace_id=workspace.id, id=workspace.inboxes["smtp"], name="smtp", channel="email", provider="smtp", address="destek@ornek.com"
    )  # fmt: skip
    target = Target(id=inbox.id, workspace_id=workspace.id, provider="smtp", inboxes=(inbox,))
    await api.app.state.receiver.receive(target, [Unparsed(inbox=inbox, original=mail, reason="not understood")])
    record = api.broker.records.pop()
    entry = new_id()
    async with worker.batch() as connection:
        await connection.execute(
            "insert into santral.quarantine (workspace_id, id, message_id, inbox_id, reason, record, headers, accepted_at, state)"
            " values ($1, $2, $2, $3, 'unparsed', $4, $5, now(), $6)",
            workspace.id, entry, inbox.id, record.value, {name: value.decode() for name, value in record.headers}, state,
        )  # fmt: skip
    return entry


@pytest.mark.parametrize(("state", "status", "taken"), [("open", 200, 1), ("discarded", 409, 0), ("replayed", 409, 0)])
async def test_what_was_resolved_takes_nothing_in(
    api: Api, worker_db: Database, workspace: Workspace, state: str, status: int, taken: int
) -> None:
    entry = await entry_of(api, worker_db, workspace, state)
    answer = await api.client.post(f"/v1/quarantine/{entry}/replay", json={}, headers=await api.key(workspace.id))
    assert (answer.status_code, len(api.broker.records)) == (status, taken), answer.text
    audited = await rows(worker_db, "select action from santral.audit where action = 'quarantine.replayed'")
    assert len(audited) == taken


class DiscardedMeanwhile:
    """The parser; while it works, somebody discards the entry."""

    def __init__(self, parser: Parser, discard: Callable[[], Awaitable[None]]) -> None:
        self._parser, self._discard = parser, discard

    async def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        parsed = await self._parser.parse(target, request)
        await self._discard()
        return parsed


async def test_what_is_discarded_while_it_is_parsed_does_not_go_in(api: Api, worker_db: Database, workspace: Workspace) -> None:
    entry, headers = await entry_of(api, worker_db, workspace, "open"), await api.key(workspace.id)

    async def discard() -> None:
        assert (await api.client.post(f"/v1/quarantine/{entry}/discard", headers=headers)).status_code == 204

    api.app.state.parser = DiscardedMeanwhile(api.app.state.parser, discard)
    answer = await api.client.post(f"/v1/quarantine/{entry}/replay", json={}, headers=headers)
    assert (answer.status_code, api.broker.records) == (409, []), answer.text
    assert [one["state"] for one in await rows(worker_db, "select state from santral.quarantine")] == ["discarded"]


async def test_what_goes_in_is_not_discarded_meanwhile(api: Api, worker_db: Database, workspace: Workspace) -> None:
    """And what the broker does not take stays where it was."""
    entry, headers = await entry_of(api, worker_db, workspace, "open"), await api.key(workspace.id)
    api.broker.down = True
    answer = await api.client.post(f"/v1/quarantine/{entry}/replay", json={}, headers=headers)
    assert answer.status_code == 503, answer.text
    assert [one["state"] for one in await rows(worker_db, "select state from santral.quarantine")] == ["open"]
    api.broker.down = False
    discarded: list[asyncio.Task[httpx.Response]] = []
    publish = api.broker.publish

    async def publishing(topic: str, records: Sequence[Record]) -> None:
        discarded.append(asyncio.create_task(api.client.post(f"/v1/quarantine/{entry}/discard", headers=headers)))
        await publish(topic, records)

    api.broker.publish = publishing  # type: ignore[method-assign]
    answer = await api.client.post(f"/v1/quarantine/{entry}/replay", json={}, headers=headers)
    assert (answer.status_code, len(api.broker.records)) == (200, 1), answer.text
    assert (await discarded[0]).status_code == 409
    assert [one["state"] for one in await rows(worker_db, "select state from santral.quarantine")] == ["replayed"]


def parsers() -> set[int]:
    """The processes of ours that parse."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid() and parse_worker.__name__.encode() in command:
            found.add(int(folder.name))
    return found


async def test_one_process_parses_whatever_is_replayed(api: Api, worker_db: Database, workspace: Workspace) -> None:
    headers, seen = await api.key(workspace.id), set()
    for _ in range(3):
        entry = await entry_of(api, worker_db, workspace, "open", mail=MAIL + b"x\r\n" * 2_000)
        answer = await api.client.post(f"/v1/quarantine/{entry}/replay", json={"dry_run": True}, headers=headers)
        assert answer.status_code == 200, answer.text
        seen |= parsers()
        assert len(seen) == 1, "it answers again"

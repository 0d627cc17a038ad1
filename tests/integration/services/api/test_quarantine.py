"""Entries of quarantine over REST: what is resolved takes nothing in again."""

from __future__ import annotations

import asyncio
import os
import smtplib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest

from ingest import parse_worker
from ingest.adapter import Inbox, Parsed, Request, Target, Unparsed
from ingest.parse import Parser
from profiles.erasure_tombstones import tombstone_hash
from services.frame.bodies import Bodies
from services.frame.doors import listening_socket
from services.gateway.app import create_gateway
from services.gateway.smtp import MailHandler, listen
from shared.clock import SystemClock
from shared.cloudevent import decode_message
from shared.database import Database
from shared.handle import Handle
from shared.ids import new_id
from shared.kafka import Record
from tests.integration.services.gateway.test_posts import Trusting
from tests.support.api import SECRET, Api
from tests.support.intake_line import rows
from tests.support.mail_door import OneInbox
from tests.support.workspaces import Workspace

BORDER = "mx.ornek.com"
MAIL = b"From: Ayse <ayse@ornek.com>\r\nSubject: siparis\r\n\r\nSiparisim nerede?\r\n"


async def entry_of(api: Api, worker: Database, workspace: Workspace, state: str, *, mail: bytes = MAIL) -> UUID:
    """A mail that an inbox did not understand once, and does now."""
    inbox = Inbox(
        workspace_id=workspace.id, id=workspace.inboxes["smtp"], name="smtp", channel="email", provider="smtp", address="destek@ornek.com"
    )  # fmt: skip
    target = Target(id=inbox.id, workspace_id=workspace.id, provider="smtp", inboxes=(inbox,))
    await api.app.state.receiver.receive(target, [Unparsed(inbox=inbox, original=mail, reason="not understood")])
    return await put_aside(api, worker, workspace, state)


async def put_aside(api: Api, worker: Database, workspace: Workspace, state: str = "open") -> UUID:
    """The last record on the log as an entry, as intake writes it."""
    record = api.broker.records.pop()
    entry = new_id()
    async with worker.batch() as connection:
        await connection.execute(
            "insert into santral.quarantine (workspace_id, id, message_id, inbox_id, reason, record, headers, accepted_at, state)"
            " values ($1, $2, $2, $3, 'unparsed', $4, $5, now(), $6)",
            workspace.id, entry, workspace.inboxes["smtp"], record.value, {name: value.decode() for name, value in record.headers}, state,
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


async def brought(api: Api, inbox: Inbox, door: str, mail: bytes) -> None:
    """A mail through a door of the gateway, whose parser had no time for it."""
    receiver, clock, directory = api.app.state.receiver, SystemClock(), OneInbox(inbox)
    async with Parser(workers=1, timeout_s=0.001) as parser:
        if door == "listener":
            server = await listen(
                MailHandler(directory=directory, receiver=receiver, clock=clock, parser=parser),
                listening_socket("127.0.0.1", 0, setting="port"),
            )
            port = server.sockets[0].getsockname()[1]
            try:
                await asyncio.to_thread(_mailed, port, inbox.address, mail)
            finally:
                server.close()
            return
        app = create_gateway(
            directory=directory, receiver=receiver, parser=parser, replays=cast("Any", Trusting()), clock=clock, bodies=Bodies()
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            bearer = {"authorization": f"Bearer {inbox.secrets['post_secret']}"} if inbox.secrets else {}
            answer = await client.post("/in/in", content=mail, headers=bearer)
            assert answer.status_code == 200, answer.text


def _mailed(port: int, to: str, mail: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", port) as session:
        session.sendmail("a@ornek.net", [to], mail)


@pytest.mark.parametrize(
    ("door", "border_then", "border_now", "said", "scope", "assurance", "verdict"),
    [
        ("hook", BORDER, BORDER, "fail", "unverified", "asserted", "fail"),
        ("hook", BORDER, BORDER, "pass", "", "channel_verified", "pass"),
        ("hook", BORDER, "", "fail", "unverified", "asserted", "fail"),
        ("hook", "", BORDER, "pass", "", "asserted", "no_border"),
        ("listener", BORDER, BORDER, "pass", "", "channel_verified", "pass"),
        ("anybody", BORDER, BORDER, "pass", "", "asserted", "none"),
        ("unknown", BORDER, BORDER, "pass", "", "asserted", "none"),
        ("unknown", BORDER, "", "pass", "", "asserted", "none"),
        ("unknown", BORDER, BORDER, "fail", "unverified", "asserted", "fail"),
    ],
)
async def test_what_is_taken_in_again_vouches_for_whom_it_vouched_for_then(
    api: Api, worker_db: Database, workspace: Workspace,
    door: str, border_then: str, border_now: str, said: str, scope: str, assurance: str, verdict: str,
) -> None:  # fmt: skip
    stamp = f"Authentication-Results: {BORDER}; dmarc={said} header.from=ornek.com\r\n".encode()
    mail = stamp + MAIL + b"Lorem ipsum dolor sit amet.\r\n" * 1_000
    inbox = Inbox(
        workspace_id=workspace.id, id=workspace.inboxes["smtp"], name="smtp", channel="email", provider="smtp", address="destek@ornek.com",
        settings={"authserv_id": border_then} if border_then else {},
        secrets={"post_secret": "a secret of an inbox"} if door == "hook" else {},
    )  # fmt: skip
    if door == "unknown":
        entry = await entry_of(api, worker_db, workspace, "open", mail=mail)
    else:
        await brought(api, inbox, door, mail)
        entry = await put_aside(api, worker_db, workspace)
    async with worker_db.batch() as connection:
        now = {"authserv_id": border_now} if border_now else {}
        await connection.execute("update santral.inbox set settings = $2 where id = $1", inbox.id, now)
    answer = await api.client.post(f"/v1/quarantine/{entry}/replay", json={}, headers=await api.key(workspace.id))
    assert answer.status_code == 200, answer.text
    message = decode_message(api.broker.records[-1].headers, api.broker.records[-1].value)
    assert message.sender is not None
    assert (message.sender.value, message.sender.scope, message.sender.assurance) == ("ayse@ornek.com", scope, assurance)
    assert (message.traits, message.authenticated) == ({"verdict": verdict}, assurance != "asserted")


async def test_what_is_taken_in_again_was_accepted_when_it_came(api: Api, worker_db: Database, workspace: Workspace) -> None:
    """So a sender who was erased since does not come back, nor does who is erased while it is on its way."""
    headers = await api.key(workspace.id)
    entry = await entry_of(api, worker_db, workspace, "open")
    (row,) = await rows(worker_db, "select headers->>'ce_time' as at from santral.quarantine where id = $1", entry)
    came = datetime.fromisoformat(row["at"])
    handle = Handle(kind="email", value="ayse@ornek.com")
    insert = "insert into santral.tombstone (workspace_id, handle_id, erasure_id, hash, erased_at) values ($1, $2, $2, $3, $4)"
    async with worker_db.batch() as connection:
        hashed = tombstone_hash(SECRET, workspace.id, handle)
        await connection.execute(insert, workspace.id, new_id(), hashed, came - timedelta(seconds=1))
    answer = await api.client.post(f"/v1/quarantine/{entry}/replay", json={}, headers=headers)
    assert answer.status_code == 200, answer.text
    record = api.broker.records.pop()
    assert decode_message(record.headers, record.value).accepted_at == came
    again = await entry_of(api, worker_db, workspace, "open", mail=MAIL + b"once more\r\n")
    async with worker_db.batch() as connection:
        await connection.execute(insert, workspace.id, new_id(), hashed, came + timedelta(minutes=1))
    for dry_run in (True, False):
        answer = await api.client.post(f"/v1/quarantine/{again}/replay", json={"dry_run": dry_run}, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (422, "its sender was erased after it was accepted")
        assert "discard" in answer.json()["remedy"]
    assert api.broker.records == []


async def test_what_took_too_long_is_not_replayed_at_once(api: Api, worker_db: Database, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    entry = await entry_of(api, worker_db, workspace, "open", mail=MAIL + b"x\r\n" * 2_000)
    async with Parser(timeout_s=0.0) as api.app.state.parser:
        said = [(await api.client.post(f"/v1/quarantine/{entry}/replay", json={}, headers=headers)).json() for _ in range(2)]
    assert [one["status"] for one in said] == [422, 422]
    assert "not tried again" not in said[0]["detail"]
    assert "not tried again for 10 minutes" in said[1]["detail"]
    assert said[1]["remedy"] == "replay it in ten minutes, or discard the entry"

"""Card numbers of customers and agents: masked before anything is stored, whichever way they come; files are not looked into."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from ingest.adapter import Request, Unparsed
from ingest.directory import Directory
from ingest.receive import Receiver
from ingest.registry import adapter_for
from services.api.caller_turns import THOUGHTS_WAITING_MAX, CallerTurns
from services.api.principal import Principal
from services.api.workspaces import make_workspace
from services.api.written_words import IN_LOOP_CHARS_MAX
from services.doctor.card_numbers import look_at_card_numbers
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.cloudevent import decode_message
from shared.database import Database
from tests.support.api import Api, Broker, listening, somebody_of
from tests.support.chat import chat, open_session, published, say
from tests.support.intake_line import SECRET, Line, member_of, rows
from tests.support.workspaces import Workspace

CARD, SHOWN = "4111 1111 1111 1111", "**** **** **** 1111"
PIECES = ("4111 1111", "1111 1111", "11111111", "1111&nbsp;1111", "4111</b>")  # long enough to stand in no id by chance
META = Path(__file__).parents[3] / "fixtures"
MAIL = f"""From: Ayse <ayse@ornek.com>
To: destek@ornek.com
Subject: Kart {CARD}
Message-ID: <kart@ornek.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/plain; charset=utf-8

no {CARD} son
--y
Content-Type: text/html; charset=utf-8

<p>no <b>4111</b>&nbsp;1111&nbsp;1111&nbsp;1111 son</p>
--y--
--x
Content-Type: application/pdf; name="fis.pdf"
Content-Disposition: attachment; filename="fis.pdf"

%PDF {CARD}
--x--
""".replace("\n", "\r\n").encode()


@dataclass(slots=True, kw_only=True)
class Door:
    """A gateway without its sockets: the real directory, adapters, intake's edge, files, and a router behind them."""

    db: Database
    workspace: Workspace
    directory: Directory
    receiver: Receiver
    broker: Broker
    blobs: FileBlobs
    line: Line = field(default_factory=Line)

    async def takes(self, token: str, body: bytes) -> list[str]:
        """What comes at an address, as far as the router stores it: the rows of the messages, as text."""
        target = self.directory.target(token)
        request = Request(method="POST", url="", headers={}, query={}, body=body, received_at=datetime.now(UTC))
        parsed = list(adapter_for(target.provider).parse(target, request))
        assert parsed
        await self.receiver.receive(target, parsed)
        for record in self.broker.records:
            self.line.add_raw(record.value, record.headers)
        self.broker.records.clear()
        await (await member_of(self.db)).take(self.line)
        return await everything(self.db)


async def everything(db: Database) -> list[str]:
    """Every row of every table, as text."""
    tables = await rows(db, "select table_name as name from information_schema.tables where table_schema = 'santral'")
    found = []
    for table in tables:
        found += [row["whole"] for row in await rows(db, f'select to_jsonb(x)::text as whole from santral."{table["name"]}" x')]
    return found


def has_card(texts: list[str]) -> bool:
    return any(piece in text for text in texts for piece in PIECES)


async def masks(db: Database, workspace: Workspace, value: Any = "cards") -> None:
    async with db.batch() as connection:
        await connection.execute(
            "update santral.workspace set settings = settings || $2 where id = $1", workspace.id, {"mask_numbers": value}
        )


@pytest.fixture
async def door(api: Api, worker_db: Database, workspace: Workspace, tmp_path: Path) -> Door:
    async with worker_db.batch() as connection:
        meta = uuid4()
        await connection.execute(
            "insert into santral.connection (workspace_id, id, name, provider, path_token, settings)"
            " values ($1, $2, 'meta', 'meta', 'token-meta', '{\"app_id\": \"42\"}')",
            workspace.id, meta,
        )  # fmt: skip
        for provider, address in (("whatsapp", "1100"), ("messenger", "PAGE1"), ("instagram", "IG1")):
            await connection.execute(
                "insert into santral.inbox (workspace_id, id, name, channel, provider, address, path_token, connection_id)"
                " values ($1, $2, $3, 'social', $3, $4, $5, $6)",
                workspace.id, uuid4(), provider, address, f"token-{provider}", meta,
            )  # fmt: skip
    await masks(worker_db, workspace)
    directory, broker, blobs = Directory(worker_db, api.sealer), Broker(), FileBlobs(tmp_path)
    await directory.refresh()
    receiver = Receiver(publisher=broker, topic="t", blobs=blobs, secret=SECRET, clock=SystemClock())
    return Door(db=worker_db, workspace=workspace, directory=directory, receiver=receiver, broker=broker, blobs=blobs)


async def test_a_mail_keeps_its_file_and_no_card_number_in_words(door: Door) -> None:
    stored = await door.takes(f"token-{door.workspace.inboxes['smtp']}", MAIL)
    assert not has_card(stored)
    (row,) = await rows(door.db, "select subject, text from santral.message")
    assert (row["subject"], row["text"].strip()) == (f"Kart {SHOWN}", f"no {SHOWN} son")
    files = {
        key.rpartition("/")[2].partition("-")[0]: await door.blobs.get(key)
        for key in await door.blobs.keys(f"{door.workspace.id}/")
    }
    assert set(files) == {"html", "attachment"}, "the original goes, because its bytes cannot be masked in place"
    assert files["html"].decode() == "<p>no <b>****</b>&nbsp;****&nbsp;****&nbsp;1111 son</p>"
    assert CARD.encode() in files["attachment"], "a file is as it came"


def meta_body(fixture: str, text: str) -> bytes:
    """A recorded post with another text, whatever its place."""

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: text if name in ("text", "body") and isinstance(one, str) else put(one) for name, one in value.items()}
        return [put(one) for one in value] if isinstance(value, list) else value

    return json.dumps(put(json.loads((META / fixture).read_text())["json"])).encode()


@pytest.mark.parametrize(
    "fixture",
    ["whatsapp/text.request.json", "messenger/an_edit.request.json", "instagram/comment_and_message.request.json"],
)
async def test_social_messages_comments_and_edits_keep_four_digits(door: Door, fixture: str) -> None:
    stored = await door.takes("token-meta", meta_body(fixture, f"kartım {CARD} tamam"))
    assert not has_card(stored)
    assert any(f"kartım {SHOWN} tamam" in row for row in stored)


async def test_what_no_adapter_understood_keeps_its_bytes_but_not_the_number(door: Door) -> None:
    target = door.directory.target("token-meta")
    broken = Unparsed(inbox=None, original=f'{{"nobody knows": "{CARD}"}}'.encode(), reason="no inbox has this account")
    await door.receiver.receive(target, [broken])
    (record,) = door.broker.records
    message = decode_message(dict(record.headers), record.value)
    assert message.kind == "unparsed"
    assert base64.b64decode(message.original or "").decode() == f'{{"nobody knows": "{SHOWN}"}}'


async def test_chat_and_posted_messages_keep_four_digits(api: Api, workspace: Workspace) -> None:
    await masks(api.worker, workspace)
    widget = f"token-{workspace.inboxes['webchat']}"
    async with listening(api) as url:
        session = await open_session(api, widget)
        async with chat(url, widget, session["token"]) as (socket, _):
            await say(socket, f"kartım {CARD}")
    body = {"inbox": "api", "external_id": "1", "text": "٤١١١ ١١١١ ١١١١ ١١١١", "from": {"kind": "email", "value": "ayse@ornek.com"}}
    posted = await api.client.post("/v1/messages", headers=await api.key(workspace.id), json=body)
    assert posted.status_code == 202, posted.text
    assert [one.text for one in published(api)] == [f"kartım {SHOWN}", "**** **** **** ١١١١"]


async def taken_item(api: Api, workspace: Workspace) -> tuple[UUID, UUID, UUID]:
    """A posted message that became an agent's work: conversation, item, profile."""
    body = {"inbox": "api", "external_id": "1", "text": "Merhaba", "from": {"kind": "email", "value": "ayse@ornek.com"}}
    await api.client.post("/v1/messages", headers=await api.key(workspace.id), json=body)
    line = Line()
    line.add(*published(api))
    await (await member_of(api.worker)).take(line)
    (found,) = await rows(
        api.worker,
        "select i.id, i.conversation_id, h.profile_id from santral.work_item i join santral.conversation c on c.id = i.conversation_id"
        " join santral.handle h on h.id = c.handle_id",
    )
    return found["conversation_id"], found["id"], found["profile_id"]


async def test_what_agents_write_is_stored_and_sent_with_four_digits(api: Api, workspace: Workspace) -> None:
    await masks(api.worker, workspace)
    conversation, item, profile = await taken_item(api, workspace)
    agent = await api.agent(workspace.id, workspace.agent_id)
    claimed = await api.client.post(f"/v1/items/{item}/claim", headers=agent)
    assert claimed.status_code == 200, claimed.text
    content = {"kind": "html", "text": f"kartınız {CARD}", "html": "<p>4111&nbsp;1111&nbsp;1111&nbsp;1111</p>"}
    calls = (
        (f"/v1/conversations/{conversation}/replies", {"content": content | {"kind": "text"}, "subject": f"Kart {CARD}"}),
        (f"/v1/profiles/{profile}/notes", {"text": f"kartı {CARD}"}),
        (f"/v1/items/{item}/done", {"note": f"kart {CARD}", "reason": "bitti"}),
    )
    for path, body in calls:
        first = {"Idempotency-Key": "1"} if path.endswith("replies") else {}
        done = await api.client.post(path, json=body, headers=agent | first)
        assert done.is_success, (path, done.text)
    again = await api.client.post(calls[0][0], json=calls[0][1], headers=agent | {"Idempotency-Key": "1"})
    assert again.status_code == 202, "the same words again are the same call"
    stored = await everything(api.worker)
    assert not has_card(stored)
    (request,) = await rows(api.worker, "select request from santral.delivery")
    assert (request["request"]["subject"], request["request"]["content"]["text"]) == (f"Kart {SHOWN}", f"kartınız {SHOWN}")
    assert request["request"]["content"]["html"] == "<p>****&nbsp;****&nbsp;****&nbsp;1111</p>"
    assert sum(f"kartı {SHOWN}" in row for row in stored) >= 1
    assert sum(f"kart {SHOWN}" in row for row in stored) >= 1


async def test_a_note_for_a_colleague_keeps_four_digits(api: Api, workspace: Workspace) -> None:
    await masks(api.worker, workspace)
    _, item, _ = await taken_item(api, workspace)
    agent, admin = await api.agent(workspace.id, workspace.agent_id), await api.key(workspace.id)
    assert (await api.client.post(f"/v1/items/{item}/claim", headers=agent)).status_code == 200
    handed = {"to_queue": "genel", "note": f"kart {CARD}"}
    assert (await api.client.post(f"/v1/items/{item}/transfer", headers=agent, json=handed)).status_code == 200
    canceled = await api.client.post(f"/v1/items/{item}/cancel", headers=admin, json={"reason": f"yanlış kart {CARD}"})
    assert canceled.status_code == 200, canceled.text
    stored = await everything(api.worker)
    assert not has_card(stored)
    assert any(f'"kart {SHOWN}"' in row for row in stored)
    assert any(f"yanlış kart {SHOWN}" in row for row in stored)


class WatchedTurns(CallerTurns):
    """Turns that tell who comes to wait."""

    def __init__(self) -> None:
        super().__init__(waiting_max=THOUGHTS_WAITING_MAX)
        self.came: asyncio.Queue[UUID] = asyncio.Queue()

    @asynccontextmanager
    async def of(self, principal: Principal) -> AsyncIterator[None]:
        self.came.put_nowait(principal.id)
        async with super().of(principal):
            yield


async def test_a_long_answer_is_masked_in_its_callers_turn_with_nothing_held(api: Api, workspace: Workspace) -> None:
    await masks(api.worker, workspace)
    conversation, _, _ = await taken_item(api, workspace)
    agent = await api.agent(workspace.id, workspace.agent_id)
    turns = api.app.state.thought_turns = WatchedTurns()
    times = IN_LOOP_CHARS_MAX // len(CARD) + 1

    async def answer(times: int) -> httpx.Response:
        content = {"kind": "text", "text": f"{CARD} " * times}
        return await api.client.post(f"/v1/conversations/{conversation}/replies", json={"content": content}, headers=agent)

    async with turns.of(somebody_of(workspace.id)):
        await turns.came.get()
        long = asyncio.create_task(answer(times))
        await turns.came.get()
        open_ones = "select 1 from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'"
        assert await rows(api.worker, open_ones) == [], "who waits for a turn holds nothing"
        assert (await answer(1)).status_code == 202, "a short one needs no turn"
        too_long = await answer(10_000)
        assert (too_long.status_code, too_long.json()["field"]) == (422, "content.text")
        assert turns.came.empty()
        assert not long.done()
    assert (await long).status_code == 202
    stored = await rows(api.worker, "select request -> 'content' ->> 'text' as text from santral.delivery order by created_at")
    assert sorted(row["text"] for row in stored) == sorted([f"{SHOWN} ", f"{SHOWN} " * times])


async def test_where_nothing_is_masked_a_long_answer_needs_no_turn(api: Api, workspace: Workspace) -> None:
    conversation, _, _ = await taken_item(api, workspace)
    agent = await api.agent(workspace.id, workspace.agent_id)
    content = {"kind": "text", "text": f"{CARD} " * 2000}
    async with api.app.state.thought_turns.of(somebody_of(workspace.id)):
        written = await api.client.post(f"/v1/conversations/{conversation}/replies", json={"content": content}, headers=agent)
    assert written.status_code == 202, written.text


async def test_a_workspace_that_was_there_keeps_what_is_written(api: Api, workspace: Workspace) -> None:
    conversation, _, profile = await taken_item(api, workspace)
    admin = await api.key(workspace.id)
    written = await api.client.post(f"/v1/profiles/{profile}/notes", json={"text": CARD}, headers=admin)
    assert written.is_success, written.text
    assert has_card(await everything(api.worker)), conversation
    (found,) = await look_at_card_numbers(api.worker)
    assert (found.state, "mask_numbers: cards" in found.remedy) == ("WARN", True)
    await masks(api.worker, workspace)
    (found,) = await look_at_card_numbers(api.worker)
    assert found.state == "OK"
    assert "files (pictures, PDFs, archives) are not looked into" in found.text


async def test_a_new_workspace_begins_with_it_and_keeps_it_until_it_says_otherwise(api: Api) -> None:
    made = await make_workspace(api.worker, name="yeni")
    admin = {"authorization": f"Bearer {made.key}"}
    settings = "/v1/workspace"
    assert (await api.client.get(settings, headers=admin)).json()["settings"]["mask_numbers"] == "cards"
    for said, kept in (({}, "cards"), ({"mask_numbers": False}, False), ({}, False), ({"mask_numbers": "cards"}, "cards")):
        answer = await api.client.put(settings, json={"settings": {"region": "TR", **said}}, headers=admin)
        assert answer.json()["settings"]["mask_numbers"] == kept
    refused = await api.client.put(settings, json={"settings": {"mask_numbers": "kart"}}, headers=admin)
    assert refused.status_code == 422
    assert refused.json()["field"].startswith("body.settings.mask_numbers")

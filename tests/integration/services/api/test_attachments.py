"""Files of strangers: kept as they came, never opened, never shown as they are, and nobody else's. All of it is harmless here."""

from __future__ import annotations

import io
import re
import resource
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import httpx
import pytest

from ingest.adapter import Inbox, Request, Target
from ingest.receive import Receiver
from ingest.registry import adapter_for
from shared.clock import SystemClock
from shared.database import Database
from shared.ids import new_id
from tests.support.api import SECRET, Api
from tests.support.intake_line import rows
from tests.support.shift import Shift
from tests.support.workspaces import add_agent, make_workspace

MIB = 1024 * 1024
BOMB_MIB = 300
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="document.title=1"><script>document.title=1</script></svg>'
HTML = b"<!doctype html><script>document.title=1</script>"
POLYGLOT = b"GIF89a/*" + b"\x00" * 5 + b"*/=1;//<html><script>document.title=1</script></html>"
SAFE_NAME = re.compile(r'attachment; filename="[A-Za-z0-9._-]{1,200}"')
SHOWN_NAME = re.compile("[^\x00-\x1f\x7f/\\\\\u200e\u200f\u202a-\u202e\u2066-\u2069]{1,200}")
NAMES = (
    "fatura\u202egpj.exe", "\u2066resim\u2069.png", "../../../../etc/passwd",
    "..\\..\\windows\\system32\\x.dll", "/etc/shadow", "..", ".", "con\x01.txt",
    'a"; filename="b.html', "a\r\nX-Evil: 1.txt", "%2e%2e%2fetc%2fpasswd", "x" * 400 + ".txt", "şubat faturası.pdf",
)  # fmt: skip


def bomb() -> bytes:
    """A third of a gigabyte of zeros, in a third of a megabyte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros.bin", "w", force_zip64=True) as entry:
        for _ in range(BOMB_MIB):
            entry.write(bytes(MIB))
    return out.getvalue()


@dataclass(slots=True)
class Post:
    """Mails with files to the workspace, and what the API gives of them."""

    api: Api
    shift: Shift
    admin: dict[str, str]

    async def arrives(self, files: list[tuple[str, str, bytes]]) -> str:
        """A mail with these (name, content type, content); the path of its message."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "ayse@ornek.net", "destek@ornek.com", "dosya"
        mail.set_content("Ektedir.")
        for name, kind, content in files:
            main, _, sub = kind.partition("/")
            mail.add_attachment(content, main, sub, filename="given")
            # As an enemy writes it: nothing here encodes or refuses anything.
            escaped = "".join(f"%{byte:02X}" for byte in name.encode())
            *_, added = mail.iter_attachments()
            added.replace_header("Content-Disposition", f"attachment; filename*=utf-8''{escaped}")
        workspace, inbox_id = self.shift.workspace, self.shift.workspace.inboxes["smtp"]
        inbox = Inbox(
            workspace_id=workspace.id,
            id=inbox_id,
            name="smtp",
            channel="email",
            provider="smtp",
            address="destek@ornek.com",
            region="TR",
        )
        target = Target(id=inbox_id, workspace_id=workspace.id, provider="smtp", inboxes=(inbox,))
        request = Request(method="SMTP", url="", headers={}, query={}, body=mail.as_bytes(), received_at=datetime.now(UTC))
        receiver = Receiver(
            publisher=self.api.broker, topic="t", blobs=self.api.app.state.blobs, secret=SECRET, clock=SystemClock()
        )
        (accepted,) = await receiver.receive(target, adapter_for("smtp").parse(target, request))
        (record,) = self.api.broker.records[-1:]
        self.shift.line.add_raw(record.value, record.headers)
        await self.shift.member.take(self.shift.line)
        (row,) = await rows(self.shift.db, "select conversation_id, seq from santral.message where id = $1", accepted.message_id)
        return f"/v1/conversations/{row['conversation_id']}/messages/{row['seq']}"

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.api.client.get(path, headers=self.admin if headers is None else headers)


@pytest.fixture
async def post(api: Api, shift: Shift) -> Post:
    return Post(api, shift, await api.key(shift.workspace.id))


def require_download(answer: httpx.Response, content: bytes) -> None:
    """The bytes as they came, in an answer that no browser shows or runs."""
    assert answer.status_code == 200, answer.text
    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert SAFE_NAME.fullmatch(answer.headers["content-disposition"]), answer.headers["content-disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "x-evil" not in answer.headers


async def test_a_zip_bomb_stays_a_file(post: Post) -> None:
    content = bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = await post.arrives([("resimler.zip", "application/zip", content)])
    require_download(await post.get(f"{path}/parts/0"), content)
    assert (await post.get(f"{path}/parts/0/thumbnail")).status_code == 422
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < BOMB_MIB * 1024 / 2, "KiB: nothing looked into it"
    (shown,) = (await post.get(path)).json()["files"]
    assert shown["size_bytes"] == len(content)


async def test_what_a_browser_would_run_is_a_download_only(post: Post) -> None:
    files = [
        ("a.svg", "image/svg+xml", SVG),
        ("a.html", "text/html", HTML),
        ("a.gif", "image/gif", POLYGLOT),
        ("b.html", "text/html", POLYGLOT),
    ]
    path = await post.arrives(files)
    assert len((await post.get(path)).json()["files"]) == len(files)
    for place, (_, _, content) in enumerate(files):
        require_download(await post.get(f"{path}/parts/{place}"), content)
        small = await post.get(f"{path}/parts/{place}/thumbnail")
        assert small.status_code == 422 or b"<script" not in small.content, "a picture is made anew"
    assert (await post.get(f"{path}/html")).status_code == 404, "an attached page is not the mail's own"


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_no_path_and_shows_what_it_is(post: Post, name: str) -> None:
    path = await post.arrives([(name, "application/octet-stream", b"x")])
    (shown,) = (await post.get(path)).json()["files"]
    assert SHOWN_NAME.fullmatch(shown["name"]), shown
    assert shown["name"] not in (".", "..")
    require_download(await post.get(f"{path}/parts/0"), b"x")
    kept = await post.api.client.post("/v1/files", params={"name": name[:200]}, content=b"x", headers=post.admin)
    assert kept.status_code == 201, kept.text
    assert SHOWN_NAME.fullmatch(kept.json()["name"]), "ours are no better"


async def test_a_file_is_its_workspaces_and_its_readers(post: Post, worker_db: Database) -> None:
    path = await post.arrives([("a.txt", "text/plain", b"gizli")])
    other = await make_workspace(worker_db, name="other")
    stranger = await add_agent(worker_db, post.shift.workspace, new_id(), "Uzak")
    async with worker_db.batch() as connection:
        await connection.execute("delete from santral.queue_member where agent_id = $1", stranger)
    for one in (f"{path}/parts/0", f"{path}/parts/0/thumbnail"):
        assert (await post.get(one, {})).status_code == 401
        assert (await post.get(one, await post.api.key(other.id))).status_code == 404
        assert (await post.get(one, await post.api.agent(post.shift.workspace.id, stranger))).status_code == 403


async def test_a_reply_sends_no_file_but_one_that_was_kept_here(post: Post, worker_db: Database) -> None:
    path = await post.arrives([("a.txt", "text/plain", b"x")])
    conversation = path.split("/")[3]
    other = await make_workspace(worker_db, name="other")
    theirs = await post.api.client.post("/v1/files?name=a.txt", content=b"gizli", headers=await post.api.key(other.id))
    (original,) = [one for one in await post.api.app.state.blobs.keys(f"{post.shift.workspace.id}/") if "attachment" in one]
    mine = (await post.api.client.post("/v1/files?name=a.txt", content=b"bizim", headers=post.admin)).json()

    async def sent(file: dict[str, Any]) -> httpx.Response:
        content = {"kind": "media", "text": "Ekte", "files": [file]}
        return await post.api.client.post(
            f"/v1/conversations/{conversation}/replies", json={"content": content}, headers=post.admin
        )

    workspace: UUID = post.shift.workspace.id
    for blob in (
        theirs.json()["blob"], f"{workspace}/../{theirs.json()['blob']}",
        f"{workspace}/..", f"{workspace}/x/y", f"/{mine['blob']}", f"{mine['blob']}/..",
        mine["blob"].replace("attachment", "original"), mine["blob"].replace("/", "\\"), "", "/etc/passwd",
    ):  # fmt: skip
        refused = await sent({**mine, "blob": blob})
        assert refused.status_code == 422, blob
        assert "files" in refused.json()["field"]
    for wrong in (
        {"name": "a\r\nX: 1"},
        {"name": "../a"},
        {"name": ""},
        {"name": "x" * 300},
        {"content_type": "text/html\r\nX: 1"},
    ):
        assert (await sent({**mine, **wrong})).status_code == 422, wrong
    assert original != mine["blob"]
    assert (await sent(mine)).status_code == 202

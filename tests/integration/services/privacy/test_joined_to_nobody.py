"""Who is to be erased is joined to nobody, whatever says so: the words are taken in, and the erasure takes nobody along."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.adapter import Inbox
from profiles.rules_pass import pass_on
from services.api.chat_sessions import vouch
from services.privacy.erasures import Erasures
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.ids import WorkspaceId
from tests.support.api import Api
from tests.support.intake_line import SECRET, Line, Member, member_of, message_to, rows
from tests.support.workspaces import Workspace

_MAIL = "anna@x.example"


class Held:
    """Anna, whose erasure waits for a hold, and Bora, who chats."""

    def __init__(self, api: Api, workspace: Workspace, member: Member) -> None:
        self.api, self.workspace, self.member, self.line = api, workspace, member, Line()
        self.visitor = str(uuid4())
        self.hold = ""

    async def anna(self) -> UUID:
        self.line.add(message_to(self.workspace, "api", str(uuid4()), who=_MAIL, text="Anna's words"))
        await self.member.take(self.line)
        return await self.person("email")

    async def bora(self, text: str, *others: dict[str, Any]) -> None:
        signed = ({"kind": "external_id", "value": "bora", "assurance": "authenticated"}, *others)
        self.line.add(message_to(self.workspace, "webchat", str(uuid4()), who=self.visitor, text=text, other_handles=signed))
        await self.member.take(self.line)

    async def person(self, kind: str) -> UUID:
        [row] = await rows(self.api.worker, f"select profile_id from santral.handle where kind = '{kind}'")
        found: UUID = row["profile_id"]
        return found

    async def awaited(self, profile: UUID) -> None:
        headers = await self.api.key(self.workspace.id)
        body = {"kind": "person", "subject_id": str(profile), "reason": "court"}
        placed = await self.api.client.post("/v1/holds", headers=headers, json=body)
        self.hold = placed.json()["id"]
        asked = {"reason": "consent_withdrawn", "confirm": str(profile)}
        erased = await self.api.client.post(f"/v1/profiles/{profile}/erase", headers=headers, json=asked)
        assert erased.status_code == 202, erased.text

    async def carried_out(self, blobs: Path) -> None:
        headers = await self.api.key(self.workspace.id)
        assert (await self.api.client.delete(f"/v1/holds/{self.hold}", headers=headers)).status_code < 300
        job = Erasures(db=self.api.worker, blobs=FileBlobs(blobs), hints=None, secret=SECRET, settle_s=0)
        while await job.round():
            pass
        assert [row["state"] for row in await rows(self.api.worker, "select state from santral.erasure")] == ["done"]


@pytest.fixture
async def held(api: Api, worker_db: Database, workspace: Workspace) -> Held:
    return Held(api, workspace, await member_of(worker_db))


async def test_a_message_joins_nobody_to_who_is_to_be_erased(held: Held, tmp_path: Path) -> None:
    await held.bora("Bora's history")
    await held.awaited(await held.anna())
    await held.bora("with the family's mailbox", {"kind": "email", "value": _MAIL, "assurance": "authenticated"})
    assert await held.person("email") != await held.person("external_id")
    await held.carried_out(tmp_path)
    texts = {row["text"] for row in await rows(held.api.worker, "select text from santral.message where provider = 'webchat'")}
    assert texts == {"Bora's history", "with the family's mailbox"}
    assert await rows(held.api.worker, "select text from santral.message where text = 'Anna''s words'") == []


async def test_neither_changed_rules_nor_a_sign_in_join_them(held: Held, worker_db: Database) -> None:
    anna = await held.anna()
    await held.awaited(anna)
    # Somebody new, whose first message names both: they are begun, and joined to nobody who is to be erased.
    await held.bora("hello", {"kind": "email", "value": _MAIL, "assurance": "authenticated"})
    workspace_id = WorkspaceId(held.workspace.id)
    async with worker_db.batch() as connection:
        while await pass_on(connection, workspace_id, "changed rules", ()):
            pass
    assert await held.person("email") == anna
    assert await held.person("external_id") == await held.person("visitor") != anna
    inbox = Inbox(
        workspace_id=held.workspace.id, id=held.workspace.inboxes["webchat"], name="webchat", channel="chat", provider="webchat"
    )
    async with worker_db.batch() as connection:
        claims = {"external_id": "bora", "email": _MAIL}
        assert await vouch(
            connection, inbox=inbox, secret=SECRET, visitor_id=UUID(held.visitor), claims=claims, now=datetime.now(UTC)
        )
    assert await held.person("email") == anna
    assert await held.person("external_id") != anna


async def test_what_was_one_person_stays_one_until_the_erasure(held: Held, tmp_path: Path) -> None:
    mailbox = {"kind": "email", "value": _MAIL, "assurance": "authenticated"}
    await held.bora("one person", mailbox)
    await held.awaited(await held.person("email"))
    await held.bora("still one", mailbox, {"kind": "phone", "value": "+905321234567", "assurance": "authenticated"})
    assert await held.person("email") == await held.person("external_id") != await held.person("phone")
    await held.carried_out(tmp_path)
    assert await rows(held.api.worker, "select text from santral.message where text in ('one person', 'still one')") == []

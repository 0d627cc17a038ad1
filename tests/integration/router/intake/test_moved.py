"""WhatsApp says that somebody is another number or id from now on: the next answer goes there, until they write from elsewhere."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from ingest.adapter import Inbox, draft_message
from ingest.meta.whatsapp import draft, elements
from router.views.answered import recipient_of
from shared.clock import SystemClock
from shared.database import Database
from shared.message import InboundMessage
from tests.support.intake_line import Line, Member, member_of, message_to, rows
from tests.support.workspaces import Workspace

OLD, NEW, OTHER = "905321000001", "905321000002", "905321000003"


class WhatsApp:
    """What the Cloud API brings, taken in at once; and who would be answered then."""

    def __init__(self, db: Database, workspace: Workspace, member: Member) -> None:
        self.db, self.workspace, self.member = db, workspace, member
        self.line = Line()

    async def brings(self, **message: Any) -> None:
        self.line.add(self._message({"timestamp": "1790000000", "id": f"wamid.{uuid4()}", **message}))
        await self.member.take(self.line)

    async def text(self, number: str = "", user: str = "") -> None:
        writer = ({"from": number} if number else {}) | ({"from_user_id": user} if user else {})
        await self.brings(**writer, type="text", text={"body": "Merhaba"})

    async def notice(self, kind: str, number: str = "", **system: str) -> None:
        await self.brings(**({"from": number} if number else {}), type="system", system={"type": kind, "body": "changed", **system})

    async def answered(self) -> list[tuple[str, str]]:
        """Who would be answered in each conversation, oldest first."""
        found = []
        for row in await rows(self.db, "select workspace_id, id from santral.conversation order by opened_at, id"):
            async with self.db.batch() as connection:
                who = await recipient_of(connection, row["workspace_id"], row["id"])
            assert who is not None
            found.append((who.kind, who.value))
        return found

    def _message(self, message: dict[str, Any]) -> InboundMessage:
        inbox = Inbox(
            workspace_id=self.workspace.id, id=self.workspace.inboxes["api"], name="wa", channel="social", provider="whatsapp"
        )
        (change,) = elements({"field": "messages", "value": {"messages": [message]}})
        one = draft(inbox, change)
        assert one is not None
        return draft_message(one, message_id=uuid4(), accepted_at=SystemClock().now(), external_id=one.external_id or "")


@pytest.fixture
async def whatsapp(worker_db: Database, workspace: Workspace) -> WhatsApp:
    return WhatsApp(worker_db, workspace, await member_of(worker_db))


async def closed(db: Database) -> None:
    """The work is done: the conversation is closed, and goes on for a while."""
    (item,) = await rows(db, "select * from santral.work_item")
    async with db.batch() as connection:
        await connection.execute("update santral.work_item set state = 'completed', closed_at = now() where id = $1", item["id"])
        await connection.execute("update santral.conversation set state = 'closed', closed_at = now()")


@pytest.mark.parametrize("is_open", [True, False])
async def test_the_next_answer_goes_to_the_new_number(worker_db: Database, whatsapp: WhatsApp, is_open: bool) -> None:
    await whatsapp.text(OLD)
    if not is_open:
        await closed(worker_db)
    await whatsapp.notice("user_changed_number", OLD, wa_id=NEW)
    assert await whatsapp.answered() == [("wa_id", NEW)]
    # Words of theirs go on with it, from either number, and a notice of something else moves nothing.
    await whatsapp.notice("customer_identity_changed", NEW, identity="x")
    await whatsapp.text(NEW)
    assert await whatsapp.answered() == [("wa_id", NEW)]
    assert len(await rows(worker_db, "select 1 from santral.work_item")) == (1 if is_open else 2)
    # Whoever gets the old number by and by is answered there.
    await whatsapp.text(OLD)
    assert await whatsapp.answered() == [("wa_id", OLD)]


async def test_a_new_id_has_the_new_number(whatsapp: WhatsApp) -> None:
    await whatsapp.text(OLD, "TR.1")
    await whatsapp.notice("user_changed_number", OLD, wa_id=NEW, user_id="TR.2", previous_user_id="TR.1")
    assert await whatsapp.answered() == [("wa_id", NEW)]
    await whatsapp.text("", "TR.2")
    assert await whatsapp.answered() == [("bsuid", "TR.2")]


async def test_an_id_that_changed_alone(whatsapp: WhatsApp) -> None:
    await whatsapp.text("", "TR.1")
    await whatsapp.notice("user_changed_user_id", user_id="TR.2", previous_user_id="TR.1")
    assert await whatsapp.answered() == [("bsuid", "TR.2")]


async def test_who_is_answered_elsewhere_is_answered_there_still(whatsapp: WhatsApp, worker_db: Database) -> None:
    await whatsapp.text(OLD)
    phone = {"kind": "phone", "value": f"+{OLD}", "assurance": "channel_verified"}
    whatsapp.line.add(message_to(whatsapp.workspace, "webchat", "c1", who=f"+{OLD}", sender=phone))
    await whatsapp.member.take(whatsapp.line)
    before = await whatsapp.answered()
    await whatsapp.notice("user_changed_number", OLD, wa_id=NEW)
    assert await whatsapp.answered() == before == [("phone", f"+{OLD}")]
    # A stranger's number moves nobody.
    await whatsapp.notice("user_changed_number", OTHER, wa_id="905321000004")
    assert (await whatsapp.answered())[0] == before[0]

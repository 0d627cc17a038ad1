"""WhatsApp as a test's provider: what its Cloud API brings, read by the adapter, and who wrote it and would be answered."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from ingest.adapter import Inbox, draft_message
from ingest.meta.whatsapp import draft, elements
from router.views.answered import recipient_of
from shared.clock import SystemClock
from shared.database import Database
from shared.message import InboundMessage
from tests.support.intake_line import Line, Member, rows
from tests.support.workspaces import Workspace

BEGAN: Final = 1_790_000_000
"""When the first message is written, in seconds, unless a test says otherwise."""
PEOPLE: Final = """
select h.profile_id, m.text from santral.message m join santral.handle h on h.id = m.handle_id where m.kind = 'text' and m.text <> ''
"""


class WhatsApp:
    """What the Cloud API brings, taken in at once; and who would be answered then."""

    def __init__(self, db: Database, workspace: Workspace, member: Member) -> None:
        self.db, self.workspace, self.member = db, workspace, member
        self.line = Line()
        self.at_once = False

    async def brings(self, account: str = "100", at: int = 0, **message: Any) -> None:
        """``at``: seconds after `BEGAN`, by WhatsApp's clock; ``account``: the business account it came to."""
        self.line.add(self._message({"timestamp": str(BEGAN + at), "id": f"wamid.{uuid4()}", **message}, account))
        if not self.at_once:
            await self.take()

    async def take(self) -> None:
        """Takes in what came."""
        await self.member.take(self.line)

    async def text(self, number: str = "", user: str = "", said: str = "Merhaba", *, at: int = 0, account: str = "100") -> None:
        """Words of somebody with a number, a user id, or both."""
        await self.brings(account, at, **_words(number, user, said))

    def text_of(self, number: str = "", user: str = "", said: str = "Merhaba", *, at: int = 0) -> InboundMessage:
        """The message of such words, for a test that brings it by another way."""
        return self._message({"timestamp": str(BEGAN + at), "id": f"wamid.{uuid4()}", **_words(number, user, said)}, "100")

    async def notice(self, kind: str, number: str = "", *, at: int = 0, **system: str) -> None:
        """A system message about somebody who had the number."""
        writer = {"from": number} if number else {}
        await self.brings(at=at, **writer, type="system", system={"type": kind, "body": "changed", **system})

    async def answered(self) -> list[tuple[str, str]]:
        """Who would be answered in each conversation, oldest first."""
        found = []
        for row in await rows(self.db, "select workspace_id, id from santral.conversation order by opened_at, id"):
            async with self.db.batch() as connection:
                who = await recipient_of(connection, row["workspace_id"], row["id"])
            assert who is not None
            found.append((who.kind, who.value))
        return found

    def _message(self, message: dict[str, Any], account: str) -> InboundMessage:
        inbox = Inbox(
            workspace_id=self.workspace.id, id=self.workspace.inboxes["api"], name="wa", channel="social", provider="whatsapp"
        )
        (change,) = elements({"field": "messages", "value": {"messages": [message]}})
        one = draft(inbox, change, account)
        assert one is not None
        return draft_message(one, message_id=uuid4(), accepted_at=SystemClock().now(), external_id=one.external_id or "")


def _words(number: str, user: str, said: str) -> dict[str, Any]:
    writer = ({"from": number} if number else {}) | ({"from_user_id": user} if user else {})
    return {**writer, "type": "text", "text": {"body": said}}


async def people(db: Database) -> list[set[str]]:
    """The people who wrote, each by what they wrote; oldest first."""
    found: dict[Any, set[str]] = {}
    for row in await rows(db, f"{PEOPLE} order by m.accepted_at, m.id"):
        found.setdefault(row["profile_id"], set()).add(row["text"])
    return list(found.values())

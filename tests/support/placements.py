"""Conversations for tests of merging, splitting and moving: calls through REST, and a picture of all that an undo must bring back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift

_PICTURE = {
    "conversations": "select id, handle_id, last_inbox_id, last_handle_id, channels, subject, state, last_in_at, last_out_at,"
    " window_expires_at, merged_into, last_agent_id, closed_at from santral.conversation order by id",
    "messages": "select id, conversation_id, seq, text, body from santral.message order by id",
    "receipts": "select id, conversation_id, seq, state from santral.receipt order by id",
    "refs": "select * from santral.thread_ref order by ref",
    "deliveries": "select id, conversation_id from santral.delivery order by id",
    "open": "select conversation_id, queue_id, channel, due_class, due_at, enqueued_at, skills from santral.work_item"
    " where state not in ('completed', 'abandoned', 'canceled') order by conversation_id",
}


@dataclass(slots=True, kw_only=True)
class Regroup:
    """One workspace's conversations, and the calls on them with an administrator's key."""

    api: Api
    shift: Shift
    admin: dict[str, str]

    async def begun(self, text: str, *, who: str = "v1", provider: str = "webchat", **more: Any) -> UUID:
        """The conversation that a customer's message opens."""
        return await self.of(await self.shift.waiting(text=text, who=who, provider=provider, **more))

    async def of(self, item: UUID) -> UUID:
        """The conversation of an item."""
        found: UUID = (await self.shift.item(item))["conversation_id"]
        return found

    async def open_item(self, conversation: UUID) -> dict[str, Any] | None:
        """The open item of a conversation."""
        found = await rows(
            self.shift.db,
            "select * from santral.work_item where conversation_id = $1 and state not in ('completed', 'abandoned', 'canceled')",
            conversation,
        )
        return found[0] if found else None

    async def texts(self, conversation: UUID) -> list[str]:
        """What stands in a conversation, by number."""
        found = await rows(self.shift.db, "select text from santral.message where conversation_id = $1 order by seq", conversation)
        return [one["text"] for one in found]

    async def message(self, text: str) -> UUID:
        """The id of the message with these words."""
        (found,) = await rows(self.shift.db, "select id from santral.message where text = $1", text)
        one: UUID = found["id"]
        return one

    async def row(self, conversation: UUID) -> dict[str, Any]:
        """A conversation's row."""
        return await self.shift.row("conversation", conversation)

    async def picture(self) -> dict[str, list[dict[str, Any]]]:
        """Everything of conversations that an undo must bring back; numbers given to events grow."""
        return {name: await rows(self.shift.db, statement) for name, statement in _PICTURE.items()}

    async def post(self, path: str, status: int, headers: dict[str, str] | None = None, **body: Any) -> Any:
        """The answer of a call, with the status it must have."""
        answer = await self.api.client.post(f"/v1/{path}", json=body or None, headers=headers or self.admin)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def merge(self, one: UUID, into: UUID, status: int = 200, **more: Any) -> Any:
        return await self.post(f"conversations/{one}/merge", status, into=str(into), **more)

    async def split(self, one: UUID, *texts: str, status: int = 201, **more: Any) -> Any:
        messages = [str(await self.message(text)) for text in texts]
        return await self.post(f"conversations/{one}/split", status, messages=messages, **more)

    async def move(self, text: str, into: UUID, status: int = 200, **more: Any) -> Any:
        return await self.post(f"messages/{await self.message(text)}/move", status, conversation=str(into), **more)

    async def undo(self, operation: Any, status: int = 200, headers: dict[str, str] | None = None) -> Any:
        return await self.post(f"placements/{operation['id']}/undo", status, headers)


async def regroup_of(api: Api, shift: Shift) -> Regroup:
    """The workspace of a shift."""
    return Regroup(api=api, shift=shift, admin=await api.key(shift.workspace.id))

"""Who an answer goes to, as clients read it before they write, and say it when they do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from router.views.answered import Recipient, recipient_of
from shared.database import Connection
from shared.errors import Conflict


class RecipientOut(BaseModel):
    """Who would be answered now: the last person who was vouched for, or with whom the conversation began; never a machine."""

    kind: Annotated[str, Field(description="email, psid, visitor …")]
    value: Annotated[str, Field(description="The address or id the answer goes to")]
    name: str
    asked: Annotated[bool, Field(description="A Reply-To named this address")]
    differs: Annotated[bool, Field(description="It is at another domain than the writer's own: ask before you send")]


async def read_recipient(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> RecipientOut | None:
    """The recipient of the next answer."""
    found = await recipient_of(connection, workspace_id, conversation_id)
    return None if found is None else RecipientOut(**asdict(found))


def require_recipient(found: Recipient | None, expected: str | None) -> None:
    """Raises `Conflict` where a writer expects the answer to go somewhere else than it would; ``expected`` None asks nothing."""
    if expected is not None and (found is None or found.value.lower() != expected.lower()):
        raise Conflict("the answer would go to somebody else by now", field="reply_to", remedy="read the conversation again")

"""What a reply says, made ready before the transaction that writes it: what its channel does not carry is refused, the rest is masked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel

from ingest.adapter import require_carried
from ingest.registry import adapter_for
from router.views.conversations import read_conversation
from services.api.principal import Principal
from services.api.visibility import require_conversation
from services.api.written_words import masked_words
from shared.database import Connection

_PROVIDER = (
    "select i.provider from santral.conversation c join santral.inbox i on i.workspace_id = c.workspace_id and i.id = c.last_inbox_id"
    " where c.workspace_id = $1 and c.id = $2"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyWords:
    """As they are kept."""

    content: dict[str, Any]
    subject: str


async def reply_words(
    request: Request,
    principal: Principal,
    content: BaseModel,
    subject: str,
    *,
    provider: Callable[[Connection], Awaitable[str]] | None,
) -> ReplyWords:
    """The words masked where the workspace masks (`masked_words`). ``provider`` says by whom they go; without it their length is judged later.

    Raises `Unprocessable` for what is too long to be worth masking, and what ``provider`` raises.
    """
    given = content.model_dump(mode="json", exclude_none=True)

    async def allowed(connection: Connection) -> None:
        if provider is not None:
            require_carried(given, adapter_for(await provider(connection)).capabilities)

    return ReplyWords(**await masked_words(request, principal, {"content": given, "subject": subject}, allowed=allowed))


async def provider_of(connection: Connection, principal: Principal, conversation_id: UUID) -> str:
    """By whom a conversation is answered, for a caller who sees it. Raises `NotFound` and what `require_conversation` raises."""
    await read_conversation(connection, principal.workspace_id, conversation_id)
    await require_conversation(connection, principal, conversation_id)
    return str(await connection.fetchval(_PROVIDER, principal.workspace_id, conversation_id))

"""Whether it is the deployment that fails, or what it was sent: a plain message of nobody, asked on each channel where messages fail.

When too many messages fail, a bad release or a broken database fails with a plain one to such an inbox too. Where that would be taken in,
what fails is what somebody sends, however many and from however many workspaces, and stops nobody. It is made for the purpose, so a process
that took nothing in yet has it as well, and no person's words are kept for it.
**Identity**: asked are the inboxes of what failed last, then the oldest others of the channel: what one workspace set up for itself, its
rules among them, says nothing of a release.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from router.intake.arrivals import Arrival
from shared.database import Database
from shared.errors import Unavailable
from shared.ids import new_id
from shared.logs import get_log
from shared.message import InboundMessage, Sender

log = get_log(__name__)
OWN_MAX: Final = 2
"""Inboxes of a channel that are asked because something failed there."""
OTHERS_MAX: Final = 6
_WORDS: Final = "Merhaba"
_VISITOR: Final = "visitor"
"""The kind of whoever writes it, where what failed has no sender."""
_OWN: Final = """
select distinct on (channel) workspace_id, id as inbox_id, channel, provider from santral.inbox
where workspace_id = any($1::uuid[]) and enabled order by channel, id
"""
_OTHERS: Final = """
select workspace_id, id as inbox_id, channel, provider from santral.inbox
where channel = $1 and enabled and workspace_id <> all($2::uuid[]) order by id limit $3
"""

WouldTake = Callable[[InboundMessage], Awaitable[bool]]
"""Whether a message would be taken in now; nothing of it is kept."""


async def get_through(db: Database, part: Sequence[Arrival], would_take: WouldTake) -> bool:
    """Whether plain messages would be taken in on every channel of ``part``, in which something fails.

    Raises `Unavailable` where that cannot be said now.
    """
    own: dict[str, dict[UUID, InboundMessage]] = {}
    for message in [one.message for one in reversed(part) if one.message is not None]:
        own.setdefault(message.channel, {}).setdefault(message.workspace_id, _plain_as(message))
    if not own:
        # Of none of them is known what they are: every channel of their workspaces.
        for row in await _inboxes(db, _OWN, [one.workspace_id for one in part]):
            own.setdefault(row["channel"], {})[row["workspace_id"]] = _plain(_VISITOR, **row)
    for channel, asked in own.items():
        mine = list(asked.items())[:OWN_MAX]
        kind = next((one.sender.kind for _, one in mine if one.sender is not None), _VISITOR)
        others = await _inboxes(db, _OTHERS, channel, [workspace_id for workspace_id, _ in mine], OTHERS_MAX)
        if not await _any_taken([*(one for _, one in mine), *(_plain(kind, **row) for row in others)], would_take):
            return False
        log.warning(
            "many messages fail that somebody sends; what is sound is taken in as before", action="limit_forgiven", channel=channel
        )
    return bool(own)


async def _inboxes(db: Database, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    async with db.session() as connection:
        return [dict(row) for row in await connection.fetch(statement, *arguments)]


async def _any_taken(asked: Sequence[InboundMessage], would_take: WouldTake) -> bool:
    unsaid: Unavailable | None = None
    for message in asked:
        try:
            if await would_take(message):
                return True
        except Exception as error:
            if isinstance(error, Unavailable):
                unsaid = error
            log.warning(
                "a plain message would not be taken in",
                action="witness_refused",
                channel=message.channel,
                error=type(error).__name__,
            )
    if unsaid is not None:
        raise unsaid
    return False


def _plain_as(message: InboundMessage) -> InboundMessage:
    kind = _VISITOR if message.sender is None else message.sender.kind
    return _plain(kind, message.workspace_id, message.inbox_id, message.channel, message.provider)


def _plain(kind: str, workspace_id: UUID, inbox_id: UUID, channel: str, provider: str) -> InboundMessage:
    """To an inbox, from somebody of this kind of handle whom nobody knows, with nothing else that a sender could choose."""
    unseen = new_id()
    return InboundMessage(
        id=unseen,
        workspace_id=workspace_id,
        inbox_id=inbox_id,
        external_id=str(unseen),
        channel=channel,
        provider=provider,
        sender=Sender(kind=kind, value=str(unseen)),
        text=_WORDS,
        accepted_at=datetime.now(UTC),
    )

"""What providers say of our replies later: delivered, read, failed; and bounces, which say the same of mail.

States only grow (sent, delivered, read), because receipts arrive late and out of order; ``failed`` is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog

from router.commands.reply import reply_state
from router.intake.batch_view import ProviderWord
from shared.database import Connection
from shared.metrics import RECEIPTS_UNMATCHED

log = structlog.get_logger(__name__)
_RANK: Final = "array_position(array['queued', 'sent', 'delivered', 'read', 'failed'], {})"
_APPLY: Final = f"""
update santral.delivery d set state = $4, reason = $5, closed_at = case when $4 in ('read', 'failed') then clock_timestamp() end
where d.workspace_id = $1 and ((d.inbox_id = $2 and d.provider_id = $3) or d.message_id = $6)
  and {_RANK.format("d.state")} < {_RANK.format("$4::text")}
returning d.conversation_id, d.message_id
"""
_KNOWN: Final = """
select 1 from santral.delivery d where d.workspace_id = $1 and ((d.inbox_id = $2 and d.provider_id = $3) or d.message_id = $4)
"""


async def apply_receipts(connection: Connection, words: Sequence[ProviderWord]) -> None:
    """Applies providers' words in intake's transaction; the same one again changes nothing.

    A reply is found by the provider's id, or by our own message's id: a bounce names our Message-ID.
    """
    for one in words:
        provider_id = one.provider_id or None
        changed: list[Any] = await connection.fetch(
            _APPLY, one.workspace_id, one.inbox_id, provider_id, one.state, one.reason, one.message_id
        )
        for row in changed:
            await reply_state(
                connection, workspace_id=one.workspace_id, conversation_id=row["conversation_id"],
                message_id=row["message_id"], state=one.state, reason=one.reason, permanent=one.permanent,
            )  # fmt: skip
        if not changed and not await connection.fetchval(_KNOWN, one.workspace_id, one.inbox_id, provider_id, one.message_id):
            RECEIPTS_UNMATCHED.inc()
            log.info("a receipt for a message we did not send", action="receipt_unmatched", inbox=str(one.inbox_id))

"""What providers say of our replies later: delivered, read, failed; and bounces, which say the same of mail.

States only grow (sent, delivered, read), because receipts arrive late and out of order; ``failed`` is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import structlog

from router.commands.reply import reply_state
from router.intake.batch_view import ProviderWord
from shared.database import Connection
from shared.handle import Handle
from shared.metrics import RECEIPTS_UNMATCHED

log = structlog.get_logger(__name__)
_RANK: Final = "array_position(array['queued', 'sent', 'delivered', 'read', 'failed'], {})"
_LOOKED_BACK: Final = "interval '30 days'"
# A reply's time is that of the provider's answer, which comes a little after the time the provider gave the message.
_LATER: Final = "interval '2 seconds'"
_APPLY: Final = f"""
update santral.delivery d set state = $4, reason = $5, closed_at = case when $4 in ('read', 'failed') then clock_timestamp() end
where d.workspace_id = $1 and ((d.inbox_id = $2 and d.provider_id = $3) or d.message_id = $6)
  and {_RANK.format("d.state")} < {_RANK.format("$4::text")}
returning d.conversation_id, d.message_id
"""
_APPLY_UNTIL: Final = f"""
update santral.delivery d set state = $6::text, closed_at = case when $6::text = 'read' then clock_timestamp() end
from (
    select m.id from santral.handle h
    join santral.conversation c on c.workspace_id = h.workspace_id and c.handle_id = h.id and c.last_out_at > $7::timestamptz - {_LOOKED_BACK}
    join santral.message m on m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.direction = 'out'
      and m.accepted_at > $7::timestamptz - {_LOOKED_BACK}
    where h.workspace_id = $1 and h.kind = $3 and h.scope = $4 and h.value = $5
) sent
where d.workspace_id = $1 and d.inbox_id = $2 and d.message_id = sent.id and d.sent_at <= $7::timestamptz + {_LATER}
  and d.state in ('sent', 'delivered')
  and {_RANK.format("d.state")} < {_RANK.format("$6::text")}
returning d.conversation_id, d.message_id
"""
_KNOWN: Final = """
select 1 from santral.delivery d where d.workspace_id = $1 and ((d.inbox_id = $2 and d.provider_id = $3) or d.message_id = $4)
"""


async def apply_receipts(connection: Connection, words: Sequence[ProviderWord]) -> None:
    """Applies providers' words in intake's transaction; the same one again changes nothing.

    A reply is found by the provider's id, or by our own message's id: a bounce names our Message-ID. A word about all that was sent
    until then reaches what is on its way or delivered, thirty days back; it says nothing of a reply that failed.
    """
    for one in words:
        if one.until is not None and one.person is not None:
            await _apply_until(connection, one, one.person, one.until)
            continue
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


async def _apply_until(connection: Connection, word: ProviderWord, person: Handle, until: datetime) -> None:
    changed: list[Any] = await connection.fetch(
        _APPLY_UNTIL, word.workspace_id, word.inbox_id, person.kind, person.scope, person.value, word.state, until
    )
    for row in changed:
        await reply_state(
            connection, workspace_id=word.workspace_id, conversation_id=row["conversation_id"], message_id=row["message_id"],
            state=word.state, reason="", permanent=False,
        )  # fmt: skip

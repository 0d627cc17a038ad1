"""Mail to many from nobody we know, where a workspace has a queue for it: no target, no figures, no automatic answer. Pure.

| bulk | the own border's filter says bulk, spam or phishing, or the mail has a campaign's marks, not a list's |
|---|---|
| from nobody we know | nobody of ours ever wrote to this person, on any handle of theirs, nor spoke with them on the telephone |
| in its conversation | nobody of ours wrote, and no customers' work is open |
"""

from __future__ import annotations

from typing import Final

from router.intake.batch_view import Conversation, Person
from router.signals.signals import Signals
from router.workspace.workspace import Queue, Workspace
from shared.message import InboundMessage

_CAMPAIGN: Final = frozenset({"feedback-id", "x-campaign-id"})
_VERDICTS: Final = frozenset({"bulk", "spam", "phishing"})


def looks_bulk(message: InboundMessage, signals: Signals) -> bool:
    """Whether a message that would be work went to many, as its marks or the own border's filter say."""
    if message.direction != "in" or message.kind != "text" or signals.automatic:
        return False
    return _is_campaign(message) or (message.filtered is not None and message.filtered.verdict in _VERDICTS)


def _is_campaign(message: InboundMessage) -> bool:
    """Whether its marks are a campaign's: an address to write to may be a group, whose mail has a list's marks, and people write to it."""
    if message.automatic is None or message.automatic.kind != "bulk":
        return False
    seen = {one.partition(":")[0].lower() for one in message.automatic.evidence}
    return bool(seen & _CAMPAIGN) or ("list-unsubscribe" in seen and "list-id" not in seen)


def bulk_queue_for(
    message: InboundMessage, signals: Signals, person: Person | None, conversation: Conversation, workspace: Workspace
) -> Queue | None:
    """The queue for bulk mail where this message belongs there; None: it is anybody's. In doubt about contact it is anybody's."""
    if person is None or person.contacted is not False or not looks_bulk(message, signals):
        return None
    if conversation.last_out_at is not None:
        return None
    item = conversation.item
    if item is not None and item.is_open and not workspace.is_bulk(item.queue_id):
        return None
    return workspace.bulk_queue

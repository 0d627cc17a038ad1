"""What agents and keys write, as it is stored and sent: without card numbers where the workspace masks cards.

Answers, their subjects, notes and reasons. What is stored is what goes out: a whole card number is nothing to send to anybody in a message
(PCI DSS 4.0.1, 4.2.2). Masking twice is masking once, so a call that is tried again writes the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar
from uuid import UUID

from ingest.payment_cards import masked_cards
from ingest.payment_cards_html import masked_cards_in_html
from shared.database import Connection

Written = TypeVar("Written", str, dict[str, Any])
_MASKS: Final = "select coalesce(settings->>'mask_numbers' = 'cards', false) from santral.workspace where id = $1"
_NO_WORDS: Final = frozenset({"files"})  # keys of stored files, which digits of a digest may be in


async def masked_words(connection: Connection, workspace_id: UUID, written: Written) -> Written:
    """A text, or a value with texts in it, as the workspace keeps it."""
    masked: Written = _masked(written)
    if masked == written or not await connection.fetchval(_MASKS, workspace_id):
        return written
    return masked


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        return masked_cards_in_html(value) if name == "html" else masked_cards(value)
    if isinstance(value, Mapping):
        return {key: one if key in _NO_WORDS else _masked(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, name) for one in value]
    return value

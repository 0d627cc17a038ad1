"""Words that people of the workspace wrote beside work, where a customer may stand among them.

What belongs to a conversation is found by it; why somebody was away or went home belongs to nobody, so it is searched for the person's
addresses and names while these are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from shared.database import Connection

WORD_CHARS_MIN: Final = 5

_EVENTS: Final = """
update santral.event set data = data - 'reason' - 'before_reason' where workspace_id = $1 and type = 'presence.changed'
and (data->>'reason' ilike any($2::text[]) or data->>'before_reason' ilike any($2::text[]))
"""
_PRESENCES: Final = (
    "update santral.agent set presence_reason = '' where workspace_id = $1 and presence_reason ilike any($2::text[])"
)
_SHIFTS: Final = "update santral.shift set reason = '' where workspace_id = $1 and reason ilike any($2::text[])"
_AUDIT: Final = """
select santral.audit_forget($1, array(
    select i.id::text from santral.work_item i where i.workspace_id = $1 and i.conversation_id = any($2::uuid[])))
"""


async def erase_words(connection: Connection, workspace_id: UUID, words: Collection[str]) -> Counter[str]:
    """Empties reasons of presences and of leave that hold one of these addresses or names; rows per table."""
    patterns = [f"%{_escaped(word)}%" for word in sorted(set(words)) if len(word) >= WORD_CHARS_MIN]
    counts: Counter[str] = Counter()
    if patterns:
        for table, statement in (("event", _EVENTS), ("agent", _PRESENCES), ("shift", _SHIFTS)):
            counts[table] += int((await connection.execute(statement, workspace_id, patterns)).split()[-1])
    return counts


async def erase_audited(connection: Connection, workspace_id: UUID, conversations: Sequence[UUID]) -> int:
    """Takes the reasons that 0.1.0 wrote into the audit of these conversations' work out of it; how many rows."""
    if not conversations:
        return 0
    changed: int = await connection.fetchval(_AUDIT, workspace_id, list(conversations))
    return changed


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

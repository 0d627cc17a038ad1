"""What is kept out of work: messages that a machine wrote, or that count as one's, with the reason. Reads only, one workspace.

A message that somebody made work is not in it. Who sees a queue's work sees what came into conversations that had work there; what never
was work belongs to no queue, and is shown to those who see the whole workspace.
**Identity**: a message. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.views.amendments import NOT_AMENDING, Amendments, read_amendments
from router.views.messages import preview_of, said_columns
from router.views.seen import SEEN
from shared.database import Connection
from shared.text import fold_turkish

# As `shared.text.fold_turkish` compares, near enough for a search that an index cannot answer: letters with marks lose them.
# Who does not see everybody looks for the names that messages brought: what else is known of a sender may not be theirs to know.
_FOLDED: Final = """lower(translate(concat_ws(' ', m.subject, case when $7::uuid is null then h.name else m.body->'sender'->>'name' end, h.value),
    'İIıÇĞÖŞÜçğöşüÂÎÛâîûÄäËëÏïÉéÈèÊêÁáÀàÓóÒòÔôÑñ', 'iiiCGOSUcgosuAIUaiuAaEeIiEeEeEeAaAaOoOoOoNn'))"""
_LIST: Final = f"""
select m.id, m.conversation_id, m.seq, m.accepted_at, m.subject, {said_columns("h", "m.body - 'original'")}, m.body->'automatic' as seen,
       m.body->'filtered' as filtered, i.name as inbox, h.kind as sender_kind, h.value as sender_value,
       h.name as sender_name
from santral.message m
join santral.receipt r on r.workspace_id = m.workspace_id and r.id = m.id and r.state = 'taken'
left join santral.inbox i on i.workspace_id = m.workspace_id and i.id = m.inbox_id
left join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id
where m.workspace_id = $1 and m.direction = 'in' and {NOT_AMENDING} and m.body ? 'automatic' and not m.body ? 'made_work'
  and ($2::text[] is null or m.body->'automatic'->>'kind' = any($2)) and ($3::text is null or i.name = $3)
  and ($4::timestamptz is null or m.accepted_at >= $4)
  and ($5::boolean is null or coalesce((m.body->'automatic'->>'marked_only')::boolean, false) = $5)
  and ($6::text[] is null or {_FOLDED} like all ($6))
  and ($7::uuid is null or exists (
      select 1 from santral.work_item i where i.workspace_id = m.workspace_id and i.conversation_id = m.conversation_id
        and {SEEN.format(seer="$7", in_queues="$8")}))
  and ($9::timestamptz is null or (m.accepted_at, m.id) < ($9, $10::uuid))
order by m.accepted_at desc, m.id desc limit $11
"""


async def list_kept_out(
    connection: Connection, workspace_id: UUID, *, kinds: Sequence[str] | None = None, inbox: str | None = None,
    since: datetime | None = None, marked_only: bool | None = None, text: str = "", seer: UUID | None = None,
    in_queues: bool = False, before: tuple[datetime, UUID] | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """The newest first. ``text``: each of its words stands in the subject or the sender, whatever their case and marks.

    ``seer`` keeps what this agent sees (`seen.py`).
    """
    words = [f"%{_escaped(word)}%" for word in fold_turkish(text).split()] or None
    before_at, before_id = before or (None, None)
    rows = await connection.fetch(
        _LIST, workspace_id, None if kinds is None else list(kinds), inbox, since, marked_only, words, seer, in_queues, before_at,
        before_id, limit,
    )  # fmt: skip
    amendments = await read_amendments(connection, workspace_id, [row["conversation_id"] for row in rows])
    return [_view(row, amendments) for row in rows]


def _view(row: Any, amendments: Amendments) -> dict[str, Any]:
    seen = row["seen"]
    return {
        "id": row["id"],
        "conversation_id": row["conversation_id"],
        "seq": row["seq"],
        "at": row["accepted_at"],
        "kind": seen["kind"],
        "marked_only": bool(seen.get("marked_only")),
        "evidence": list(seen.get("evidence") or ()),
        "reason": seen.get("reason") or "",
        "filtered": row["filtered"],
        "inbox": row["inbox"] or "",
        "sender": {"kind": row["sender_kind"], "value": row["sender_value"], "name": row["sender_name"]},
        "subject": row["subject"],
        **preview_of(row, amendments),
    }


def _escaped(word: str) -> str:
    """A word that stands for itself in a pattern of LIKE."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

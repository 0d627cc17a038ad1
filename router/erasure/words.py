"""Words that people of the workspace wrote beside work, where a customer may stand among them.

What belongs to a conversation is found by it; why somebody was away or went home belongs to nobody, so it is looked for, a page at a time,
whether it holds the person's addresses or names while these are known. **Identity**: an agent's event by agent and number.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.database import Connection

PAGE: Final = 2000
"""Rows that a statement looks at, whatever they hold."""
_NIL: Final = UUID(int=0)
_PRESENCES: Final = """
select id, presence_reason as words from santral.agent where workspace_id = $1 and presence_reason <> '' and id > $2 order by id limit $3
"""
_SHIFTS: Final = """
select id, reason as words from santral.shift where workspace_id = $1 and reason <> '' and id > $2 order by id limit $3
"""
_EVENTS: Final = """
select id, type, agent_id, agent_seq, concat_ws(' ', data->>'reason', data->>'before_reason') as words from santral.event
where workspace_id = $1 and agent_id is not null and (agent_id, agent_seq) > ($2, $3) order by agent_id, agent_seq limit $4
"""
_EMPTY_PRESENCES: Final = "update santral.agent set presence_reason = '' where workspace_id = $1 and id = any($2::uuid[])"
_EMPTY_SHIFTS: Final = "update santral.shift set reason = '' where workspace_id = $1 and id = any($2::uuid[])"
_EMPTY_EVENTS: Final = """
update santral.event set data = data - 'reason' - 'before_reason' where workspace_id = $1 and id = any($2::uuid[])
"""
_AUDIT: Final = """
select santral.audit_forget($1, array(
    select i.id::text from santral.work_item i where i.workspace_id = $1 and i.conversation_id = any($2::uuid[])))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Reasons by the row they stand in. ``table``: whose; ``after``: where the next page begins, None at the end of all."""

    table: str
    words: dict[UUID, str]
    after: dict[str, Any] | None


async def page_of_words(connection: Connection, workspace_id: UUID, after: dict[str, Any]) -> Page:
    """The next reasons: of presences, of leave, then of what agents' streams told of both. ``after`` begins as an empty one."""
    table = after.get("table", "agent")
    last = UUID(after.get("id", str(_NIL)))
    if table == "event":
        rows = await connection.fetch(_EVENTS, workspace_id, last, int(after.get("seq", 0)), PAGE)
        words = {row["id"]: row["words"] for row in rows if row["type"] == "presence.changed" and row["words"]}
        end = {"table": table, "id": str(rows[-1]["agent_id"]), "seq": rows[-1]["agent_seq"]} if len(rows) == PAGE else None
        return Page(table=table, words=words, after=end)
    statement, following = {"agent": (_PRESENCES, "shift"), "shift": (_SHIFTS, "event")}[table]
    rows = await connection.fetch(statement, workspace_id, last, PAGE)
    return Page(
        table=table, words={row["id"]: row["words"] for row in rows},
        after={"table": table, "id": str(rows[-1]["id"])} if len(rows) == PAGE else {"table": following},
    )  # fmt: skip


async def empty_words(connection: Connection, workspace_id: UUID, table: str, ids: Collection[UUID]) -> int:
    """Empties the reasons in these rows; how many there were."""
    statement = {"agent": _EMPTY_PRESENCES, "shift": _EMPTY_SHIFTS, "event": _EMPTY_EVENTS}[table]
    return int((await connection.execute(statement, workspace_id, sorted(ids))).split()[-1]) if ids else 0


async def erase_audited(connection: Connection, workspace_id: UUID, conversations: Sequence[UUID]) -> int:
    """Takes the reasons that 0.1.0 wrote into the audit of these conversations' work out of it; how many rows."""
    if not conversations:
        return 0
    changed: int = await connection.fetchval(_AUDIT, workspace_id, list(conversations))
    return changed

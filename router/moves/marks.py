"""What of a work item changes without a transition: what is known of it besides who has it and where it stands.

Callers hold the item's or its conversation's lock. Times are aware UTC, ``deadline`` is epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.moves.tables import work_item
from shared.database import Connection
from shared.recordset import recordset

_ONE: Final = "where workspace_id = $1 and id = $2"
_OWN_WORD: Final = f"update santral.work_item set own_word_at = $3 {_ONE}"
_OWN_WORD_OF_WAITING: Final = f"{_OWN_WORD} and state not in ('offered', 'assigned')"
_OUTCOME: Final = f"update santral.work_item set outcome = outcome || $3 {_ONE}"
_STEP: Final = f"update santral.work_item set step = $3, step_at = to_timestamp($4) {_ONE}"
_FIRST_REPLY: Final = f"""
update santral.work_item set first_reply_at = coalesce(first_reply_at, $3) {_ONE}
and not exists (select 1 from santral.agent where workspace_id = $1 and id = $4 and kind = 'bot')
"""
_TIMER: Final = f"update santral.work_item set timer_at = to_timestamp($3), version = version + 1 {_ONE}"
_REQUIRE: Final = f"update santral.work_item set skills = skills || $3 {_ONE}"
_CARRY: Final = f"update santral.work_item set conversation_id = $3, version = version + 1 {_ONE}"
_ROUTED: Final = f"""
update santral.work_item i set plan = n.plan, skills = n.skills, decision_id = n.decision_id
from {recordset("$1", work_item, "workspace_id", "id", "plan", "skills", "decision_id")}
where i.workspace_id = n.workspace_id and i.id = n.id
"""


async def mark_own_word(connection: Connection, workspace_id: UUID, item_id: UUID, at: datetime | None) -> None:
    """Since when the item stands where it does by the word of an agent who sees less; None: by the customer's again."""
    await connection.execute(_OWN_WORD, workspace_id, item_id, at)


async def mark_own_word_of_waiting(connection: Connection, workspace_id: UUID, item_id: UUID, at: datetime) -> None:
    """The same, unless an agent has the item already: it is theirs by what brought it to them."""
    await connection.execute(_OWN_WORD_OF_WAITING, workspace_id, item_id, at)


async def note_outcome(connection: Connection, workspace_id: UUID, item_id: UUID, outcome: Mapping[str, Any]) -> None:
    """Adds members to what came of the item, in place of those of the same name."""
    await connection.execute(_OUTCOME, workspace_id, item_id, dict(outcome))


async def enter_steps(connection: Connection, steps: Sequence[tuple[UUID, UUID, int, float]]) -> None:
    """The steps of their plans that items (workspace, id) entered, and when, in epoch seconds. Their versions stay."""
    if steps:
        await connection.executemany(_STEP, steps)


async def note_reply(connection: Connection, workspace_id: UUID, item_id: UUID, agent_id: UUID, at: datetime) -> None:
    """The first reply of a person of ours; later ones and a bot's change nothing."""
    await connection.execute(_FIRST_REPLY, workspace_id, item_id, at, agent_id)


async def set_timer(connection: Connection, workspace_id: UUID, item_id: UUID, deadline: float | None) -> None:
    """When the next thing happens to the item by itself; None: nothing does."""
    await connection.execute(_TIMER, workspace_id, item_id, deadline)


async def require_skills(connection: Connection, workspace_id: UUID, item_id: UUID, skills: Mapping[str, int]) -> None:
    """Skills that who takes it must have from now on, beside those it required."""
    await connection.execute(_REQUIRE, workspace_id, item_id, dict(skills))


async def carry_item(connection: Connection, workspace_id: UUID, item_id: UUID, conversation_id: UUID) -> None:
    """Takes the item, as it is, into another conversation, which has no open one."""
    await connection.execute(_CARRY, workspace_id, item_id, conversation_id)


async def reroute(connection: Connection, routed: Sequence[Mapping[str, Any]]) -> None:
    """Plans, skills and decisions that the policy gave items anew; members are named as the columns."""
    if routed:
        await connection.execute(_ROUTED, list(routed))

"""Who served a person last: what rules ask as ``profile.last_agent`` and plans prefer when the person comes again.

Served is who answered, wrote first, took the call, or finished the work. It is written in the transaction that does so and before its
conversation is locked, because profiles come before conversations; that the same agent serves again takes no lock.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from profiles.facts import note_agent
from shared.database import Connection
from shared.ids import AgentId, HandleId, WorkspaceId

_OF_CONVERSATION: Final = "select last_handle_id from santral.conversation where workspace_id = $1 and id = $2"
_OF_ITEM: Final = """
select c.last_handle_id from santral.work_item i join santral.conversation c on c.workspace_id = i.workspace_id and c.id = i.conversation_id
where i.workspace_id = $1 and i.id = $2
"""


async def served_in(connection: Connection, workspace_id: UUID, conversation_id: UUID, agent_id: UUID) -> None:
    """The agent answers whoever wrote last in the conversation."""
    await _served(connection, workspace_id, await connection.fetchval(_OF_CONVERSATION, workspace_id, conversation_id), agent_id)


async def served_by_item(connection: Connection, workspace_id: UUID, item_id: UUID, agent_id: UUID) -> None:
    """The agent finishes work on a conversation of whoever wrote last in it."""
    await _served(connection, workspace_id, await connection.fetchval(_OF_ITEM, workspace_id, item_id), agent_id)


async def _served(connection: Connection, workspace_id: UUID, handle_id: UUID | None, agent_id: UUID) -> None:
    if handle_id is not None:
        await note_agent(connection, WorkspaceId(workspace_id), HandleId(handle_id), AgentId(agent_id))

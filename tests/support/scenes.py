"""What an agent of some visibility has around them: three conversations at three distances, and words said in one."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.api.principal import SCOPES
from shared.database import Database
from shared.ids import new_id
from shared.message import Assurance
from tests.support.api import Api
from tests.support.workspaces import Workspace, add_agent, add_item


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An agent of some visibility, and three conversations: in their hands, in their queue, a colleague's in another queue."""

    workspace: UUID
    headers: dict[str, str]
    agent: UUID
    colleague: UUID
    items: dict[str, UUID]
    conversations: dict[str, UUID]
    profiles: dict[str, UUID]


async def narrow_scene(api: Api, workspace: Workspace, db: Database, visibility: str) -> Scene:
    """The scene, for an agent with every scope but `admin`."""
    agent, colleague, user, other_queue = new_id(), new_id(), new_id(), new_id()
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.role (workspace_id, name, scopes, visibility) values ($1, 'looking', $2, $3)",
            workspace.id, [scope for scope in SCOPES if scope != "admin"], visibility,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.user (workspace_id, id, name, role) values ($1, $2, 'Bakan', 'looking')", workspace.id, user
        )
        await connection.execute(
            "insert into santral.queue (workspace_id, id, name) values ($1, $2, 'uzak')", workspace.id, other_queue
        )
    await add_agent(db, workspace, agent, "Bakan", user_id=user, role=None)
    await add_agent(db, workspace, colleague, "Komşu")
    items = {name: await add_item(db, workspace) for name in ("mine", "queue", "other")}
    conversations, profiles = {}, {}
    async with db.batch() as connection:
        for name, holder in (("mine", agent), ("other", colleague)):
            await connection.execute(
                "update santral.work_item set state = 'assigned', agent_id = $2, queue_id = $3 where id = $1",
                items[name],
                holder,
                other_queue,
            )
        for name, item in items.items():
            row = await connection.fetchrow(
                "select c.id, h.id as handle_id, h.profile_id from santral.work_item i"
                " join santral.conversation c on c.id = i.conversation_id join santral.handle h on h.id = c.handle_id where i.id = $1",
                item,
            )
            assert row is not None
            conversations[name], profiles[name] = row["id"], row["profile_id"]
    assert len(set(profiles.values())) == 3
    return Scene(
        workspace=workspace.id, headers=await api.agent(workspace.id, agent), agent=agent, colleague=colleague, items=items,
        conversations=conversations, profiles=profiles,
    )  # fmt: skip


async def says(
    db: Database, conversation: UUID, person: UUID, *, assurance: Assurance = "channel_verified", verdict: str = ""
) -> None:
    """Words of one of a person's handles in a conversation, as intake stores them."""
    body = {"sender": {"name": "", "assurance": assurance}, "traits": {"verdict": verdict}}
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id,"
            " visibility, external_id, text, body, accepted_at)"
            " select c.workspace_id, c.id, c.seq + 1, $2::uuid, 'in', 'text', c.channel, 'api', c.inbox_id,"
            " (select h.id from santral.handle h where h.profile_id = $3 limit 1), 'private', $2::text, 'Merhaba', $4, now()"
            " from santral.conversation c where c.id = $1",
            conversation, new_id(), person, body,
        )  # fmt: skip
        await connection.execute("update santral.conversation set last_in_at = now(), seq = seq + 1 where id = $1", conversation)

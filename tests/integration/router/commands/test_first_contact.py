"""A template after a silence is a first contact: consent, preferences and quiet hours stand before it; an answer goes through."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.workspaces import Workspace

Json = dict[str, Any]


async def silent_conversation(db: Database, workspace: Workspace) -> tuple[UUID, UUID]:
    """A conversation on WhatsApp whose customer wrote two days ago: its id and the handle's."""
    inbox, handle, conversation = new_id(), new_id(), new_id()
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.inbox (workspace_id, id, name, channel, provider, address, path_token, settings)"
            " values ($1, $2, 'wa', 'social', 'whatsapp', '905320000000', $3, $4)",
            workspace.id, inbox, f"token-{inbox}", {"phone_number_id": "1"},
        )  # fmt: skip
        await connection.execute(
            "insert into santral.handle (workspace_id, id, kind, scope, value, profile_id, assurance)"
            " values ($1, $2, 'wa_id', '', '905321234567', $2, 'channel_verified')",
            workspace.id, handle,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at,"
            " last_in_at) values ($1, $2, $3, $4, $4, $3, 'social', now() - interval '2 days', now() - interval '2 days')",
            workspace.id, conversation, handle, inbox,
        )  # fmt: skip
    return conversation, handle


async def test_a_first_contact_is_refused_with_the_reason_and_an_answer_is_not(
    api: Api, worker_db: Database, workspace: Workspace
) -> None:
    conversation, handle = await silent_conversation(worker_db, workspace)
    admin = await api.key(workspace.id)

    async def template(purpose: str) -> tuple[int, Json]:
        content = {"kind": "template", "name": "kampanya", "purpose": purpose}
        answer = await api.client.post(f"/v1/conversations/{conversation}/replies", json={"content": content}, headers=admin)
        return answer.status_code, answer.json()

    status, problem = await template("marketing")
    assert (status, problem["field"]) == (409, "content.purpose")
    assert "consent missing" in problem["detail"]
    said = {"purpose": "all", "channel": "all", "granted": False, "source": "call"}
    assert (await api.client.post(f"/v1/profiles/{handle}/consents", json=said, headers=admin)).status_code == 201
    status, problem = await template("service")
    assert (status, "consent denied" in problem["detail"]) == (409, True)
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select count(*) from santral.delivery where workspace_id = $1", workspace.id) == 0
        # They write; whatever they said before, an answer is what they want.
        await connection.execute("update santral.conversation set last_in_at = now() where id = $1", conversation)
    status, answered = await template("service")
    assert (status, answered.get("state")) == (202, "queued"), answered

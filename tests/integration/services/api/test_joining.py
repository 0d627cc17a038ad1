"""What is taken back lets other evidence count: nobody joins people whom they do not see by it."""

from __future__ import annotations

import pytest

from shared.database import Database
from tests.support.api import Api
from tests.support.intake_line import Line, member_of, message_to, rows
from tests.support.workspaces import Workspace

FAMILY = "aile@ornek.com"


class Counter:
    """An agent who sees their own work only, with the family's mailbox in front of them; and whose chat each customer's is."""

    def __init__(self, api: Api, db: Database, workspace: Workspace) -> None:
        self.api, self.db, self.workspace = api, db, workspace

    async def open(self) -> None:
        line, member = Line(), await member_of(self.db)
        line.add(message_to(self.workspace, "smtp", "mail", who=FAMILY))
        for customer in ("C-1", "C-2"):
            signed = [
                {"kind": kind, "value": value, "assurance": "authenticated"}
                for kind, value in (("external_id", customer), ("email", FAMILY))
            ]
            line.add(message_to(self.workspace, "webchat", customer, who=f"visitor-{customer}", other_handles=signed))
        for _ in line.records:
            await member.take(line, batch=1)
        async with self.db.batch() as connection:
            await connection.execute("update santral.role set visibility = 'own' where workspace_id = $1", self.workspace.id)
            await connection.execute(
                "update santral.work_item i set agent_id = $2, state = 'assigned' from santral.conversation c join santral.handle h"
                " on h.id = c.handle_id where i.conversation_id = c.id and h.value = $3 and i.workspace_id = $1",
                self.workspace.id, self.workspace.agent_id, FAMILY,
            )  # fmt: skip
        self.agent = await self.api.agent(self.workspace.id, self.workspace.agent_id)
        self.ids = {one["value"]: str(one["id"]) for one in await rows(self.db, "select id, value from santral.handle")}

    async def seen(self) -> dict[str, int]:
        found = await rows(
            self.db, "select c.id, h.value from santral.conversation c join santral.handle h on h.id = c.handle_id order by h.value"
        )
        return {
            one["value"]: (await self.api.client.get(f"/v1/conversations/{one['id']}/messages", headers=self.agent)).status_code
            for one in found
        }

    async def persons(self) -> dict[str, str]:
        return {one["value"]: str(one["profile_id"]) for one in await rows(self.db, "select value, profile_id from santral.handle")}


@pytest.fixture
async def counter(api: Api, worker_db: Database, workspace: Workspace) -> Counter:
    made = Counter(api, worker_db, workspace)
    await made.open()
    return made


async def test_a_link_is_not_taken_back_where_that_joins_somebody_unseen(counter: Counter) -> None:
    api, family = counter.api, counter.ids[FAMILY]
    before, persons = await counter.seen(), await counter.persons()
    links = (await api.client.get(f"/v1/profiles/{family}/links", headers=counter.agent)).json()["items"]
    (link,) = [one["id"] for one in links if {one["a"], one["b"]} == {counter.ids["C-1"], family}]
    refused = await api.client.post(f"/v1/profiles/{family}/unmerge", json={"link": link}, headers=counter.agent)
    assert (refused.status_code, refused.json()["field"]) == (403, "profile_id")
    assert (await counter.seen(), await counter.persons()) == (before, persons)
    supervisor = await api.key(counter.workspace.id)
    done = await api.client.post(f"/v1/profiles/{family}/unmerge", json={"link": link}, headers=supervisor)
    assert done.status_code == 200
    assert (await counter.persons())[FAMILY] == (await counter.persons())["C-2"]


async def test_a_shared_mailbox_is_not_taken_back_where_that_joins_somebody_unseen(counter: Counter) -> None:
    api, family = counter.api, counter.ids[FAMILY]
    supervisor = await api.key(counter.workspace.id)
    shared = await api.client.post(f"/v1/profiles/{family}/shared", json={"handle": family, "shared": True}, headers=supervisor)
    assert shared.status_code == 200
    before, persons = await counter.seen(), await counter.persons()
    assert list(before.values()).count(200) == 1
    back = {"handle": family, "shared": False}
    refused = await api.client.post(f"/v1/profiles/{family}/shared", json=back, headers=counter.agent)
    assert (refused.status_code, refused.json()["field"]) == (403, "profile_id")
    assert (await counter.seen(), await counter.persons()) == (before, persons)
    assert (await api.client.post(f"/v1/profiles/{family}/shared", json=back, headers=supervisor)).status_code == 200
    assert (await counter.persons()) != persons
    # What joins nobody is an agent's to say.
    again = await api.client.post(f"/v1/profiles/{family}/shared", json={"handle": family, "shared": True}, headers=counter.agent)
    assert again.status_code == 200

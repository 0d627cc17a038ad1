"""People who are taken apart: each goes on in a conversation of their own, and an answer goes to the person whose conversation it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.placements.commands import merge
from shared.database import Database
from tests.support.api import Api
from tests.support.intake_line import Line, Member, member_of, message_to, rows
from tests.support.workspaces import Workspace

_MAIL = "xenia@x.example"


@dataclass(slots=True)
class Two:
    """Xenia, who writes mail, and Boris, who chats as a signed customer."""

    api: Api
    workspace: Workspace
    member: Member
    line: Line

    async def xenia(self, text: str) -> UUID:
        return await self._says("api", _MAIL, text, "Xenia")

    async def boris(self, text: str, *, mail: bool = False) -> UUID:
        others = [{"kind": "external_id", "value": "boris", "assurance": "authenticated"}]
        others += [{"kind": "email", "value": _MAIL, "assurance": "authenticated"}] if mail else []
        return await self._says("webchat", "v-boris", text, "Boris", other_handles=others)

    async def handle(self, kind: str) -> Any:
        [row] = await rows(self.api.worker, f"select id, profile_id from santral.handle where kind = '{kind}'")
        return row

    async def unmerge(self, one: str, other: str) -> None:
        a, b = await self.handle(one), await self.handle(other)
        assert a["profile_id"] == b["profile_id"]
        body = {"handles": [str(a["id"]), str(b["id"])], "reason": "two people"}
        headers = await self.api.key(self.workspace.id)
        done = await self.api.client.post(f"/v1/profiles/{a['profile_id']}/unmerge", json=body, headers=headers)
        assert done.json()["apart"], done.text

    async def reply(self, conversation: UUID) -> str:
        """The kind of handle that an answer in the conversation goes to."""
        headers = await self.api.key(self.workspace.id)
        body = {"content": {"kind": "text", "text": "Buyurun"}}
        done = await self.api.client.post(f"/v1/conversations/{conversation}/replies", json=body, headers=headers)
        assert done.status_code < 300, done.text
        [row] = await rows(
            self.api.worker,
            "select h.kind from santral.message m join santral.handle h on h.id = m.handle_id"
            f" where m.conversation_id = '{conversation}' and m.direction = 'out' order by m.seq desc limit 1",
        )
        return str(row["kind"])

    async def _says(self, provider: str, who: str, text: str, name: str, **values: Any) -> UUID:
        message = message_to(self.workspace, provider, str(uuid4()), who=who, text=text, **values)
        self.line.add(message)
        await self.member.take(self.line)
        [row] = await rows(self.api.worker, f"select conversation_id from santral.receipt where id = '{message.id}'")
        found: UUID = row["conversation_id"]
        return found


@pytest.fixture
async def two(api: Api, worker_db: Database, workspace: Workspace) -> Two:
    return Two(api=api, workspace=workspace, member=await member_of(worker_db), line=Line())


async def test_who_was_taken_apart_begins_anew_and_the_answer_is_hers(two: Two) -> None:
    hers = await two.xenia("my papers")
    assert await two.boris("hello", mail=True) == hers
    await two.unmerge("email", "external_id")
    assert await two.reply(hers) == "email"
    his = await two.boris("and now")
    assert his != hers
    assert await two.boris("once more") == his
    assert (await two.reply(his), await two.reply(hers)) == ("visitor", "email")
    assert await two.xenia("my answer?") == hers


async def test_what_was_said_as_one_person_goes_on_while_they_are(two: Two) -> None:
    hers = await two.xenia("my papers")
    assert await two.boris("hello", mail=True) == hers
    assert await two.reply(hers) == "visitor"
    assert await two.boris("hello again") == hers


async def test_a_link_that_ended_takes_apart_as_well(two: Two) -> None:
    hers = await two.xenia("my papers")
    assert await two.boris("hello", mail=True) == hers
    async with two.api.worker.batch() as connection:
        await connection.execute("update santral.link set retracted_at = now()")
        await connection.execute("update santral.handle set profile_id = id where kind = 'email'")
        await connection.execute(
            "update santral.handle set profile_id = (select id from santral.handle where kind = 'external_id') where kind <> 'email'"
        )
    his = await two.boris("and now")
    assert his != hers
    assert await two.boris("once more") == his
    assert await two.reply(hers) == "email"


async def test_what_an_agent_merged_of_one_person_is_no_place_for_two(two: Two) -> None:
    his, hers = await two.boris("hello"), await two.xenia("my papers")
    assert his != hers
    headers = await two.api.key(two.workspace.id)
    a, b = await two.handle("email"), await two.handle("external_id")
    one = await two.api.client.post(f"/v1/profiles/{a['profile_id']}/merge", json={"with": str(b["profile_id"])}, headers=headers)
    assert one.status_code == 200, one.text
    async with two.api.worker.batch() as connection:
        await merge(
            connection, workspace_id=two.workspace.id, conversation_id=his, into=hers, reason=None, actor="key:test", by=None
        )
    assert await two.boris("one conversation") == hers
    await two.unmerge("email", "external_id")
    assert await two.reply(hers) == "email"
    assert await two.boris("and now") != hers
    assert await two.xenia("my answer?") == hers


async def test_what_an_agent_merged_of_two_people_goes_on_together(two: Two) -> None:
    his, hers = await two.boris("hello"), await two.xenia("my papers")
    async with two.api.worker.batch() as connection:
        await merge(
            connection, workspace_id=two.workspace.id, conversation_id=his, into=hers, reason=None, actor="key:test", by=None
        )
    assert await two.boris("together") == hers
    assert await two.xenia("indeed") == hers
    assert await two.boris("together still") == hers
    assert await two.reply(hers) in ("email", "visitor")

"""What an agent who sees less than the workspace does by their own word puts no customer before them: each way to have work of somebody.

Bakan sees one conversation of a customer in their queue, long finished; the customer's other one is in a queue where they are no member.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

import pytest

from router.commands.reply import reply_state
from services.api.principal import ROLES
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.operations import body_of, filled, operations, query_of
from tests.support.scenes import Scene, narrow_scene, says
from tests.support.workspaces import Workspace, add_item

_FINISHED = """
update santral.work_item set state = 'completed', agent_id = null, last_agent_id = $2, closed_at = now() - interval '60 days' where id = $1
"""
_SAME_PERSON = """
update santral.conversation c set handle_id = o.handle_id, last_handle_id = o.handle_id from santral.conversation o
where c.id = $1 and o.id = $2
"""
_RECEIPTS = """
insert into santral.receipt (workspace_id, id, state, conversation_id, seq)
select workspace_id, id, 'taken', conversation_id, seq from santral.message on conflict do nothing
"""
_OPEN = "state not in ('completed', 'abandoned', 'canceled')"


class Case:
    """Bakan's own work ``mine``, the finished ``seen`` and the hidden ``theirs`` of one customer."""

    def __init__(self, api: Api, db: Database, workspace: Workspace, scene: Scene) -> None:
        self.api, self.db, self.workspace, self.scene = api, db, workspace, scene
        self.mine, self.seen, self.theirs = (scene.conversations[one] for one in ("mine", "queue", "other"))
        self.person = scene.profiles["other"]
        self.headers = scene.headers
        self.admin: dict[str, str] = {}

    async def post(self, path: str, body: Any = None, status: int = 200, *, admin: bool = False) -> Any:
        answer = await self.api.client.post(f"/v1/{path}", json=body, headers=self.admin if admin else self.headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def hidden(self) -> bool:
        """Whether the customer's other conversation stays closed; what they see of their queue stays seen."""
        paths = (f"conversations/{self.theirs}", f"conversations/{self.theirs}/messages", f"conversations/{self.seen}")
        got = [(await self.api.client.get(f"/v1/{path}", headers=self.headers)).status_code for path in paths]
        assert got in ([403, 403, 200], [200, 200, 200])
        return got[0] == 403

    async def has(self, conversation: UUID) -> UUID:
        """The agent takes the open work of a conversation, as from a queue or by an offer."""
        async with self.db.batch() as connection:
            (item,) = await connection.fetch(
                f"update santral.work_item set state = 'assigned', agent_id = $2, last_agent_id = $2 where conversation_id = $1 and {_OPEN}"
                " returning id",
                conversation, self.scene.agent,
            )  # fmt: skip
        taken: UUID = item["id"]
        return taken

    async def message_in(self, conversation: UUID) -> UUID:
        (row,) = await rows(
            self.db,
            "select id from santral.message where conversation_id = $1 and direction = 'in' order by seq limit 1",
            conversation,
        )
        found: UUID = row["id"]
        return found

    async def execute(self, statement: str, *values: Any) -> None:
        async with self.db.batch() as connection:
            await connection.execute(statement, *values)

    async def fails(self) -> UUID:
        """The agent answers the finished conversation, and the answer comes back as undeliverable."""
        answer = {"content": {"kind": "text", "text": "."}}
        reply = UUID((await self.post(f"conversations/{self.seen}/replies", answer, 202))["id"])
        async with self.db.batch() as connection:
            await reply_state(
                connection, workspace_id=self.workspace.id, conversation_id=self.seen, message_id=reply, state="failed",
                reason="550 no such user", permanent=True,
            )  # fmt: skip
        return reply


@pytest.fixture(params=["a colleague's", "their own"])
async def case(api: Api, workspace: Workspace, worker_db: Database, request: pytest.FixtureRequest) -> Case:
    """``seen`` was once a colleague's work, or the agent's own."""
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    made = Case(api, worker_db, workspace, scene)
    made.admin = await api.key(workspace.id)
    await made.execute(_SAME_PERSON, made.seen, made.theirs)
    await made.execute(_FINISHED, scene.items["queue"], scene.colleague if request.param == "a colleague's" else scene.agent)
    for conversation, person in ((made.mine, scene.profiles["mine"]), (made.seen, made.person), (made.theirs, made.person)):
        await says(worker_db, conversation, person)
        await says(worker_db, conversation, person)
    await made.execute(_RECEIPTS)
    assert await made.hidden()
    return made


async def _of_one_person(case: Case) -> None:
    """``mine`` is another conversation of a customer all of whose conversations the agent sees: ``seen``, until ``theirs`` comes."""
    await case.execute(
        "update santral.conversation c set handle_id = o.handle_id, last_handle_id = o.handle_id from santral.conversation o"
        " where c.id = $1 and o.id = $2",
        case.theirs, case.mine,
    )  # fmt: skip


async def _written_to_others(case: Case) -> None:
    await case.execute(_SAME_PERSON, case.theirs, case.seen)


async def test_two_peoples_conversations_are_put_together_by_who_sees_all_of_both(case: Case) -> None:
    await case.post(f"conversations/{case.mine}/merge", {"into": str(case.seen)}, 403)
    await case.post(f"conversations/{case.seen}/merge", {"into": str(case.mine)}, 403)
    await case.post(f"messages/{await case.message_in(case.mine)}/move", {"conversation": str(case.seen)}, 403)
    await case.post(f"messages/{await case.message_in(case.seen)}/move", {"conversation": str(case.mine)}, 403)
    assert await case.hidden()


@pytest.mark.parametrize("way", ["merge", "move", "undo"])
async def test_what_is_put_into_a_conversation_opens_nothing_of_its_customer(case: Case, way: str) -> None:
    await _of_one_person(case)  # so that the agent sees all of both
    if way == "move":
        await case.post(f"messages/{await case.message_in(case.mine)}/move", {"conversation": str(case.seen)})
    else:
        done = await case.post(f"conversations/{case.mine}/merge", {"into": str(case.seen)})
        if way == "undo":
            await says(case.db, case.seen, case.person)  # for which there is work when the other's goes home
            await case.execute(_RECEIPTS)
            await case.post(f"placements/{done['id']}/undo")
            await case.execute("update santral.message set accepted_at = accepted_at - interval '1 day'")
    await case.has(case.seen)
    await _written_to_others(case)
    assert await case.hidden()
    await says(case.db, case.seen, case.person, assurance="asserted")
    assert await case.hidden()
    await says(case.db, case.seen, case.person)
    assert not await case.hidden()


async def test_a_part_of_a_conversation_opens_nothing_once_the_work_is_over(case: Case) -> None:
    item = await _written_again(case)
    assert not await case.hidden()
    await case.post(f"conversations/{case.seen}/split", {"messages": [str(await case.message_in(case.seen))]}, 201)
    await case.post(f"items/{item}/done")
    await case.execute("update santral.work_item set state = 'completed' where id = $1", item)
    (part,) = await rows(
        case.db, f"select conversation_id from santral.work_item where {_OPEN} and conversation_id <> all($1::uuid[])",
        [case.mine, case.theirs],
    )  # fmt: skip
    await case.has(part["conversation_id"])
    assert await case.hidden()


async def _written_again(case: Case) -> UUID:
    """The customer wrote in ``seen``, and the agent has the work."""
    item = await add_item(case.db, case.workspace)
    await case.execute("update santral.work_item set conversation_id = $2 where id = $1", item, case.seen)
    await case.execute("update santral.conversation set state = 'open' where id = $1", case.seen)
    return await case.has(case.seen)


async def test_an_answer_that_fails_opens_nothing(case: Case, request: pytest.FixtureRequest) -> None:
    await case.fails()
    (item,) = await rows(case.db, f"select * from santral.work_item where conversation_id = $1 and {_OPEN}", case.seen)
    had_it = "their own" in request.node.name
    assert item["sticky_agent_id"] == (case.scene.agent if had_it else None), "it is asked who had it, not who wrote"
    await case.has(case.seen)
    assert await case.hidden()
    await says(case.db, case.seen, case.person)
    assert not await case.hidden()


async def test_a_colleagues_put_off_work_comes_back_to_them_when_somebody_elses_answer_fails(case: Case) -> None:
    item = await _written_again(case)
    await case.execute(
        "update santral.work_item set state = 'parked', agent_id = $2, last_agent_id = $2 where id = $1", item, case.scene.colleague
    )
    await case.fails()
    (row,) = await rows(case.db, "select * from santral.work_item where id = $1", item)
    assert (row["state"], row["sticky_agent_id"]) == ("queued", case.scene.colleague)
    await case.has(case.seen)
    assert await case.hidden()


async def test_what_was_kept_out_opens_nothing_by_being_made_work(case: Case) -> None:
    message = await case.message_in(case.seen)
    await case.execute(
        "update santral.message set body = body || $2::jsonb where id = $1",
        message, {"automatic": {"kind": "out_of_office", "evidence": ["auto-submitted"]}},
    )  # fmt: skip
    await case.post(f"kept-out/{message}/work", {})
    await case.has(case.seen)
    assert await case.hidden()


async def test_what_an_agent_began_opens_nothing_by_being_put_elsewhere(case: Case) -> None:
    """A first message to somebody known, put into the conversation in which the customer was heard long ago."""
    handle = {"kind": "email", "value": "uzak@ornek.com"}
    known = await case.post("profiles/identify", {"handles": [handle]}, admin=True)
    await case.execute(
        "update santral.handle set profile_id = $2 where id = $1", UUID(known["handles"][0]["id"]), case.person
    )  # the same customer's
    mail = {"inbox": "smtp", "to": {"value": handle["value"]}, "subject": "S", "content": {"kind": "text", "text": "Merhaba"}}
    begun = await case.post("conversations", mail, 202)
    await case.execute("update santral.message set accepted_at = accepted_at - interval '1 day'")
    await says(case.db, UUID(begun["conversation_id"]), case.person)  # so that the two may be put together
    await case.execute(_RECEIPTS)
    await case.execute(
        "update santral.message set accepted_at = accepted_at - interval '1 day' where conversation_id = $1",
        UUID(begun["conversation_id"]),
    )
    await case.post(f"conversations/{begun['conversation_id']}/merge", {"into": str(case.seen)})
    await case.has(case.seen)
    assert await case.hidden()


async def test_who_decides_over_others_work_puts_a_customer_before_an_agent(case: Case) -> None:
    await case.fails()
    item = await case.has(case.seen)
    assert await case.hidden()
    await case.execute("update santral.work_item set state = 'queued', agent_id = null where id = $1", item)
    given = {"agent": str(case.scene.agent), "override": True, "reason": "r"}
    await case.post(f"items/{item}/assign", given, admin=True)
    assert not await case.hidden()


async def test_put_off_work_shows_its_customer_while_its_owner_belongs_to_the_queue_or_was_named(case: Case) -> None:
    item = await _written_again(case)
    await case.post(f"items/{item}/park", {"wake_at": "9989-01-01T00:00:00Z"}, 422)
    await case.post(f"items/{item}/park")
    assert not await case.hidden()
    await case.execute("delete from santral.queue_member where agent_id = $1", case.scene.agent)
    assert await case.hidden()
    given = {"agent": str(case.scene.agent), "override": True, "reason": "r"}
    await case.post(f"items/{item}/assign", given, admin=True)
    await case.post(f"items/{item}/park")
    assert not await case.hidden()


@pytest.mark.parametrize("state", ["assigned", "parked", "offered"])
async def test_work_that_a_colleague_has_is_not_merged_away(case: Case, state: str) -> None:
    await _of_one_person(case)
    item = await _written_again(case)
    await case.execute("update santral.work_item set state = $2, agent_id = $3 where id = $1", item, state, case.scene.colleague)
    for one, into in ((case.seen, case.mine), (case.mine, case.seen)):
        refused = await case.post(f"conversations/{one}/merge", {"into": str(into)}, 403)
        assert refused["detail"] == "somebody else has this work"
    assert (await rows(case.db, "select state from santral.work_item where id = $1", item))[0]["state"] == state
    await case.post(f"conversations/{case.seen}/merge", {"into": str(case.mine)}, admin=True)


async def test_a_key_of_an_answer_is_its_writers(case: Case) -> None:
    """Two who answer with the same key, and even the same words, each wrote an answer."""
    path = f"/v1/conversations/{case.seen}/replies"
    answer = {"content": {"kind": "text", "text": "Merhaba"}}
    made = []
    for headers in (case.headers, case.admin, await case.api.agent(case.workspace.id, case.scene.agent)):
        got = await case.api.client.post(path, json=answer, headers={**headers, "idempotency-key": "1"})
        assert got.status_code == 202, got.text
        made.append(got.json()["id"])
    assert (made[0] != made[1], made[0] == made[2]) == (True, True), "an agent's other session is the same agent"


async def test_no_command_of_an_agent_opens_what_it_does_not_reach(case: Case) -> None:
    """Every operation that changes something, about each of the conversations and items that the agent sees, as the role `agent`."""
    scopes, visibility = ROLES["agent"]
    await case.execute("update santral.role set scopes = $1, visibility = $2 where name = 'looking'", list(scopes), visibility)
    document, tried, answered = case.api.app.openapi(), 0, set()
    for conversation in (case.seen, case.mine):
        other = case.mine if conversation == case.seen else case.seen
        for verb, path, operation in operations(case.api):
            if verb == "GET":
                continue
            tried += 1
            await _as_at_first(case)
            ids = await _ids(case, conversation)
            body = body_of(operation, document)
            if isinstance(body, dict):
                body |= {"into": str(other)} if "into" in body else {}
                body |= {"conversation": str(other)} if operation["operationId"] == "move_message" else {}
                body |= {"messages": [ids["message_id"]]} if operation["operationId"] == "split_conversation" else {}
            if operation["operationId"] == "write_reply":
                body = {"content": {"kind": "text", "text": "."}}
            answer = await case.api.client.request(
                verb, filled(path, ids), json=body, params=query_of(operation, document), headers=case.headers
            )
            case.headers = await case.api.agent(case.workspace.id, case.scene.agent)  # they may have signed out
            if answer.status_code < 300:
                answered.add(operation["operationId"])
            for one in await rows(
                case.db, f"select conversation_id from santral.work_item where conversation_id = $1 and {_OPEN}", case.seen
            ):
                await case.has(one["conversation_id"])
            assert await case.hidden(), (operation["operationId"], answer.status_code)
    assert tried > 60
    assert {"write_reply", "park_item", "split_conversation"} <= answered, answered


async def _as_at_first(case: Case) -> None:
    """The agent has ``mine``, and there is no work in ``seen``."""
    await case.execute(
        f"update santral.work_item set state = 'completed', agent_id = null where conversation_id = $1 and {_OPEN}", case.seen
    )
    await case.execute(
        "update santral.work_item set state = 'assigned', agent_id = $2 where id = $1", case.scene.items["mine"], case.scene.agent
    )
    await case.execute(
        "update santral.work_item set conversation_id = $2 where id = $1 and conversation_id <> $2",
        case.scene.items["mine"],
        case.mine,
    )


async def _ids(case: Case, conversation: UUID) -> dict[str, str]:
    """The objects of a conversation by path parameter, ids of nothing for the rest."""
    items = await rows(case.db, f"select id from santral.work_item where conversation_id = $1 order by {_OPEN} desc", conversation)
    ids = defaultdict(lambda: str(new_id()))
    done = await rows(case.db, "select id from santral.placement_operation order by done_at desc limit 1")
    if done:
        ids["operation_id"] = str(done[0]["id"])
    person = case.person if conversation == case.seen else case.scene.profiles["mine"]
    ids.update({
        "conversation_id": str(conversation), "item_id": str(items[0]["id"]), "message_id": str(await case.message_in(conversation)),
        "profile_id": str(person), "agent": "me",
    })  # fmt: skip
    return ids

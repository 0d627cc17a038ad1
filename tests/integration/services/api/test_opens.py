"""What opens a customer's history to who sees less than the workspace, and what does not: each way somebody could try to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.privacy.retention import _RULES
from shared.database import Connection, Database
from tests.integration.services.api.test_visibility import _begins
from tests.support.api import Api
from tests.support.intake_line import Line, member_of, message_to, rows
from tests.support.scenes import Scene, narrow_scene, says
from tests.support.workspaces import Workspace

NUMBER = "+905321234567"


async def _statuses(api: Api, scene: Scene, *paths: str) -> list[int]:
    return [(await api.client.get(f"/v1/{path}", headers=scene.headers)).status_code for path in paths]


def _of(person: UUID, *conversations: UUID) -> tuple[str, ...]:
    """Paths to these conversations, to a person and to their history."""
    return (*(f"conversations/{one}" for one in conversations), f"profiles/{person}", f"profiles/{person}/timeline")


async def _finished_before(connection: Connection, scene: Scene, handle: UUID) -> None:
    """Makes the colleague's conversation one that this customer had two months ago."""
    await connection.execute(
        "update santral.conversation set handle_id = $2, last_handle_id = $2, state = 'closed', closed_at = now() - interval '60 days'"
        " where id = $1",
        scene.conversations["other"], handle,
    )  # fmt: skip
    await connection.execute(
        "update santral.work_item set state = 'completed', agent_id = null, last_agent_id = $2 where id = $1",
        scene.items["other"], scene.colleague,
    )  # fmt: skip


async def _forged(api: Api, workspace: Workspace, db: Database) -> tuple[Scene, UUID, UUID, UUID]:
    """Work in the agent's hands made of words that nobody vouches for; the customer's other conversation; the customer."""
    scene = await narrow_scene(api, workspace, db, "own")
    forged, theirs, person = scene.conversations["mine"], scene.conversations["other"], scene.profiles["other"]
    async with db.batch() as connection:
        await connection.execute("update santral.handle set assurance = 'channel_verified' where profile_id = $1", person)
        await connection.execute(
            "update santral.conversation c set handle_id = o.handle_id, last_handle_id = o.handle_id, channel = 'email'"
            " from santral.conversation o where c.id = $1 and o.id = $2",
            forged, theirs,
        )  # fmt: skip
    await says(db, forged, person, assurance="asserted", verdict="none")
    return scene, forged, theirs, person


async def test_words_that_are_redacted_vouch_for_no_more_than_before(api: Api, workspace: Workspace, worker_db: Database) -> None:
    scene, forged, theirs, person = await _forged(api, workspace, worker_db)
    paths = _of(person, forged, theirs)
    assert await _statuses(api, scene, *paths) == [200, 403, 403, 403]
    path, body = f"/v1/conversations/{forged}/messages/1/redact", {"reason": "abuse"}
    assert (await api.client.post(path, json=body, headers=scene.headers)).status_code == 200
    assert await _statuses(api, scene, *paths) == [200, 403, 403, 403]


async def test_words_that_retention_takes_vouch_for_no_more_than_before(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene, forged, _, person = await _forged(api, workspace, worker_db)
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.work_item set state = 'completed', agent_id = null, last_agent_id = $2 where id = $1",
            scene.items["mine"], scene.agent,
        )  # fmt: skip
        await connection.execute(
            "update santral.conversation set state = 'closed', closed_at = now() - interval '40 days' where id = $1", forged
        )
        rule = _RULES["messages"]
        removed = await connection.execute(
            f"update santral.message x set {rule.change} where x.workspace_id = $1 and {rule.rows}", workspace.id, datetime.now(UTC)
        )
    assert removed == "UPDATE 1"
    assert await _statuses(api, scene, f"conversations/{forged}", f"profiles/{person}") == [200, 403]


@pytest.mark.parametrize("way", ["first", "call"])
async def test_a_machines_answer_that_was_made_work_is_nobody_who_was_heard(
    api: Api, workspace: Workspace, worker_db: Database, way: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    begun = await _begins(api, scene, worker_db, way)
    person = scene.profiles["other"]
    await says(worker_db, begun, person)
    async with worker_db.batch() as connection:
        message = await connection.fetchval(
            "update santral.message m set body = body || $2::jsonb where conversation_id = $1 and direction = 'in' returning id",
            begun, {"automatic": {"kind": "out_of_office", "evidence": ["auto-submitted"]}},
        )  # fmt: skip
        await connection.execute(
            "insert into santral.receipt (workspace_id, id, state, conversation_id, seq)"
            " select workspace_id, id, 'taken', conversation_id, seq from santral.message where id = $1",
            message,
        )
    paths = _of(person, begun, scene.conversations["other"])
    assert await _statuses(api, scene, *paths) == [200, 403, 403, 403]
    made = await api.client.post(f"/v1/kept-out/{message}/work", json={}, headers=scene.headers)
    assert made.status_code == 200, made.text
    assert await _statuses(api, scene, *paths) == [200, 403, 403, 403]


async def test_what_was_kept_out_is_shown_and_found_by_the_name_it_brought(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    begun, person = await _begins(api, scene, worker_db, "first"), scene.profiles["other"]
    await says(worker_db, begun, person)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.handle set name = 'Kayitli' where profile_id = $1", person)
        await connection.execute(
            "update santral.message m set body = body || $2::jsonb where conversation_id = $1 and direction = 'in'",
            begun, {"automatic": {"kind": "out_of_office", "evidence": ["auto-submitted"]}, "sender": {"name": "Yazili"}},
        )  # fmt: skip
        await connection.execute(
            "insert into santral.receipt (workspace_id, id, state, conversation_id, seq)"
            " select workspace_id, id, 'taken', conversation_id, seq from santral.message where conversation_id = $1 and direction = 'in'",
            begun,
        )

    async def named(headers: dict[str, str], **asked: str) -> list[str]:
        answer = await api.client.get("/v1/kept-out", params=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        return [one["sender"]["name"] for one in answer.json()["items"]]

    assert await named(scene.headers) == ["Yazili"]
    assert (await named(scene.headers, q="kayitli"), await named(scene.headers, q="yazili")) == ([], ["Yazili"])
    admin = await api.key(workspace.id)
    assert (await named(admin), await named(admin, q="kayitli")) == (["Kayitli"], ["Kayitli"])


@pytest.mark.parametrize("visibility", ["own", "queue"])
async def test_a_call_with_somebody_seen_once_opens_nothing_else_of_them(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    mine, theirs = scene.conversations["mine"], scene.conversations["other"]
    known = await api.client.post(
        "/v1/profiles/identify", json={"handles": [{"kind": "phone", "value": NUMBER}]}, headers=await api.key(workspace.id)
    )
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.conversation set handle_id = $2, last_handle_id = $2 where id = any($1)",
            [theirs, mine], UUID(known.json()["handles"][0]["id"]),
        )  # fmt: skip
        await connection.execute(
            "update santral.work_item set state = 'completed', agent_id = null, last_agent_id = $2 where id = $1",
            scene.items["mine"], scene.agent,
        )  # fmt: skip
    paths = (f"conversations/{mine}", f"conversations/{theirs}")
    assert await _statuses(api, scene, *paths) == [200, 403]
    call = {"inbox": "asterisk", "call_id": "made-up", "direction": "in", "number": NUMBER}
    assert (await api.client.post("/v1/calls", json=call, headers=scene.headers)).status_code == 201
    assert await _statuses(api, scene, *paths) == [200, 403]


@pytest.mark.parametrize("way", ["merge", "confirm"])
async def test_who_joins_two_people_sees_all_of_both(api: Api, workspace: Workspace, worker_db: Database, way: str) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "own")
    once, theirs, suggestion = scene.conversations["queue"], scene.conversations["other"], UUID(int=7)
    async with worker_db.batch() as connection:
        # Somebody else's customer, of whom the agent once had a conversation.
        await connection.execute(
            "update santral.conversation o set handle_id = m.handle_id, last_handle_id = m.handle_id"
            " from santral.conversation m where o.id = $1 and m.id = $2",
            once, theirs,
        )  # fmt: skip
        await connection.execute(
            "update santral.work_item set state = 'completed', agent_id = null, last_agent_id = $2 where id = $1",
            scene.items["queue"], scene.agent,
        )  # fmt: skip
        one, other = sorted((scene.profiles["mine"], scene.profiles["other"]))
        await connection.execute(
            "insert into santral.suggestion (workspace_id, id, a, b, weight, probability, evidence)"
            " values ($1, $2, $3, $4, 20, 0.99, '[]')",
            workspace.id, suggestion, one, other,
        )  # fmt: skip
    path, body = {
        "merge": (f"profiles/{scene.profiles['mine']}/merge", {"with": str(scene.profiles["other"])}),
        "confirm": (f"suggestions/{suggestion}/confirm", None),
    }[way]
    paths = (f"conversations/{once}", f"conversations/{theirs}", f"profiles/{scene.profiles['other']}")
    assert await _statuses(api, scene, *paths) == [200, 403, 200]
    refused = await api.client.post(f"/v1/{path}", json=body, headers=scene.headers)
    assert refused.status_code == 403, refused.text
    assert await _statuses(api, scene, *paths) == [200, 403, 200]
    async with worker_db.batch() as connection:
        await connection.execute("update santral.work_item set last_agent_id = $2 where id = $1", scene.items["other"], scene.agent)
    done = await api.client.post(f"/v1/{path}", json=body, headers=scene.headers)
    assert done.status_code == 200, done.text


@pytest.mark.parametrize("by", ["form", "mail", "form's mail"])
async def test_words_that_nobody_vouches_for_bring_no_finished_conversation_back(
    api: Api, workspace: Workspace, worker_db: Database, by: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    admin = await api.key(workspace.id)
    line, member = Line(), await member_of(worker_db)
    line.add(message_to(workspace, "smtp", "<1@v>", who="uzak@ornek.com", text="gizli derdim", defines=("mid:1@v",)))
    await member.take(line)
    found = "select c.id, h.profile_id, c.handle_id from santral.conversation c join santral.handle h on h.id = c.handle_id where h.value = $1"
    (own,) = await rows(worker_db, found, "uzak@ornek.com")
    async with worker_db.batch() as connection:  # a colleague of another queue did it
        await connection.execute(
            "update santral.work_item set state = 'completed', closed_at = now(), last_agent_id = $2,"
            " queue_id = (select id from santral.queue where name = 'uzak' and workspace_id = $3) where conversation_id = $1",
            own["id"], scene.colleague, workspace.id,
        )  # fmt: skip
        await connection.execute("update santral.conversation set state = 'closed', closed_at = now() where id = $1", own["id"])
        await _finished_before(connection, scene, own["handle_id"])
    paths = (*_of(own["profile_id"], own["id"], scene.conversations["other"]), f"conversations/{own['id']}/messages")
    closed_to_them = [403] * 5
    assert await _statuses(api, scene, *paths) == closed_to_them

    async def writes(name: str) -> UUID:
        """The conversation that words in the customer's name came into."""
        if by == "form":
            posted = {"inbox": "api", "external_id": name, "from": {"kind": "email", "value": "uzak@ornek.com"}, "text": "fatura"}
            api.broker.records.clear()
            assert (await api.client.post("/v1/messages", json=posted, headers=admin)).status_code == 202
            for record in api.broker.records:
                line.add_raw(record.value, record.headers)
        else:
            sender = {"kind": "email", "value": "uzak@ornek.com", "assurance": "asserted"}
            traits = {"verdict": "none"} if by == "mail" else {"verdict": "pass", "written_from": "form@ornek.com"}
            forged: dict[str, Any] = {"sender": sender, "authenticated": False, "traits": traits}
            line.add(message_to(workspace, "smtp", f"<{name}@forged>", text="fatura", **forged))
        await member.take(line)
        newest = "select conversation_id from santral.message where external_id like $1"
        (came,) = await rows(worker_db, newest, f"%{name}%")
        conversation: UUID = came["conversation_id"]
        return conversation

    forged = await writes("form-1")
    assert forged != own["id"]
    assert await _statuses(api, scene, f"conversations/{forged}", *paths) == [200, *closed_to_them]
    (item,) = await rows(worker_db, "select id from santral.work_item where conversation_id = $1 and state = 'queued'", forged)
    claimed = await api.client.post(f"/v1/items/{item['id']}/claim", headers=scene.headers)
    assert claimed.status_code == 200, claimed.text
    assert await _statuses(api, scene, *paths) == closed_to_them
    assert await writes("form-2") == forged, "open work of such words goes on"
    done = await api.client.post(f"/v1/items/{item['id']}/done", json={}, headers=scene.headers)
    assert done.status_code == 200, done.text
    assert await writes("form-3") not in (forged, own["id"]), "it is finished"


async def test_who_was_heard_vouches_for_no_words_that_come_after(api: Api, workspace: Workspace, worker_db: Database) -> None:
    scene, forged, theirs, person = await _forged(api, workspace, worker_db)
    paths = _of(person, forged, theirs)
    await says(worker_db, forged, person)
    assert await _statuses(api, scene, *paths) == [200, 200, 200, 200]
    await says(worker_db, forged, person, assurance="asserted", verdict="none")  # by a reference, say
    assert await _statuses(api, scene, *paths) == [200, 403, 403, 403]
    await says(worker_db, forged, person)
    assert await _statuses(api, scene, *paths) == [200, 200, 200, 200]


async def test_what_an_agent_begins_shows_of_its_customer_what_they_said(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "own")
    begun, admin = await _begins(api, scene, worker_db, "call"), await api.key(workspace.id)
    hold = await api.client.post(
        "/v1/holds", json={"kind": "person", "subject_id": str(scene.profiles["other"]), "reason": "Dava"}, headers=admin
    )
    assert hold.status_code == 201, hold.text
    (item,) = await rows(worker_db, "select id from santral.work_item where conversation_id = $1", begun)

    async def shown(headers: dict[str, str]) -> list[dict[str, Any]]:
        """Every answer that shows the conversation's customer."""
        paths = (f"conversations/{begun}", f"items/{item['id']}", "conversations", "items", f"agents/{scene.agent}/desk")
        answers = [(await api.client.get(f"/v1/{path}", headers=headers)).json() for path in paths]
        listed = [one for answer in answers[2:] for one in answer["items"] if str(begun) in (one["id"], one.get("conversation_id"))]
        return [*answers[:2], *listed]

    known = {"profile_id": str(scene.profiles["other"]), "name": "Uzaktaki Kişi", "kind": "phone", "value": NUMBER}
    said = {"profile_id": None, "name": "", "kind": "phone", "value": NUMBER, "assurance": "asserted"}
    for one in await shown(scene.headers):
        assert one["customer"] == said
    whole = await shown(admin)
    assert len(whole) == 5
    for one in whole:
        assert {name: one["customer"][name] for name in known} == known
    narrow = (await shown(scene.headers))[0]
    assert [(one["role"], one["name"], one["profile_id"]) for one in narrow["participants"] if one["role"] == "customer"] == [
        ("customer", "", None)
    ]
    assert (narrow["held"], narrow["reply_to"]["name"]) == (False, "")
    assert whole[0]["held"] is True
    await says(worker_db, begun, scene.profiles["other"], assurance="asserted")
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.message m set handle_id = c.handle_id, body = jsonb_set(body, '{sender,name}', '\"Söylenen\"')"
            " from santral.conversation c where c.id = m.conversation_id and c.id = $1 and direction = 'in'",
            begun,
        )
    narrow = (await shown(scene.headers))[0]
    assert narrow["customer"] == {**said, "name": "Söylenen"}
    for headers, name in ((scene.headers, "Söylenen"), (admin, "Uzaktaki Kişi")):
        messages = (await api.client.get(f"/v1/conversations/{begun}/messages", headers=headers)).json()["items"]
        assert [one["sender"]["name"] for one in messages if one["direction"] == "in"] == [name]
    await says(worker_db, begun, scene.profiles["other"])
    for one in await shown(scene.headers):
        assert {name: one["customer"][name] for name in known} == known


async def test_why_tells_nothing_of_a_customer_who_is_not_seen(api: Api, workspace: Workspace, worker_db: Database) -> None:
    scene, admin = await narrow_scene(api, workspace, worker_db, "queue"), await api.key(workspace.id)
    who = {
        "handles": [{"kind": "email", "value": "uzak@ornek.com"}],
        "name": "Uzak",
        "traits": {"tier": "gold", "tags": ["iflas"], "csat": 1},
    }
    known = (await api.client.post("/v1/profiles/identify", headers=admin, json=who)).json()
    async with worker_db.batch() as connection:
        await _finished_before(connection, scene, UUID(known["handles"][0]["id"]))
    posted = {"inbox": "api", "external_id": "form", "from": {"kind": "email", "value": "uzak@ornek.com"}, "text": "merhaba"}
    api.broker.records.clear()
    form = await api.client.post("/v1/messages", json=posted, headers=admin)
    line, member = Line(), await member_of(worker_db)
    for record in api.broker.records:
        line.add_raw(record.value, record.headers)
    await member.take(line)
    came = (await api.client.get(f"/v1/messages/{form.json()['id']}", headers=admin)).json()
    assert await _statuses(api, scene, f"profiles/{known['profile_id']}") == [403]

    async def told(headers: dict[str, str]) -> list[dict[str, Any]]:
        """What each answer that says why tells of the profile."""
        item = (await api.client.get(f"/v1/items/{came['item_id']}", headers=headers)).json()
        one = (await api.client.get(f"/v1/decisions/{item['decision_id']}", headers=headers)).json()
        listed = (await api.client.get("/v1/decisions", params={"item_id": came["item_id"]}, headers=headers)).json()
        return [
            item["why"]["facts"]["profile"],
            one["record"]["facts"]["profile"],
            listed["items"][0]["record"]["facts"]["profile"],
        ]

    assert await told(scene.headers) == [{"known": True}] * 3
    for facts in await told(admin):
        assert facts["tier"] == "gold"

"""Who sees what of customers: each visibility against each kind of object, and every operation about one."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection, connect

from shared.database import Database
from shared.ids import new_id
from tests.support.agent_sockets import FRAME_S, hello_of, workers
from tests.support.api import Api, listening
from tests.support.operations import body_of, filled, operations, query_of, seeded
from tests.support.scenes import Scene, narrow_scene, says
from tests.support.workspaces import Workspace

REACH = {"own": {"mine"}, "queue": {"mine", "queue"}, "team": {"mine", "queue"}, "workspace": {"mine", "queue", "other"}}
NOT_OF_A_CUSTOMER = {
    "connections", "inboxes", "queues", "skills", "roles", "users", "agents", "calendars", "slas", "plans", "keys", "policies", "chat",
    "imports", "reports", "shifts",
}  # fmt: skip
"""First words of paths about the workspace, not about a customer; imports ask for the whole workspace themselves."""


OWN_WORK = frozenset("accept_offer decline_offer claim_item finish_item park_item transfer_item end_call".split())  # noqa: SIM905
"""Commands about an agent's own work: there is none of theirs there, and nothing is told of anybody else's."""


async def _listed(api: Api, scene: Scene, path: str, **params: Any) -> set[UUID]:
    answer = await api.client.get(path, params=params, headers=scene.headers)
    assert answer.status_code == 200, answer.text
    return {UUID(one["id"]) for one in answer.json()["items"]}


@pytest.mark.parametrize("visibility", REACH)
async def test_every_way_to_an_object_reaches_the_same(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    seen = REACH[visibility]
    assert await _listed(api, scene, "/v1/items") == {scene.items[name] for name in seen}
    assert await _listed(api, scene, "/v1/items", agent=scene.colleague) == {scene.items[name] for name in seen & {"other"}}
    assert await _listed(api, scene, "/v1/conversations") == {scene.conversations[name] for name in seen}
    assert await _listed(api, scene, "/v1/conversations", agent=scene.colleague) == {
        scene.conversations[n] for n in seen & {"other"}
    }
    for queue, members in (("genel", {"queue", "team", "workspace"}), ("uzak", {"workspace"}), ("yok", set[str]())):
        answer = await api.client.get("/v1/items", params={"queue": queue}, headers=scene.headers)
        assert answer.status_code == (404 if queue == "yok" else 200 if visibility in members else 403), answer.text
    for name in scene.items:
        expected = 200 if name in seen else 403
        for path in (
            f"/v1/items/{scene.items[name]}", f"/v1/conversations/{scene.conversations[name]}",
            f"/v1/conversations/{scene.conversations[name]}/messages", f"/v1/conversations/{scene.conversations[name]}/events",
            f"/v1/profiles/{scene.profiles[name]}", f"/v1/profiles/{scene.profiles[name]}/timeline",
            f"/v1/profiles/{scene.profiles[name]}/links", f"/v1/profiles/{scene.profiles[name]}/views",
        ):  # fmt: skip
            answer = await api.client.get(path, headers=scene.headers)
            assert answer.status_code == expected, (name, path, answer.text)


@pytest.mark.parametrize("visibility", REACH)
async def test_whom_one_does_not_see_one_does_not_find(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    async with worker_db.batch() as connection:
        rows = await connection.fetch(
            "select kind, scope, value, profile_id from santral.handle where profile_id = any($1)", list(scene.profiles.values())
        )
    handles = [{"kind": row["kind"], "scope": row["scope"], "value": row["value"]} for row in rows]
    answer = await api.client.post("/v1/profiles/lookup", json={"handles": handles}, headers=scene.headers)
    found = {UUID(one["profile_id"]) for one in answer.json()["items"] if one["profile_id"]}
    assert found == {scene.profiles[name] for name in REACH[visibility]}
    everything = visibility == "workspace"
    for path in ("/v1/quarantine", "/v1/events", "/v1/suggestions", "/v1/kept-out/digests"):
        assert (await api.client.get(path, headers=scene.headers)).status_code == (200 if everything else 403), path
    desk = await api.client.get(f"/v1/agents/{scene.colleague}/desk", headers=scene.headers)
    assert desk.status_code == (200 if everything else 403)


@pytest.mark.parametrize("visibility", ["own", "queue"])
async def test_a_persons_history_shows_no_conversation_that_is_refused_by_itself(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    theirs = scene.conversations["other"]
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.conversation o set handle_id = m.handle_id, last_handle_id = m.handle_id"
            " from santral.conversation m where o.id = $1 and m.id = $2",
            theirs, scene.conversations["mine"],
        )  # fmt: skip

    async def shown(state: str) -> tuple[int, bool]:
        async with worker_db.batch() as connection:
            await connection.execute("update santral.work_item set state = $2 where id = $1", scene.items["mine"], state)
        alone = await api.client.get(f"/v1/conversations/{theirs}", headers=scene.headers)
        history = await api.client.get(f"/v1/profiles/{scene.profiles['mine']}/timeline", headers=scene.headers)
        assert str(scene.conversations["mine"]) in history.text
        return alone.status_code, str(theirs) in history.text

    assert await shown("assigned") == (200, True), "the customer in front of them"
    assert await shown("completed") == (403, False)


async def test_no_operation_reaches_what_the_visibility_does_not(api: Api, workspace: Workspace, worker_db: Database) -> None:
    """Every operation about an object of customers, called by an agent with every scope who sees their own only."""
    scene = await narrow_scene(api, workspace, worker_db, "own")
    ids, document, tried, reached = await seeded(worker_db, workspace), api.app.openapi(), 0, {}
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.work_item i set queue_id = q.id from santral.queue q where q.name = 'uzak' and i.id = $1",
            UUID(ids["item_id"]),
        )
    for verb, path, operation in operations(api):
        if "{" not in path or path.split("/")[2] in NOT_OF_A_CUSTOMER:
            continue
        tried += 1
        answer = await api.client.request(
            verb, filled(path, ids), json=body_of(operation, document), params=query_of(operation, document), headers=scene.headers
        )
        if answer.status_code != 403 and not (operation["operationId"] in OWN_WORK and answer.status_code in (404, 409)):
            reached[operation["operationId"]] = (answer.status_code, answer.text)
    assert reached == {}
    assert tried > 40


async def _begins(api: Api, scene: Scene, db: Database, way: str) -> UUID:
    """An agent says that they talk with the customer of another queue; the conversation that is begun."""
    number, admin = "+905321234567", await api.key(scene.workspace)
    handles = [{"kind": "phone", "value": number}, {"kind": "email", "value": "uzak@ornek.com"}]
    known = await api.client.post("/v1/profiles/identify", json={"handles": handles, "name": "Uzaktaki Kişi"}, headers=admin)
    scene.profiles["other"] = UUID(known.json()["profile_id"])
    written_from = next(UUID(one["id"]) for one in known.json()["handles"] if one["kind"] == "phone")
    async with db.batch() as connection:
        await connection.execute(
            "update santral.conversation set handle_id = $2, last_handle_id = $2 where id = $1",
            scene.conversations["other"],
            written_from,
        )
    call = {"inbox": "asterisk", "call_id": "made-up", "direction": "in", "number": number}
    mail = {"inbox": "smtp", "to": {"value": "uzak@ornek.com"}, "subject": "S", "content": {"kind": "text", "text": "Merhaba"}}
    path, body = {"call": ("/v1/calls", call), "first": ("/v1/conversations", mail)}[way]
    answer = await api.client.post(path, json=body, headers=scene.headers)
    assert answer.status_code < 300, answer.text
    return UUID(answer.json()["conversation_id"])


@pytest.mark.parametrize("way", ["call", "first"])
async def test_what_an_agent_begins_by_their_own_word_opens_nobodys_history(
    api: Api, workspace: Workspace, worker_db: Database, way: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    begun = await _begins(api, scene, worker_db, way)
    theirs, person = scene.conversations["other"], scene.profiles["other"]

    async def statuses() -> list[int]:
        paths = (f"conversations/{begun}", f"conversations/{theirs}", f"profiles/{person}", f"profiles/{person}/timeline")
        return [(await api.client.get(f"/v1/{path}", headers=scene.headers)).status_code for path in paths]

    closed_to_them, open_to_them = [200, 403, 403, 403], [200, 200, 200, 200]
    assert await statuses() == closed_to_them
    assert person not in await _found(api, scene)
    await says(worker_db, begun, scene.profiles["mine"])  # somebody whom the agent had in copy
    async with worker_db.batch() as connection:  # and for whose words there is new work
        await connection.execute("update santral.work_item set state = 'completed' where conversation_id = $1", begun)
        await connection.execute(
            "insert into santral.work_item (workspace_id, id, conversation_id, queue_id, channel, kind, state, due_at, enqueued_at,"
            " queued_at, step_at, agent_id) select workspace_id, $2::uuid, conversation_id, queue_id, channel, 'conversation', 'assigned', due_at,"
            " enqueued_at, queued_at, step_at, last_agent_id from santral.work_item where conversation_id = $1 limit 1",
            begun, new_id(),
        )  # fmt: skip
    assert await statuses() == closed_to_them
    assert person not in await _found(api, scene)
    await says(worker_db, begun, person, assurance="asserted")  # whoever forges a From says that much
    assert await statuses() == closed_to_them
    assert person not in await _found(api, scene)
    await says(worker_db, begun, person)
    assert await statuses() == open_to_them
    assert person in await _found(api, scene)


@pytest.mark.parametrize(("known", "verdict"), [(True, "none"), (False, "none"), (True, ""), (False, "")])
async def test_words_that_nobody_vouches_for_open_no_history_of_a_handle_that_was_vouched_for(
    api: Api, workspace: Workspace, worker_db: Database, known: bool, verdict: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    forged, theirs, person = scene.conversations["mine"], scene.conversations["other"], scene.profiles["other"]
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.handle set assurance = $2 where profile_id = $1", person, "channel_verified" if known else "asserted"
        )
        await connection.execute(
            "update santral.conversation c set handle_id = o.handle_id, last_handle_id = o.handle_id, channel = 'email'"
            " from santral.conversation o where c.id = $1 and o.id = $2",
            forged, theirs,
        )  # fmt: skip

    async def statuses() -> list[int]:
        paths = (f"conversations/{forged}", f"conversations/{theirs}", f"profiles/{person}", f"profiles/{person}/timeline")
        return [(await api.client.get(f"/v1/{path}", headers=scene.headers)).status_code for path in paths]

    await says(worker_db, forged, person, assurance="asserted", verdict=verdict)
    assert await statuses() == ([200, 403, 403, 403] if known else [200, 200, 200, 200])
    await says(worker_db, forged, person)
    assert await statuses() == [200, 200, 200, 200]


async def test_a_narrow_role_learns_from_identify_and_participants_of_nobody(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    known = {"handles": [{"kind": "email", "value": "uzak@ornek.com"}]}
    assert (await api.client.post("/v1/profiles/identify", json=known, headers=await api.key(workspace.id))).status_code == 200
    assert (await api.client.post("/v1/profiles/identify", json=known, headers=scene.headers)).status_code == 403
    await says(worker_db, scene.conversations["mine"], scene.profiles["mine"])
    copied = {"role": "cc", "kind": "email", "scope": "", "value": "uzak@ornek.com", "name": ""}
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.message set body = body || jsonb_build_object('participants', jsonb_build_array($2::jsonb))"
            " where conversation_id = $1",
            scene.conversations["mine"], copied,
        )  # fmt: skip
    told = []
    for headers in (scene.headers, await api.key(workspace.id)):
        answer = await api.client.get(f"/v1/conversations/{scene.conversations['mine']}", headers=headers)
        told.append([one["profile_id"] for one in answer.json()["participants"] if one["role"] == "cc"])
    narrow, whole = told
    assert narrow == [None]
    assert whole != [None]


async def _found(api: Api, scene: Scene) -> set[UUID]:
    """Whom a search finds by what the customer of another queue is called."""
    answer = await api.client.post("/v1/profiles/search", json={"text": "uzaktaki"}, headers=scene.headers)
    assert answer.status_code == 200, answer.text
    return {UUID(one["id"]) for one in answer.json()["items"]}


async def test_messages_are_not_put_together_with_somebody_who_was_not_heard(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    begun, mine, person = await _begins(api, scene, worker_db, "first"), scene.conversations["mine"], scene.profiles["other"]
    for one, into in ((begun, mine), (mine, begun)):
        answer = await api.client.post(f"/v1/conversations/{one}/merge", json={"into": str(into)}, headers=scene.headers)
        assert (answer.status_code, answer.json()["detail"]) == (403, "this customer was not heard here yet")
    assert (await api.client.get(f"/v1/profiles/{person}", headers=scene.headers)).status_code == 403
    await says(worker_db, begun, person)
    answer = await api.client.post(f"/v1/conversations/{begun}/merge", json={"into": str(mine)}, headers=scene.headers)
    assert answer.status_code == 200, answer.text


async def test_whom_nobody_met_is_seen_by_who_begins(api: Api, workspace: Workspace, worker_db: Database) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    call = {"inbox": "asterisk", "call_id": "first", "direction": "out", "number": "+905329999999"}
    assert (await api.client.post("/v1/calls", json=call, headers=scene.headers)).status_code == 201
    async with worker_db.batch() as connection:
        person = await connection.fetchval("select profile_id from santral.handle where value = '+905329999999'")
    assert (await api.client.get(f"/v1/profiles/{person}", headers=scene.headers)).status_code == 200


@pytest.mark.parametrize("hidden", [True, False])
async def test_a_first_message_tells_nothing_of_whom_one_does_not_see(
    api: Api, workspace: Workspace, worker_db: Database, hidden: bool
) -> None:
    """A customer of others, whose work goes on elsewhere, and nobody are answered the same."""
    scene, admin = await narrow_scene(api, workspace, worker_db, "queue"), await api.key(workspace.id)
    if hidden:
        handles = [{"kind": "email", "value": "uzak@ornek.com"}]
        known = await api.client.post("/v1/profiles/identify", json={"handles": handles}, headers=admin)
        async with worker_db.batch() as connection:
            await connection.execute(
                "update santral.conversation set handle_id = $2, last_handle_id = $2 where id = $1",
                scene.conversations["other"], UUID(known.json()["handles"][0]["id"]),
            )  # fmt: skip
    mail = {"inbox": "smtp", "to": {"value": "uzak@ornek.com"}, "subject": "S", "content": {"kind": "text", "text": "Merhaba"}}
    begun, again = [await api.client.post("/v1/conversations", json=mail, headers=scene.headers) for _ in range(2)]
    assert begun.status_code == 202, begun.text
    assert (again.status_code, again.json()["remedy"]) == (409, f"answer in {begun.json()['conversation_id']}"), again.text


async def _next(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(FRAME_S):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["type"] == kind:
                return frame


async def test_a_socket_loses_a_conversation_that_went_to_somebody_else(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "own")
    mine = scene.conversations["mine"]
    async with workers(api), listening(api) as address, connect(f"{address}/v1/stream", proxy=None) as socket:
        await hello_of(socket, scene.headers)
        await socket.send(json.dumps({"type": "follow", "conversation_id": str(scene.conversations["other"]), "seq": 0}))
        assert (await _next(socket, "error"))["problem"]["status"] == 403
        await socket.send(json.dumps({"type": "follow", "conversation_id": str(mine), "seq": 0}))
        await socket.send(json.dumps({"type": "follow_queue", "queue": "genel"}))
        refused = await _next(socket, "error")
        assert (refused["problem"]["status"], refused["queue"]) == (403, "genel")
        async with worker_db.batch() as connection:
            await connection.execute(
                "update santral.work_item set agent_id = $2 where id = $1", scene.items["mine"], scene.colleague
            )
            await connection.execute("update santral.conversation set seq = seq + 1 where id = $1", mine)
        lost = await _next(socket, "error")
        assert (lost["problem"]["status"], lost["conversation_id"]) == (403, str(mine))

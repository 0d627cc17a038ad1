"""What is shown of somebody whom one sees names nobody whom one does not; what was answered once is not answered again to who lost sight."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import connect

from shared.database import Database
from shared.ids import new_id
from tests.support.agent_sockets import FRAME_S, hello_of, workers
from tests.support.api import Api, listening
from tests.support.scenes import Scene, narrow_scene
from tests.support.workspaces import Workspace

MAIL = {"inbox": "smtp", "to": {"value": "yeni@ornek.com"}, "subject": "S", "content": {"kind": "text", "text": "Merhaba"}}
CALL = {"inbox": "asterisk", "call_id": "c-1", "direction": "in", "number": "+905321234567"}
Json = dict[str, Any]


async def _goes_to_a_colleague(db: Database, scene: Scene, conversation: UUID) -> None:
    async with db.batch() as connection:
        await connection.execute(
            "update santral.work_item set state = 'assigned', agent_id = $2, last_agent_id = $2 where conversation_id = $1",
            conversation, scene.colleague,
        )  # fmt: skip


async def _asked(api: Api, scene: Scene, path: str, body: Json, key: str | None = "k") -> tuple[int, Json]:
    headers = scene.headers if key is None else {**scene.headers, "idempotency-key": key}
    answer = await api.client.post(path, json=body, headers=headers)
    return answer.status_code, answer.json()


async def test_a_retried_reply_is_answered_to_who_sees_the_conversation_still(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "own")
    mine = scene.conversations["mine"]
    path, body = f"/v1/conversations/{mine}/replies", {"content": {"kind": "text", "text": "Merhaba"}}
    first, again = await _asked(api, scene, path, body), await _asked(api, scene, path, body)
    assert first[0] == again[0] == 202
    assert first[1]["id"] == again[1]["id"]
    await _goes_to_a_colleague(worker_db, scene, mine)
    status, told = await _asked(api, scene, path, body)
    assert status == 403
    assert first[1]["id"] not in str(told)
    other_body = {"content": {"kind": "text", "text": "Selam"}}
    assert (await _asked(api, scene, path, other_body))[0] == 403, "nor is told whether the key was used"


async def test_a_retried_first_message_is_answered_to_who_sees_the_conversation_still(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "own")
    status, begun = await _asked(api, scene, "/v1/conversations", MAIL)
    assert status == 202, begun
    assert await _asked(api, scene, "/v1/conversations", MAIL) == (202, begun)
    await _goes_to_a_colleague(worker_db, scene, UUID(begun["conversation_id"]))
    status, told = await _asked(api, scene, "/v1/conversations", MAIL)
    assert status == 403
    assert begun["conversation_id"] not in str(told)


@pytest.mark.parametrize("number", ["+905321234567", "+905320000000"])
async def test_a_colleagues_call_is_not_answered_again_to_others(
    api: Api, workspace: Workspace, worker_db: Database, number: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "own")
    theirs = await api.agent(workspace.id, scene.colleague)
    registered = await api.client.post("/v1/calls", json=CALL, headers=theirs)
    assert registered.status_code == 201, registered.text
    status, told = await _asked(api, scene, "/v1/calls", CALL | {"number": number}, key=None)
    assert status == 403
    assert registered.json()["id"] not in str(told)


@pytest.mark.parametrize("visibility", ["own", "workspace"])
async def test_a_history_pages_over_what_is_shown(api: Api, workspace: Workspace, worker_db: Database, visibility: str) -> None:
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    mine, theirs = scene.conversations["mine"], scene.conversations["other"]
    hidden = [theirs, *(new_id() for _ in range(3))]
    async with worker_db.batch() as connection:
        for copy in hidden[1:]:
            await connection.execute(
                "insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)"
                " select workspace_id, $2, handle_id, inbox_id, inbox_id, handle_id, channel, opened_at from santral.conversation where id = $1",
                theirs, copy,
            )  # fmt: skip
        await connection.execute(
            "update santral.conversation set handle_id = m.handle_id, last_handle_id = m.handle_id, opened_at = now() + interval '1 s'"
            " from (select handle_id from santral.conversation where id = $1) m where id = any($2)",
            mine, hidden,
        )  # fmt: skip
        await connection.execute("update santral.work_item set state = 'completed' where id = $1", scene.items["mine"])
    shown: list[str] = []
    cursor, cursors, pages = None, "", 0
    while pages == 0 or cursor is not None:
        pages += 1
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = await api.client.get(f"/v1/profiles/{scene.profiles['mine']}/timeline", params=params, headers=scene.headers)
        assert page.status_code == 200, page.text
        assert len(page.json()["items"]) == 1, "a page is full as long as there is more"
        shown += [one["id"] for one in page.json()["items"]]
        cursor = page.json()["next"]
        if cursor:
            cursors += base64.urlsafe_b64decode(cursor + "==").decode()
    assert str(mine) in shown
    assert len(shown) == len(set(shown)) == pages
    for one in hidden:
        assert (str(one) in shown, str(one) in cursors) == (visibility == "workspace", visibility == "workspace")


async def _joined_with_the_unseen(db: Database, scene: Scene) -> UUID:
    """Evidence, words against it and a suggestion between whom the agent sees and whom not; the suggestion's id."""
    a, b = sorted((scene.profiles["mine"], scene.profiles["other"]))
    suggestion = new_id()
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.link (workspace_id, id, a, b, kind, assurance, source, first_seen_at, last_seen_at, retracted_at)"
            " values ($1, $2, $3, $4, 'agent', 'channel_verified', 'user:x', now(), now(), now())",
            scene.workspace, new_id(), a, b,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.cannot_link (workspace_id, id, a, b, reason, retracted_at) values ($1, $2, $3, $4, 'iki kişi', now())",
            scene.workspace, new_id(), a, b,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.suggestion (workspace_id, id, a, b, weight, probability, evidence) values ($1, $2, $3, $4, 5, 0.9, '[]')",
            scene.workspace, suggestion, a, b,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.profile (workspace_id, id) values ($1, $2) on conflict do nothing",
            scene.workspace,
            scene.profiles["mine"],
        )
        await connection.execute(
            "insert into santral.profile_change (workspace_id, profile_id, version, what, cause) values ($1, $2, 2, $3, '{}')",
            scene.workspace, scene.profiles["mine"], {"types": ["profile.unmerged"], "from": [str(scene.profiles["other"])]},
        )  # fmt: skip
        await connection.execute(
            "insert into santral.profile_change (workspace_id, profile_id, version, what, cause) values ($1, $2, 3, $3, '{}')",
            scene.workspace, scene.profiles["mine"], {"into": str(scene.profiles["other"])},
        )  # fmt: skip
    return suggestion


@pytest.mark.parametrize("visibility", ["own", "workspace"])
async def test_what_is_told_of_a_person_names_nobody_else_who_is_not_seen(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    suggestion = await _joined_with_the_unseen(worker_db, scene)
    mine, other, whole = scene.profiles["mine"], str(scene.profiles["other"]), visibility == "workspace"

    async def told(what: str, **params: Any) -> tuple[list[Json], bool]:
        answer = await api.client.get(f"/v1/profiles/{mine}/{what}", params=params, headers=scene.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"], other in answer.text

    links, named = await told("links")
    assert (len(links), named) == ((1, True) if whole else (0, False))
    suggestions, named = await told("suggestions")
    assert ([one["id"] for one in suggestions], named) == (([str(suggestion)], True) if whole else ([], False))
    entries, named = await told("timeline")
    assert named == whole
    ends = {entry["kind"]: {entry["data"]["a"], entry["data"]["b"]} for entry in entries if "a" in entry["data"]}
    assert ends == {kind: {str(mine), other if whole else None} for kind in ("linked", "link_retracted", "kept_apart")}
    assert [one["data"]["from"] for one in entries if one["kind"] == "unmerged"] == [[other] if whole else []]
    versions, named = await told("versions")
    assert (len(versions), named) == (2, whole)


async def test_a_handle_that_was_the_persons_and_is_nobodys_customer_is_named(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "own")
    mine, admin = scene.profiles["mine"], await api.key(workspace.id)
    handle = {"kind": "phone", "value": "+905321234567"}
    known = await api.client.post("/v1/profiles/identify", json={"handles": [handle]}, headers=admin)
    sister = known.json()["profile_id"]
    merged = await api.client.post(f"/v1/profiles/{mine}/merge", json={"with": sister}, headers=admin)
    assert merged.status_code == 200, merged.text
    link = {"link": merged.json()["link_id"]}
    parted = await api.client.post(f"/v1/profiles/{mine}/unmerge", json=link, headers=scene.headers)
    assert parted.status_code == 200, parted.text
    for what in ("links", "timeline"):
        shown = await api.client.get(f"/v1/profiles/{mine}/{what}", headers=scene.headers)
        assert sister in shown.text, what
    assert (await api.client.get(f"/v1/profiles/{sister}", headers=scene.headers)).status_code == 403


async def test_suggestions_page_over_those_that_are_seen(api: Api, workspace: Workspace, worker_db: Database) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "queue")
    seen = []
    async with worker_db.batch() as connection:
        for name in ("queue", "other"):
            a, b = sorted((scene.profiles["mine"], scene.profiles[name]))
            seen.append(new_id())
            await connection.execute(
                "insert into santral.suggestion (workspace_id, id, a, b, weight, probability, evidence) values ($1, $2, $3, $4, 5, 0.9, '[]')",
                workspace.id, seen[-1], a, b,
            )  # fmt: skip
    params = {"limit": 1}
    page = await api.client.get(f"/v1/profiles/{scene.profiles['mine']}/suggestions", params=params, headers=scene.headers)
    assert ([one["id"] for one in page.json()["items"]], page.json()["next"]) == ([str(seen[0])], None)


@pytest.mark.parametrize("visibility", ["own", "workspace"])
async def test_what_was_moved_names_no_conversation_that_is_not_seen(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    mine, theirs, whole = scene.conversations["mine"], scene.conversations["other"], visibility == "workspace"
    async with worker_db.batch() as connection:
        for ends in ((mine, theirs), (theirs, mine)):
            await connection.execute(
                "insert into santral.placement_operation (workspace_id, id, kind, from_conversation_id, to_conversation_id, actor, prior)"
                " values ($1, $2, 'move', $3, $4, 'test', '{}')",
                workspace.id, new_id(), *ends,
            )  # fmt: skip
        await connection.execute("update santral.conversation set merged_into = $2 where id = $1", mine, theirs)
    listed = await api.client.get(f"/v1/conversations/{mine}/placements", headers=scene.headers)
    elsewhere = str(theirs) if whole else None
    assert [(one["from"], one["to"]) for one in listed.json()["data"]] == [(elsewhere, str(mine)), (str(mine), elsewhere)]
    shown = await api.client.get(f"/v1/conversations/{mine}", headers=scene.headers)
    assert shown.json()["merged_into"] == elsewhere
    history = await api.client.get(f"/v1/profiles/{scene.profiles['mine']}/timeline", headers=scene.headers)
    assert [one["merged_into"] for one in history.json()["conversations"]] == [elsewhere]
    status, told = await _asked(api, scene, f"/v1/conversations/{mine}/replies", {"content": {"kind": "text", "text": "Merhaba"}})
    assert status == 409
    assert (str(theirs) in str(told)) == whole
    split = {"messages": [str(new_id())]}
    status, told = await _asked(api, scene, f"/v1/conversations/{mine}/split", split, key=None)
    assert (status, str(theirs) in str(told)) == (409, whole)


@pytest.mark.parametrize("visibility", ["own", "workspace"])
async def test_events_of_what_was_moved_name_no_conversation_that_is_not_seen(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    """Over REST and the agent's socket; what else an event says stays."""
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    mine, theirs = str(scene.conversations["mine"]), str(scene.conversations["other"])
    data = {"operation_id": str(new_id()), "from_conversation_id": theirs, "to_conversation_id": mine, "messages": 1}
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.event (workspace_id, id, type, at, conversation_id, seq, agent_id, agent_seq, data)"
            " select $1, $2, 'conversation.merged', now(), $3, 1, $4, coalesce(max(agent_seq), 0) + 1, $5 from santral.event where agent_id = $4",
            workspace.id, new_id(), scene.conversations["mine"], scene.agent, data,
        )  # fmt: skip
        await connection.execute("update santral.conversation set seq = 1 where id = $1", scene.conversations["mine"])
    expected = data | ({} if visibility == "workspace" else {"from_conversation_id": None})
    listed = await api.client.get(f"/v1/conversations/{mine}/events", headers=scene.headers)
    assert [one["data"] for one in listed.json()["items"]] == [expected]
    async with workers(api), listening(api) as address, connect(f"{address}/v1/stream", proxy=None) as socket:
        await hello_of(socket, scene.headers)
        await socket.send(json.dumps({"type": "follow", "conversation_id": mine, "seq": 0}))
        async with asyncio.timeout(FRAME_S):
            while (frame := json.loads(await socket.recv())).get("event", {}).get("type") != "conversation.merged":
                pass
    assert frame["event"]["data"] == expected


@pytest.mark.parametrize("visibility", ["queue", "workspace"])
async def test_numbers_of_everybody_are_for_who_sees_everybody(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    for path in ("/v1/retention/plan", "/v1/profiles/rules", "/v1/suggestions/progress"):
        answer = await api.client.get(path, headers=scene.headers)
        assert answer.status_code == (200 if visibility == "workspace" else 403), (path, answer.text)


@pytest.mark.parametrize("visibility", ["queue", "workspace"])
async def test_a_refused_first_message_tells_who_does_not_see_the_customer_that_alone(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str
) -> None:
    """One said no, one sleeps, one never said anything: the same words, but for who sees them."""
    scene, admin = await narrow_scene(api, workspace, worker_db, visibility), await api.key(workspace.id)
    told = set()
    for name, traits, purpose in (
        ("hayir", {}, "service"),
        ("uyur", {"quiet_hours": "00:00-23:59"}, "service"),
        ("kimse", None, "marketing"),
    ):
        if traits is not None:
            person = {"handles": [{"kind": "email", "value": f"{name}@ornek.com"}], "traits": traits}
            known = await api.client.post("/v1/profiles/identify", json=person, headers=admin)
            said_no = {"purpose": "all", "channel": "all", "granted": False, "source": "form"}
            if name == "hayir":
                path = f"/v1/profiles/{known.json()['profile_id']}/consents"
                assert (await api.client.post(path, json=said_no, headers=admin)).status_code == 201
        status, answer = await _asked(
            api, scene, "/v1/conversations", MAIL | {"to": {"value": f"{name}@ornek.com"}, "purpose": purpose}, key=None
        )
        assert status == 409, answer
        told.add((answer["detail"], answer["remedy"]))
    if visibility == "workspace":
        reasons = {detail.removeprefix("this person is not to be written to first now: ") for detail, _ in told}
        assert reasons == {"consent denied", "quiet hours", "consent missing"}
    else:
        assert told == {("this person is not to be written to first now", "ask a supervisor")}


async def test_work_that_others_have_with_a_customer_is_told_and_not_named(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    scene, admin = await narrow_scene(api, workspace, worker_db, "own"), await api.key(workspace.id)
    known = await api.client.post(
        "/v1/profiles/identify", json={"handles": [{"kind": "email", "value": "yeni@ornek.com"}]}, headers=admin
    )
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.conversation set handle_id = $2, last_handle_id = $2 where id = any($1)",
            [scene.conversations["mine"], scene.conversations["other"]], UUID(known.json()["handles"][0]["id"]),
        )  # fmt: skip
        await connection.execute("update santral.work_item set state = 'completed' where id = $1", scene.items["mine"])
    status, told = await _asked(api, scene, "/v1/conversations", MAIL)
    assert (status, told["detail"]) == (409, "this customer has an open conversation with others")
    assert str(scene.conversations["other"]) not in str(told)


@pytest.mark.parametrize("visibility", ["own", "workspace"])
@pytest.mark.parametrize("which", ["queue", "other"])
async def test_a_refused_command_tells_the_state_of_an_item_to_who_sees_it(
    api: Api, workspace: Workspace, worker_db: Database, visibility: str, which: str
) -> None:
    """Whoever has it, and whether it waits, is open or over: others hear what they hear when they read it."""
    scene = await narrow_scene(api, workspace, worker_db, visibility)
    item, whole = scene.items[which], visibility == "workspace"
    async with worker_db.batch() as connection:
        await connection.execute("update santral.queue set mode = 'push' where workspace_id = $1", workspace.id)
    commands: dict[str, Json] = {"claim": {}, "done": {}, "park": {}, "transfer": {"to_queue": "uzak"}}
    for command, body in commands.items():
        told = set()
        for state in (None, "completed"):
            if state is not None:
                async with worker_db.batch() as connection:
                    await connection.execute("update santral.work_item set state = $2 where id = $1", item, state)
            status, answer = await _asked(api, scene, f"/v1/items/{item}/{command}", body, key=None)
            told.add((status, answer["detail"]))
        assert {status for status, _ in told} == {409 if whole else 403}, (command, told)
        if not whole:
            assert {detail for _, detail in told} == {"this conversation is outside the role's visibility"}

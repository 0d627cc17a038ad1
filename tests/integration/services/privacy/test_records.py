"""Redaction, audited views, retention and masking: what goes is gone everywhere, what stays is what was promised."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from ingest.adapter import Draft, Inbox, Target
from ingest.receive import Receiver
from services.chores.audit_links import batch_of_all
from services.privacy.retention import Retention
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.cloudevent import decode_message
from shared.leases import Leases
from tests.support.api import Api, Broker
from tests.support.intake_line import SECRET, Line, assert_contiguous, member_of, message_to, rows
from tests.support.workspaces import Workspace


async def mailed(api: Api, workspace: Workspace) -> tuple[str, int]:
    """A mail with an inline original and a file; where it stands."""
    line, member = Line(), await member_of(api.worker)
    mail = message_to(workspace, "smtp", "<1@x>", subject="gizlikonu", text="gizlimetin", original="Z2l6bGk=")
    keys = [f"{workspace.id}/{mail.id}/{role}-1" for role in ("attachment", "html")]
    for key in keys:
        await api.app.state.blobs.put(key, b"gizlidosya")
    parts = [{"blob": key, "name": "gizli.txt", "size_bytes": 10, "role": key.rpartition("/")[2][:-2]} for key in keys]
    line.add(
        message_to(workspace, "smtp", "<1@x>", subject="gizlikonu", text="gizlimetin", original="Z2l6bGk=", parts=tuple(parts))
    )
    await member.take(line)
    found = await rows(api.worker, "select conversation_id, seq from santral.message")
    return str(found[0]["conversation_id"]), int(found[0]["seq"])


async def test_a_redacted_message_leaves_a_marker_and_nothing_else(api: Api, workspace: Workspace) -> None:
    conversation, seq = await mailed(api, workspace)
    headers = await api.key(workspace.id)
    url = f"/v1/conversations/{conversation}/messages/{seq}/redact"
    done = await api.client.post(url, headers=headers, json={"reason": "personal_data"})
    assert (done.status_code, done.json()["changed"]) == (200, True), done.text
    again = await api.client.post(url, headers=headers, json={"reason": "law"})
    assert again.json()["changed"] is False
    stored = await rows(
        api.worker, "select m.*, c.subject as about from santral.message m join santral.conversation c on c.id = m.conversation_id"
    )
    assert "gizli" not in str(stored)
    assert stored[0]["body"]["redacted"]["reason"] == "personal_data"
    assert stored[0]["body"]["redacted"]["by"].startswith("key:")
    assert await api.app.state.blobs.keys(f"{workspace.id}/") == []
    events = await rows(api.worker, "select data from santral.event where type = 'message.redacted'")
    assert set(events[0]["data"]) == {"message_id", "message_seq", "reason"}
    assert len(await rows(api.worker, "select 1 from santral.audit where action = 'message.redacted'")) == 1
    await assert_contiguous(api.worker)
    shown = await api.client.get(f"/v1/conversations/{conversation}/messages", headers=headers)
    assert shown.json()["items"][0]["text"] == ""
    missing = await api.client.post(url.replace(f"/{seq}/", "/99/"), headers=headers, json={"reason": "law"})
    assert (missing.status_code, missing.json()["field"]) == (404, "seq")


async def test_a_redacted_file_goes_with_the_original_and_the_words_stay(api: Api, workspace: Workspace) -> None:
    conversation, seq = await mailed(api, workspace)
    headers = await api.key(workspace.id)
    url = f"/v1/conversations/{conversation}/messages/{seq}/parts/0/redact"
    assert (await api.client.post(url, headers=headers, json={"reason": "secret"})).json()["changed"] is True
    (stored,) = await rows(api.worker, "select text, body from santral.message")
    assert stored["text"] == "gizlimetin"
    assert "original" not in stored["body"]
    assert [part["role"] for part in stored["body"]["parts"]] == ["redacted", "html"]
    assert [key.rpartition("/")[2] for key in await api.app.state.blobs.keys(f"{workspace.id}/")] == ["html-1"]
    bad = await api.client.post(url.replace("/0/", "/7/"), headers=headers, json={"reason": "secret"})
    assert (bad.status_code, bad.json()["field"]) == (404, "n")


async def test_who_only_sees_a_conversation_takes_nothing_of_it_away(api: Api, workspace: Workspace) -> None:
    conversation, seq = await mailed(api, workspace)
    headers = await api.agent(workspace.id, workspace.agent_id)
    place = f"/v1/conversations/{conversation}/messages/{seq}"
    assert (await api.client.get(place, headers=headers)).json()["text"] == "gizlimetin"
    for path in (f"{place}/redact", f"{place}/parts/0/redact"):
        refused = await api.client.post(path, headers=headers, json={"reason": "secret"})
        assert refused.status_code == 403, refused.text
    async with api.worker.batch() as connection:
        await connection.execute("update santral.work_item set state = 'assigned', agent_id = $1", workspace.agent_id)
    for path in (f"{place}/parts/0/redact", f"{place}/redact"):
        done = await api.client.post(path, headers=headers, json={"reason": "secret"})
        assert (done.status_code, done.json()["changed"]) == (200, True), done.text


async def test_an_answer_names_no_file_of_a_message_and_takes_its_own_along(api: Api, workspace: Workspace) -> None:
    conversation, _ = await mailed(api, workspace)
    headers, place = await api.key(workspace.id), f"/v1/conversations/{conversation}"
    (mail,) = await rows(api.worker, "select id from santral.message")
    mails = await api.app.state.blobs.keys(f"{workspace.id}/")

    async def answered(blob: str) -> httpx.Response:
        content = {"kind": "media", "files": [{"blob": blob, "name": "a.txt", "content_type": "text/plain"}]}
        return await api.client.post(f"{place}/replies", headers=headers, json={"content": content})

    for folder in (mail["id"], "-" * 36):
        refused = await answered(f"{workspace.id}/{folder}/attachment-{'0' * 32}")
        assert (refused.status_code, refused.json()["field"]) == (422, "content.files")
    kept = await api.client.post("/v1/files", params={"name": "a.txt"}, headers=headers, content=b"yanit")
    answer = await answered(kept.json()["blob"])
    assert answer.status_code == 202, answer.text
    await api.client.post(f"{place}/messages/{answer.json()['seq']}/redact", headers=headers, json={"reason": "secret"})
    assert await api.app.state.blobs.keys(f"{workspace.id}/") == mails


async def test_who_looks_at_a_profile_is_written_down(api: Api, workspace: Workspace) -> None:
    await mailed(api, workspace)
    profile = (await rows(api.worker, "select id from santral.profile"))[0]["id"]
    headers = await api.key(workspace.id)
    for _ in range(3):
        assert (await api.client.get(f"/v1/profiles/{profile}", headers=headers)).status_code == 200
    first = (await api.client.get(f"/v1/profiles/{profile}/views?limit=2", headers=headers)).json()
    rest = (await api.client.get(f"/v1/profiles/{profile}/views?limit=2&cursor={first['next']}", headers=headers)).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert set(first["items"][0]) == {"id", "profile_id", "actor", "at"}
    weak = await api.key(workspace.id, "profiles:read")
    assert (await api.client.get(f"/v1/profiles/{profile}/views", headers=weak)).status_code == 403


async def test_who_is_found_was_looked_at(api: Api, workspace: Workspace) -> None:
    await mailed(api, workspace)
    ((profile, handle),) = [tuple(one.values()) for one in await rows(api.worker, "select profile_id, id from santral.handle")]
    for path, body in (
        ("POST /v1/profiles/search", {"text": "yok"}),
        ("POST /v1/profiles/search", {"text": "ayse"}),
        (f"GET /v1/profiles/explain?a={handle}&b={handle}", None),
    ):
        method, address = path.split()
        headers = await api.key(workspace.id, "profiles:read")
        answer = await api.client.request(method, address, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        shown = [one["profile_id"] for one in await rows(api.worker, "select profile_id from santral.profile_view order by id")]
        found = body is None or bool(answer.json()["items"])
        assert found is (body != {"text": "yok"})
        assert shown[-1:] == ([profile] if found else [])


async def test_a_timeline_and_a_desk_are_looks_too_once_in_an_hour(api: Api, workspace: Workspace) -> None:
    await mailed(api, workspace)
    profile = (await rows(api.worker, "select id from santral.profile"))[0]["id"]
    headers = await api.key(workspace.id)
    (agent,) = await rows(api.worker, "select id from santral.agent order by id limit 1")
    async with api.worker.batch() as connection:
        await connection.execute("update santral.work_item set state = 'assigned', agent_id = $1", agent["id"])
    actors = []
    for address in (f"/v1/profiles/{profile}/timeline", f"/v1/agents/{agent['id']}/desk"):
        caller = await api.key(workspace.id)
        for _ in range(3):
            assert (await api.client.get(address, headers=caller)).status_code == 200
        views = await rows(api.worker, "select actor from santral.profile_view where profile_id = $1 order by id", profile)
        actors.append([one["actor"] for one in views])
    assert [len(one) for one in actors] == [1, 2]
    async with api.worker.batch() as connection:
        await connection.execute("update santral.profile_view set at = at - interval '61 minutes'")
    await api.client.get(f"/v1/profiles/{profile}/timeline", headers=headers)
    assert len(await rows(api.worker, "select 1 from santral.profile_view")) == 3


async def test_retention_removes_what_its_plan_counts_and_never_open_work(api: Api, workspace: Workspace) -> None:
    db = api.worker
    await mailed(api, workspace)
    async with db.batch() as connection:
        await connection.execute(
            "update santral.workspace set settings = settings || $2 where id = $1", workspace.id,
            {"retention": {"messages": 30, "audit": 30, "sessions": 1}},
        )  # fmt: skip
        await connection.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '31 days'")
        for days in (29, 31):
            await connection.execute(
                "insert into santral.audit (workspace_id, id, at, actor, action) values ($1, $2, now() - $3 * interval '1 day', 'a', 'b')",
                workspace.id, uuid4(), days,
            )  # fmt: skip
    assert await batch_of_all(db) == 2
    headers = await api.key(workspace.id)

    async def planned() -> dict[str, int]:
        answer = await api.client.get("/v1/retention/plan", headers=headers)
        return {one["class"]: one["rows"] for one in answer.json()["items"]}

    assert await planned() == {"messages": 0, "audit": 1, "sessions": 0}, "the item is open"
    async with db.batch() as connection:
        await connection.execute("update santral.work_item set state = 'completed'")
    assert await planned() == {"messages": 1, "audit": 1, "sessions": 0}
    leases = Leases(db, kind="retention", slots=1, owner=uuid4())
    keeper = Retention(db=db, blobs=api.app.state.blobs, leases=leases)
    assert await keeper.round() == 0, "without the lease"
    await leases.round()
    assert await keeper.round() == 2
    assert await keeper.round() == 0
    assert await planned() == {"messages": 0, "audit": 0, "sessions": 0}
    assert (await rows(db, "select text, subject, body from santral.message")) == [
        {"text": "", "subject": "", "body": {"expired": True, "was": {"assurance": "channel_verified", "machine": False}}}
    ]
    assert await api.app.state.blobs.keys(f"{workspace.id}/") == []
    assert len(await rows(db, "select 1 from santral.audit")) == 1
    assert len(await rows(db, "select 1 from santral.retention_run")) == 2


@pytest.mark.parametrize("masks", [True, False])
async def test_an_inbox_that_masks_publishes_no_number(workspace: Workspace, tmp_path: object, masks: bool) -> None:
    broker = Broker()
    receiver = Receiver(publisher=broker, topic="t", blobs=FileBlobs(tmp_path), secret=SECRET, clock=SystemClock())  # type: ignore[arg-type]
    inbox = Inbox(
        workspace_id=workspace.id, id=workspace.inboxes["smtp"], name="smtp", channel="email", provider="smtp", mask_numbers=masks
    )
    target = Target(id=inbox.id, workspace_id=inbox.workspace_id, provider="smtp", inboxes=(inbox,))
    text = "kart 4111 1111 1111 1111, kimlik 10000000146, tel +905321234567"
    await receiver.receive(target, [Draft(inbox=inbox, external_id="1", values={"text": text}, original=text.encode())])
    message = decode_message(broker.records[0].headers, broker.records[0].value)
    assert ("4111" in message.text, "10000000146" in message.text) == (not masks, not masks)
    assert (message.original is None) == masks
    assert "+905321234567" in message.text


async def test_a_workspace_masks_all_its_inboxes_or_those_it_names(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    for setting, expected in ((True, True), (["api"], True), (["smtp"], False), (False, False)):
        async with api.worker.batch() as connection:
            await connection.execute(
                "update santral.workspace set settings = settings || $2 where id = $1", workspace.id, {"mask_numbers": setting}
            )
        api.broker.records.clear()
        body = {
            "inbox": "api",
            "external_id": uuid4().hex,
            "text": "10000000146",
            "from": {"kind": "email", "value": "ayse@ornek.com"},
        }
        posted = await api.client.post("/v1/messages", headers={**headers, "Idempotency-Key": uuid4().hex}, json=body)
        assert posted.status_code == 202, posted.text
        message = decode_message(api.broker.records[0].headers, api.broker.records[0].value)
        assert (message.text == "*" * 11) == expected, setting

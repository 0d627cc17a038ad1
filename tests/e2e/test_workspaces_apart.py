"""Two workspaces in one deployment: another one's keys and agents' tokens open nothing here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from services.api.workspaces import make_workspace
from shared.database import Database
from tests.support.counter import Counter


@pytest.fixture(scope="module")
async def stranger(running: Counter) -> AsyncIterator[httpx.AsyncClient]:
    """An admin of another workspace."""
    db = await Database.open(running.facts["postgres"], name="test", pool_size=1)
    try:
        key = (await make_workspace(db, name=f"stranger-{uuid4().hex[:8]}")).key
    finally:
        await db.close()
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=running.facts["http"], headers=headers, trust_env=False, timeout=30) as client:
        yield client


async def test_what_is_ours_does_not_exist_for_them(counter: Counter, stranger: httpx.AsyncClient) -> None:
    routed = await counter.post("Merhaba", value=f"ayri-{uuid4()}@ornek.com", verified=True)
    paths = [
        f"/v1/messages/{routed['id']}", f"/v1/conversations/{routed['conversation_id']}", f"/v1/profiles/{routed['profile_id']}",
        f"/v1/conversations/{routed['conversation_id']}/messages", f"/v1/decisions/{routed['decision_id']}",
    ]  # fmt: skip
    for path in paths:
        assert (await counter.admin.get(path)).status_code == 200, path
        assert (await stranger.get(path)).status_code == 404, path
    written = await stranger.post(
        f"/v1/conversations/{routed['conversation_id']}/replies", json={"content": {"kind": "text", "text": "x"}}
    )
    assert written.status_code in (403, 404), written.text
    for path in ("/v1/conversations", "/v1/inboxes", "/v1/queues", "/v1/quarantine", "/v1/items"):
        assert (await stranger.get(path)).json()["items"] == [], path
    posted = await stranger.post(
        "/v1/messages", json={"inbox": "api", "external_id": "x", "from": {"kind": "email", "value": "a@ornek.com"}, "text": "x"}
    )
    assert (posted.status_code, posted.json()["field"]) == (422, "inbox")


async def test_an_agent_of_another_workspace_opens_nothing(counter: Counter, stranger: httpx.AsyncClient) -> None:
    made = await stranger.post("/v1/queues", json={"name": "theirs"})
    assert made.status_code == 201, made.text
    assert (await stranger.post("/v1/users", json={"name": "yaban", "role": "agent"})).status_code == 201
    agent = await stranger.post("/v1/agents", json={"name": "Yaban", "user": "yaban", "queues": [{"queue": "theirs"}]})
    assert agent.status_code == 201, agent.text
    code = (await stranger.post(f"/v1/agents/{agent.json()['id']}/codes")).json()["code"]
    token = (await stranger.post("/v1/sessions/exchange", json={"code": code})).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=counter.facts["http"], headers=headers, trust_env=False, timeout=30) as theirs:
        assert (await theirs.get("/v1/agents/me/desk")).json()["items"] == []
        routed = await counter.post("Merhaba", value=f"ayri-{uuid4()}@ornek.com")
        conversation = (await counter.admin.get(f"/v1/conversations/{routed['conversation_id']}")).json()
        assert (await theirs.get(f"/v1/conversations/{conversation['id']}")).status_code == 404
        claimed = await theirs.post(f"/v1/items/{conversation['item']['id']}/claim")
        assert claimed.status_code == 404, claimed.text
        assert (await theirs.get("/v1/inboxes")).status_code in (403, 404)

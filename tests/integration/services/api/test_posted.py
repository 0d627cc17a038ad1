"""Words that a caller hands in: who may vouch for who wrote them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ingest.adapter import Draft, Inbox, Request, Target, Unparsed
from ingest.adapters.api import ADAPTER, RESERVED
from shared.database import Database
from tests.support.api import Api
from tests.support.scenes import narrow_scene
from tests.support.workspaces import Workspace


@pytest.mark.parametrize(("verified", "status"), [(True, 403), (False, 202)])
async def test_a_person_vouches_for_nobody_whose_words_they_hand_in(
    api: Api, workspace: Workspace, worker_db: Database, verified: bool, status: int
) -> None:
    scene = await narrow_scene(api, workspace, worker_db, "own")
    sender = {"kind": "email", "value": "uzak@ornek.com", "verified": verified}
    body = {"inbox": "api", "external_id": "x-1", "from": sender, "text": "evet benim"}
    answer = await api.client.post("/v1/messages", json=body, headers=scene.headers)
    assert answer.status_code == status, answer.text
    assert (answer.json().get("field") == "from.verified", len(api.broker.records)) == (verified, 0 if verified else 1)
    system = await api.client.post("/v1/messages", json=body, headers=await api.key(workspace.id))
    assert system.status_code == 202


@pytest.mark.parametrize("name", ["city", *sorted(RESERVED), " reply_to"])
async def test_a_callers_traits_are_never_a_channels(api: Api, workspace: Workspace, name: str) -> None:
    sender = {"kind": "email", "value": "uzak@ornek.com"}
    body = {"inbox": "api", "external_id": "x-1", "from": sender, "text": "evet benim", "traits": {name: "pass"}}
    answer = await api.client.post("/v1/messages", json=body, headers=await api.key(workspace.id))
    taken = name == "city"
    assert (answer.status_code, answer.json().get("field")) == ((202, None) if taken else (422, f"traits.{name.strip()}"))
    inbox = Inbox(workspace_id=workspace.id, id=workspace.inboxes["api"], name="api", channel="email", provider="api")
    target = Target(id=inbox.id, workspace_id=workspace.id, provider="api", inboxes=(inbox,))
    request = Request(method="POST", url="", headers={}, query={}, body=json.dumps(body).encode(), received_at=datetime.now(UTC))
    (found,) = ADAPTER.parse(target, request)
    if taken:
        assert isinstance(found, Draft)
        assert found.values["traits"] == {"city": "pass"}
    else:
        assert isinstance(found, Unparsed)
        assert f"traits.{name.strip()}" in found.reason

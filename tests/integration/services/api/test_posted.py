"""Words that a caller hands in: who may vouch for who wrote them."""

from __future__ import annotations

import pytest

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

"""Followers' places over REST: kept, replaced, of one workspace, bounded."""

from __future__ import annotations

from uuid import uuid4

from shared.database import Database
from tests.support.api import Api
from tests.support.workspaces import Workspace, make_workspace


async def test_a_place_is_kept_and_replaced(api: Api, worker_db: Database, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    path = f"/v1/inboxes/{workspace.inboxes['asterisk']}/places/cdr-1"
    assert (await api.client.get(path, headers=headers)).status_code == 404
    for place in ({"offset": 1}, {"offset": 2, "settled": [["çağrı", 7]]}):
        kept = await api.client.put(path, json={"place": place}, headers=headers)
        assert (kept.status_code, kept.json()["place"]) == (200, place)
        assert (await api.client.get(path, headers=headers)).json()["place"] == place
    other = await make_workspace(worker_db, name="baska")
    foreign = await api.key(other.id)
    assert (await api.client.get(path, headers=foreign)).status_code == 404
    assert (await api.client.put(path, json={"place": {}}, headers=foreign)).status_code == 404


async def test_what_is_no_place(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    inbox = workspace.inboxes["asterisk"]
    large = await api.client.put(f"/v1/inboxes/{inbox}/places/s", json={"place": {"x": "y" * 300_000}}, headers=headers)
    assert (large.status_code, large.json()["field"]) == (422, "place")
    assert (await api.client.put(f"/v1/inboxes/{inbox}/places/a b", json={"place": {}}, headers=headers)).status_code == 422
    assert (await api.client.put(f"/v1/inboxes/{uuid4()}/places/s", json={"place": {}}, headers=headers)).status_code == 404
    assert (await api.client.put(f"/v1/inboxes/{inbox}/places/s", json={"place": {}})).status_code == 401

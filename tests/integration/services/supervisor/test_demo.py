"""The demo starts on whatever somebody made of it, and says what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.supervisor.demo import admits, prepare, shop_front, sign_in
from services.supervisor.folder import ServeFolder
from tests.support.api import Api, listening
from tests.support.workspaces import Workspace


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with listening(api) as address:
        yield address.replace("ws:", "http:")


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[ServeFolder]:
    opened = ServeFolder(tmp_path)
    yield opened
    opened.release()


async def test_it_starts_whatever_was_taken_from_it(api: Api, url: str, folder: ServeFolder, workspace: Workspace) -> None:
    admin = await api.key(workspace.id)
    key = admin["authorization"].removeprefix("Bearer ")
    said: list[str] = []
    await prepare(folder, url=url, api_key=key, progress=said.append)
    everybody = await sign_in(url=url, api_key=key, progress=said.append)
    assert len(everybody) > 2
    for path in ("agents", "inboxes", "queues"):
        for one in (await api.client.get(f"/v1/{path}", headers=admin)).json()["items"]:
            if path != "agents":
                await api.client.delete(f"/v1/{path}/{one['id']}", headers=admin)
            elif one["name"] == everybody[0].name:
                known = {
                    name: value for name, value in one.items() if name in ("name", "user", "queues", "skills", "role", "channels")
                }
                changed = await api.client.put(f"/v1/agents/{one['id']}", json={**known, "enabled": False}, headers=admin)
                assert changed.status_code == 200, changed.text
    said.clear()
    left = await sign_in(url=url, api_key=key, progress=said.append)
    assert [agent.name for agent in left] == [agent.name for agent in everybody[1:]]
    assert said == [f"Agent {everybody[0].name} has no page: disabled."]
    assert "widget_token" not in await shop_front(url=url, api_key=key)


async def test_a_revoked_key_is_noticed(api: Api, url: str, workspace: Workspace) -> None:
    key = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
    assert await admits(url=url, api_key=key)
    assert not await admits(url=url, api_key=key[:-1])

"""Limits of work on real PostgreSQL, set over REST: items of a queue at one agent, new items in a time; turns in each queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from router.commands import work
from services.client.apply import apply_file
from services.client.export import export_workspace
from services.client.workspace_file import parse_workspace_file
from shared.errors import Conflict
from tests.support.api import Api, listening
from tests.support.intake_line import rows
from tests.support.shift import Shift


async def put(api: Api, shift: Shift, path: str, body: dict[str, Any]) -> dict[str, Any]:
    key = await api.key(shift.workspace.id)
    answer = await api.client.put(f"/v1/{path}", json=body, headers=key)
    assert answer.status_code == 200, answer.text
    await shift.member.configuration.refresh()
    await shift.settle()
    found: dict[str, Any] = answer.json()
    return found


async def excluded(shift: Shift, item: UUID) -> dict[str, int]:
    (found,) = await rows(
        shift.db, "select record->'excluded' as e from santral.decision where item_id = $1 and kind = 'dispatch'", item
    )
    return dict(found["e"])


async def test_no_more_of_a_queue_at_one_agent_than_it_allows(api: Api, shift: Shift) -> None:
    queue = f"queues/{shift.workspace.queue_id}"
    assert (await put(api, shift, queue, {"name": "genel", "mode": "both", "items_max": 1}))["items_max"] == 1
    first = await shift.mine()
    second = await shift.waiting(who="v2")
    await shift.settle()
    assert await shift.state(second) == "queued"
    with pytest.raises(Conflict, match="no room"):
        async with shift.db.batch(shift.workspace.id) as connection:
            await work.claim(connection, workspace_id=shift.workspace.id, item_id=second, agent_id=shift.deniz)
    shift.matcher.forget()
    await shift.settle()
    assert await shift.state(second) == "queued", "a restart counts the same"
    ece = await shift.colleague()
    await shift.tell("agent", ece)
    assert (await shift.offer(second))["agent_id"] == ece
    assert await excluded(shift, second) == {"limit_reached": 1}
    third = await shift.waiting(who="v3")
    await shift.settle()
    assert await shift.state(third) == "queued"
    member = {"name": "Deniz", "queues": [{"queue": "genel", "items_max": 2}]}
    assert (await put(api, shift, f"agents/{shift.deniz}", member))["queues"][0]["items_max"] == 2
    assert (await shift.offer(third))["agent_id"] == shift.deniz, "an agent's own number goes before the queue's"
    await shift.accept(third)
    await shift.reply(first)
    await shift.sound()


async def test_new_items_come_at_the_pace_of_the_agent_or_the_workspace(api: Api, shift: Shift) -> None:
    key = await api.key(shift.workspace.id)
    body = (await api.client.get("/v1/workspace", headers=key)).json()
    settings = {**body["settings"], "new_items": {"items": 1, "window_s": 600}}
    answer = await api.client.put("/v1/workspace", json={"title": body["title"], "settings": settings}, headers=key)
    assert answer.status_code == 200, answer.text
    mine = await shift.mine(provider="smtp", who="ayse@ornek.com")
    second = await shift.waiting(who="v2")
    await shift.settle()
    shift.matcher.forget()
    await shift.settle()
    assert await shift.state(second) == "queued", "what the row says holds after a restart"
    await shift.reply(mine)
    await shift.writes(provider="smtp", who="ayse@ornek.com")
    await shift.settle()
    assert (await shift.item(mine))["agent_id"] == shift.deniz
    assert await shift.state(mine) == "assigned", "who comes back is not new"
    await shift.execute("update santral.agent set recent = '[1]', version = version + 1")
    await shift.tell("agent", shift.deniz)
    assert await shift.state(second) == "offered"
    own = {"name": "Deniz", "queues": [{"queue": "genel"}], "new_items": {"items": 2, "window_s": 60}}
    assert (await put(api, shift, f"agents/{shift.deniz}", own))["new_items"] == {"items": 2, "window_s": 60}
    third, fourth = await shift.waiting(who="v3"), await shift.waiting(who="v4")
    await shift.settle()
    assert [await shift.state(one) for one in (third, fourth)] == ["offered", "queued"]
    assert len((await shift.row("agent", shift.deniz))["recent"]) == 2, "only as many as are asked for"
    bad = await api.client.put(f"/v1/agents/{shift.deniz}", json={**own, "new_items": {"items": 0, "window_s": 60}}, headers=key)
    assert (bad.status_code, bad.json()["field"]) == (422, "body.new_items.items")
    await shift.sound()


async def test_a_turn_in_one_queue_is_none_in_another(shift: Shift) -> None:
    ece = await shift.colleague()
    await shift.execute("update santral.queue set comparator = 'round_robin'")
    other = await shift.add_queue("fatura", shift.deniz, ece, comparator="round_robin")
    await shift.tell("queue", shift.workspace.queue_id)
    await shift.tell("queue", other)
    first = await shift.mine()
    asked = (await shift.item(first))["agent_id"]
    turns = (await shift.row("agent", asked))["turns"]
    assert list(turns) == [str(shift.workspace.queue_id)]
    shift.matcher.forget()
    await shift.hand_over(first, to_queue="fatura")
    assert (await shift.offer(first))["agent_id"] != asked, "never back to the giver"
    second = await shift.waiting(who="v2")
    await shift.settle()
    assert (await shift.offer(second))["agent_id"] != asked


async def test_limits_stand_in_a_workspace_file(api: Api, shift: Shift) -> None:
    text = """
workspace: {settings: {new_items: {items: 5, window_s: 3600}}}
queues:
  - {name: sikayet, items_max: 2}
agents:
  - {name: Naz, queues: [{queue: sikayet, items_max: 1}], new_items: {items: 3, window_s: 600}}
"""
    key = await api.key(shift.workspace.id)
    async with listening(api) as address:
        url, admin = address.replace("ws://", "http://"), key["authorization"].removeprefix("Bearer ")
        await apply_file(parse_workspace_file(text, source="workspace.yaml"), url=url, api_key=admin)
        exported = await export_workspace(url=url, api_key=admin)
    assert "items_max: 2" in exported
    assert "items_max: 1" in exported
    (naz,) = await rows(shift.db, "select new_items from santral.agent where name = 'Naz'")
    assert naz["new_items"] == {"items": 3, "window_s": 600}

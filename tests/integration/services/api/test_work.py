"""Commands on items through REST: hand over, assign, cancel, claim; who may, what is audited, what the other side sees."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from router.views.visitor import own_conversation, public_messages
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift


async def audited(shift: Shift, action: str) -> list[dict[str, Any]]:
    return await rows(shift.db, "select actor, target_id, details from santral.audit where action = $1", action)


async def desk(api: Api, headers: dict[str, str]) -> Any:
    return (await api.client.get("/v1/agents/me/desk", headers=headers)).json()


async def test_an_agent_hands_an_item_over_and_the_note_goes_along(api: Api, shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    giver, taker = await api.agent(shift.workspace.id, shift.deniz), await api.agent(shift.workspace.id, ece)
    targets = (await api.client.get("/v1/targets", headers=giver)).json()
    assert [one["name"] for one in targets["agents"]] == ["Ece"]
    assert [one["name"] for one in targets["queues"]] == ["genel"]
    path = f"/v1/items/{item}/transfer"
    answer = await api.client.post(path, json={"to_agent": str(ece), "note": "Kargo ile görüşüldü."}, headers=giver)
    assert (answer.status_code, answer.json()["state"]) == (200, "queued"), answer.text
    assert (await api.client.post(path, json={"to_agent": str(ece)}, headers=giver)).status_code == 409
    await shift.settle()
    # The giver still sees it, on its way; the target sees the offer with the note.
    (mine,) = (await desk(api, giver))["items"]
    assert (mine["state"], mine["transfer"]["target_id"]) == ("offered", str(ece))
    assert (await desk(api, giver))["offers"] == []
    (offer,) = (await desk(api, taker))["offers"]
    assert offer["transfer"] == {
        "giver_id": str(shift.deniz),
        "giver": "Deniz",
        "target_id": str(ece),
        "note": "Kargo ile görüşüldü.",
    }
    assert (await api.client.post(f"/v1/offers/{offer['offer']['id']}/accept", headers=taker)).status_code == 200
    assert (await desk(api, giver))["items"] == []
    (theirs,) = (await desk(api, taker))["items"]
    assert theirs["transfer"] is None
    assert theirs["why"]["transfer"] is True, "a colleague chose, not an earlier talk"
    messages = (await api.client.get(f"/v1/conversations/{theirs['conversation_id']}/messages", headers=taker)).json()["items"]
    assert [(one["direction"], one["text"]) for one in messages][1:] == [("note", "Kargo ile görüşüldü.")]
    assert await audited(shift, "item.transfer") == [
        {"actor": f"agent:{shift.deniz}", "target_id": str(item), "details": {"to_agent": str(ece)}}
    ]
    await shift.sound()


async def test_the_customer_never_sees_a_note(api: Api, shift: Shift) -> None:
    visitor = new_id()
    item = await shift.mine(who=str(visitor))
    await shift.colleague()
    await shift.add_queue("fatura")
    await shift.hand_over(item, to_queue="fatura", note="Gizli not")
    inbox = shift.workspace.inboxes["webchat"]
    async with shift.db.batch(shift.workspace.id) as connection:
        own = await own_conversation(connection, shift.workspace.id, inbox, [visitor])
        assert own is not None
        seen = await public_messages(connection, shift.workspace.id, inbox, own)
    assert [one["direction"] for one in seen] == ["in"]


async def supervisor(api: Api, shift: Shift) -> dict[str, str]:
    """The token of an agent whose user has the role of a supervisor."""
    user, agent = new_id(), await shift.colleague("Selin")
    await shift.execute(
        "insert into santral.user (workspace_id, id, name, role) values ($1, $2, 'Selin', 'supervisor')", shift.workspace.id, user
    )
    await shift.execute("update santral.agent set user_id = $2, presence = 'away' where id = $1", agent, user)
    return await api.agent(shift.workspace.id, agent)


async def test_a_supervisor_gives_an_item_to_an_agent_whoever_had_it(api: Api, shift: Shift) -> None:
    item = await shift.mine()
    ece = await shift.colleague()
    path = f"/v1/items/{item}/assign"
    agent = await api.agent(shift.workspace.id, shift.deniz)
    assert (await api.client.post(path, json={"agent": str(ece)}, headers=agent)).status_code == 403
    selin = await supervisor(api, shift)
    answer = await api.client.post(path, json={"agent": str(ece), "note": "Ece tanıyor."}, headers=selin)
    assert (answer.status_code, answer.json()["agent_id"]) == (200, str(ece)), answer.text
    assert (await shift.used(), await shift.used(ece)) == (0, 33)
    assert (await shift.events(item))[-2:] == [("item.assigned", ece), ("item.assigned", shift.deniz)]
    assert (await api.client.post(path, json={"agent": str(ece)}, headers=selin)).status_code == 409
    assert (await api.client.post(path, json={"agent": str(new_id())}, headers=selin)).status_code == 404
    await shift.execute("update santral.agent set budget = 10 where id = $1", shift.deniz)
    full = await api.client.post(path, json={"agent": str(shift.deniz)}, headers=selin)
    assert (full.status_code, full.json()["field"]) == (409, "agent")
    assert (await shift.item(item))["agent_id"] == ece
    (entry,) = await audited(shift, "item.assign")
    assert entry["details"] == {"agent": str(ece)}
    await shift.sound()


@pytest.mark.parametrize("state", ["queued", "offered", "assigned", "parked", "wrapping"])
async def test_assigning_works_from_every_open_state(api: Api, shift: Shift, state: str) -> None:
    item = await in_state(shift, state)
    ece = await shift.colleague()
    admin = await api.key(shift.workspace.id)
    answer = await api.client.post(f"/v1/items/{item}/assign", json={"agent": str(ece)}, headers=admin)
    assert answer.status_code == 200, answer.text
    assert [one for one in await shift.offers(item) if one[1] == "open"] == []
    await shift.settle()
    row = await shift.item(item)
    assert (row["state"], row["agent_id"], await shift.used(), await shift.used(ece)) == ("assigned", ece, 0, 33)
    await shift.sound()


@pytest.mark.parametrize("state", ["queued", "offered", "assigned", "parked", "wrapping"])
async def test_canceling_works_from_every_open_state_and_is_audited(api: Api, shift: Shift, state: str) -> None:
    item = await in_state(shift, state)
    admin, agent = await api.key(shift.workspace.id), await api.agent(shift.workspace.id, shift.deniz)
    path, why = f"/v1/items/{item}/cancel", {"reason": "Deneme mesajı"}
    assert (await api.client.post(path, json=why, headers=agent)).status_code == 403
    assert (await api.client.post(path, json={}, headers=admin)).status_code == 422
    answer = await api.client.post(path, json=why, headers=admin)
    assert (answer.status_code, answer.json()["state"]) == (200, "canceled"), answer.text
    assert (await api.client.post(path, json=why, headers=admin)).status_code == 409
    await shift.settle()
    row = await shift.item(item)
    assert (row["state"], row["outcome"], await shift.used()) == ("canceled", {"canceled": "Deneme mesajı"}, 0)
    assert await rows(shift.db, "select 1 from santral.event e where e::text like '%Deneme mesajı%'") == []
    (entry,) = await audited(shift, "item.cancel")
    assert entry["details"] == {}, "why stays with the item, where an erasure finds it"
    assert [kind for kind, _ in await shift.events(item)][-1] == "item.canceled"
    await shift.sound()


async def in_state(shift: Shift, state: str) -> UUID:
    """A chat in a state, of or offered to Deniz."""
    await shift.terms("chat", wrap_s=60)
    if state == "queued":
        await shift.execute("update santral.queue set mode = 'pull'")
        return await shift.waiting()
    if state == "offered":
        item = await shift.waiting()
        await shift.settle()
        return item
    item = await shift.mine()
    if state == "parked":
        await shift.reply(item)
        await shift.passes(item)
    if state == "wrapping":
        await shift.done(item)
    assert await shift.state(item) == state
    return item

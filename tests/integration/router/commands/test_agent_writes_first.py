"""Row "none: an agent writes first" of the work item's table, through REST on real PostgreSQL: mail, templates, who may not be written to."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from router.commands.presence import set_presence
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift

MAIL = {
    "inbox": "smtp", "to": {"value": "Ayse@Ornek.com ", "name": "Ayşe"}, "subject": "Siparişiniz",
    "content": {"kind": "text", "text": "Merhaba Ayşe Hanım, siparişiniz yola çıktı."},
}  # fmt: skip


async def begin(api: Api, shift: Shift, body: Any, key: str | None = None) -> httpx.Response:
    headers = await api.agent(shift.workspace.id, shift.deniz) | ({"idempotency-key": key} if key else {})
    return await api.client.post("/v1/conversations", json=body, headers=headers)


async def test_none_agent_writes_a_mail_first_is_assigned(api: Api, shift: Shift) -> None:
    answer = await begin(api, shift, MAIL)
    assert answer.status_code == 202, answer.text
    begun = answer.json()
    item = await shift.item(begun["item_id"])
    # Assigned with its capacity taken; the mail is an answer already, so it is parked with its owner and holds none.
    assert await shift.events(item["id"]) == [
        ("item.assigned", shift.deniz), ("reply.queued", shift.deniz), ("item.parked", shift.deniz),
    ]  # fmt: skip
    assert (item["state"], item["agent_id"], item["external"], await shift.used()) == ("parked", shift.deniz, False, 0)
    (delivery,) = await rows(shift.db, "select * from santral.delivery")
    assert (delivery["state"], delivery["item_id"], delivery["agent_id"]) == ("queued", item["id"], shift.deniz)
    (handle,) = await rows(shift.db, "select kind, value, name, assurance from santral.handle")
    assert handle == {"kind": "email", "value": "ayse@ornek.com", "name": "Ayşe", "assurance": "asserted"}
    (entry,) = await rows(shift.db, "select actor, target_id from santral.audit where action = 'conversation.begun'")
    assert entry == {"actor": f"agent:{shift.deniz}", "target_id": begun["conversation_id"]}
    await shift.sound()
    # The customer's answer names our Message-ID and wakes the owner.
    await shift.writes(
        "Teşekkürler, ne zaman gelir?", provider="smtp", who="ayse@ornek.com", refs=(f"mid:{begun['reply']['id']}@ornek.com",)
    )
    await shift.settle()
    row = await shift.item(item["id"])
    assert (row["state"], row["agent_id"], str(row["conversation_id"])) == ("assigned", shift.deniz, begun["conversation_id"])
    assert len(await rows(shift.db, "select 1 from santral.conversation")) == 1
    await shift.sound()


async def test_the_same_call_has_one_effect(api: Api, shift: Shift) -> None:
    answers = await asyncio.gather(*(begin(api, shift, MAIL, key="k1") for _ in range(8)))
    assert {one.status_code for one in answers} == {202}
    assert len({one.json()["conversation_id"] for one in answers}) == 1
    assert len(await rows(shift.db, "select 1 from santral.message")) == 1
    other = await begin(api, shift, {**MAIL, "subject": "Başka"}, key="k1")
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    await shift.sound()


async def test_a_customer_with_an_open_conversation_is_answered_there(api: Api, shift: Shift) -> None:
    await shift.mine(provider="smtp", who="ayse@ornek.com")
    (conversation,) = await rows(shift.db, "select id from santral.conversation")
    answer = await begin(api, shift, MAIL)
    assert (answer.status_code, answer.json()["field"]) == (409, "to")
    assert str(conversation["id"]) in answer.json()["remedy"]
    assert len(await rows(shift.db, "select 1 from santral.conversation")) == 1


async def test_without_room_or_away_nothing_is_written(api: Api, shift: Shift) -> None:
    await shift.execute("update santral.agent set budget = 10 where id = $1", shift.deniz)
    full = await begin(api, shift, MAIL)
    assert (full.status_code, full.json()["field"]) == (409, "agent")
    await shift.execute("update santral.agent set budget = 100 where id = $1", shift.deniz)
    async with shift.db.batch(shift.workspace.id) as connection:
        await set_presence(connection, workspace_id=shift.workspace.id, agent_id=shift.deniz, presence="away")
    assert (await begin(api, shift, MAIL)).status_code == 409
    for table in ("conversation", "message", "work_item", "delivery", "handle"):
        assert await rows(shift.db, f"select 1 from santral.{table}") == [], table


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"inbox": "nowhere"}, 404, "inbox"),
        ({"inbox": "webchat"}, 422, "inbox"),
        ({"inbox": "asterisk", "to": {"kind": "phone", "value": "+905321234567"}}, 422, "content.text"),
        ({"to": {"value": "not an address"}}, 422, "to.value"),
        ({"to": {"kind": "pigeon", "value": "x"}}, 422, "to.kind"),
        ({"to": {"value": "destek@ornek.com"}}, 422, "handles.0.value"),
        ({"queue": "nowhere"}, 404, "queue"),
        ({"content": {"kind": "text", "text": ""}}, 422, "body.content.text.text"),
        ({"extra": 1}, 422, "body.extra"),
    ],
)
async def test_what_cannot_be_is_named(api: Api, shift: Shift, change: Any, status: int, field: str) -> None:
    answer = await begin(api, shift, {**MAIL, **change})
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    assert await rows(shift.db, "select 1 from santral.conversation") == []


async def test_a_key_is_no_agent(api: Api, shift: Shift) -> None:
    answer = await api.client.post("/v1/conversations", json=MAIL, headers=await api.key(shift.workspace.id))
    assert answer.status_code == 403


async def test_a_template_opens_where_text_may_not(api: Api, shift: Shift) -> None:
    await shift.execute(
        "insert into santral.inbox (workspace_id, id, name, channel, provider, address, path_token)"
        " values ($1, $2, 'wa', 'social', 'whatsapp', '106540352242922', 'token-wa')",
        shift.workspace.id, new_id(),
    )  # fmt: skip
    to = {"kind": "wa_id", "value": "905321234567"}
    text = await begin(api, shift, {**MAIL, "inbox": "wa", "to": to})
    assert (text.status_code, text.json()["field"]) == (422, "content.kind")
    template = {"kind": "template", "name": "siparis_hazir", "language": "tr"}
    assert (await begin(api, shift, {**MAIL, "inbox": "wa", "to": to, "content": template})).status_code == 202
    (item,) = await rows(shift.db, "select state, channel, agent_id from santral.work_item")
    assert item == {"state": "parked", "channel": "social", "agent_id": shift.deniz}
    await shift.sound()


async def test_who_said_no_is_not_written_to(api: Api, shift: Shift) -> None:
    await shift.mine(provider="smtp", who="ayse@ornek.com")
    item = await shift.newest()
    await shift.reply(item)
    await shift.done(item)
    (handle,) = await rows(shift.db, "select id from santral.handle")
    no = {"purpose": "service", "channel": "email", "granted": False, "source": "call"}
    answer = await api.client.post(f"/v1/profiles/{handle['id']}/consents", json=no, headers=await api.key(shift.workspace.id))
    assert answer.status_code in (200, 201), answer.text
    refused = await begin(api, shift, MAIL)
    assert (refused.status_code, refused.json()["field"]) == (409, "content.purpose"), refused.text
    await shift.sound()

"""One Meta connection, several accounts: signed posts in, replies out through the provider's API, receipts, quarantine."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import expect

from tests.support.counter import Counter
from tests.support.meta_server import APP_SECRET, Graph, graph_server, signed
from tests.support.pages import PICTURES, desk_of, launched
from tests.support.waiting import eventually


@dataclass(slots=True)
class Meta:
    graph: Graph
    webhook: str
    counter: Counter

    async def deliver(self, body: Any) -> httpx.Response:
        raw, headers = signed(body)
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            return await client.post(self.webhook, content=raw, headers=headers)


@pytest.fixture(scope="module")
async def connected(running: Counter) -> AsyncIterator[Meta]:
    async with graph_server() as graph:
        connection = await running.admin.post(
            "/v1/connections",
            json={
                "name": "meta", "provider": "meta", "settings": {"app_id": "42", "graph_url": graph.url},
                "secrets": {"app_secret": APP_SECRET, "verify_token": "verify me", "access_token": "graph token"},
            },
        )  # fmt: skip
        assert connection.status_code == 201, connection.text
        assert "app_secret" not in connection.text.replace('"secrets_set":["access_token","app_secret","verify_token"]', "")
        for name, provider, address in (("wa", "whatsapp", "1100"), ("page", "messenger", "PAGE1"), ("insta", "instagram", "IG1")):
            made = await running.admin.post(
                "/v1/inboxes", json={"name": name, "provider": provider, "connection": "meta", "address": address}
            )
            assert made.status_code == 201, made.text
        one = Meta(graph, running.facts["webhooks"] + connection.json()["webhook_path"], running)

        async def known() -> bool:
            async with httpx.AsyncClient(trust_env=False) as client:
                asked = {"hub.mode": "subscribe", "hub.verify_token": "verify me", "hub.challenge": "42"}
                return (await client.get(one.webhook, params=asked)).text == "42"

        await eventually(known, 10, "the gateway answers Meta's challenge")
        yield one


@pytest.fixture
async def meta(connected: Meta, counter: Counter) -> Meta:
    """The connection, with nothing left over from the test before."""
    assert connected.counter is counter
    return connected


def whatsapp(number: str, wamid: str, text: str, *, account: str = "1100", user: str = "") -> dict[str, Any]:
    """A text of somebody with a number, a business-scoped id, or both."""
    contact = {"profile": {"name": "Ayşe"}} | ({"wa_id": number} if number else {}) | ({"user_id": user} if user else {})
    writer = ({"from": number} if number else {}) | ({"from_user_id": user} if user else {})
    message = {**writer, "id": wamid, "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}}
    return change(account, contacts=[contact], messages=[message])


def change(account: str = "1100", field: str = "messages", **lists: Any) -> dict[str, Any]:
    """One change of a WhatsApp number."""
    value = {
        "messaging_product": "whatsapp", "metadata": {"display_phone_number": "902125550000", "phone_number_id": account}, **lists
    }  # fmt: skip
    return {"object": "whatsapp_business_account", "entry": [{"id": "W", "changes": [{"field": field, "value": value}]}]}


def status(wamid: str, state: str) -> dict[str, Any]:
    return change(statuses=[{"id": wamid, "status": state, "timestamp": str(int(time.time())), "recipient_id": "x"}])


async def reply_to(meta: Meta, conversation: dict[str, Any], text: str, **more: Any) -> str:
    for name in ("Ece", "Mert"):
        await meta.counter.online(name, "away")
    await meta.counter.online("Deniz")
    await meta.counter.held("Deniz", conversation["id"])
    answer = await meta.counter.agents["Deniz"].post(
        f"/v1/conversations/{conversation['id']}/replies", json={"content": {"kind": "text", "text": text, **more}}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def conversation_with(meta: Meta, person: str) -> dict[str, Any]:
    """The conversation of somebody whom only the account they wrote to knows."""

    async def found() -> dict[str, Any] | None:
        listed = (await meta.counter.admin.get("/v1/conversations?limit=50")).json()["items"]
        return next((one for one in listed if one["customer"]["value"] == person), None)

    return await eventually(found, 20, f"{person} has a conversation")


async def state_of(meta: Meta, reply_id: str, wanted: str) -> None:
    async def reached() -> bool:
        return bool((await meta.counter.admin.get(f"/v1/replies/{reply_id}")).json()["state"] == wanted)

    await eventually(reached, 20, f"the reply is {wanted}")


async def test_a_wrong_signature_stores_nothing(meta: Meta) -> None:
    raw, headers = signed(whatsapp("905320000001", f"wamid.{uuid4()}", "sahte"))
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(meta.webhook, content=raw + b" ", headers=headers)).status_code == 401
        assert (await client.post(meta.webhook, content=raw)).status_code == 401
        asked = {"hub.mode": "subscribe", "hub.verify_token": "guess", "hub.challenge": "42"}
        assert (await client.get(meta.webhook, params=asked)).status_code == 401


async def test_whatsapp_there_and_back_with_receipts_in_any_order(meta: Meta) -> None:
    number, wamid = f"9053{uuid4().int % 10**8:08d}", f"wamid.{uuid4()}"
    assert (await meta.deliver(whatsapp(number, wamid, "Merhaba, kargom nerede?"))).status_code == 200
    conversation = await meta.counter.conversation_of(number, kind="wa_id")
    reply_id = await reply_to(meta, conversation, "Yolda, yarın sizde.")
    await state_of(meta, reply_id, "sent")
    call = meta.graph.calls[-1]
    assert (call["path"], call["token"]) == ("/1100/messages", "Bearer graph token")
    assert (call["body"]["to"], call["body"]["text"]["body"]) == (number, "Yolda, yarın sizde.")
    ours = f"wamid.OUT{len(meta.graph.calls)}"
    await meta.deliver(status(ours, "read"))
    await state_of(meta, reply_id, "read")
    await meta.deliver(status(ours, "delivered"))
    again = whatsapp(number, f"wamid.{uuid4()}", "Teşekkür ederim ama adresim değişti, ne yapmalıyım?")
    again["entry"][0]["changes"][0]["value"]["messages"][0]["context"] = {"from": "x", "id": ours}
    await meta.deliver(again)
    assert (await meta.counter.conversation_of(number, kind="wa_id", at_least=3))["id"] == conversation["id"]
    assert (await meta.counter.admin.get(f"/v1/replies/{reply_id}")).json()["state"] == "read"


async def test_an_answer_goes_to_the_number_and_to_the_id_only_where_none_is_known(meta: Meta) -> None:
    number, user, unknown = f"9053{uuid4().int % 10**8:08d}", f"TR.{uuid4().int % 10**14}", f"TR.{uuid4().int % 10**14}"
    await meta.deliver(whatsapp(number, f"wamid.{uuid4()}", "Merhaba", user=user))
    conversation = await meta.counter.conversation_of(user, kind="bsuid")
    await state_of(meta, await reply_to(meta, conversation, "Buyurun"), "sent")
    assert meta.graph.calls[-1]["body"]["to"] == number
    assert "recipient" not in meta.graph.calls[-1]["body"]
    await meta.deliver(whatsapp("", f"wamid.{uuid4()}", "Numaram artık gelmiyor", user=user))
    conversation = await meta.counter.conversation_of(user, kind="bsuid", at_least=3)
    await state_of(meta, await reply_to(meta, conversation, "Yine de numaranıza"), "sent")
    assert meta.graph.calls[-1]["body"]["to"] == number
    await meta.deliver(whatsapp("", f"wamid.{uuid4()}", "Selam", user=unknown))
    conversation = await meta.counter.conversation_of(unknown, kind="bsuid")
    # Who somebody is said to be is not where WhatsApp reaches them.
    claimed = [{"kind": "bsuid", "value": unknown}, {"kind": "wa_id", "value": f"9054{uuid4().int % 10**8:08d}"}]
    said = await meta.counter.admin.post(
        "/v1/profiles/identify", json={"handles": claimed, "source": "crm", "assurance": "channel_verified"}
    )
    assert said.status_code == 200, said.text
    await state_of(meta, await reply_to(meta, conversation, "Buyurun"), "sent")
    body = meta.graph.calls[-1]["body"]
    assert (body["recipient"], body["recipient_type"]) == (unknown, "individual")
    assert "to" not in body


async def test_a_strangers_contact_joins_nobody_and_an_odd_status_holds_nobody_back(meta: Meta) -> None:
    ada, berk, user = f"9053{uuid4().int % 10**8:08d}", f"9054{uuid4().int % 10**8:08d}", f"TR.{uuid4().int % 10**14}"
    await meta.deliver(whatsapp(berk, f"wamid.{uuid4()}", "Ben Berk"))
    before = await meta.counter.conversation_of(berk, kind="wa_id")
    await state_of(meta, await reply_to(meta, before, "Buyurun"), "sent")
    ours, now = f"wamid.OUT{len(meta.graph.calls)}", str(int(time.time()))
    mixed = whatsapp(ada, f"wamid.{uuid4()}", "Ben Ada", user=user)
    value = mixed["entry"][0]["changes"][0]["value"]
    value["messages"].append({
        "from": berk, "id": f"wamid.{uuid4()}", "timestamp": now, "type": "system",
        "system": {"type": "user_changed_number", "wa_id": (moved := f"9055{uuid4().int % 10**8:08d}"), "body": "changed"},
    })  # fmt: skip
    value["statuses"] = [
        {"id": ours, "status": "read", "timestamp": now, "recipient_id": berk},
        {"id": f"wamid.{uuid4()}", "status": "warning", "timestamp": now, "recipient_id": berk},
    ]
    await meta.deliver(mixed)
    hers = await meta.counter.conversation_of(user, kind="bsuid")
    assert hers["customer"]["profile_id"] != before["customer"]["profile_id"]
    his = await meta.counter.conversation_of(moved, kind="wa_id", at_least=3)
    assert (his["id"], his["customer"]["profile_id"]) == (before["id"], before["customer"]["profile_id"])
    reply = next(one["id"] for one in his["messages"] if one["direction"] == "out")
    await state_of(meta, reply, "read")


async def test_an_answer_follows_a_number_that_changed(meta: Meta) -> None:
    old, new = f"9053{uuid4().int % 10**8:08d}", f"9054{uuid4().int % 10**8:08d}"
    user = f"TR.{uuid4().int % 10**14}"
    await meta.deliver(whatsapp(old, f"wamid.{uuid4()}", "Merhaba"))
    conversation = await meta.counter.conversation_of(old, kind="wa_id")
    moved = {
        "from": old, "id": f"wamid.{uuid4()}", "timestamp": str(int(time.time())), "type": "system",
        "system": {"type": "user_changed_number", "wa_id": new, "user_id": user, "body": f"changed from {old} to {new}"},
    }  # fmt: skip
    await meta.deliver(change(messages=[moved]))
    assert (await meta.counter.conversation_of(new, kind="wa_id", at_least=2))["id"] == conversation["id"]
    await state_of(meta, await reply_to(meta, conversation, "Buyurun"), "sent")
    assert meta.graph.calls[-1]["body"]["to"] == new
    # The id that came with it has the new number, also where a message names none.
    await meta.deliver(whatsapp("", f"wamid.{uuid4()}", "Buradayım", user=user))
    assert (await meta.counter.conversation_of(user, kind="bsuid", at_least=4))["id"] == conversation["id"]
    await state_of(meta, await reply_to(meta, conversation, "Görüşmek üzere"), "sent")
    assert meta.graph.calls[-1]["body"]["to"] == new


async def test_who_also_calls_is_one_person_and_answered_at_whatsapps_own_number(meta: Meta) -> None:
    line = f"55{uuid4().int % 10**8:08d}"
    await meta.counter.post("¿Dónde está mi pedido?", kind="phone", value=f"+52{line}", verified=True)
    await meta.deliver(whatsapp(f"521{line}", f"wamid.{uuid4()}", "Hola"))
    conversation = await meta.counter.conversation_of(f"521{line}", kind="wa_id", at_least=2)
    assert conversation["customer"]["value"] == f"+52{line}"
    await state_of(meta, await reply_to(meta, conversation, "Mañana"), "sent")
    assert meta.graph.calls[-1]["body"]["to"] == f"521{line}"


async def test_the_phones_app_writes_a_line_and_no_work(meta: Meta) -> None:
    number, wamid = f"9053{uuid4().int % 10**8:08d}", f"wamid.{uuid4()}"
    await meta.deliver(whatsapp(number, wamid, "Merhaba"))
    before = await meta.counter.conversation_of(number, kind="wa_id")
    echo = {
        "from": "902125550000", "to": number, "id": f"wamid.{uuid4()}", "timestamp": str(int(time.time())), "type": "text",
        "text": {"body": "Bugün teslim"}, "context": {"id": wamid},
    }  # fmt: skip
    await meta.deliver(change(field="smb_message_echoes", message_echoes=[echo]))
    after = await meta.counter.conversation_of(number, kind="wa_id", at_least=2)
    assert (after["id"], after["window_expires_at"]) == (before["id"], before["window_expires_at"])
    line = after["messages"][-1]
    assert (line["direction"], line["text"], line["in_reply_to"]) == ("out", "Bugün teslim", wamid)


async def test_a_photo_without_words_is_said(meta: Meta) -> None:
    number = f"9053{uuid4().int % 10**8:08d}"
    photo = {
        "from": number, "id": f"wamid.{uuid4()}", "timestamp": str(int(time.time())), "type": "image",
        "image": {"id": "9001", "mime_type": "image/jpeg"}, "referral": {"headline": "Yaz indirimi", "source_type": "ad"},
    }  # fmt: skip
    await meta.deliver(change(contacts=[{"profile": {"name": "Can"}, "wa_id": number}], messages=[photo]))
    (message,) = (await meta.counter.conversation_of(number, kind="wa_id"))["messages"]
    assert (message["text"], message["contents"], message["about"]) == ("", ["photo", "ad"], "Yaz indirimi")


def said(number: str, kind: str, **more: Any) -> dict[str, Any]:
    """A WhatsApp message of any type from this number."""
    message = {"from": number, "id": f"wamid.{uuid4()}", "timestamp": str(int(time.time())), "type": kind, **more}
    return change(contacts=[{"profile": {"name": "Can"}, "wa_id": number}], messages=[message])


async def test_an_open_desk_shows_what_was_edited_and_takes_back_what_was_unsent(meta: Meta) -> None:
    number, first, second = f"9053{uuid4().int % 10**8:08d}", f"wamid.{uuid4()}", f"wamid.{uuid4()}"
    await meta.deliver(whatsapp(number, first, "Cuma gelin"))
    conversation = await meta.counter.conversation_of(number, kind="wa_id")
    await state_of(meta, await reply_to(meta, conversation, "Tamam"), "sent")
    ours = f"wamid.OUT{len(meta.graph.calls)}"
    await meta.deliver(whatsapp(number, second, "Kartım 4242"))
    await meta.counter.conversation_of(number, kind="wa_id", at_least=3)
    async with launched() as browser:
        desk = await desk_of(browser, meta.counter, "Deniz")
        page = desk.page
        await page.locator("santral-desk-items button.row").filter(has_text="Kartım 4242").click()
        log = page.get_by_role("log")
        await expect(log).to_contain_text("Cuma gelin")
        words = {"original_message_id": first, "message": {"type": "text", "text": {"body": "Pazartesi gelin"}}}
        await meta.deliver(said(number, "edit", edit=words))
        await meta.deliver(said(number, "revoke", revoke={"original_message_id": second}))
        await meta.deliver(said(number, "reaction", reaction={"message_id": ours, "emoji": "🙏"}))
        bubbles = log.locator("santral-desk-message")
        await expect(bubbles.nth(0)).to_contain_text("Pazartesi gelin")
        await expect(bubbles.nth(1)).to_contain_text("🙏")
        await expect(bubbles.nth(2)).to_contain_text("Yazanın sildiği mesaj")
        await expect(bubbles).to_have_count(3)
        await expect(log).not_to_contain_text("4242")
        await expect(log).not_to_contain_text("Cuma gelin")
        await bubbles.nth(0).get_by_role("button", name="Önceki halini göster").click()
        await expect(bubbles.nth(0)).to_contain_text("Cuma gelin")
        row = page.locator("santral-desk-items button.row[aria-current=true]")
        await expect(row).to_contain_text("Yazanın sildiği mesaj")
        await meta.deliver(said(number, "audio", audio={"id": "9002", "voice": True}, group_id="120363"))
        await expect(row).to_contain_text("Sesli mesaj")
        await expect(bubbles.nth(3)).to_contain_text("Grup")
        await expect(page.get_by_title("Bir grupta yazıldı").first).to_be_visible()
        PICTURES.mkdir(exist_ok=True)
        await page.screenshot(path=PICTURES / "amended.png")
        await page.get_by_role("button", name="Açık / koyu görünüm").click()
        await page.get_by_role("button", name="English").click()
        await expect(bubbles.nth(2)).to_contain_text("Message deleted by its writer")
        await expect(row).to_contain_text("Voice message")
        await page.screenshot(path=PICTURES / "amended-dark.png")
        assert desk.complaints == []


async def test_what_was_sent_until_a_watermark_is_read(meta: Meta) -> None:
    person = f"P{uuid4().hex[:10]}"
    await meta.deliver(direct("PAGE1", person, f"m_{uuid4()}", "Merhaba, fiyat nedir?"))
    conversation = await conversation_with(meta, person)
    reply_id = await reply_to(meta, conversation, "300 lira")
    await state_of(meta, reply_id, "sent")
    parties = {"sender": {"id": person}, "recipient": {"id": "PAGE1"}}
    early = int((time.time() - 3600) * 1000)
    events = [
        {**parties, "delivery": {"watermark": int(time.time() * 1000)}},
        {**parties, "timestamp": early, "read": {"watermark": early}},
    ]
    await meta.deliver({"object": "page", "entry": [{"id": "PAGE1", "time": 1, "messaging": events}]})
    await state_of(meta, reply_id, "delivered")
    now = int(time.time() * 1000)
    await meta.deliver(
        {
            "object": "page",
            "entry": [{"id": "PAGE1", "time": 1, "messaging": [{**parties, "timestamp": now, "read": {"watermark": now}}]}],
        }
    )
    await state_of(meta, reply_id, "read")


def public_word(what: str, person: str, said: str) -> dict[str, Any]:
    """A change of the Page's: a comment under its post, a visitor's post, a recommendation."""
    now, author = int(time.time()), {"from": {"id": person, "name": "Mert"}, "message": "Kargo ücretsiz mi?"}
    if what == "recommendation":
        told = {"open_graph_story_id": said, "reviewer_id": person, "reviewer_name": "Mert", "review_text": "Kargo ücretsiz mi?"}
        return {"field": "ratings", "value": {"item": "rating", "verb": "add", "created_time": now, **told}}
    place = {"comment_id": said, "post_id": "PAGE1_P1", "parent_id": "PAGE1_P1"} if what == "comment" else {"post_id": said}
    return {"field": "feed", "value": {"item": what, "verb": "add", "created_time": now, **place, **author}}


@pytest.mark.parametrize("what", ["comment", "post", "recommendation"])
async def test_what_is_said_in_public_is_answered_in_public(meta: Meta, what: str) -> None:
    person, said = f"F{uuid4().hex[:8]}", f"P1_{uuid4().hex[:8]}"
    body = {"object": "page", "entry": [{"id": "PAGE1", "time": 1, "changes": [public_word(what, person, said)]}]}
    assert (await meta.deliver(body)).status_code == 200

    conversation = await conversation_with(meta, person)
    assert conversation["visibility"] == "public"
    await state_of(meta, await reply_to(meta, conversation, "Evet, 300 TL üzeri ücretsiz."), "sent")
    assert meta.graph.calls[-1]["path"] == f"/{said}/comments"


async def test_a_missed_whatsapp_call_is_answered_with_words_that_quote_nothing(meta: Meta) -> None:
    number, now = f"9053{uuid4().int % 10**8:08d}", str(int(time.time()))
    call = {
        "id": f"wacid.{uuid4()}", "from": number, "to": "902125550000", "event": "terminate", "direction": "USER_INITIATED",
        "timestamp": now, "status": "FAILED",
    }  # fmt: skip
    contact = {"profile": {"name": "Can"}, "wa_id": number}
    assert (await meta.deliver(change(field="calls", contacts=[contact], calls=[call]))).status_code == 200
    conversation = await meta.counter.conversation_of(number, kind="wa_id")
    assert [(one["kind"], one["direction"]) for one in conversation["messages"]] == [("missed_call", "in")]
    await state_of(meta, await reply_to(meta, conversation, "Sizi şimdi arayalım mı?", quote=True), "sent")
    body = meta.graph.calls[-1]["body"]
    assert (body["to"], body["text"]["body"]) == (number, "Sizi şimdi arayalım mı?")
    assert "context" not in body


async def test_a_refused_reply_fails_with_metas_reason(meta: Meta) -> None:
    number = f"9054{uuid4().int % 10**8:08d}"
    await meta.deliver(whatsapp(number, f"wamid.{uuid4()}", "Merhaba"))
    conversation = await meta.counter.conversation_of(number, kind="wa_id")
    meta.graph.failures.append((400, {"error": {"code": 131026, "message": "Message undeliverable"}}))
    reply_id = await reply_to(meta, conversation, "Merhaba")
    await state_of(meta, reply_id, "failed")
    assert "131026" in (await meta.counter.admin.get(f"/v1/replies/{reply_id}")).json()["reason"]
    assert (await meta.counter.held("Deniz", conversation["id"]))["state"] == "assigned"


async def test_an_unknown_number_waits_in_quarantine_until_its_inbox_is_there(meta: Meta) -> None:
    account, number = f"77{uuid4().int % 10**6}", f"9055{uuid4().int % 10**8:08d}"
    assert (await meta.deliver(whatsapp(number, f"wamid.{uuid4()}", "Kimse yok mu?", account=account))).status_code == 200

    async def entry() -> dict[str, Any] | None:
        listed = (await meta.counter.admin.get("/v1/quarantine?limit=200")).json()["items"]
        return next((one for one in listed if account in one["error"] or account in one["reason"]), None)

    kept = await eventually(entry, 20, "the post is in quarantine")
    refused = await meta.counter.admin.post(f"/v1/quarantine/{kept['id']}/replay", json={})
    assert refused.status_code == 422, refused.text
    made = await meta.counter.admin.post(
        "/v1/inboxes", json={"name": f"wa-{account}", "provider": "whatsapp", "connection": "meta", "address": account}
    )
    assert made.status_code == 201
    taken = await meta.counter.admin.post(f"/v1/quarantine/{kept['id']}/replay", json={})
    assert taken.status_code == 200, taken.text
    landed = await meta.counter.conversation_of(number, kind="wa_id")
    assert landed["messages"][0]["text"] == "Kimse yok mu?"
    assert (await meta.counter.admin.post(f"/v1/quarantine/{kept['id']}/replay", json={})).status_code == 409


def direct(account: str, person: str, mid: str, text: str, *, app_id: int | None = None) -> dict[str, Any]:
    """A private message of a Page's or an Instagram account's; with ``app_id`` the echo of one that was sent to the person."""
    parties = {"sender": {"id": person}, "recipient": {"id": account}}
    message: dict[str, Any] = {"mid": mid, "text": text}
    if app_id is not None:
        parties = {"sender": {"id": account}, "recipient": {"id": person}}
        message |= {"is_echo": True, "app_id": app_id}
    event = {**parties, "timestamp": int(time.time() * 1000), "message": message}
    kind = "instagram" if account.startswith("IG") else "page"
    return {"object": kind, "entry": [{"id": account, "time": int(time.time()), "messaging": [event]}]}


@pytest.mark.parametrize(("account", "inbox"), [("PAGE1", "page"), ("IG1", "insta")])
async def test_private_messages_of_both_and_their_echoes(meta: Meta, account: str, inbox: str) -> None:
    person, words = f"P{uuid4().hex[:10]}", f"Fiyat nedir {uuid4().hex[:6]}"
    assert (await meta.deliver(direct(account, person, f"m_{uuid4()}", words))).status_code == 200

    async def texts() -> list[tuple[str, str]]:
        path = f"/v1/conversations/{conversation['id']}/messages"
        return [(one["direction"], one["text"]) for one in (await meta.counter.admin.get(path)).json()["items"]]

    conversation = await conversation_with(meta, person)
    assert conversation["visibility"] == "private"
    await state_of(meta, await reply_to(meta, conversation, "120 TL"), "sent")
    call = meta.graph.calls[-1]
    assert (call["path"], call["body"]["recipient"]) == (f"/{account}/messages", {"id": person})
    ours = f"m_OUT{len(meta.graph.calls)}"
    assert (await meta.deliver(direct(account, person, ours, "120 TL", app_id=42))).status_code == 200
    assert (await meta.deliver(direct(account, person, f"m_{uuid4()}", "Başka uygulamadan", app_id=555))).status_code == 200

    async def foreign() -> bool:
        return ("out", "Başka uygulamadan") in await texts()

    await eventually(foreign, 20, "another application's answer is shown")
    assert await texts() == [("in", words), ("out", "120 TL"), ("out", "Başka uygulamadan")]

"""The customer's panel on the agents' page, in a real browser against everything running: evidence, two people, one person, notes."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest
import websockets
from joserfc import jwt
from joserfc.jwk import OctKey
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.counter import MAILBOX, Counter
from tests.support.pages import PICTURES, Visit, desk_of, launched
from tests.support.waiting import eventually

SECRET = "a page's signing secret, 32 characters"
EVIL = "<img src=x onerror=window.evil=1>"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as opened:
        yield opened


async def chats(counter: Counter, text: str, **claims: str) -> str:
    """A signed-in customer writes in a chat of their shop's page; the conversation."""
    name = f"chat-{uuid4().hex[:8]}"
    inbox = {"name": name, "provider": "webchat", "secrets": {"identity_secret": SECRET}}
    widget = (await counter.admin.post("/v1/inboxes", json=inbox)).json()["widget_token"]
    identity = jwt.encode({"alg": "HS256"}, {**claims, "aud": name, "exp": int(time.time()) + 600}, OctKey.import_key(SECRET))
    session = (await counter.admin.post(f"/v1/chat/{widget}/sessions", json={"identity": identity})).json()
    url = counter.facts["http"].replace("http://", "ws://") + f"/v1/chat/{widget}/socket"
    origin = websockets.Origin(counter.facts["http"])
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("santral.v1")], origin=origin) as socket:
        await socket.send(json.dumps({"type": "hello", "token": session["token"]}))
        await socket.send(json.dumps({"type": "message", "id": str(uuid4()), "text": text}))
        while True:
            answer = json.loads(await socket.recv())
            if answer["type"] == "accepted":
                return str((await counter.routed(answer["message_id"]))["conversation_id"])


async def taken(counter: Counter, conversation: str) -> None:
    """Deniz has the conversation's item."""
    item = await counter.held("Deniz", conversation)
    if item["offer"]:
        await counter.agents["Deniz"].post(f"/v1/offers/{item['offer']['id']}/accept")


async def known(counter: Counter, *handles: tuple[str, str], **more: Any) -> str:
    """What the shop's own system says of a customer; the profile."""
    body = {"handles": [{"kind": kind, "value": value} for kind, value in handles], "source": "crm", **more}
    answer = await counter.admin.post("/v1/profiles/identify", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["profile_id"])


async def whose(counter: Counter, kind: str, value: str) -> str | None:
    looked = await counter.admin.post("/v1/profiles/lookup", json={"handles": [{"kind": kind, "value": value}]})
    found: str | None = looked.json()["items"][0]["profile_id"]
    return found


async def opened(desk: Visit, text: str) -> Locator:
    """The conversation with these words, chosen from the work list; the customer's panel."""
    await desk.page.get_by_role("navigation").get_by_role("button").filter(has_text=text).first.click(timeout=15_000)
    panel = desk.page.locator("santral-desk-customer")
    await expect(panel.get_by_role("tab", name="Kimlik")).to_be_visible(timeout=15_000)
    return panel


async def pictured(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / f"people-{name}.png")


class Ayse:
    """A customer whom the shop knows by number, mail and telephone."""

    def __init__(self) -> None:
        self.run = uuid4().hex[:8]
        self.mail = f"ayse-{self.run}@ornek.com"
        self.phone = f"+9053{uuid4().int % 10**8:08d}"
        self.name = f"Ayşe Yıldız {self.run}"

    async def chats(self, counter: Counter) -> str:
        return await chats(
            counter, f"Sohbetten selam {self.run}", sub=f"M-{self.run}", email=self.mail, phone=self.phone, name=self.name
        )

    async def mails(self, counter: Counter) -> str:
        """Her mail, sent on by Gül, with Can on a copy."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Cc"] = f"{self.name} <{self.mail}>", MAILBOX, f"Can Kaya <can-{self.run}@ornek.com>"
        mail["Resent-From"], mail["Subject"] = f'"{EVIL}" <gul-{self.run}@ornek.com>', f"Siparişim {self.run}"
        mail["Message-ID"] = f"<{uuid4()}@ornek.com>"
        mail.set_content(f"Merhaba, mektuptan selam {self.run}")
        await counter.raw_mail(self.mail, MAILBOX, mail.as_bytes())

        async def written() -> str | None:
            profile = await whose(counter, "email", self.mail)
            history = (await counter.admin.get(f"/v1/profiles/{profile}/timeline")).json()
            return next((one["id"] for one in history["conversations"] if one["subject"] == mail["Subject"]), None)

        return await eventually(written, 20, "her mail is a conversation")


async def test_two_people_are_told_apart_by_choosing_the_evidence_and_joined_again(browser: Browser, counter: Counter) -> None:
    await counter.online("Deniz")
    ayse = Ayse()
    other = await counter.post(f"Başka bir konu {ayse.run}", value=ayse.mail, verified=True, thread=ayse.run)
    for conversation in (await ayse.chats(counter), await ayse.mails(counter), other["conversation_id"]):
        await taken(counter, conversation)
    profile = await whose(counter, "email", ayse.mail)
    assert profile == await whose(counter, "phone", ayse.phone)
    desk = await desk_of(browser, counter, "Deniz")
    panel = await opened(desk, f"mektuptan selam {ayse.run}")
    # Who else is on the mail stands above the thread and in the panel, as text.
    await expect(panel.locator(".others").get_by_text("Can Kaya")).to_be_visible(timeout=15_000)
    await expect(panel.locator(".others").get_by_text(EVIL)).to_be_visible()
    await expect(panel.locator(".others").get_by_text("İleten")).to_be_visible()
    await expect(desk.page.locator("santral-desk-thread header .also")).to_contain_text("Can Kaya (bilgi)")
    await expect(panel.get_by_text("Açık diğer işler")).to_be_visible()
    await expect(panel.get_by_role("button", name=f"Başka bir konu {ayse.run}")).to_have_count(2)
    await pictured(desk.page, "summary")
    # Why she is one person: the session she signed in with joined three handles to her number.
    await panel.get_by_role("tab", name="Kimlik").click()
    cards = panel.locator("santral-desk-person-identity li.card")
    await expect(cards).to_have_count(3, timeout=15_000)
    await expect(cards.filter(has_text=ayse.phone)).to_contain_text("Giriş yapılmış oturumda birlikte görüldü")
    await panel.get_by_text("İki adres neden aynı kişi?").click()
    await panel.get_by_role("button", name=f"Açıkla: {ayse.phone}").click()
    await expect(panel.locator("ol.path li")).to_have_count(2)
    await pictured(desk.page, "evidence")
    # The telephone is her sister's. What will happen is said before it happens.
    await cards.filter(has_text=ayse.phone).get_by_role("button", name="Bunlar iki ayrı kişi").click()
    await expect(panel.locator("ol.apart li")).to_have_count(2)
    await expect(panel.locator("ol.apart li").nth(1)).to_have_text(ayse.phone)
    await expect(panel.get_by_text("Hiçbir şey silinmez")).to_be_visible()
    await pictured(desk.page, "separate")
    await desk.page.keyboard.press("Escape")
    await expect(panel.locator("ol.apart")).to_have_count(0)
    assert await whose(counter, "phone", ayse.phone) == profile
    await cards.filter(has_text=ayse.phone).get_by_role("button", name="Bunlar iki ayrı kişi").click()
    await panel.get_by_role("button", name="Ayır", exact=True).click()
    await expect(panel.get_by_text("Ayrıldı: artık iki müşteri.")).to_be_visible(timeout=15_000)
    await expect(panel.get_by_text("Sayılmayan kanıtlar (1)")).to_be_visible()
    await pictured(desk.page, "separated")
    sister = await whose(counter, "phone", ayse.phone)
    assert sister != await whose(counter, "email", ayse.mail)
    # They were one after all: found by the number, and said to be one in spite of what was said before.
    await taken(
        counter, (await counter.post(f"Merhaba {ayse.run}", kind="phone", value=ayse.phone, verified=True))["conversation_id"]
    )
    await panel.get_by_role("button", name="Başka bir kayıtla birleştir").click()
    await panel.get_by_role("searchbox").fill(ayse.phone)
    await desk.page.keyboard.press("Enter")
    await panel.get_by_role("list", name="Hangisi?").get_by_role("button").click(timeout=15_000)
    await expect(panel.get_by_text("tek müşteri olacak")).to_be_visible()
    await pictured(desk.page, "merge")
    await panel.get_by_role("button", name="Birleştir", exact=True).click()
    await expect(panel.get_by_role("alert")).to_contain_text("iki ayrı kişi olduğu söylendi", timeout=15_000)
    await panel.get_by_role("button", name="Yine de birleştir").click()
    await expect(panel.get_by_text("Birleştirildi: artık tek müşteri.")).to_be_visible(timeout=15_000)
    assert await whose(counter, "phone", ayse.phone) == await whose(counter, "email", ayse.mail)
    assert await desk.page.evaluate("window.evil") is None
    assert desk.complaints == ["Failed to load resource: the server responded with a status of 409 (Conflict)"]


async def test_a_suggestion_is_confirmed_and_a_rejected_one_stays_away(browser: Browser, counter: Counter) -> None:
    await counter.online("Deniz")
    run = uuid4().hex[:6]
    name, mails = f"Zeynep Özdemiroğlu{run}", [f"zeynep.{run}{n}@ornek.com" for n in range(3)]
    for mail in mails:
        await known(counter, ("email", mail), name=name, traits={"city": "Eskişehir", "date_of_birth": "1984-05-17"})
    # Zeynep the third typed the first one's address somewhere, which nobody verified.
    await known(counter, ("email", mails[2]), ("email", mails[0]), assurance="asserted")
    for n, mail in enumerate(mails):
        await taken(counter, (await counter.post(f"Merhaba {run} {n}", value=mail, verified=True))["conversation_id"])
    first = await whose(counter, "email", mails[0])

    async def suggested() -> bool:
        found = (await counter.admin.get(f"/v1/profiles/{first}/suggestions")).json()["items"]
        return len(found) == 2

    await eventually(suggested, 60, "both others are suggested")
    desk = await desk_of(browser, counter, "Deniz")
    panel = await opened(desk, f"Merhaba {run} 0")
    await expect(panel.get_by_role("tab", name="Kimlik")).to_contain_text("2", timeout=15_000)
    # By keyboard: the arrow goes to the next tab.
    await panel.get_by_role("tab", name="Özet").focus()
    await desk.page.keyboard.press("ArrowRight")
    await expect(panel.get_by_role("tab", name="Kimlik")).to_be_focused()
    cards = panel.locator("santral-desk-person-suggestions li.card")
    await expect(cards).to_have_count(2)
    await expect(cards.filter(has_text=mails[1])).to_contain_text("Doğum tarihi: aynı")
    await expect(cards.filter(has_text=mails[2])).to_contain_text("bunu kimse doğrulamadı")
    await expect(cards.filter(has_text=mails[1])).not_to_contain_text("bunu kimse doğrulamadı")
    await pictured(desk.page, "suggestions")
    await cards.filter(has_text=mails[1]).get_by_role("button", name="Aynı kişi değil").click()
    await expect(panel.get_by_text("Hatırlandı: bu ikisi aynı kişi değil.")).to_be_visible(timeout=15_000)
    await expect(cards).to_have_count(1)
    await cards.filter(has_text=mails[2]).get_by_role("button", name="Aynı kişi", exact=True).click()
    await expect(panel.get_by_text("Birleştirildi: artık tek müşteri.")).to_be_visible(timeout=15_000)
    await expect(cards).to_have_count(0)
    await pictured(desk.page, "confirmed")
    one, other, third = [await whose(counter, "email", mail) for mail in mails]
    assert one == third != other
    remembered = (await counter.admin.get(f"/v1/profiles/{other}/suggestions?state=rejected")).json()["items"]
    assert len(remembered) == 1
    assert desk.complaints == []


async def test_notes_history_and_wishes(browser: Browser, counter: Counter) -> None:
    await counter.online("Deniz")
    ayse = Ayse()
    await taken(counter, await ayse.chats(counter))
    profile = await known(counter, ("email", ayse.mail), traits={"quiet_hours": "22:00-08:00", "preferred_channel": "email"})
    for granted in (True, False):
        consent = {"purpose": "marketing", "channel": "phone", "granted": granted, "source": "bülten formu"}
        assert (await counter.admin.post(f"/v1/profiles/{profile}/consents", json=consent)).status_code == 201
    desk = await desk_of(browser, counter, "Deniz")
    panel = await opened(desk, ayse.run)
    await panel.get_by_text("İletişim tercihleri ve izinler").click()
    await expect(panel.get_by_text("22:00-08:00")).to_be_visible()
    await expect(panel.locator(".consents li")).to_contain_text("Pazarlama · Telefon", timeout=15_000)
    await expect(panel.locator(".consents .chip")).to_have_text("İzin yok")
    await pictured(desk.page, "wishes")
    await panel.get_by_role("tab", name="Notlar").click()
    await expect(panel.get_by_text("Henüz not yok.")).to_be_visible(timeout=15_000)
    for n in range(22):
        await counter.admin.post(f"/v1/profiles/{profile}/notes", json={"text": f"Eski not {n}"})
    await panel.get_by_label("Bu müşteri için not").fill(f"Kapıda öder. {EVIL}")
    await panel.get_by_role("button", name="Notu kaydet").click()
    notes = panel.locator("santral-desk-person-notes li.card")
    await expect(notes.first).to_contain_text(f"Kapıda öder. {EVIL}", timeout=15_000)
    await expect(notes.first).to_contain_text("Siz")
    await expect(notes).to_have_count(20)
    await pictured(desk.page, "notes")
    await panel.get_by_role("button", name="Daha fazla").click()
    await expect(notes).to_have_count(23)
    await expect(panel.get_by_label("Bu müşteri için not")).to_have_value("")
    await panel.get_by_role("tab", name="Geçmiş").click()
    entries = panel.locator("santral-desk-person-history li.entry")
    await expect(entries).to_have_count(20, timeout=15_000)
    more = panel.get_by_role("button", name="Daha fazla")
    await more.click()
    await expect(more).to_have_count(0)
    await expect(entries.filter(has_text="İzin vermedi: Pazarlama · Telefon")).to_have_count(1)
    await expect(entries.filter(has_text="Bu görüşme")).to_have_count(1)
    await pictured(desk.page, "history")
    assert await desk.page.evaluate("window.evil") is None
    # The same in the dark, and where the panel slides over the thread.
    await desk.page.get_by_role("button", name="Açık / koyu görünüm").click()
    await panel.get_by_role("tab", name="Kimlik").click()
    await expect(panel.locator("santral-desk-person-identity li.card").first).to_be_visible(timeout=15_000)
    await pictured(desk.page, "dark")
    await desk.page.set_viewport_size({"width": 390, "height": 844})
    await desk.page.get_by_role("button", name="Müşteri bilgileri").click()
    await expect(panel.get_by_role("tab", name="Notlar")).to_be_visible()
    await desk.page.locator("aside").evaluate("aside => Promise.all(aside.getAnimations().map((one) => one.finished))")
    await pictured(desk.page, "narrow-dark")
    await desk.page.locator("aside").get_by_role("button", name="Kapat").click()
    # And in English, in the light, with the panel over the thread.
    await desk.page.get_by_role("button", name="Açık / koyu görünüm").click()
    await desk.page.set_viewport_size({"width": 1024, "height": 768})
    await desk.page.get_by_role("button", name="English").click()
    await desk.page.get_by_role("button", name="Customer details").click()
    await expect(panel.get_by_text("Seen together in a signed-in session").first).to_be_visible()
    await desk.page.locator("aside").evaluate("aside => Promise.all(aside.getAnimations().map((one) => one.finished))")
    await pictured(desk.page, "english")
    assert desk.complaints == []


async def texts(counter: Counter, conversation: str) -> list[str]:
    found = (await counter.admin.get(f"/v1/conversations/{conversation}/messages")).json()["items"]
    return [str(one["text"]).strip() for one in found]


async def test_messages_are_split_moved_and_merged_and_all_of_it_undone(browser: Browser, counter: Counter) -> None:
    await counter.online("Deniz")
    ayse = Ayse()
    other = str(
        (await counter.post(f"Başka bir konu {ayse.run}", value=ayse.mail, verified=True, thread=ayse.run))["conversation_id"]
    )
    talk = await ayse.chats(counter)
    assert await ayse.mails(counter) == talk
    for conversation in (talk, other):
        await taken(counter, conversation)
    chatted, mailed = f"Sohbetten selam {ayse.run}", f"Merhaba, mektuptan selam {ayse.run}"
    desk = await desk_of(browser, counter, "Deniz")
    await opened(desk, mailed)
    thread = desk.page.locator("santral-desk-thread")
    log, controls = thread.get_by_role("log"), thread.locator("santral-desk-placements")
    # One message becomes a conversation of its own, and comes back.
    await thread.get_by_role("button", name="Görüşmeyi düzenle").click()
    await controls.get_by_role("button", name="Ayır / taşı").click()
    await expect(controls.get_by_role("button", name="Yeni görüşme yap")).to_be_disabled()
    await log.get_by_role("checkbox", name=f"Mesajı seç: {mailed}").check()
    await expect(controls.get_by_text("1 mesaj seçildi")).to_be_visible()
    await controls.get_by_label("Neden (isteğe bağlı)").fill("İki ayrı sipariş")
    await pictured(desk.page, "split")
    await controls.get_by_role("button", name="Yeni görüşme yap").click()
    await expect(controls.get_by_text("Mesajlar yeni bir görüşme oldu.")).to_be_visible(timeout=15_000)
    await expect(log.get_by_text(mailed)).to_have_count(0)
    assert await texts(counter, talk) == [chatted]
    await expect(controls.get_by_role("listitem")).to_contain_text("İki ayrı sipariş")
    await controls.get_by_role("status").get_by_role("button", name="Diğer görüşmeyi aç").click()
    await expect(log.get_by_text(mailed)).to_be_visible(timeout=15_000)
    await expect(log.get_by_text(chatted)).to_have_count(0)
    await pictured(desk.page, "split-done")
    await controls.get_by_role("button", name="Geri al").click()
    await expect(controls.get_by_text("Geri alındı; her şey eskisi gibi.")).to_be_visible(timeout=15_000)
    assert await texts(counter, talk) == [chatted, mailed]
    # One message goes into the other conversation of the same person, which is offered.
    await controls.get_by_role("status").get_by_role("button", name="Diğer görüşmeyi aç").click()
    await expect(log.get_by_text(chatted)).to_be_visible(timeout=15_000)
    await controls.get_by_role("button", name="Ayır / taşı").click()
    await log.get_by_role("checkbox", name=f"Mesajı seç: {chatted}").check()
    await controls.get_by_role("radio", name=f"Başka bir konu {ayse.run}").check()
    await controls.get_by_role("button", name="Mesajı taşı").click()
    await expect(controls.get_by_text("Mesaj taşındı.")).to_be_visible(timeout=15_000)
    assert (await texts(counter, talk), await texts(counter, other)) == ([mailed], [f"Başka bir konu {ayse.run}", chatted])
    await controls.get_by_role("button", name="Geri al").first.click()
    await expect(controls.get_by_text("Geri alındı; her şey eskisi gibi.")).to_be_visible(timeout=15_000)
    # The whole conversation goes into the other one; the page follows, and the empty one says where they went.
    await controls.get_by_role("button", name="Birleştir", exact=True).click()
    await expect(controls.get_by_role("radio", name=f"Başka bir konu {ayse.run}")).to_be_visible()
    await controls.get_by_role("radio", name="Başka bir görüşme, kimliğiyle").check()
    await controls.get_by_label("Görüşme kimliği").fill(other)
    await pictured(desk.page, "merge-conversations")
    await controls.get_by_role("button", name="Görüşmeleri birleştir").click()
    await expect(controls.get_by_text("Görüşmeler birleştirildi.")).to_be_visible(timeout=15_000)
    await expect(log.get_by_text(mailed)).to_be_visible()
    await expect(controls.get_by_role("listitem")).to_have_count(2)
    assert await texts(counter, other) == [f"Başka bir konu {ayse.run}", chatted, mailed]
    await pictured(desk.page, "merged-conversations")
    await controls.get_by_role("status").get_by_role("button", name="Diğer görüşmeyi aç").click()
    await expect(thread.get_by_text("Bu görüşme başka bir görüşmeyle birleştirildi")).to_be_visible(timeout=15_000)
    await pictured(desk.page, "merged-away")
    await thread.get_by_role("button", name="O görüşmeyi aç").click()
    await expect(log.get_by_text(mailed)).to_be_visible(timeout=15_000)
    await controls.get_by_role("listitem").first.get_by_role("button", name="Geri al").click()
    await expect(controls.get_by_text("Geri alındı; her şey eskisi gibi.")).to_be_visible(timeout=15_000)
    assert (await texts(counter, talk), await texts(counter, other)) == ([chatted, mailed], [f"Başka bir konu {ayse.run}"])
    await expect(log.get_by_text(mailed)).to_have_count(0)
    await desk.page.set_viewport_size({"width": 390, "height": 844})
    await pictured(desk.page, "placements-narrow")
    # What somebody else does to the open conversation is seen at once.
    merged = await counter.admin.post(f"/v1/conversations/{talk}/merge", json={"into": other})
    assert merged.status_code == 200, merged.text
    await expect(log.get_by_text(mailed)).to_be_visible(timeout=15_000)
    await counter.admin.post(f"/v1/placements/{merged.json()['id']}/undo")
    await expect(log.get_by_text(mailed)).to_have_count(0, timeout=15_000)
    assert desk.complaints == []

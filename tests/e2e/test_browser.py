"""What a customer and an agent see, in a real browser: the chat, the offer, the answer, the line, and nothing that runs."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from uuid import uuid4

import pytest
from PIL import Image
from playwright.async_api import Browser, FrameLocator, Route, expect

from tests.support.counter import MAILBOX, Counter
from tests.support.pages import PICTURES, Visit, desk_of, launched, visit
from tests.support.waiting import eventually

EVIL = (
    "<script>window.evil=1</script>",
    "<img src=x onerror=window.evil=1>",
    "<svg onload=window.evil=1>",
    "javascript:window.evil=1",
    "\"><iframe srcdoc='<script>parent.evil=1</script>'>",
)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as opened:
        yield opened


async def chat_of(browser: Browser, counter: Counter) -> tuple[Visit, FrameLocator]:
    shop = await visit(browser, counter.facts["shop"], width=1280)
    await shop.page.get_by_text("Bize sorun").first.click()
    return shop, shop.page.frame_locator("iframe").first


async def say(chat: FrameLocator, text: str) -> None:
    box = chat.locator("textarea").first
    await box.fill(text)
    await box.press("Enter")


async def test_a_chat_from_hello_to_done(browser: Browser, counter: Counter) -> None:
    PICTURES.mkdir(exist_ok=True)
    await counter.online("Deniz")
    before = (await counter.agents["Deniz"].get("/v1/agents/me/desk")).json()["agent"]["used"]
    desk = await desk_of(browser, counter, "Deniz")
    shop, chat = await chat_of(browser, counter)
    mark = uuid4().hex[:8]
    await say(chat, f"Merhaba, siparişim gelmedi {mark}")
    await expect(desk.page.get_by_text(mark).first).to_be_visible(timeout=15_000)
    await expect(desk.page.get_by_role("timer").first).to_be_visible()
    await desk.page.get_by_text("Neden bana?").first.click()
    await expect(desk.page.get_by_text("En az yük").first).to_be_visible()
    await desk.page.screenshot(path=PICTURES / "desk-offer.png")
    await desk.page.get_by_role("button", name="Kabul et").first.click()
    await desk.page.locator("textarea").first.fill(f"Hemen bakıyorum {mark}")
    await desk.page.keyboard.press("Control+Enter")
    await expect(chat.get_by_text(f"Hemen bakıyorum {mark}")).to_be_visible(timeout=15_000)
    await desk.page.screenshot(path=PICTURES / "desk-conversation.png")
    await shop.page.screenshot(path=PICTURES / "shop.png")
    await desk.page.get_by_role("button", name="Bitir").first.click()
    await desk.page.locator("form.menu button[type=submit]").first.click()

    async def used() -> bool:
        return bool((await counter.agents["Deniz"].get("/v1/agents/me/desk")).json()["agent"]["used"] <= before)

    await eventually(used, 15, "done gives the capacity back")
    assert desk.complaints == []
    assert shop.complaints == []


async def test_a_click_before_the_chat_is_loaded_opens_it(browser: Browser, counter: Counter) -> None:
    context = await browser.new_context(locale="tr-TR")
    page = await context.new_page()
    asked, given = asyncio.Event(), asyncio.Event()

    async def held(route: Route) -> None:
        asked.set()
        await given.wait()
        await route.continue_()

    await page.route("**/santral-chat.js", held)
    await page.goto(counter.facts["shop"], wait_until="commit")
    await page.get_by_text("Bize sorun").first.click()
    await asyncio.wait_for(asked.wait(), 15)
    given.set()
    await expect(page.frame_locator("iframe").first.locator("textarea").first).to_be_visible(timeout=15_000)
    await context.close()


async def test_who_waits_sees_their_place(browser: Browser, counter: Counter) -> None:
    first, one = await chat_of(browser, counter)
    await say(one, f"Birinci {uuid4().hex[:6]}")
    second, two = await chat_of(browser, counter)
    await say(two, f"İkinci {uuid4().hex[:6]}")
    await expect(two.get_by_text("Sıradaki yeriniz")).to_be_visible(timeout=15_000)
    await second.page.screenshot(path=PICTURES / "chat-waiting.png")
    assert first.complaints == []
    assert second.complaints == []


async def test_nothing_that_a_customer_sends_runs(browser: Browser, counter: Counter) -> None:
    await counter.online("Deniz")
    desk = await desk_of(browser, counter, "Deniz")
    dialogs: list[str] = []
    desk.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    person = f"evil-{uuid4().hex[:6]}@ornek.com"
    for n, payload in enumerate(EVIL):
        await counter.post(f"{payload} {n}", value=person, subject=payload, verified=True)
    body = "<h2>Bizden bir mail</h2>" + "".join(f"<p>{payload}</p>" for payload in EVIL)
    mail = f"From: {EVIL[0]} <{person}>\r\nTo: {MAILBOX}\r\nSubject: {EVIL[1]}\r\nContent-Type: text/html\r\n\r\n{body}\r\n"
    await counter.raw_mail(person, MAILBOX, mail.encode())
    conversation = await counter.conversation_of(person, at_least=len(EVIL) + 1)
    await counter.held("Deniz", conversation["id"])
    await desk.page.get_by_role("navigation").get_by_role("button").first.click(timeout=15_000)
    await expect(desk.page.get_by_text(f"{EVIL[-1]} {len(EVIL) - 1}").first).to_be_visible(timeout=15_000)
    await desk.page.get_by_text("Biçimli göster").last.click()
    mail_frame = desk.page.frame_locator("iframe.mail").last
    await expect(mail_frame.get_by_text("Bizden bir mail")).to_be_visible(timeout=15_000)
    assert await mail_frame.locator("script, iframe, svg, [onerror], [onload]").count() == 0
    assert await desk.page.locator("iframe.mail").last.get_attribute("sandbox") == ""
    await desk.page.screenshot(path=PICTURES / "desk-evil.png")
    assert await desk.page.evaluate("window.evil") is None
    assert dialogs == []
    assert desk.complaints == []


async def test_pictures_that_came_with_a_mail_are_shown(browser: Browser, counter: Counter) -> None:
    await counter.online("Deniz")
    desk = await desk_of(browser, counter, "Deniz")
    person, mark = f"resim-{uuid4().hex[:6]}@ornek.com", uuid4().hex[:8]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = person, MAILBOX, f"Kırık ürün {mark}"
    mail.set_content("Resimde görüldüğü gibi.")
    mail.add_alternative(f'<p>Resimde görüldüğü gibi {mark}:</p><img src="cid:kirik@ornek" alt="kırık">', subtype="html")
    mail.get_payload()[1].add_related(picture("PNG", "orange"), "image", "png", cid="<kirik@ornek>", filename="kirik.png")  # type: ignore[union-attr,index]
    mail.add_attachment(picture("JPEG", "teal"), "image", "jpeg", filename="kutu.jpg")
    mail.add_attachment(b"%PDF-1.4", "application", "pdf", filename="fatura.pdf")
    await counter.raw_mail(person, MAILBOX, mail.as_bytes())
    conversation = await counter.conversation_of(person, at_least=1)
    item = await counter.held("Deniz", conversation["id"])
    if item["offer"]:
        await counter.agents["Deniz"].post(f"/v1/offers/{item['offer']['id']}/accept")
    await desk.page.get_by_role("navigation").get_by_role("button").filter(has_text=person).first.click(timeout=15_000)
    thumbnails = desk.page.locator("ul.files img")
    await expect(thumbnails).to_have_count(2, timeout=15_000)
    assert await thumbnails.evaluate_all("all => all.map(one => one.naturalWidth)") == [160, 160]
    await desk.page.get_by_text("Biçimli göster").last.click()
    frame = desk.page.frame_locator("iframe.mail").last
    await expect(frame.get_by_text(mark)).to_be_visible(timeout=15_000)
    shown = frame.locator("img")
    await expect(shown).to_have_attribute("src", re.compile("^data:image/webp;"))
    assert await desk.page.locator("iframe.mail").last.get_attribute("sandbox") == ""
    await desk.page.screenshot(path=PICTURES / "desk-pictures.png")
    assert desk.complaints == []


def picture(kind: str, colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (480, 320), colour).save(out, kind)
    return out.getvalue()


async def test_what_a_visitor_writes_is_text_on_both_sides(browser: Browser, counter: Counter) -> None:
    await counter.online("Deniz")
    desk = await desk_of(browser, counter, "Deniz")
    shop, chat = await chat_of(browser, counter)
    mark = uuid4().hex[:6]
    for n, payload in enumerate(EVIL):
        await say(chat, f"{payload} {mark}{n}")
    last = f"{EVIL[-1]} {mark}{len(EVIL) - 1}"
    await expect(chat.get_by_text(last)).to_be_visible(timeout=15_000)
    await desk.page.get_by_role("button", name="Kabul et").first.click(timeout=15_000)
    await expect(desk.page.get_by_text(last).last).to_be_visible(timeout=15_000)
    await desk.page.locator("textarea").first.fill(f"{EVIL[1]} yanıt {mark}")
    await desk.page.keyboard.press("Control+Enter")
    await expect(chat.get_by_text(f"{EVIL[1]} yanıt {mark}")).to_be_visible(timeout=15_000)
    for page in (desk.page, shop.page):
        assert [await frame.evaluate("window.evil") for frame in page.frames] == [None] * len(page.frames)
    assert desk.complaints == []
    assert shop.complaints == []

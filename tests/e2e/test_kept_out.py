"""What is kept out of work on the agents' page, in a real browser: found, its reason read, made work by keyboard, answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.support.counter import MAILBOX, Counter
from tests.support.pages import PICTURES, desk_of, launched
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as opened:
        yield opened


async def mailed(counter: Counter, sender: str, subject: str, text: str, **headers: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = sender, MAILBOX, subject, f"<{uuid4()}@ornek.com>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    await counter.raw_mail(sender, MAILBOX, mail.as_bytes())


async def test_a_message_is_found_its_reason_read_and_made_work_by_keyboard(browser: Browser, counter: Counter) -> None:
    run = uuid4().hex[:8]
    evil = f"<img src=x onerror=window.evil=1> İzindeyim {run}"
    await mailed(
        counter,
        f"ayse-{run}@ornek.com",
        evil,
        f"Tatildeyim, ama siparişim nerede? {run}",
        Auto_Submitted="auto-replied",
        X_Autoreply="yes",
    )
    await mailed(
        counter, f"baska-{run}@ornek.com", f"Yokum {run}", "Ofis dışındayım.", Auto_Submitted="auto-replied", X_Autoreply="yes"
    )

    async def kept() -> bool:
        return len((await counter.admin.get("/v1/kept-out", params={"q": run})).json()["items"]) == 2

    await eventually(kept, 20, "both are kept out of work")
    desk = await desk_of(browser, counter, "Mert")
    page = desk.page
    await page.get_by_role("button", name="İş sayılmayanları göster").click()
    window = page.get_by_role("dialog", name="İş sayılmayanlar")
    await expect(window.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type(f"IZINDEYIM {run}")
    await page.keyboard.press("Enter")
    await expect(window.get_by_role("status")).to_contain_text("1 mesaj")
    entry = window.get_by_role("listitem").filter(has_text=f"ayse-{run}@ornek.com")
    await expect(entry).to_contain_text(evil)
    await expect(entry).to_contain_text("Bir makinenin yazdığını gösteren")
    assert await page.evaluate("window.evil") is None
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / "kept-out.png")
    make = window.get_by_role("button", name=f"İş yap: {evil}")
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await make.evaluate("one => one === one.getRootNode().activeElement"):
            break
    await expect(make).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(window.get_by_role("status")).to_contain_text("İş oldu")
    await expect(entry).to_have_count(0)
    await page.screenshot(path=PICTURES / "kept-out-made.png")
    conversation = await counter.conversation_of(f"ayse-{run}@ornek.com")
    assert conversation["item"]["state"] in ("queued", "offered", "assigned")
    assert (conversation["messages"][0]["automatic"], conversation["state"]) == (None, "open")
    await window.get_by_role("button", name="Görüşmeyi aç").first.click()
    await expect(window).to_be_hidden()
    await expect(page.locator("santral-desk-thread")).to_contain_text(f"siparişim nerede? {run}")
    # In English, on a small screen, and without a shortcut of the desk behind the window.
    await page.set_viewport_size({"width": 420, "height": 800})
    await page.reload()
    await expect(page.get_by_text("Canlı")).to_be_visible(timeout=15_000)
    await page.evaluate("localStorage.setItem('santral-desk:locale', 'en')")
    await page.reload()
    await page.get_by_role("button", name="Show what is kept out of work").click()
    small = page.get_by_role("dialog", name="Kept out of work")
    await small.get_by_label("Search subject or sender").fill(run)
    await page.keyboard.press("Enter")
    await expect(small.get_by_role("status")).to_contain_text("1 message")
    await small.get_by_label("Kind").focus()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_have_count(0)
    await page.screenshot(path=PICTURES / "kept-out-small.png")
    await page.keyboard.press("Escape")
    await expect(small).to_be_hidden()
    assert desk.complaints == []


async def test_a_report_says_that_its_author_is_not_answered_and_who_may_not_sees_nothing(
    browser: Browser, counter: Counter
) -> None:
    run = uuid4().hex[:8]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"MAILER-DAEMON <postmaster-{run}@ornek.org>", MAILBOX, f"Undelivered Mail {run}"
    mail["Message-ID"], mail["X-Failed-Recipients"] = f"<{uuid4()}@ornek.org>", f"kayip-{run}@ornek.org"
    mail.set_content("This is the mail system. I could not deliver your message: 550 5.1.1 no such user.")
    await counter.raw_mail("", MAILBOX, mail.as_bytes())

    async def kept() -> bool:
        return len((await counter.admin.get("/v1/kept-out", params={"q": run})).json()["items"]) == 1

    await eventually(kept, 20, "the report is kept out of work")
    desk = await desk_of(browser, counter, "Mert")
    await desk.page.get_by_role("button", name="İş sayılmayanları göster").click()
    window = desk.page.get_by_role("dialog", name="İş sayılmayanlar")
    await window.get_by_role("searchbox").fill(run)
    await desk.page.keyboard.press("Enter")
    entry = window.get_by_role("listitem").filter(has_text=run)
    await expect(entry).to_contain_text("onu yazan yanıtlanmaz")
    await entry.get_by_role("button", name="İş yap", exact=False).first.click()
    await expect(window.get_by_role("alert")).to_contain_text("Bunu bir insan yazdı")
    await desk.page.screenshot(path=PICTURES / "kept-out-report.png")
    await entry.get_by_role("button", name="Bunu bir insan yazdı").click()
    await expect(window.get_by_role("status")).to_contain_text("İş oldu")
    other = await desk_of(browser, counter, "Deniz")
    await other.page.get_by_role("button", name="İş sayılmayanları göster").click()
    await expect(other.page.get_by_role("dialog", name="İş sayılmayanlar")).not_to_contain_text(run)


async def test_what_a_list_sends_on_is_work_and_says_what_forbids_automatic_answers(counter: Counter) -> None:
    """The demo's workspace is a new one: mail that is only marked is a person's there."""
    run = uuid4().hex[:8]
    await mailed(
        counter, f"uye-{run}@ornek.com", f"Grup {run}", "Siparişim nerede?", List_Id="<destek.ornek.com>", Precedence="list"
    )
    conversation = await counter.conversation_of(f"uye-{run}@ornek.com")
    assert (conversation["state"], conversation["item"]["state"] in ("queued", "offered", "assigned")) == ("open", True)
    (message,) = conversation["messages"]
    assert (message["automatic"], "List-Id" in message["marks"]) == (None, True)
    body = {"content": {"kind": "text", "text": "Aldık."}}
    refused = await counter.admin.post(f"/v1/conversations/{conversation['id']}/replies", json=body)
    assert (refused.status_code, refused.json()["type"].rsplit(":")[-1]) == (429, "loop-stopped")
    assert (await counter.admin.get("/v1/kept-out", params={"q": run})).json()["items"] == []

"""Who gets the answer, on the agents' page in a real browser: the composer names the recipient, and asks where that is another domain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.support.counter import MAILBOX, Counter
from tests.support.pages import PICTURES, desk_of, launched


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as opened:
        yield opened


async def written(counter: Counter, run: str, reply_to: str | None) -> str:
    """Ayşe's mail, in Deniz's hands; the conversation."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Ayşe Yıldız <ayse-{run}@ornek.net>", MAILBOX, f"Faturam {run}"
    mail["Message-ID"] = f"<{uuid4()}@ornek.net>"
    if reply_to is not None:
        mail["Reply-To"] = reply_to
    mail.set_content(f"Faturamı gönderir misiniz? {run}")
    await counter.raw_mail(f"ayse-{run}@ornek.net", MAILBOX, mail.as_bytes())
    conversation: str = (await counter.conversation_of(f"ayse-{run}@ornek.net"))["id"]
    item = await counter.held("Deniz", conversation)
    if item["offer"]:
        await counter.agents["Deniz"].post(f"/v1/offers/{item['offer']['id']}/accept")
    return conversation


async def test_an_answer_to_another_domain_is_sent_only_after_a_yes(browser: Browser, counter: Counter) -> None:
    for name in ("Ece", "Mert"):
        await counter.online(name, "away")
    await counter.online("Deniz")
    run = uuid4().hex[:8]
    elsewhere = f"ofis-{run}@uzak.example"
    conversation = await written(counter, run, f"Muhasebe <{elsewhere}>")
    shown = (await counter.admin.get(f"/v1/conversations/{conversation}")).json()["reply_to"]
    assert shown == {"kind": "email", "value": elsewhere, "name": "Ayşe Yıldız", "asked": True, "differs": True}
    desk = await desk_of(browser, counter, "Deniz")
    page = desk.page
    await page.get_by_role("navigation").get_by_role("button").filter(has_text=run).first.click(timeout=15_000)
    await expect(page.get_by_text(f"Kime: {elsewhere}")).to_be_visible(timeout=15_000)
    await expect(page.get_by_text("Başka alan adı")).to_be_visible()
    await expect(page.get_by_text(f"Yanıtı şu adrese istiyor: {elsewhere}")).to_be_visible()
    text, question = page.get_by_label("Yanıtınızı yazın…"), page.get_by_role("alertdialog")
    words = f"Ektedir {uuid4()}"
    await text.fill(words)
    await text.press("Control+Enter")
    await expect(question).to_contain_text(f"Müşterinin adresi ayse-{run}@ornek.net")
    await expect(question.get_by_role("button", name="Kapat")).to_be_focused()
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / "desk-recipient.png")
    await page.keyboard.press("Enter")  # who types on confirms nothing
    await expect(question).to_have_count(0)
    await expect(text).to_have_value(words)
    await page.get_by_role("button", name="Gönder", exact=True).click()
    await page.keyboard.press("Escape")
    await expect(question).to_have_count(0)
    messages = (await counter.admin.get(f"/v1/conversations/{conversation}/messages")).json()["items"]
    assert [one["direction"] for one in messages] == ["in"], "nothing was sent without a yes"
    await page.get_by_role("button", name="Gönder", exact=True).click()
    await question.get_by_role("button", name=f"{elsewhere} adresine gönder").click()
    sunk = await counter.sunk(words)
    assert sunk["to"] == elsewhere
    # The same recipient is not asked about again.
    again = f"Bir de {uuid4()}"
    await text.fill(again)
    await text.press("Control+Enter")
    await counter.sunk(again)
    assert desk.complaints == []
    await page.context.close()


async def test_a_customers_own_address_is_named_and_not_asked_about(browser: Browser, counter: Counter) -> None:
    await counter.online("Deniz")
    run = uuid4().hex[:8]
    conversation = await written(counter, run, None)
    shown = (await counter.admin.get(f"/v1/conversations/{conversation}")).json()["reply_to"]
    assert (shown["value"], shown["asked"], shown["differs"]) == (f"ayse-{run}@ornek.net", False, False)
    desk = await desk_of(browser, counter, "Deniz", locale="en-US")
    await desk.page.get_by_role("navigation").get_by_role("button").filter(has_text=run).first.click(timeout=15_000)
    await expect(desk.page.get_by_text(f"To: ayse-{run}@ornek.net")).to_be_visible(timeout=15_000)
    words = f"Ektedir {uuid4()}"
    await desk.page.get_by_label("Write your reply").fill(words)
    await desk.page.get_by_role("button", name="Send", exact=True).click()
    assert (await counter.sunk(words))["to"] == f"ayse-{run}@ornek.net"
    # Somebody who says where the answer should go, and sees another address than it would go to by now, is told.
    stale = {"content": {"kind": "text", "text": "x"}, "reply_to": "baskasi@ornek.net"}
    refused = await counter.agents["Deniz"].post(f"/v1/conversations/{conversation}/replies", json=stale)
    assert (refused.status_code, refused.json()["field"]) == (409, "reply_to")
    await desk.page.context.close()

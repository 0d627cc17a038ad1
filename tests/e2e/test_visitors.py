"""Visitors at one browser, one after the other, on a customer's own site: who signs in, who logs out, who comes next."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, FrameLocator, expect

from tests.support.counter import Counter
from tests.support.host_site import HostSite, host_site
from tests.support.pages import PICTURES, Visit, desk_of, launched, visit

SECRET = "the site's secret for its customers' names"
SHOWN_MS = 15_000


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as opened:
        yield opened


@pytest.fixture
async def site(counter: Counter) -> AsyncIterator[HostSite]:
    """A site on another origin, with a chat inbox of its own that lists it."""
    name = f"site-{uuid4().hex[:6]}"
    async with host_site(counter.facts["http"], audience=name, secret=SECRET) as made:
        body = {
            "provider": "webchat",
            "settings": {"origins": [made.url], "title": "Kitapçı"},
            "secrets": {"identity_secret": SECRET},
        }
        answer = await counter.admin.post("/v1/inboxes", json={"name": name, **body})
        assert answer.status_code in (200, 201), answer.text
        made.widget = answer.json()["widget_token"]
        yield made


def chat_in(seen: Visit) -> FrameLocator:
    return seen.page.frame_locator("santral-chat iframe")


async def opened(seen: Visit) -> FrameLocator:
    """The chat of a page, ready to be written in."""
    await seen.page.locator("santral-chat").wait_for(state="attached")
    await seen.page.evaluate("document.querySelector('santral-chat').toggle(true)")
    chat = chat_in(seen)
    await expect(chat.locator(".hello")).to_be_visible(timeout=SHOWN_MS)
    return chat


async def say(chat: FrameLocator, text: str) -> None:
    """Says something, and waits until the broker has it."""
    await chat.locator("textarea").fill(text)
    await chat.locator("textarea").press("Enter")
    last = chat.locator(".line.mine").last
    await expect(last.get_by_text(text)).to_be_visible()
    await expect(last.get_by_title(re.compile("İletildi|Delivered"))).to_be_visible(timeout=SHOWN_MS)


async def kept(seen: Visit) -> str:
    """All that the browser keeps for the chat, on both origins."""
    stores = [await frame.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") for frame in seen.page.frames]
    return json.dumps(stores)


async def test_after_a_log_out_the_next_visitor_finds_nothing(browser: Browser, counter: Counter, site: HostSite) -> None:
    PICTURES.mkdir(exist_ok=True)
    secret = f"kartım kayboldu {uuid4().hex[:6]}"
    site.customer = f"ayse-{uuid4().hex[:6]}"
    seen = await visit(browser, site.url)
    chat = await opened(seen)
    await say(chat, secret)
    await seen.page.evaluate("santral.logout()")
    await expect(chat.get_by_text(secret)).to_have_count(0)
    await expect(chat.locator(".hello")).to_be_visible()
    assert secret not in await kept(seen)
    await seen.page.screenshot(path=PICTURES / "chat-logged-out.png")
    site.customer = ""
    await seen.page.reload()
    chat = await opened(seen)
    await say(chat, "Merhaba, ben başkasıyım")
    await expect(chat.get_by_text(secret)).to_have_count(0)
    await expect(chat.locator(".line")).to_have_count(1)
    assert seen.complaints == []


@pytest.mark.parametrize("next_one", ["", "mehmet"])
async def test_a_page_without_the_customer_ends_their_chat(
    browser: Browser, counter: Counter, site: HostSite, next_one: str
) -> None:
    """The site logs somebody out with its own pages only: the next page gives no identity, or another one."""
    secret = f"kartım kayboldu {uuid4().hex[:6]}"
    site.customer = f"ayse-{uuid4().hex[:6]}"
    seen = await visit(browser, site.url)
    await say(await opened(seen), secret)
    site.customer = next_one and f"{next_one}-{uuid4().hex[:6]}"
    await seen.page.reload()
    chat = await opened(seen)
    await say(chat, "Merhaba")
    await expect(chat.get_by_text(secret)).to_have_count(0)
    await expect(chat.locator(".line")).to_have_count(1)
    assert seen.complaints == []


async def test_no_element_of_the_page_stands_in_for_the_script(browser: Browser, counter: Counter, site: HostSite) -> None:
    """The identity goes to the script's own origin, whatever a stranger calls their picture."""
    site.customer = f"ayse-{uuid4().hex[:6]}"
    site.review = f'<img name="currentScript" src="{site.url}/picture.png" data-inbox="x" alt="">'
    seen = await visit(browser, site.url)
    await say(await opened(seen), "Merhaba")
    assert [frame.url.partition("/chat/")[0] for frame in seen.page.frames[1:]] == [counter.facts["http"]]


async def test_the_same_customer_comes_back_to_their_chat(browser: Browser, counter: Counter, site: HostSite) -> None:
    site.customer = f"ayse-{uuid4().hex[:6]}"
    seen = await visit(browser, site.url)
    await say(await opened(seen), "Merhaba")
    await seen.page.reload()
    await expect((await opened(seen)).get_by_text("Merhaba", exact=True)).to_be_visible(timeout=SHOWN_MS)
    other = await visit(browser, site.url, width=360, locale="en-GB")
    await expect((await opened(other)).get_by_text("Merhaba", exact=True)).to_be_visible(timeout=SHOWN_MS)
    await other.page.screenshot(path=PICTURES / "chat-second-device-360.png")
    assert [*seen.complaints, *other.complaints] == []


async def test_who_signs_in_during_a_chat_takes_it_along(browser: Browser, counter: Counter, site: HostSite) -> None:
    await counter.online("Deniz")
    desk = await desk_of(browser, counter, "Deniz")
    mark = uuid4().hex[:6]
    seen = await visit(browser, site.url)
    chat = await opened(seen)
    await say(chat, f"Siparişim nerede {mark}")
    await desk.page.get_by_role("button", name="Kabul et").first.click(timeout=SHOWN_MS)
    await expect(desk.page.get_by_text(mark).first).to_be_visible(timeout=SHOWN_MS)
    site.customer = f"ayse-{mark}"
    await seen.page.evaluate("token => santral.identify(token)", site.identity())
    await expect(chat.get_by_text(f"Siparişim nerede {mark}")).to_be_visible()
    conversation = await counter.conversation_of(site.customer, kind="external_id")
    assert mark in conversation["messages"][0]["text"], "agents know the customer before the next word"
    await desk.page.locator("textarea").first.fill(f"Yolda, {mark}")
    await desk.page.keyboard.press("Control+Enter")
    await expect(chat.get_by_text(f"Yolda, {mark}")).to_be_visible(timeout=SHOWN_MS)
    await say(chat, "Teşekkürler")
    again = await counter.conversation_of(site.customer, kind="external_id", at_least=3)
    assert again["id"] == conversation["id"]
    await seen.page.screenshot(path=PICTURES / "chat-signed-in.png")
    await desk.page.screenshot(path=PICTURES / "desk-signed-in.png")
    await seen.page.reload()
    await expect((await opened(seen)).get_by_text(f"Yolda, {mark}")).to_be_visible(timeout=SHOWN_MS)
    assert [*seen.complaints, *desk.complaints] == []


async def test_a_site_that_is_not_listed_gets_no_chat(browser: Browser, counter: Counter, site: HostSite) -> None:
    """Neither in a frame, nor by its own code over REST or a socket."""
    async with host_site(counter.facts["http"], audience="x", secret=SECRET) as other:
        other.widget = site.widget
        seen = await visit(browser, other.url)
        await seen.page.locator("santral-chat").wait_for(state="attached")
        await seen.page.evaluate("document.querySelector('santral-chat').toggle(true)")
        address = f"{counter.facts['http']}/v1/chat/{site.widget}"
        refused = await seen.page.evaluate(
            """async address => [
                await fetch(`${address}/sessions`, {method: "POST", headers: {"content-type": "application/json"}, body: "{}"})
                    .then(() => "open", () => "refused"),
                await new Promise(done => {
                    const socket = new WebSocket(`${address.replace("http", "ws")}/socket`, "santral.v1");
                    socket.onopen = () => done("open");
                    socket.onerror = () => done("refused");
                }),
            ]""",
            address,
        )
        assert refused == ["refused", "refused"]
        await expect(chat_in(seen).locator("textarea")).to_have_count(0)
        assert any("frame-ancestors" in one for one in seen.complaints)

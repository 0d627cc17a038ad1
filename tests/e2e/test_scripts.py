"""Hundreds of payloads in every field that somebody outside fills, on the desk and in the chat: none runs, none asks anybody for anything."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.frame.doors import WebDoor
from tests.support.counter import MAILBOX, Counter
from tests.support.pages import Visit, desk_of, launched, visit
from tests.support.script_corpus import payloads

SHOWN_MS = 20_000
STRANGE = (
    "script, iframe, object, embed, svg, math, form, input, style, link, meta, base, video, audio, [onerror], [onload], [onfocus]"
)


@dataclass(slots=True)
class Canary:
    """An address that nobody should ask."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def hear(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return Response(status_code=204)


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    made = Canary()
    door = WebDoor(Starlette(routes=[Route("/{path:path}", made.hear)]), host="127.0.0.1", port=0, setting="test")
    await door.open()
    made.url = f"http://127.0.0.1:{door.port}/canary"
    yield made
    await door.close(2)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as opened:
        yield opened


def chunks(words: list[str], size: int) -> list[list[str]]:
    return [words[place : place + size] for place in range(0, len(words), size)]


def heard(page: Page) -> list[str]:
    """Dialogs that a page opens from now on."""
    found: list[str] = []
    page.on("dialog", lambda dialog: found.append(dialog.message))
    return found


async def nothing_ran(seen: Visit, canary: Canary, dialogs: list[str]) -> None:
    assert [await frame.evaluate("window.evil") for frame in seen.page.frames] == [None] * len(seen.page.frames)
    assert (dialogs, canary.asked, seen.complaints) == ([], [], [])


def mail_of(person: str, words: list[str], mark: str) -> bytes:
    """A mail that says the words in its writer's name, subject, text, HTML, and the names of its files."""
    line = " ".join(" ".join(words).split())
    mail = EmailMessage()
    mail["To"], mail["Subject"] = MAILBOX, line
    mail.set_content(f"{mark}\n" + "\n".join(words))
    mail.add_alternative(f"<p>{mark}</p>" + "".join(words), subtype="html")
    for one in words[:3]:
        mail.add_attachment(b"x", "application", "octet-stream", filename=" ".join(one.split()))
    # By hand: the library drops the quotes of such a name and would name somebody else.
    name = line[:400].encode("ascii", "replace")
    coded = "\n ".join(f"=?utf-8?b?{base64.b64encode(name[at : at + 45]).decode()}?=" for at in range(0, len(name), 45))
    return f"From: {coded}\n <{person}>\n".encode() + mail.as_bytes()


async def test_no_payload_of_a_mail_or_a_note_runs_on_the_desk(browser: Browser, counter: Counter, canary: Canary) -> None:
    await counter.online("Deniz")
    desk, person = await desk_of(browser, counter, "Deniz"), f"evil-{uuid4().hex[:6]}@ornek.com"
    dialogs = heard(desk.page)
    parts = chunks(payloads(canary.url), 14)
    marks = [f"isaret{uuid4().hex[:6]}x{place}x" for place in range(len(parts))]
    await counter.raw_mail(person, MAILBOX, mail_of(person, parts[0], marks[0]))
    conversation = await counter.conversation_of(person)
    item = await counter.held("Deniz", conversation["id"])
    if item["offer"]:
        await counter.agents["Deniz"].post(f"/v1/offers/{item['offer']['id']}/accept")
    await desk.page.get_by_role("navigation").get_by_role("button").filter(has_text=marks[0]).first.click(timeout=SHOWN_MS)
    for words, mark in zip(parts[1:], marks[1:], strict=True):
        await counter.raw_mail(person, MAILBOX, mail_of(person, words, mark))
    for words in parts:
        noted = await counter.admin.post(
            f"/v1/profiles/{conversation['customer']['profile_id']}/notes", json={"text": "\n".join(words)}
        )
        assert noted.status_code == 201, noted.text
    for mark in marks:
        await expect(desk.page.get_by_text(mark).first).to_be_visible(timeout=SHOWN_MS)
    shown = (await counter.admin.get(f"/v1/conversations/{conversation['id']}/messages?limit=200")).json()["items"]
    assert len([one for one in shown if one["files"]]) == len(parts)
    formatted = desk.page.get_by_text("Biçimli göster")
    frames = desk.page.locator("iframe.mail")
    for place in range(len(parts)):
        await formatted.first.click()
        await expect(frames).to_have_count(place + 1)
    for place, mark in enumerate(marks):
        inside = desk.page.frame_locator("iframe.mail").nth(place)
        await expect(inside.get_by_text(mark)).to_be_visible(timeout=SHOWN_MS)
        assert await inside.locator("body").locator(STRANGE).count() == 0
        assert await frames.nth(place).get_attribute("sandbox") == ""
    await desk.page.get_by_text("Notlar", exact=True).first.click()
    await expect(desk.page.get_by_text(parts[-1][-1]).last).to_be_visible(timeout=SHOWN_MS)
    await nothing_ran(desk, canary, dialogs)


async def test_no_payload_of_a_chat_runs_on_either_side(browser: Browser, counter: Counter, canary: Canary) -> None:
    await counter.online("Deniz")
    desk = await desk_of(browser, counter, "Deniz")
    shop = await visit(browser, counter.facts["shop"], width=1280)
    dialogs = heard(desk.page), heard(shop.page)
    await shop.page.get_by_text("Bize sorun").first.click()
    chat = shop.page.frame_locator("iframe").first
    parts, mark = chunks(payloads(canary.url), 60), uuid4().hex[:6]
    for place, words in enumerate(parts):
        await chat.locator("textarea").fill("\n".join([*words, f"{mark}x{place}x"]))
        await chat.locator("textarea").press("Enter")
    await desk.page.get_by_role("button", name="Kabul et").first.click(timeout=SHOWN_MS)
    for place in range(len(parts)):
        for page in (chat, desk.page):
            await expect(page.get_by_text(f"{mark}x{place}x").last).to_be_visible(timeout=SHOWN_MS)
    for place, words in enumerate(parts):
        await desk.page.locator("textarea").first.fill("\n".join([*words, f"{mark}y{place}y"]))
        await desk.page.keyboard.press("Control+Enter")
        await expect(chat.get_by_text(f"{mark}y{place}y")).to_be_visible(timeout=SHOWN_MS)
    await expect(chat.locator(".log")).to_contain_text("<script>window.evil=1</script>")
    for seen, opened in zip((desk, shop), dialogs, strict=True):
        await nothing_ran(seen, canary, opened)

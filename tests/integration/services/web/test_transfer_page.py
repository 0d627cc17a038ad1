"""Handing an item over on the agents' page, in a real browser over the real API: the control, the note, the way back."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from services.api.static_pages import Front
from services.web.build import build_assets
from shared.database import Database
from tests.support.api import Api, listening, running_api
from tests.support.intake_line import rows
from tests.support.shift import Shift
from tests.support.waiting import eventually

PICTURES = Path("test-results")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("SANTRAL_CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        raise RuntimeError("no Chromium: install the package chromium, or name it with SANTRAL_CHROMIUM")
    if found is None:
        pytest.skip("no Chromium: install the package chromium, or name it with SANTRAL_CHROMIUM")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield opened
        await opened.close()


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as running:
        running.app.state.front = Front.read(await asyncio.to_thread(build_assets, lambda step: None))
        following = asyncio.create_task(running.app.state.fanout.run(running.hints.waiter("stream")))
        yield running
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def desk_page(browser: Browser, api: Api, http: str, shift: Shift, agent: str) -> Page:
    (row,) = await rows(shift.db, "select id from santral.agent where name = $1", agent)
    headers = await api.key(shift.workspace.id)
    code = (await api.client.post(f"/v1/agents/{row['id']}/codes", headers=headers)).json()["code"]
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="tr-TR")
    page = await context.new_page()
    await page.goto(f"{http}/desk#code={code}")
    await expect(page.get_by_text("Canlı")).to_be_visible(timeout=15_000)
    return page


async def test_an_item_is_handed_over_with_a_note_and_taken_back(browser: Browser, api: Api, shift: Shift) -> None:
    PICTURES.mkdir(exist_ok=True)
    item = await shift.mine(text="Faturamda yanlış tutar var, düzeltir misiniz?")
    await shift.colleague("Ece")
    await shift.add_queue("fatura")
    async with listening(api) as address:
        http = address.replace("ws://", "http://")
        giver = await desk_page(browser, api, http, shift, "Deniz")
        taker = await desk_page(browser, api, http, shift, "Ece")
        await giver.get_by_text("Faturamda yanlış").first.click()
        await giver.get_by_role("button", name="Devret").click()
        target = giver.locator("santral-desk-transfer")
        await expect(target.get_by_role("option", name="Ece")).to_be_attached()
        await giver.screenshot(path=PICTURES / "desk-transfer.png")
        # To a queue where nobody is: it can be taken back.
        await target.get_by_label("Kime?").select_option("queue:fatura")
        await target.get_by_role("button", name="Devret").click()
        await expect(giver.get_by_text("henüz kimse almadı")).to_be_visible(timeout=10_000)
        await giver.get_by_role("button", name="Geri al").click()
        await expect(giver.get_by_role("button", name="Devret")).to_be_visible(timeout=10_000)
        # To Ece, who sees the note in the offer, takes it, and finds the note in the conversation.
        await giver.get_by_role("button", name="Devret").click()
        ece = await target.get_by_role("option", name="Ece").get_attribute("value")
        assert ece is not None
        await target.get_by_label("Kime?").select_option(ece)
        await target.locator("textarea").fill("Tutar 120 TL olmalı, <b>onay</b> bekliyor.")
        await target.get_by_role("button", name="Devret").click()
        await eventually(lambda: handed_over(shift, item), 10, "the transfer")
        await shift.settle()
        await expect(taker.get_by_text("Deniz devrediyor")).to_be_visible(timeout=15_000)
        await expect(taker.get_by_text("<b>onay</b>")).to_be_visible()
        await taker.screenshot(path=PICTURES / "desk-transfer-offer.png")
        await taker.get_by_role("button", name="Kabul et").click()
        await expect(taker.get_by_text("İç not")).to_be_visible(timeout=10_000)
        await taker.screenshot(path=PICTURES / "desk-transfer-note.png")
        await expect(giver.get_by_text("Bu iş şu anda sizde değil")).to_be_visible(timeout=15_000)
        for page in (giver, taker):
            await page.context.close()
    assert (await shift.item(item))["agent_id"] != shift.deniz
    await shift.sound()


async def handed_over(shift: Shift, item: object) -> bool:
    (row,) = await rows(shift.db, "select target_agent_id from santral.work_item where id = $1", item)
    return row["target_agent_id"] is not None

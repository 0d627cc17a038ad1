"""Our pages in a real browser: Chromium as the system has it, a page with its complaints, an agent's desk by a one-time code."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.support.counter import Counter

PICTURES = Path("test-results")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


def chromium() -> str:
    """The browser's program; without one the test is skipped, in CI it fails."""
    found = os.environ.get("SANTRAL_CHROMIUM") or next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None and os.environ.get("CI"):
        raise RuntimeError("no Chromium: install the package chromium, or name it with SANTRAL_CHROMIUM")
    if found is None:
        pytest.skip("no Chromium: install the package chromium, or name it with SANTRAL_CHROMIUM")
    return found


@contextlib.asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser of its own, closed at the end."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield opened
        await opened.close()


class Visit:
    """A page of its own, and what its console complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)


async def visit(browser: Browser, url: str, width: int = 1440, locale: str = "tr-TR") -> Visit:
    """A page at this address, in a context of its own; in Turkish unless another language is named."""
    context = await browser.new_context(viewport={"width": width, "height": 900}, locale=locale)
    made = Visit(await context.new_page())
    await made.page.goto(url)
    return made


async def desk_of(browser: Browser, counter: Counter, name: str, locale: str = "tr-TR") -> Visit:
    """The desk of an agent, live; the code is gone from its address."""
    agents = {one["name"]: one for one in (await counter.admin.get("/v1/agents?limit=200")).json()["items"]}
    code = (await counter.admin.post(f"/v1/agents/{agents[name]['id']}/codes")).json()["code"]
    desk = await visit(browser, f"{counter.facts['http']}/desk#code={code}", locale=locale)
    await expect(desk.page.get_by_role("status").get_by_text("Canlı" if locale == "tr-TR" else "Live", exact=True)).to_be_visible(
        timeout=15_000
    )
    assert "code=" not in desk.page.url
    return desk

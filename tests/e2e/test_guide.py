"""The documentation in a real browser, as the API serves it: it reads well on a phone, finds words, and asks nobody else for anything."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.support.counter import Counter
from tests.support.pages import launched, visit
from tests.support.wheels import require_pages


@pytest.mark.parametrize("width", [1440, 390])
async def test_pages_are_read_and_words_are_found_without_another_host(running: Counter, width: int) -> None:
    require_pages()
    async with launched() as browser:
        guide = await visit(browser, f"{running.facts['http']}/docs/guide/", width=width, locale="en-US")
        asked: list[str] = []
        guide.page.on("request", lambda request: asked.append(request.url))
        await guide.page.reload()
        await expect(guide.page.get_by_role("heading", level=1)).to_contain_text("Santral")
        await guide.page.keyboard.press("/")
        await guide.page.keyboard.type("quarantine")
        await expect(guide.page.locator("mark", has_text="quarantine").first).to_be_visible(timeout=20_000)
        await guide.page.goto(f"{running.facts['http']}/docs/guide/inside/the-way-of-a-message/")
        await expect(guide.page.locator("figure.drawing svg")).to_be_visible()
        beyond = await guide.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, "the page is wider than the window"
        assert [url for url in asked if not url.startswith((running.facts["http"], "data:", "blob:"))] == []
        assert guide.complaints == []

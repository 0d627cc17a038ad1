"""`clean_html` in processes that can be killed: no page can hold up the event loop or take more than a second.

Source: libraries that build a tree from hostile HTML have quadratic corners by design of the standard; a thread cannot be stopped,
a process can (`shared/worker_process.py`). A page goes to the child as UTF-8 and comes back clean.
"""

from __future__ import annotations

import asyncio

from ingest.mail.html import PAGE_CHARS_MAX, clean_html, plain_text, text_as_html
from shared.errors import Unavailable
from shared.worker_process import WorkerProcesses, serve

_REPLY_BYTES_MAX = 32_000_000


class HtmlCleaner:
    """A pool of child processes, started when first needed. ``timeout_s`` is the time for one page, the wait for a free child apart.

    Use it as an async context, or call `close` (twice is allowed). A child that is too slow or dies is replaced.
    """

    def __init__(self, *, workers: int = 1, timeout_s: float = 1.0, start_timeout_s: float = 15.0) -> None:
        self._processes = WorkerProcesses(
            "ingest.mail.html_worker", workers=workers, timeout_s=timeout_s, start_timeout_s=start_timeout_s,
            answer_bytes_max=_REPLY_BYTES_MAX,
        )  # fmt: skip

    async def __aenter__(self) -> HtmlCleaner:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def clean(self, html: str) -> str:
        """HTML that is safe to show; the page as escaped text when it is too large, too slow, or kills the child. Never raises."""
        if len(html) > PAGE_CHARS_MAX:
            return await _as_text(html)
        try:
            return (await self._processes.ask(html.encode("utf-8", "replace"))).decode("utf-8")
        except (TimeoutError, ChildProcessError, Unavailable, ValueError):
            return await _as_text(html)

    async def close(self) -> None:
        """Kill the children. Pages still waiting are answered as text."""
        await self._processes.close()


async def clean(html: str) -> str:
    """One page, in a process of its own (0.1 s to start): for who cleans a page now and then and keeps no `HtmlCleaner`."""
    async with HtmlCleaner() as cleaner:
        return await cleaner.clean(html)


async def _as_text(html: str) -> str:
    # In a thread: a megabyte takes half a second of plain Python, which yields to the event loop; one sanitizer call would not.
    return await asyncio.to_thread(lambda: text_as_html(plain_text(html)))


def _answer(page: bytes) -> bytes:
    return clean_html(page.decode("utf-8", "replace")).encode("utf-8", "replace")


if __name__ == "__main__":
    serve(_answer)

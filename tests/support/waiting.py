"""Waiting for what another process does: asked again and again until it holds, with a deadline and a sentence when it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_Found = TypeVar("_Found")
_LOOK_S = 0.05


async def eventually(check: Callable[[], Awaitable[_Found | None]], timeout_s: float, what: str) -> _Found:
    """Returns the first true value of ``check``. Fails the test, saying ``what`` was awaited and the last value, after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = await check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what} (last seen: {found!r})")
        await asyncio.sleep(_LOOK_S)

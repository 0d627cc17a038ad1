"""A courier's way out that keeps what it was given, instead of a relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ingest.adapter import Adapter, Call, MailCall, Outcome
from services.courier.outgoing import Outgoing
from services.frame.egress import PUBLIC_ONLY


class Kept(Outgoing):
    """Says "sent" to every mail; ``surprise`` may raise instead."""

    def __init__(self, surprise: Callable[[MailCall], None] = lambda call: None, provider_id: str | None = None) -> None:
        super().__init__(smtp_relay=None, allowed=PUBLIC_ONLY)
        self._surprise = surprise
        self._provider_id = provider_id
        self.calls: list[MailCall] = []

    async def execute(self, adapter: Adapter, call: Call) -> Outcome:
        assert isinstance(call, MailCall)
        self._surprise(call)
        self.calls.append(call)
        return Outcome(state="sent", provider_id=self._provider_id or f"p-{len(self.calls)}")


class Hanging(Kept):
    """Providers that do not answer until they are let, but for mails to ``quick``."""

    def __init__(self, quick: str = "") -> None:
        super().__init__()
        self.let, self.changed, self.standing = asyncio.Event(), asyncio.Condition(), 0
        self._quick = quick

    async def execute(self, adapter: Adapter, call: Call) -> Outcome:
        assert isinstance(call, MailCall)
        if self._quick not in call.recipients:
            await self._count(1)
            try:
                await self.let.wait()
            finally:
                self.standing -= 1
        outcome = await super().execute(adapter, call)
        await self._count(0)
        return outcome

    async def until(self, happened: Callable[[], bool]) -> None:
        """Waits for something that a call brings about."""
        async with self.changed:
            await self.changed.wait_for(happened)

    async def _count(self, more: int) -> None:
        async with self.changed:
            self.standing += more
            self.changed.notify_all()

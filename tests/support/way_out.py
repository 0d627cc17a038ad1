"""A courier's way out that keeps what it was given, instead of a relay."""

from __future__ import annotations

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

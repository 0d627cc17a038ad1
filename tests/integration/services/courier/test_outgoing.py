"""Mail through a relay that speaks real SMTP, with and without SMTPUTF8: what is on the envelope, and what is said when it cannot go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from aiosmtpd.smtp import SMTP, Envelope, Session

from ingest.adapter import Inbox, MailCall, Outcome, Reply
from ingest.adapters.smtp import ADAPTER, own_message_id
from services.courier.outgoing import Outgoing
from services.frame.egress import PUBLIC_ONLY

INBOX = Inbox(workspace_id=UUID(int=1), id=UUID(int=2), name="posta", channel="email", provider="smtp", address="destek@örnek.com")


def call_to(to: str, cc: Sequence[str] = (), bcc: Sequence[str] = ()) -> MailCall:
    call = ADAPTER.reply(
        Reply(
            id=UUID(int=3), conversation_id=UUID(int=4), at=datetime(2026, 5, 4, tzinfo=UTC), inbox=INBOX, to_kind="email", to_scope="",
            to_value=to, content={"kind": "text", "text": "Merhaba"}, subject="x", cc=cc, bcc=bcc, token_secret=b"x" * 32,
        )
    )  # fmt: skip
    assert isinstance(call, MailCall)
    return call


class Relay:
    """Keeps what it took."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.named: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return "250 kept"


class Listening(SMTP):
    """Keeps recipients as they were written: aiosmtpd takes some quotes away."""

    async def smtp_RCPT(self, arg: str) -> None:
        self.event_handler.named.append(arg)
        await super().smtp_RCPT(arg)


@contextlib.asynccontextmanager
async def relay(*, utf8: bool) -> AsyncIterator[tuple[Relay, Outgoing]]:
    kept = Relay()
    server = await asyncio.get_running_loop().create_server(
        lambda: Listening(kept, enable_SMTPUTF8=utf8, hostname="relay.test", loop=asyncio.get_running_loop()), "127.0.0.1", 0
    )
    outgoing = Outgoing(smtp_relay=f"127.0.0.1:{server.sockets[0].getsockname()[1]}", allowed=PUBLIC_ONLY)
    try:
        yield kept, outgoing
    finally:
        await outgoing.close()
        server.close()


async def sent(call: MailCall, *, utf8: bool) -> tuple[Outcome, list[Envelope]]:
    async with relay(utf8=utf8) as (kept, outgoing):
        return await outgoing.execute(ADAPTER, call), kept.taken


async def test_recipients_at_international_domains_are_reached_through_any_relay() -> None:
    call = call_to("ayse@straße.de", cc=["ali@örnek.com"], bcc=["can@例え.jp", "ali@örnek.com"])
    outcome, (taken,) = await sent(call, utf8=False)
    assert outcome.state == "sent"
    assert taken.mail_from == "destek@xn--rnek-4qa.com"
    assert taken.rcpt_tos == ["ayse@xn--strae-oqa.de", "ali@xn--rnek-4qa.com", "can@xn--r8jz45g.jp"]
    assert own_message_id(UUID(int=3), INBOX.address) == f"{UUID(int=3)}@xn--rnek-4qa.com"


async def test_letters_before_the_at_need_a_relay_that_takes_them() -> None:
    call = call_to("ayşe@örnek.com")
    outcome, (taken,) = await sent(call, utf8=True)
    assert (outcome.state, taken.rcpt_tos) == ("sent", ["ayşe@xn--rnek-4qa.com"])
    assert taken.smtp_utf8
    refused, nothing = await sent(call, utf8=False)
    assert (refused.state, nothing) == ("failed", [])
    assert "SMTPUTF8" in refused.reason
    assert "ayşe" not in refused.reason


async def test_quoted_local_parts_reach_the_relay_as_they_are() -> None:
    addresses = ['"ali veli"@musteri.example', '"taro..y"@docomo.example', r'"ali\"v"@musteri.example', '"ali@ev"@musteri.example']
    async with relay(utf8=False) as (kept, outgoing):
        outcome = await outgoing.execute(ADAPTER, call_to(addresses[0], cc=addresses[1:]))
    assert (outcome.state, kept.named) == ("sent", [f"TO:<{one}>" for one in addresses])

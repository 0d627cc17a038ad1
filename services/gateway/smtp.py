"""The SMTP listener: mail for our mailboxes, acknowledged with 250 only when it is durable.

Source: RFC 5321 §4.2 (replies), §4.5.3 (limits and times). It takes mail for configured mailboxes only and relays nothing.
Answers to a mail: 250 stored, what cannot be understood too (it is in quarantine) · 451 not stored, send again · 552 over
`MAIL_BYTES_MAX`. A line may be as long as the mail.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from ingest.adapter import Inbox, Request, Target
from ingest.directory import Directory
from ingest.parse import INLINE_BYTES_MAX, Parser
from ingest.receive import Receiver
from services.gateway.mail_text import MailText
from services.gateway.taking_in import take_in
from services.gateway.trace_fields import traced
from shared.clock import Clock
from shared.errors import Unavailable
from shared.metrics import GATEWAY_REQUESTS, MESSAGES_IN

log = structlog.get_logger(__name__)
MAIL_BYTES_MAX: Final = 50 * 1024 * 1024
RECIPIENTS_MAX: Final = 100
_SILENCE_S: Final = 300  # RFC 5321 §4.5.3.2.7: at least five minutes
_ALL: Final = 1 << 30


class MailHandler:
    """aiosmtpd's hooks."""

    def __init__(
        self, *, directory: Directory, receiver: Receiver, clock: Clock, parser: Parser, border_id: str | None = None
    ) -> None:
        self._directory = directory
        self._receiver = receiver
        self._clock = clock
        self._parser = parser
        self._border_id = border_id

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return f"452 4.5.3 at most {RECIPIENTS_MAX} recipients"
        if not self._directory.loaded:
            return "451 4.3.0 the configuration has not been read yet, try again"
        if self._directory.mailbox(address) is None:
            return "550 5.1.1 no inbox has this address"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content or "").encode()
        inboxes = {inbox.id: inbox for address in envelope.rcpt_tos if (inbox := self._directory.mailbox(address)) is not None}
        try:
            body = await self._traced(content, envelope.mail_from or "")
            for inbox in inboxes.values():
                await self._take_in(inbox, body)
        except Unavailable as error:
            GATEWAY_REQUESTS.labels(provider="smtp", status="451").inc()
            return f"451 4.3.0 not stored, send again: {error.message}"
        GATEWAY_REQUESTS.labels(provider="smtp", status="250").inc()
        return "250 2.0.0 stored"

    async def handle_exception(self, error: Exception) -> str:
        """What nobody foresaw, anywhere in the session: the sender keeps its mail and comes again."""
        log.error("a session met an error", action="session_failed", kind=type(error).__name__)
        return "451 4.3.0 not stored, send again"

    async def _traced(self, content: bytes, mail_from: str) -> bytes:
        if len(content) <= INLINE_BYTES_MAX:
            return traced(content, mail_from=mail_from, border_id=self._border_id)
        return await asyncio.to_thread(traced, content, mail_from=mail_from, border_id=self._border_id)

    async def _take_in(self, inbox: Inbox, body: bytes) -> None:
        request = Request(method="SMTP", url="", headers={}, query={}, body=body, received_at=self._clock.now())
        target = Target(
            id=inbox.id, workspace_id=inbox.workspace_id, provider=inbox.provider, settings=inbox.settings,
            secrets=inbox.secrets, inboxes=(inbox,),
        )  # fmt: skip
        for one in await take_in(self._parser, self._receiver, target, request):
            MESSAGES_IN.labels(provider="smtp", understood="yes" if one.understood else "no").inc()


class MailServer(SMTP):
    """aiosmtpd, but for DATA: that one reads line by line, refuses long lines for good, and holds up the loop with many short ones."""

    line_length_limit = INLINE_BYTES_MAX  # of commands, which their own limits bound further, and of what is read ahead

    async def smtp_DATA(self, arg: str) -> None:
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos or arg:
            await self.push("501 Syntax: DATA" if arg else "503 Error: need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        text = MailText(self.data_size_limit or MAIL_BYTES_MAX)
        rest: bytes | None = None
        while rest is None:
            # All that was read ahead, so that what is put back below stands at the front.
            piece = await self._reader.read(_ALL)
            if not piece:
                return  # the connection ended; aiosmtpd is cancelling this task
            self._reset_timeout()
            rest = text.take(piece)
        if rest:
            self._reader.feed_data(rest)
        if text.too_large:
            GATEWAY_REQUESTS.labels(provider="smtp", status="552").inc()
            status = f"552 5.3.4 a mail is at most {self.data_size_limit} bytes"
        else:
            self.envelope.content = self.envelope.original_content = text.content()
            status = str(await self._call_handler_hook("DATA"))
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(status)


async def listen(handler: MailHandler, host: str, port: int) -> asyncio.Server:
    """Opens the listener on the running loop; port 0 takes a free one. Raises ``OSError`` when the port is taken."""

    def protocol() -> Any:
        return MailServer(
            handler, data_size_limit=MAIL_BYTES_MAX, enable_SMTPUTF8=True, hostname="santral", ident="Santral", timeout=_SILENCE_S,
            loop=asyncio.get_running_loop(),
        )  # fmt: skip

    return await asyncio.get_running_loop().create_server(protocol, host, port)

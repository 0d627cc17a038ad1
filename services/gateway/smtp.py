"""The SMTP listener: mail for our mailboxes, acknowledged with 250 only when it is durable.

Source: RFC 5321 §4.2 (replies), §4.5.3 (limits). It takes mail for configured mailboxes only and relays nothing.
Where the listener is our own border (a setting; the demo's loopback listener is) it stamps the authentication result that a
border server would, after removing every such header that claims to be ours.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from ingest.adapter import Inbox, Request, Target
from ingest.directory import Directory
from ingest.receive import Receiver
from ingest.registry import adapter_for
from shared.clock import Clock
from shared.errors import InputRejected, Unavailable
from shared.metrics import GATEWAY_REQUESTS, MESSAGES_IN

log = structlog.get_logger(__name__)
MAIL_BYTES_MAX: Final = 50 * 1024 * 1024
RECIPIENTS_MAX: Final = 100
_INLINE_PARSE_BYTES_MAX: Final = 64 * 1024


class MailHandler:
    """aiosmtpd's hooks."""

    def __init__(self, *, directory: Directory, receiver: Receiver, clock: Clock, border_id: str | None = None) -> None:
        self._directory = directory
        self._receiver = receiver
        self._clock = clock
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
            for inbox in inboxes.values():
                await self._take_in(inbox, content)
        except Unavailable as error:
            GATEWAY_REQUESTS.labels(provider="smtp", status="451").inc()
            return f"451 4.3.0 not stored, send again: {error.message}"
        except InputRejected as error:
            GATEWAY_REQUESTS.labels(provider="smtp", status="554").inc()
            return f"554 5.6.0 {error}"
        GATEWAY_REQUESTS.labels(provider="smtp", status="250").inc()
        return "250 2.0.0 stored"

    async def _take_in(self, inbox: Inbox, content: bytes) -> None:
        body = stamped(content, self._border_id) if self._border_id else content
        request = Request(method="SMTP", url="", headers={}, query={}, body=body, received_at=self._clock.now())
        target = Target(
            id=inbox.id, workspace_id=inbox.workspace_id, provider=inbox.provider, settings=inbox.settings,
            secrets=inbox.secrets, inboxes=(inbox,),
        )  # fmt: skip
        adapter = adapter_for(inbox.provider)
        # A large mail costs tens of milliseconds to decode; the loop must go on answering meanwhile.
        small = len(body) <= _INLINE_PARSE_BYTES_MAX
        parsed = adapter.parse(target, request) if small else await asyncio.to_thread(adapter.parse, target, request)
        for one in await self._receiver.receive(target, parsed):
            MESSAGES_IN.labels(provider="smtp", understood="yes" if one.understood else "no").inc()


def stamped(content: bytes, border_id: str) -> bytes:
    """The mail with our own authentication result on top and every forged one of the same name removed."""
    head, separator, body = content.partition(b"\r\n\r\n")
    if not separator:
        head, separator, body = content.partition(b"\n\n")
    newline = b"\r\n" if b"\r\n" in head else b"\n"
    kept: list[bytes] = []
    dropping = False
    domain = b""
    for line in head.split(newline):
        if line[:1] in b" \t" and line[:1]:
            if not dropping:
                kept.append(line)
            continue
        name, _, value = line.partition(b":")
        dropping = name.strip().lower() == b"authentication-results" and value.split(b";")[0].split()[:1] == [border_id.encode()]
        if name.strip().lower() == b"from":
            domain = value.rpartition(b"@")[2].strip(b"> \t\r\n").split()[0] if b"@" in value else b""
        if not dropping:
            kept.append(line)
    stamp = b"Authentication-Results: " + border_id.encode() + b"; dmarc=pass header.from=" + (domain or b"unknown")
    return newline.join([stamp, *kept]) + separator + body


async def listen(handler: MailHandler, host: str, port: int) -> asyncio.Server:
    """Opens the listener on the running loop; port 0 takes a free one. Raises ``OSError`` when the port is taken."""

    def protocol() -> Any:
        return SMTP(
            handler, data_size_limit=MAIL_BYTES_MAX, enable_SMTPUTF8=True, hostname="santral", ident="Santral", timeout=120,
            loop=asyncio.get_running_loop(),
        )  # fmt: skip

    return await asyncio.get_running_loop().create_server(protocol, host, port)

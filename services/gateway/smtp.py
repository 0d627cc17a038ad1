"""The SMTP listener: mail for our mailboxes, acknowledged with 250 only when it is durable.

Source: RFC 5321 §4.2 (replies), §4.5.3 (limits and times). It takes mail for configured mailboxes only and relays nothing.
Answers to a mail: 250 stored, what cannot be understood too (it is in quarantine) · 451 not stored, no room for it now, too
many of one address or to one workspace, one that is put off (`services/frame/processor_time.py`), or a recipient who is
there no more: send again · 552 over `MAIL_BYTES_MAX`; 421 to a connection too many, after `COMMANDS_MAX` without a mail, or
where it waits for its sender and others find no room. A line may be as long as the mail.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Final, cast
from uuid import UUID

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from ingest.adapter import Inbox, Request, Target
from ingest.adapters.smtp import LISTENER
from ingest.directory import Directory
from ingest.parse import Parser
from ingest.receive import Receiver
from services.frame.making_room import Place
from services.frame.peers import plain_address, shares_of
from services.frame.processor_time import ProcessorTime, counts_for, turn_of
from services.frame.rates import Rates
from services.frame.strangers import Strangers
from services.gateway.mail_border import Border
from services.gateway.mail_room import HeldMail, MailRoom
from services.gateway.mail_text import MailText
from services.gateway.taking_in import take_in
from services.gateway.trace_fields import traced
from shared.clock import Clock
from shared.errors import Throttled, Unavailable
from shared.metrics import GATEWAY_REQUESTS, MAILS_REFUSED, MESSAGES_IN
from shared.shares import Share

log = structlog.get_logger(__name__)
MAIL_BYTES_MAX: Final = 50 * 1024 * 1024
RECIPIENTS_MAX: Final = 100
COMMANDS_MAX: Final = 500
"""Between one mail and the next: a mail of `RECIPIENTS_MAX` has a hundred and some."""
DATA_S: Final = 900.0  # for all of a mail; RFC 5321 §4.5.3.2.6 asks for ten minutes after its end
LINE_BYTES_MAX: Final = 64 * 1024
TRACED_AT_ONCE_BYTES_MAX: Final = 64 * 1024
_OUT_OF_ROOM: Final = "451 4.3.1 {}, come again"
_SILENCE_S: Final = 300  # RFC 5321 §4.5.3.2.7: at least five minutes
_ALL: Final = 1 << 30


class MailHandler:
    """aiosmtpd's hooks."""

    def __init__(
        self, *, directory: Directory, receiver: Receiver, clock: Clock, parser: Parser, border: Border | None = None
    ) -> None:
        self._directory = directory
        self._receiver = receiver
        self._clock = clock
        self._parser = parser
        self._border = border

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return f"452 4.5.3 at most {RECIPIENTS_MAX} recipients"
        if not self._directory.loaded:
            return "451 4.3.0 the configuration has not been read yet, try again"
        inbox = self._directory.mailbox(address)
        if inbox is None:
            return "550 5.1.1 no inbox has this address"
        assert isinstance(server, MailServer)
        try:
            # By recipient: a mail that goes to another workspace too is taken there.
            server.rates.take("workspace", str(inbox.workspace_id))
            await turn_of(inbox.workspace_id, server.subscriber, stranger=True)
        except Throttled as error:
            GATEWAY_REQUESTS.labels(provider="smtp", status="451").inc()
            return _throttled(error)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def taken(self, text: MailText, session: Session, envelope: Envelope, room: MailRoom) -> str:
        """A mail that has come to its end, judged and taken in: the answer to it. It is read when its turn has come."""
        mail_from, peer = envelope.mail_from or "", _peer_of(session)
        try:
            results = await self._judged(text, mail_from, session.host_name or "", peer)
            # Each workspace's in its own turn: who waited for several at once would wait for ever beside those who need one.
            for target in _targets(self._inboxes(envelope.rcpt_tos)):
                counts_for(target.workspace_id, shares_of(peer)[0].owner, stranger=True)
                # Who sent it says nothing where a border in front of us hands on everybody's.
                owners = (*(shares_of(peer) if self._border is not None else ()), target.workspace_id)
                async with room.working(owners, text.size, senders=shares_of(peer), late=self._parser.is_late(target)):
                    await self._take_in(target, await self._traced(text.content(), mail_from, results))
        except Throttled as error:
            GATEWAY_REQUESTS.labels(provider="smtp", status="451").inc()
            return _throttled(error)
        except Unavailable as error:
            GATEWAY_REQUESTS.labels(provider="smtp", status="451").inc()
            return f"451 4.3.0 not stored, send again: {error.message}"
        GATEWAY_REQUESTS.labels(provider="smtp", status="250").inc()
        return "250 2.0.0 stored"

    def _inboxes(self, addresses: Sequence[str]) -> Sequence[Inbox]:
        """Those of a mail that has come, which took its time. Raises `Unavailable` where one is there no more: what is sent again is refused
        at its recipient, and the others take it."""
        found = [self._directory.mailbox(address) for address in addresses]
        if None in found:
            raise Unavailable("a recipient is there no more")
        return list({inbox.id: inbox for inbox in found if inbox is not None}.values())

    async def handle_exception(self, error: Exception) -> str:
        """What nobody foresaw, anywhere in the session: the sender keeps its mail and comes again."""
        log.error("a session met an error", action="session_failed", kind=type(error).__name__)
        return "451 4.3.0 not stored, send again"

    async def _judged(self, text: MailText, mail_from: str, helo: str, peer: str) -> str | None:
        if self._border is None:
            return None
        return await self._border.results(text.content, mail_from=mail_from, helo=helo, peer=peer, owners=shares_of(peer))

    async def _traced(self, content: bytes, mail_from: str, results: str | None) -> bytes:
        if len(content) <= TRACED_AT_ONCE_BYTES_MAX:
            return traced(content, mail_from=mail_from, results=results)
        return await asyncio.to_thread(traced, content, mail_from=mail_from, results=results)

    async def _take_in(self, target: Target, body: bytes) -> None:
        request = Request(method=LISTENER, url="", headers={}, query={}, body=body, received_at=self._clock.now(), proven=True)
        for one in await take_in(self._parser, self._receiver, target, request):
            MESSAGES_IN.labels(provider="smtp", understood="yes" if one.understood else "no").inc()


class MailServer(SMTP):
    """aiosmtpd, but for DATA, which it reads line by line, refuses where lines are long, and holds up the loop with where they are many.

    Its commands do not hold up the loop either: others have their turn after each, and a session of commands without a mail ends.
    """

    _owners: tuple[Share, ...] = ()
    _place: Place | None = None
    _answers = 0

    def __init__(
        self,
        handler: MailHandler,
        room: MailRoom,
        rates: Rates,
        processor_time: ProcessorTime,
        strangers: Strangers,
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self._handler = handler
        self.rates = rates
        self._processor_time = processor_time
        self._strangers = strangers
        self._room = room

    line_length_limit = LINE_BYTES_MAX  # of commands, which their own limits bound further, and of what is read ahead

    async def push(self, status: Any) -> None:
        await super().push(status)
        self._answers += 1
        if self._answers > COMMANDS_MAX and self.transport is not None:
            MAILS_REFUSED.labels(reason="commands").inc()
            await super().push("421 4.7.0 too many commands without a mail, come again")
            self.transport.close()
            await asyncio.Event().wait()  # until the connection's end, which cancels this task
        # What was read ahead is answered without waiting for anything else; and of many sessions a few have their turn at once.
        await self._strangers.turn(self._owners)

    async def smtp_DATA(self, arg: str) -> None:
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos or arg:
            await self.push("501 Syntax: DATA" if arg else "503 Error: need RCPT command")
            return
        try:
            self.rates.take("mails", self._owners)
        except Throttled as error:
            GATEWAY_REQUESTS.labels(provider="smtp", status="451").inc()
            await self.push(_throttled(error))
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        text = MailText(self.data_size_limit or MAIL_BYTES_MAX)
        with self._room.mail(self._owners, self._make_room) as held, contextlib.closing(text):
            status = await self._received(text, held)
        if status is None:
            return  # the connection ended; aiosmtpd is cancelling this task
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        self._answers = 0
        await self.push(status)
        if status.startswith(_OUT_OF_ROOM[:9]) and self.transport is not None:
            self.transport.close()  # the rest of that mail is not read

    async def _received(self, text: MailText, held: HeldMail) -> str | None:
        """The mail taken to its end and handed on: the answer to it; None when the connection ended before."""
        assert self.envelope is not None
        until = asyncio.get_running_loop().time() + DATA_S
        rest: bytes | None = None
        while rest is None:
            # All that was read ahead, so that what is put back below stands at the front.
            with held.place.waiting():
                piece = await self._reader.read(_ALL)
            if not piece:
                return None
            if asyncio.get_running_loop().time() > until:
                MAILS_REFUSED.labels(reason="too_slow").inc()
                return _OUT_OF_ROOM.format("this mail takes too long")
            self._reset_timeout()
            rest = text.take(piece)
            if not held.grow(text.size):
                return _OUT_OF_ROOM.format("no room for this mail now")
        if rest:
            self._reader.feed_data(rest)
        if text.too_large:
            GATEWAY_REQUESTS.labels(provider="smtp", status="552").inc()
            return f"552 5.3.4 a mail is at most {self.data_size_limit} bytes"
        assert self.session is not None
        return await self._handler.taken(text, self.session, self.envelope, self._room)

    @property
    def subscriber(self) -> Hashable:
        """Who sends, as far as one line tells."""
        return self._owners[0].owner if self._owners else None

    async def _handle_client(self) -> None:
        await self._processor_time.of_work(super()._handle_client())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._owners = shares_of(str(peer[0]) if peer else "")
        self._place = self._room.enter(self._owners, self._make_room)
        if self._place is None:
            transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
            transport.write(b"421 4.7.0 too many connections, come again in a minute\r\n")
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._place is not None:
            self._place.leave()
        super().connection_lost(error)
        # The session, its envelope and its task point at each other, and the collector looks seldom here.
        self.envelope = None

    def _cb_client_connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super()._cb_client_connected(Heard(reader, self._waiting), writer)  # type: ignore[arg-type]

    def _waiting(self) -> contextlib.AbstractContextManager[None]:
        return self._place.waiting() if self._place is not None else contextlib.nullcontext()

    def _make_room(self) -> None:
        MAILS_REFUSED.labels(reason="made_room").inc()
        if self.transport is None or self.transport.is_closing():
            return
        transport = cast("asyncio.Transport", self.transport)
        if transport.get_write_buffer_size():
            transport.abort()  # what is not taken would hold the connection
        else:
            transport.write(b"421 4.3.2 others need the room, come again in a minute\r\n")
            transport.close()


class Heard:
    """What aiosmtpd reads of a session; ``waiting`` holds while it waits for its sender."""

    def __init__(self, reader: asyncio.StreamReader, waiting: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        self._reader, self._waiting = reader, waiting
        self.feed_data = reader.feed_data

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        with self._waiting():
            return await self._reader.readuntil(separator)

    async def read(self, size: int = -1) -> bytes:
        with self._waiting():
            return await self._reader.read(size)


def _peer_of(session: Session) -> str:
    return plain_address(str(session.peer[0]) if session.peer else "")


def _targets(inboxes: Sequence[Inbox]) -> Iterator[Target]:
    """Where a mail goes: the inboxes of one workspace at a time, for which it is parsed once."""
    of_each: dict[UUID, list[Inbox]] = {}
    for one in inboxes:
        of_each.setdefault(one.workspace_id, []).append(one)
    for those in of_each.values():
        first = those[0]
        yield Target(
            id=first.id, workspace_id=first.workspace_id, provider=first.provider, settings=first.settings, secrets=first.secrets,
            inboxes=those, every=True,
        )  # fmt: skip


def _throttled(error: Throttled) -> str:
    return f"451 4.7.0 {error.message}, {error.remedy}"


async def listen(
    handler: MailHandler,
    bound: socket.socket,
    *,
    room: MailRoom | None = None,
    rates: Rates | None = None,
    processor_time: ProcessorTime | None = None,
    strangers: Strangers | None = None,
) -> asyncio.Server:
    """Opens the listener on the running loop."""
    shared_room, counters, times = room or MailRoom(), rates or Rates(), processor_time or ProcessorTime()
    line = strangers or Strangers()

    def protocol() -> Any:
        return MailServer(
            handler, shared_room, counters, times, line, data_size_limit=MAIL_BYTES_MAX, enable_SMTPUTF8=True, hostname="santral", ident="Santral",
            timeout=_SILENCE_S, loop=asyncio.get_running_loop(),
        )  # fmt: skip

    return await asyncio.get_running_loop().create_server(protocol, sock=bound)

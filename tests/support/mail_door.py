"""The gateway's two doors in this process, without database and broker: what they publish is kept in a list.

async with mail_door(tmp_path) as door:
    assert (await door.send(b"Subject: x\\r\\n\\r\\ny\\r\\n")).startswith("250")
    (message,) = door.messages
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from ingest.adapter import Inbox, MaskNumbers, Target
from ingest.directory import Directory
from ingest.mailboxes import Mailboxes, named
from ingest.masking_worker import Masker
from ingest.parse import Parser
from ingest.receive import Receiver
from services.frame.doors import listening_socket
from services.gateway.mail_border import Border
from services.gateway.smtp import MailHandler, listen
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.cloudevent import decode_message
from shared.ids import new_id
from shared.kafka import Record
from shared.message import InboundMessage

ADDRESS = "destek@ornek.com"


class Kept:
    """A broker that has everything at once."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        self.records += records


class OneInbox(Directory):
    """A directory that knows one inbox, by its mail address and by the token ``in``."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(cast("Any", None), cast("Any", None))
        self._known = inbox
        self._mailboxes = Mailboxes(filter(None, [named(replace(inbox, provider="smtp"), kept=None, at=None)]))
        self.loaded = True

    def target(self, path_token: str) -> Target:
        return Target(
            id=self._known.id, workspace_id=self._known.workspace_id, provider=self._known.provider, inboxes=(self._known,),
            settings=self._known.settings, secrets=self._known.secrets, grace_until=datetime.max.replace(tzinfo=UTC),
        )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class MailDoor:
    """The listener's port, the collaborators, what was published, the blobs."""

    port: int
    inbox: Inbox
    kept: Kept
    blobs: FileBlobs
    receiver: Receiver
    parser: Parser
    gaps_s: list[float] = field(default_factory=list)

    @property
    def messages(self) -> list[InboundMessage]:
        return [decode_message(record.headers, record.value) for record in self.kept.records]

    async def original(self, message: InboundMessage) -> bytes:
        """The mail as it was kept."""
        if message.original is not None:
            return base64.b64decode(message.original)
        (part,) = [one for one in message.parts if one.role == "original"]
        return await self.blobs.get(part.blob)

    async def send(self, mail: bytes, *, sender: str = "ayse@ornek.net", to: str = ADDRESS, piece: int = 1 << 20) -> str:
        """One session with one mail, its dots stuffed here; the answer to it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        stuffed = (b"." if mail.startswith(b".") else b"") + mail.replace(b"\r\n.", b"\r\n..")
        try:
            await reader.readline()
            utf8 = "" if to.isascii() else " SMTPUTF8"
            for command in ("EHLO x", f"MAIL FROM:<{sender}> SIZE=1{utf8}", f"RCPT TO:<{to}>", "DATA"):
                writer.write(command.encode() + b"\r\n")
                while (answer := await reader.readline())[3:4] == b"-":
                    pass
                if answer[:1] not in b"23":
                    return answer.decode()
            for at in range(0, len(stuffed), piece):
                writer.write(stuffed[at : at + piece])
                await writer.drain()
            writer.write(b".\r\n" if mail.endswith(b"\r\n") else b"\r\n.\r\n")
            return (await reader.readline()).decode()
        finally:
            writer.close()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Measures how long the event loop was not heard from, into ``gaps_s``."""
        watcher = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield
        finally:
            watcher.cancel()

    async def _watch(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.gaps_s.append(now - last - 0.001)
            last = now


@contextlib.asynccontextmanager
async def mail_door(
    folder: Path,
    *,
    provider: str = "smtp",
    timeout_s: float = 60,
    border: Border | None = None,
    address: str = ADDRESS,
    authserv_id: str = "",
    mask_numbers: MaskNumbers = False,
) -> AsyncIterator[MailDoor]:
    """Both doors open on a workspace of their own."""
    inbox = Inbox(
        workspace_id=new_id(),
        id=new_id(),
        name="mail",
        channel="email",
        provider=provider,
        address=address,
        region="TR",
        settings={"authserv_id": authserv_id} if authserv_id else {},
        mask_numbers=mask_numbers,
    )
    kept, blobs = Kept(), FileBlobs(folder)
    async with Parser(timeout_s=timeout_s) as parser, Masker() as masker:
        receiver = Receiver(publisher=kept, topic="t", blobs=blobs, secret=b"s" * 32, clock=SystemClock(), masker=masker)
        handler = MailHandler(directory=OneInbox(inbox), receiver=receiver, clock=SystemClock(), parser=parser, border=border)
        server = await listen(handler, listening_socket("127.0.0.1", 0, setting="port"))
        try:
            yield MailDoor(
                port=server.sockets[0].getsockname()[1], inbox=inbox, kept=kept, blobs=blobs, receiver=receiver, parser=parser
            )
        finally:
            server.close()

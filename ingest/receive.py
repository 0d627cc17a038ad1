"""The one way a message is taken in: ids, blobs, record, then the broker's ack or the spool's fsync; only then a 2xx.

Used by the gateway (with a spool where it has a volume) and by the API (without). Calling it twice with the same draft gives
the same id and a second record, which the receipt drops.

**Identity**: the provider's external id; where there is none, a digest of the decoded content and the day, fixed here.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

from ingest.adapter import Draft, Inbox, Parsed, Part, Request, Target, Unparsed, draft_message
from ingest.digest import content_digest
from ingest.mail.reply_token import conversation_of
from ingest.masking_worker import Masker
from ingest.provenance import kept
from shared.blobs import Blobs
from shared.clock import Clock
from shared.cloudevent import encode_message
from shared.errors import TooLarge, Unavailable
from shared.handle import Handle, partition_key
from shared.handle_forms import first_form
from shared.ids import InboxId, WorkspaceId, message_id
from shared.kafka import Record
from shared.message import ORIGINAL_INLINE_BYTES_MAX, RECORD_BYTES_MAX, TEXT_INLINE_CHARS_MAX, InboundMessage
from shared.message import Part as StoredPart
from shared.turns import Turn, let_others

_PORTION: Final = 500  # records that the broker is given at once: its deadline is not made for thousands
_IN_LOOP_BYTES_MAX: Final = 512 * 1024  # above it the event loop does not wait for a digest


class Publishing(Protocol):
    """Where records go; returns when the broker has them all, raises `Unavailable` otherwise."""

    async def publish(self, topic: str, records: Sequence[Record]) -> None: ...


class Spooling(Protocol):
    """A gateway's own durable queue for the time the broker is away."""

    @property
    def empty(self) -> bool: ...

    async def append(self, topic: str, records: Sequence[Record]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What was acknowledged. ``spooled`` is durable here but not yet on the broker."""

    message_id: UUID
    external_id: str
    understood: bool
    spooled: bool = False


Prepared: TypeAlias = tuple[Accepted, Record]
"""A message on its way in, and the record that says so."""


class Receiver:
    """Takes parsed messages in. Safe to share between tasks. ``masker`` is closed by who gives it."""

    def __init__(
        self, *, publisher: Publishing, topic: str, blobs: Blobs, secret: bytes, clock: Clock, spool: Spooling | None = None,
        masker: Masker | None = None,
    ) -> None:  # fmt: skip
        self._publisher = publisher
        self._topic = topic
        self._blobs = blobs
        self._secret = secret
        self._clock = clock
        self._spool = spool
        self._masker = masker or Masker()

    async def receive(
        self, target: Target, parsed: Sequence[Parsed], *, request: Request | None = None, at: datetime | None = None
    ) -> list[Accepted]:
        """Takes every element in, in order; returns only when all are durable.

        ``request``: how it came, kept with what was not understood. ``at``: when it was accepted, where that was not now.
        Raises `Unavailable` with nothing acknowledged (some may be on the broker: redelivery is harmless), `TooLarge` when a
        record cannot be made small enough.
        """
        return await self.publish(await self.prepare(target, parsed, request=request, at=at))

    async def prepare(
        self, target: Target, parsed: Sequence[Parsed], *, request: Request | None = None, at: datetime | None = None
    ) -> list[Prepared]:
        """All that takes long before it is taken in: masked, its parts stored. What is not published leaves nothing but these parts."""
        now = at or self._clock.now()
        prepared: list[Prepared] = []
        turn = Turn()
        for place, element in enumerate(parsed):
            await let_others(place)
            await turn.over()
            draft = element if isinstance(element, Draft) else await _unparsed_draft(target, element, request)
            message = await self._message(draft, now)
            understood = message.kind != "unparsed"
            prepared.append(
                (Accepted(message_id=message.id, external_id=message.external_id, understood=understood), self._record(message))
            )
        return prepared

    async def publish(self, prepared: Sequence[Prepared]) -> list[Accepted]:
        """Returns only when all are durable. Raises as `receive`."""
        accepted, records = [one for one, _ in prepared], [record for _, record in prepared]
        for start in range(0, len(records), _PORTION):
            end = start + _PORTION
            if await self._publish(records[start:end]):
                accepted[start:end] = [replace(one, spooled=True) for one in accepted[start:end]]
        return accepted

    def identify(self, draft: Draft) -> UUID:
        """The id this draft has or would have; no side effect."""
        external_id = draft.external_id or _weak_id(draft, self._clock.now())[0]
        return message_id(self._secret, WorkspaceId(draft.inbox.workspace_id), InboxId(draft.inbox.id), external_id)

    async def _publish(self, records: Sequence[Record]) -> bool:
        """True when the spool took them. While the spool is not empty everything goes through it, so order holds."""
        if self._spool is not None and not self._spool.empty:
            await self._spool.append(self._topic, records)
            return True
        try:
            await self._publisher.publish(self._topic, records)
        except Unavailable:
            if self._spool is None:
                raise
            await self._spool.append(self._topic, records)
            return True
        return False

    async def _message(self, draft: Draft, now: datetime) -> InboundMessage:
        more: dict[str, Any] = {}
        external_id = draft.external_id
        if not external_id:
            external_id, more["digest"], more["bucket_day"] = _weak_id(draft, now)
        identity = message_id(self._secret, WorkspaceId(draft.inbox.workspace_id), InboxId(draft.inbox.id), external_id)
        draft = await self._masker.masked(draft)
        parts = list(draft.parts)
        text = str(draft.values.get("text", ""))
        if len(text) > TEXT_INLINE_CHARS_MAX:
            parts.append(Part(content=text.encode(), content_type="text/plain; charset=utf-8", role="text"))
            more["text"] = text[:TEXT_INLINE_CHARS_MAX]
            more["text_stripped"] = None
        if draft.original and len(draft.original) <= ORIGINAL_INLINE_BYTES_MAX:
            more["original"] = base64.b64encode(draft.original).decode()
        elif draft.original:
            parts.append(Part(content=draft.original, role="original"))
        more["refs"] = tuple(self._resolved(draft))
        more["parts"] = [await self._store(draft, identity, part) for part in parts]
        return draft_message(draft, message_id=identity, accepted_at=now, external_id=external_id, **more)

    def _resolved(self, draft: Draft) -> Iterator[str]:
        """The draft's references, with a signed plus-address turned into the conversation it stands for; a forged one is dropped."""
        for ref in draft.values.get("refs", ()):
            if not ref.startswith("address:"):
                yield ref
                continue
            conversation = conversation_of(ref.removeprefix("address:"), self._secret)
            if conversation is not None:
                yield f"conversation:{conversation}"

    async def _store(self, draft: Draft, identity: UUID, part: Part) -> StoredPart:
        digest = await _digest(part.content)
        key = f"{draft.inbox.workspace_id}/{identity}/{part.role}-{digest}"
        await self._blobs.put(key, part.content)
        return StoredPart(
            blob=key, name=part.name, content_type=part.content_type, size_bytes=len(part.content), content_id=part.content_id,
            inline=part.inline, role=part.role,
        )  # fmt: skip

    def _record(self, message: InboundMessage) -> Record:
        record = encode_message(message, key=self._key(message))
        if len(record.value) > RECORD_BYTES_MAX:
            record = encode_message(
                message.model_copy(update={"original": None, "original_truncated": True}), key=self._key(message)
            )
        if len(record.value) > RECORD_BYTES_MAX:
            raise TooLarge(
                f"the message's own fields are {len(record.value)} bytes", field="message", remedy=f"at most {RECORD_BYTES_MAX}"
            )
        return record

    def _key(self, message: InboundMessage) -> bytes:
        session, raw = message.traits.get("session"), ""
        if session is not None:
            sender = Handle(kind="visitor", scope=str(message.inbox_id), value=session)
        elif message.sender is not None:
            sender, raw = message.sender.handle(), message.sender.raw
        else:
            sender = Handle(kind="visitor", scope=str(message.inbox_id), value=message.external_id)
        return partition_key(self._secret, WorkspaceId(message.workspace_id), first_form(sender, raw))


def _weak_id(draft: Draft, now: datetime) -> tuple[str, str, int]:
    """``(external id, digest, day)`` of content that has no id of its own."""
    day = int(now.timestamp()) // 86400
    digest = content_digest(draft.values, draft.parts)
    return f"digest:{digest}:{day}", digest, day


async def _digest(content: bytes) -> str:
    if len(content) <= _IN_LOOP_BYTES_MAX:
        return hashlib.blake2b(content, digest_size=16).hexdigest()
    return await asyncio.to_thread(lambda: hashlib.blake2b(content, digest_size=16).hexdigest())


async def _unparsed_draft(target: Target, element: Unparsed, request: Request | None) -> Draft:
    """What could not be understood travels the same way, as ``kind=unparsed``; its id is the digest of its bytes.

    Where no inbox has the account it names, the connection stands in for the inbox, and masks what all its inboxes mask.
    """
    masks = {inbox.mask_numbers for inbox in target.inboxes}
    inbox = element.inbox or Inbox(
        workspace_id=target.workspace_id, id=target.id, name="", channel="unknown", provider=target.provider,
        mask_numbers=masks.pop() if len(masks) == 1 else False,
    )  # fmt: skip
    digest = await _digest(element.original)
    known = {} if request is None else kept(request, inbox.settings)
    values = {"kind": "unparsed", "reason": element.reason[:2000], "traits": known}
    return Draft(inbox=inbox, external_id=f"unparsed:{digest}", values=values, original=element.original)

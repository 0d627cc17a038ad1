"""A request parsed in a process of its own: what goes to the child and comes back, as plain data (MessagePack), and the child itself.

`question` and `answer_of` are the parent's side, `answer` the child's. Nothing that comes back is executed or unpickled: fields of a
draft are read back by the types of `InboundMessage`. The bytes of the request do not travel back.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from pydantic import BaseModel, TypeAdapter

from ingest.adapter import Draft, Inbox, Parsed, Part, Request, Target, Unparsed
from ingest.own_addresses import OwnAddresses
from ingest.registry import adapter_for
from shared.message import InboundMessage
from shared.turns import let_others
from shared.worker_process import serve

ELEMENTS_MAX: Final = 5000
"""Of one post. A provider sends a thousand at most; each costs the event loop a tenth of a millisecond."""
_HEAD: Final = struct.Struct(">I")
# The annotations without their bounds: those are held where the message is built.
_FIELDS: Final = {name: TypeAdapter[Any](cast("Any", known.annotation)) for name, known in InboundMessage.model_fields.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    target: Target  # its inboxes without what they share
    request: Request  # without its body, which follows
    own: Mapping[UUID, OwnAddresses | None]  # of each workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class _Element:
    """A draft or something unparsed. ``original`` None is the whole body; ``parts`` None are those of the one before, whose are the values that
    are not named, too: one mail for several inboxes."""

    inbox_id: UUID | None
    original: bytes | None
    external_id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[Part] | None = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """``failed`` is the kind of error that the adapter did not foresee."""

    elements: list[_Element] = field(default_factory=list)
    failed: str = ""


def question(target: Target, request: Request) -> tuple[bytes, bytes, bytes]:
    """The pieces of the question to the child: length of the head, head, body."""
    own = {inbox.workspace_id: inbox.own for inbox in target.inboxes}
    head = msgspec.msgpack.encode(_Asked(target=_with(target, {}), request=replace(request, body=b""), own=own))
    return _HEAD.pack(len(head)), head, request.body


async def answer_of(said: bytes, target: Target, body: bytes) -> Sequence[Parsed] | str:
    """What the child understood, or the kind of error it met. Raises `ValueError` for an answer that is none."""
    answered = msgspec.msgpack.decode(said, type=_Answered)
    if answered.failed:
        return answered.failed
    inboxes = {inbox.id: inbox for inbox in target.inboxes}
    parsed: list[Parsed] = []
    for place, one in enumerate(answered.elements):
        await let_others(place)
        parsed.append(_parsed(one, inboxes, body, parsed[-1] if parsed else None))
    return parsed


def _with(target: Target, own: Mapping[UUID, OwnAddresses | None]) -> Target:
    """A workspace's own addresses travel once, however many inboxes share them."""
    return replace(target, inboxes=tuple(replace(inbox, own=own.get(inbox.workspace_id)) for inbox in target.inboxes))


def _parsed(one: _Element, inboxes: Mapping[UUID, Inbox], body: bytes, before: Parsed | None) -> Parsed:
    original = body if one.original is None else one.original
    inbox = inboxes.get(one.inbox_id) if one.inbox_id is not None else None
    if one.reason is not None or inbox is None:
        return Unparsed(inbox=inbox, original=original, reason=one.reason or "no inbox")
    values = {name: _FIELDS[name].validate_python(value) for name, value in one.values.items()}
    parts = one.parts
    if parts is None:
        if not isinstance(before, Draft):
            raise ValueError("an element like one that is not there")
        values, parts = {**before.values, **values}, before.parts
    return Draft(inbox=inbox, external_id=one.external_id, values=values, parts=parts, original=original)


def answer(asked: bytes) -> bytes:
    """The child's answer. Never raises: the kind of an unforeseen error is an answer too."""
    (size,) = _HEAD.unpack_from(asked)
    head = msgspec.msgpack.decode(asked[_HEAD.size : _HEAD.size + size], type=_Asked)
    request = replace(head.request, body=asked[_HEAD.size + size :])
    try:
        parsed = adapter_for(head.target.provider).parse(_with(head.target, head.own), request)
        if len(parsed) > ELEMENTS_MAX:
            return msgspec.msgpack.encode(_Answered(failed=f"more than {ELEMENTS_MAX} messages in one post; send fewer at once"))
        answered = _Answered(
            elements=[_element(one, request.body, before) for one, before in zip(parsed, (None, *parsed), strict=False)]
        )
        return msgspec.msgpack.encode(answered, enc_hook=_plain)
    except Exception as error:  # the child's edge: the parent keeps the bytes
        return msgspec.msgpack.encode(_Answered(failed=type(error).__name__))


def _element(one: Parsed, body: bytes, before: Parsed | None) -> _Element:
    original = None if one.original == body else one.original
    inbox_id = one.inbox.id if one.inbox is not None else None
    if isinstance(one, Unparsed):
        return _Element(inbox_id=inbox_id, original=original, reason=one.reason)
    values, parts = one.values, one.parts
    if isinstance(before, Draft) and parts is before.parts and values.keys() == before.values.keys():
        return _Element(
            inbox_id=inbox_id, original=original, external_id=one.external_id, parts=None,
            values={name: value for name, value in values.items() if value is not before.values[name]},
        )  # fmt: skip
    return _Element(inbox_id=inbox_id, original=original, external_id=one.external_id, values=values, parts=parts)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"a draft with a {type(value).__name__}")


if __name__ == "__main__":
    serve(answer)

"""CloudEvents 1.0 in Kafka's binary binding: attributes as ``ce_`` headers, the data as JSON.

Source: CloudEvents 1.0.2, Kafka protocol binding §3.2; partitioning extension: the record's key is text. Times in attributes are
RFC 3339.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from shared.errors import InputRejected
from shared.event import SOURCE, Event
from shared.kafka import Headers, Record
from shared.message import MESSAGE_TYPE, InboundMessage

_JSON: Final = b"application/json"


def encode_message(message: InboundMessage, *, key: bytes) -> Record:
    """A message as a record under ``key``."""
    return Record(
        key=key,
        value=message.model_dump_json(exclude_defaults=True).encode(),
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_id", str(message.id).encode()),
            ("ce_type", MESSAGE_TYPE.encode()),
            ("ce_source", f"{SOURCE}/{message.workspace_id}/{message.inbox_id}".encode()),
            ("ce_time", message.accepted_at.isoformat().encode()),
            ("ce_workspace", str(message.workspace_id).encode()),
            ("content-type", _JSON),
        ),
    )


def decode_message(headers: Headers | Mapping[str, bytes], value: bytes) -> InboundMessage:
    """The message of a record. Raises `InputRejected` naming the field that is wrong."""
    known = dict(headers)
    kind = known.get("ce_type", b"").decode("ascii", "replace")
    if kind != MESSAGE_TYPE:
        raise InputRejected(f"a record of type {kind!r}", field="ce_type", remedy=MESSAGE_TYPE)
    try:
        return InboundMessage.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "data"
        raise InputRejected(first["msg"], field=where) from error


def encode_event(event: Event) -> Record:
    """An event as a record under its key."""
    return Record(
        key=event.key.bytes,
        key_text=str(event.key),
        value=event.body(),
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_id", str(event.id).encode()),
            ("ce_type", f"santral.{event.type}".encode()),
            ("ce_source", f"{SOURCE}/{event.workspace_id}".encode()),
            ("ce_subject", str(event.key).encode()),
            ("ce_time", event.at.isoformat().encode()),
            ("ce_workspace", str(event.workspace_id).encode()),
            ("content-type", _JSON),
        ),
    )

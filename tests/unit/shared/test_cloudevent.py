"""What is published is what the AsyncAPI document says, and reads back as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.asyncapi import asyncapi_document
from shared.cloudevent import decode_message, encode_event, encode_message
from shared.errors import InputRejected
from shared.event import Event
from shared.kafka import Record, partition_of
from shared.message import InboundMessage, Sender
from shared.topics import Topics

DOCUMENT = asyncapi_document(Topics.under(), version="test")


def valid(part: dict[str, Any], value: Any) -> None:
    schema = json.loads(json.dumps({**part, "components": DOCUMENT["components"]}))
    Draft202012Validator(schema).validate(value)


def headers_of(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


@given(
    text=st.text(max_size=200), subject=st.text(max_size=50), refs=st.lists(st.text(min_size=1, max_size=20), max_size=3),
    traits=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
)  # fmt: skip
def test_a_message_reads_back_as_it_was(text: str, subject: str, refs: list[str], traits: dict[str, str]) -> None:
    message = InboundMessage(
        id=uuid4(), workspace_id=uuid4(), inbox_id=uuid4(), external_id="x", channel="email", provider="smtp", text=text,
        subject=subject, refs=tuple(refs), traits=traits, accepted_at=datetime.now(UTC),
        sender=Sender(kind="email", value="a@ornek.com", assurance="channel_verified"),
    )  # fmt: skip
    record = encode_message(message, key=b"k" * 16)
    assert decode_message(record.headers, record.value) == message
    valid(DOCUMENT["components"]["schemas"]["InboundMessage"], json.loads(record.value))
    valid(DOCUMENT["components"]["messages"]["message"]["headers"], headers_of(record))


def test_an_event_is_what_the_document_says() -> None:
    event = Event(
        id=uuid4(), workspace_id=uuid4(), type="offer.made", at=datetime.now(UTC), conversation_id=uuid4(), seq=3, agent_id=uuid4(),
        agent_seq=9, data={"state": "offered"},
    )  # fmt: skip
    record = encode_event(event)
    assert event.conversation_id is not None
    assert record.key == event.conversation_id.bytes
    payload = json.loads(record.value)
    valid(DOCUMENT["components"]["schemas"]["EventPayload"], payload)
    valid(DOCUMENT["components"]["messages"]["event"]["headers"], headers_of(record))
    assert (payload["seq"], payload["agent_seq"], payload["state"]) == (3, 9, "offered")


def test_a_record_that_is_no_message_names_the_field() -> None:
    with pytest.raises(InputRejected) as other:
        decode_message({"ce_type": b"something.else"}, b"{}")
    assert other.value.field == "ce_type"
    with pytest.raises(InputRejected) as broken:
        decode_message({"ce_type": b"santral.message.received"}, b'{"id": 1}')
    assert broken.value.field == "id"


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_partitions_are_those_of_the_java_client(key: bytes, hashed: int) -> None:
    assert partition_of(key, 24) == (hashed & 0x7FFFFFFF) % 24

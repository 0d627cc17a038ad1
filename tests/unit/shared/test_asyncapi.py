"""What is published is what the AsyncAPI document says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from shared.asyncapi import asyncapi_document
from shared.cloudevent import encode_event, encode_message
from shared.event import Event, EventType
from shared.kafka import Record
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
def test_a_message_is_what_the_document_says(text: str, subject: str, refs: list[str], traits: dict[str, str]) -> None:
    message = InboundMessage(
        id=uuid4(), workspace_id=uuid4(), inbox_id=uuid4(), external_id="x", channel="email", provider="smtp", text=text,
        subject=subject, refs=tuple(refs), traits=traits, accepted_at=datetime.now(UTC),
        sender=Sender(kind="email", value="a@ornek.com", assurance="channel_verified"),
    )  # fmt: skip
    record = encode_message(message, key=b"k" * 16)
    valid(DOCUMENT["components"]["schemas"]["InboundMessage"], json.loads(record.value))
    valid(DOCUMENT["components"]["messages"]["message"]["headers"], headers_of(record))
    valid(DOCUMENT["components"]["messages"]["message"]["bindings"]["kafka"]["key"], record.written_key.decode())


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


@pytest.mark.parametrize("kind", ["conversation.merged", "conversation.split", "message.moved"])
def test_what_moved_messages_and_its_undo_are_in_the_document(kind: EventType) -> None:
    payload = DOCUMENT["components"]["schemas"]["EventPayload"]
    for undone in ({}, {"undone": True}):
        data = {"operation_id": str(uuid4()), "from_conversation_id": str(uuid4()), "messages": 2, **undone}
        event = Event(id=uuid4(), workspace_id=uuid4(), type=kind, at=datetime.now(UTC), conversation_id=uuid4(), seq=1, data=data)
        record = encode_event(event)
        valid(payload, json.loads(record.value))
        valid(DOCUMENT["components"]["messages"]["event"]["headers"], headers_of(record))
    assert payload["properties"]["undone"]["type"] == "boolean"
    with pytest.raises(ValidationError):
        valid(payload, {"undone": "yes"})

"""What goes onto the log comes back the same, and what is not ours is refused with the field that is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.cloudevent import decode_message, encode_event, encode_message
from shared.errors import InputRejected
from shared.event import Event
from shared.kafka import Record
from shared.message import MESSAGE_TYPE, Automatic, Call, DeliveryReceipt, InboundMessage, Part, Sender

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
times = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
senders = st.builds(
    Sender,
    kind=st.sampled_from(["email", "phone", "visitor"]),
    scope=st.text(max_size=10),
    value=st.text(min_size=1, max_size=60),
    raw=st.text(max_size=60),
    name=st.text(max_size=20),
    assurance=st.sampled_from(["asserted", "channel_verified", "authenticated"]),
)
messages = st.builds(
    InboundMessage,
    id=st.uuids(),
    workspace_id=st.uuids(),
    inbox_id=st.uuids(),
    external_id=st.text(min_size=1, max_size=80),
    channel=st.sampled_from(["email", "chat", "phone", "social"]),
    provider=st.sampled_from(["smtp", "webchat", "whatsapp"]),
    kind=st.sampled_from(["text", "call", "receipt", "unparsed"]),
    sender=st.none() | senders,
    other_handles=st.lists(senders, max_size=2).map(tuple),
    subject=st.text(max_size=80),
    text=st.text(max_size=200),
    parts=st.lists(
        st.builds(Part, blob=st.text(min_size=1, max_size=20), size_bytes=st.integers(0, 10**9), name=st.text(max_size=20)),
        max_size=2,
    ).map(tuple),
    refs=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    automatic=st.none() | st.builds(Automatic, kind=st.just("bounce"), permanent=st.booleans(), reason=st.text(max_size=20)),
    receipt=st.none() | st.builds(DeliveryReceipt, provider_id=st.text(max_size=20), state=st.just("failed")),
    call=st.none()
    | st.builds(
        Call, call_id=st.text(max_size=9), direction=st.just("in"), answered=st.booleans(), started_at=times, ended_at=times
    ),
    authenticated=st.booleans(),
    sent_at=st.none() | times,
    accepted_at=times,
    traits=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    bucket_day=st.none() | st.integers(0, 10**6),
)


def message(**values: Any) -> InboundMessage:
    base: dict[str, Any] = {
        "id": UUID(int=1), "workspace_id": UUID(int=2), "inbox_id": UUID(int=3), "external_id": "x", "channel": "chat",
        "provider": "webchat", "text": "Merhaba", "accepted_at": NOW,
    }  # fmt: skip
    return InboundMessage(**{**base, **values})


@given(one=messages, key=st.binary(min_size=16, max_size=16))
def test_a_message_comes_back_as_it_went(one: InboundMessage, key: bytes) -> None:
    record = encode_message(one, key=key)
    assert record.key == key
    assert decode_message(record.headers, record.value) == one
    assert decode_message(dict(record.headers), record.value) == one


@given(value=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(value: bytes) -> None:
    headers = encode_message(message(), key=b"k").headers
    try:
        decode_message(headers, value)
    except InputRejected as error:
        assert error.field  # noqa: PT017  either outcome is right, a crash is not


def test_the_attributes_are_those_of_the_binary_binding() -> None:
    headers = dict(encode_message(message(), key=b"k").headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_id"] == str(UUID(int=1)).encode()
    assert headers["ce_type"] == b"santral.message.received"
    assert headers["ce_source"] == f"/santral/{UUID(int=2)}/{UUID(int=3)}".encode()
    assert datetime.fromisoformat(headers["ce_time"].decode()) == NOW
    assert headers["content-type"] == b"application/json"


def test_a_record_of_another_type_is_refused() -> None:
    record = encode_message(message(), key=b"k")
    for headers in ((), (("ce_type", b"com.example.other"),), (("ce_type", b"\xff"),)):
        with pytest.raises(InputRejected) as caught:
            decode_message(headers, record.value)
        assert caught.value.field == "ce_type"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"accepted_at": "2026-03-01T12:00:00"}, "accepted_at"),
        ({"channel": "E Mail"}, "channel"),
        ({"sender": {"kind": "email", "value": "a", "mood": "good"}}, "sender.mood"),
        ({"external_id": ""}, "external_id"),
    ],
)
def test_the_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    record = encode_message(message(), key=b"k")
    with pytest.raises(InputRejected) as caught:
        decode_message(record.headers, json.dumps({**json.loads(record.value), **change}).encode())
    assert caught.value.field == field
    assert "E Mail" not in str(caught.value)


def test_an_event_travels_under_what_its_order_belongs_to() -> None:
    workspace, conversation, agent = UUID(int=10), UUID(int=11), UUID(int=12)
    event = Event(
        id=UUID(int=9), workspace_id=workspace, type="offer.made", at=NOW, conversation_id=conversation, seq=4, agent_id=agent,
        agent_seq=7, data={"offer_id": "o"},
    )  # fmt: skip
    record = encode_event(event)
    headers = dict(record.headers)
    assert record.key == conversation.bytes
    assert headers["ce_type"] == b"santral.offer.made"
    assert headers["ce_subject"] == str(conversation).encode()
    assert json.loads(record.value) == {
        "conversation_id": str(conversation), "seq": 4, "agent_id": str(agent), "agent_seq": 7, "offer_id": "o",
    }  # fmt: skip
    alone = Event(id=UUID(int=9), workspace_id=workspace, type="configuration.changed", at=NOW)
    assert encode_event(alone).key == workspace.bytes


def official(record: Record) -> Any:
    """What the official library makes of a record."""
    return from_binary(KafkaMessage(headers=dict(record.headers), key=record.written_key, value=record.value), JSONFormat())


@given(message=messages, key=st.binary(min_size=16, max_size=16))
def test_the_official_library_reads_messages(message: InboundMessage, key: bytes) -> None:
    read = official(encode_message(message, key=key))
    assert read.get_extension("partitionkey") == key.hex()
    assert (read.get_id(), read.get_type(), read.get_time()) == (str(message.id), MESSAGE_TYPE, message.accepted_at)
    assert InboundMessage.model_validate(read.get_data()) == message


def test_the_official_library_reads_events() -> None:
    event = Event(id=uuid4(), workspace_id=uuid4(), type="item.queued", at=NOW, conversation_id=uuid4(), seq=1)
    record = encode_event(event)
    read = official(record)
    assert read.get_extension("partitionkey") == read.get_subject() == str(event.conversation_id)
    assert (read.get_id(), read.get_type()) == (str(event.id), "santral.item.queued")
    assert record.key == event.key.bytes, "0.1.0's key: what the partition is computed from"

"""The AsyncAPI 3 document of the two topics, made from the models that are really published.

Source: AsyncAPI 3.0.0; the Kafka bindings; CloudEvents 1.0.2 for the headers.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from shared.event import EventType
from shared.message import MESSAGE_TYPE, InboundMessage
from shared.topics import PARTITIONS, RETENTION_S, Topics

_REF: Final = "#/components/schemas/{model}"
EVENT_PAYLOAD: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Ids, states and measures; never text, names or handles. Further members depend on the type.",
    "properties": {
        "conversation_id": {"type": "string", "format": "uuid"},
        "seq": {"type": "integer", "minimum": 1, "description": "Contiguous per conversation, within an incarnation"},
        "agent_id": {"type": "string", "format": "uuid"},
        "agent_seq": {"type": "integer", "minimum": 1, "description": "Contiguous per agent"},
        "profile_id": {"type": "string", "format": "uuid"},
        "operation_id": {"type": "string", "format": "uuid", "description": "The merge, split or move that moved messages"},
        "undone": {"type": "boolean", "description": "The operation was taken back: its messages are where they were"},
    },
    "additionalProperties": True,
}


def event_types() -> list[str]:
    """Every type of event, as ``ce_type`` carries it."""
    return [f"santral.{kind}" for kind in get_args(EventType)]


def asyncapi_document(topics: Topics, *, version: str) -> dict[str, Any]:
    """The document for these topic names."""
    schema = InboundMessage.model_json_schema(ref_template=_REF)
    schemas = schema.pop("$defs", {})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Santral", "version": version, "description": "CloudEvents 1.0 in Kafka's binary binding."},
        "defaultContentType": "application/json",
        "channels": {
            "messages": _channel(topics.messages, "message", "Normalized messages, keyed by their sender."),
            "events": _channel(topics.events, "event", "What happened, keyed by conversation, else agent, profile, workspace."),
        },
        "operations": {
            "takeMessages": {"action": "receive", "channel": {"$ref": "#/channels/messages"}},
            "publishEvents": {"action": "send", "channel": {"$ref": "#/channels/events"}},
        },
        "components": {
            "schemas": {**schemas, "InboundMessage": schema, "EventPayload": EVENT_PAYLOAD},
            "messages": {
                "message": {
                    "name": "message",
                    "headers": _headers([MESSAGE_TYPE]),
                    "payload": {"$ref": "#/components/schemas/InboundMessage"},
                    "bindings": {"kafka": {"key": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}},
                },
                "event": {
                    "name": "event",
                    "headers": _headers(event_types()),
                    "payload": {"$ref": "#/components/schemas/EventPayload"},
                    "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}}},
                },
            },
        },
    }


def _channel(address: str, message: str, description: str) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "topic": address,
                "partitions": PARTITIONS,
                "topicConfiguration": {"retention.ms": RETENTION_S * 1000, "cleanup.policy": ["delete"]},
            }
        },
    }


def _headers(types: list[str]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {"type": "string", "format": "uuid"},
            "ce_type": {"enum": types},
            "ce_source": text,
            "ce_subject": text,
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_workspace": {"type": "string", "format": "uuid"},
            "content-type": {"const": "application/json"},
        },
        "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_workspace", "content-type"],
    }

"""What an event says outside its conversation: ids, states and measures, nobody's words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared.event import Event, wordless

AGENT = f"agent:{UUID(int=7)}"


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        (
            "item.completed",
            {"actor": AGENT, "outcome": {"reason": "resolved", "resolved": True, "note": "Ayse Hanim, borcu var"}},
            {"actor": AGENT, "outcome": {"reason": "resolved", "resolved": True}},
        ),
        ("item.completed", {"actor": AGENT, "outcome": {"note": "words"}}, {"actor": AGENT}),
        ("offer.declined", {"actor": AGENT, "reason": "that is my aunt"}, {"actor": AGENT}),
        ("agent.over_capacity", {"actor": f"key:{UUID(int=1)}", "reason": "he is a friend"}, {"actor": f"key:{UUID(int=1)}"}),
        ("item.escalated", {"actor": "router", "reason": "plan_passed"}, {"actor": "router", "reason": "plan_passed"}),
        ("item.queued", {"outcome": {"failed": {"message_id": "1", "reason": "550 ayse@ornek.com unknown"}}}, {}),
        ("reply.failed", {"message_id": "1", "reason": "550 ayse@ornek.com unknown"}, {"message_id": "1"}),
        ("message.quarantined", {"reason": "undecodable"}, {"reason": "undecodable"}),
        ("presence.changed", {"actor": AGENT, "reason": "lunch"}, {"actor": AGENT, "reason": "lunch"}),
    ],
)
def test_nobodys_words_leave_with_an_event(kind: Any, data: dict[str, Any], shown: dict[str, Any]) -> None:
    assert wordless(kind, data) == shown
    event = Event(
        id=UUID(int=1), workspace_id=UUID(int=2), type=kind, at=datetime.now(UTC), conversation_id=UUID(int=3), seq=4, data=data
    )
    assert json.loads(event.body()) == {"conversation_id": str(UUID(int=3)), "seq": 4, **shown}
    assert event.data == data, "the row keeps them, for who sees the conversation"

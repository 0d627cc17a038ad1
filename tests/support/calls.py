"""Telephone calls as messages of a switchboard, told in minutes after a beginning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.message import Call

NUMBER: Final = "+905334440003"
BEGAN: Final = datetime.now(UTC) - timedelta(hours=1)


def call(call_id: str, minute: int, *, answered: bool = False, direction: str = "in", **values: Any) -> dict[str, Any]:
    """Fields of the message about a call that began in this minute and, answered, had 90 s of talk."""
    started = BEGAN + timedelta(minutes=minute)
    told = {
        "call_id": call_id, "direction": direction, "answered": answered, "started_at": started,
        "ended_at": started + timedelta(seconds=100), "talk_s": 90 if answered else 0, "wait_s": 10, "caller": NUMBER, "callee": "400",
    }  # fmt: skip
    kind = "call" if answered or direction == "out" else "missed_call"
    return {
        "provider": "asterisk",
        "who": NUMBER,
        "kind": kind,
        "direction": direction,
        "call": Call.model_validate(told),
        **values,
    }

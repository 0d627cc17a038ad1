"""A call over WhatsApp or Messenger, as its end tells it.

Source: WhatsApp Business Platform, "Calling API webhooks"; Messenger Platform, "Calling webhooks".
**Identity**: the call's id; a call that rings is told again when it ends, so the ringing is not kept.
**Units**: Unix seconds; ``duration`` in seconds is there only where somebody took the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.meta.events import given, moment, told
from shared.message import Call


def call_values(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a draft that say what became of the call; None while it rings.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for another shape or event.
    """
    if one["event"] == "connect":
        return None
    if one["event"] != "terminate":
        raise ValueError(f"a call's event {one['event']}")
    is_ours = str(one.get("direction") or one.get("call_direction")).upper() == "BUSINESS_INITIATED"
    ended_at = moment(one.get("end_time") or one["timestamp"])
    talk_s = int(one.get("duration") or 0)
    direction = "out" if is_ours else "in"
    record = Call.model_validate(
        {
            "call_id": given(one, "id"), "direction": direction, "answered": talk_s > 0, "talk_s": talk_s, "ended_at": ended_at,
            "started_at": moment(one.get("start_time") or ended_at.timestamp()), "caller": told(one, "from"),
            "callee": told(one, "to"),
        }
    )  # fmt: skip
    return {
        "kind": "call" if is_ours or talk_s > 0 else "missed_call",
        "direction": direction,
        "contents": ("call",),
        "sent_at": record.started_at,
        "call": record,
        "authenticated": True,
    }


def customer_of(one: Mapping[str, Any]) -> tuple[Any, Any]:
    """The customer's number or id, and the user id, whoever called."""
    end = "to" if str(one.get("direction") or one.get("call_direction")).upper() == "BUSINESS_INITIATED" else "from"
    return one.get(end), one.get(f"{end}_user_id")

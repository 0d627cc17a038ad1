"""Asterisk: call detail records posted as CSV rows, all rows of a call in one request (`santral ingest cdr` does so).

**Identity**: a call by its linkedid; rows that come after the call was settled are posted with ``?amends=true`` and become
amendments of it. Calls between extensions are no customer contact and make no message.
Answers: 200 stored (rows that cannot be read are in quarantine) · 401 wrong secret · 503 not stored, post again.
Source: see `ingest/phone/cdr.py`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.adapter import Call as OutgoingCall
from ingest.adapter import Capabilities, Challenge, Draft, Inbox, Outcome, Parsed, Reply, Request, Target, Unparsed
from ingest.phone.cdr import WITHHELD, JoinedCall, Row, joined, lines_of, read_row
from ingest.signatures import verify_bearer
from shared.errors import InputRejected, Unprocessable
from shared.handle import normalized
from shared.message import Call, Sender

_EXTENSION: Final = r"[0-9*#]{1,5}|[a-z_]*"


class AsteriskAdapter:
    """See the module."""

    provider = "asterisk"
    channel = "phone"
    channels = frozenset({"phone"})
    capabilities = Capabilities(text_chars_max=0)

    def settings_schema(self) -> Mapping[str, Any]:
        text = {"type": "string"}
        settings = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "time_zone": text,
                "extensions": {"type": "string", "format": "regex"},
                "inbound_contexts": {"type": "array", "items": text},
                "columns": {"type": "array", "items": text},
                "agents": {"type": "object", "additionalProperties": text},
            },
        }
        secrets = {
            "type": "object",
            "additionalProperties": False,
            "properties": {"post_secret": {"type": "string", "minLength": 16}},
        }
        return {"inbox": {"settings": settings, "secrets": secrets}}

    def challenge(self, target: Target, request: Request) -> Challenge | None:
        return None

    def verify(self, target: Target, request: Request) -> str | None:
        secret = target.secrets.get("post_secret")
        if secret:
            verify_bearer(request.headers.get("authorization"), secret)
        return None

    def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        inbox = target.inboxes[0]
        amends = request.query.get("amends") == "true"
        parsed: list[Parsed] = []
        calls: dict[str, list[Row]] = {}
        try:
            zone = ZoneInfo(str(inbox.settings.get("time_zone", "UTC")))
        except (ZoneInfoNotFoundError, ValueError) as error:
            return [Unparsed(inbox=inbox, original=request.body, reason=f"the inbox's time_zone: {error}")]
        for line in lines_of(request.body.decode("utf-8", "replace")):
            try:
                row = read_row(line, zone=zone, columns=inbox.settings.get("columns", ()))
            except (ValueError, KeyError, InputRejected, csv.Error) as error:
                parsed.append(Unparsed(inbox=inbox, original=line.encode(), reason=str(error)))
                continue
            calls.setdefault(row.call_id, []).append(row)
        for rows in calls.values():
            draft = _draft(inbox, joined(rows), rows, amends=amends)
            if draft is not None:
                parsed.append(draft)
        return parsed

    def reply(self, reply: Reply) -> OutgoingCall:
        raise Unprocessable("a telephone log carries no answer", field="content", remedy="call back, or use another channel")

    def outcome(self, status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
        return Outcome(state="failed", reason="a telephone log carries no answer")


def _direction(inbox: Inbox, call: JoinedCall) -> str:
    if call.context in inbox.settings.get("inbound_contexts", ()):
        return "in"
    extension = re.compile(str(inbox.settings.get("extensions") or _EXTENSION))
    caller_inside = extension.fullmatch(call.caller) is not None
    callee_inside = extension.fullmatch(call.callee) is not None
    if caller_inside and callee_inside:
        return "internal"
    return "out" if caller_inside else "in"


def _draft(inbox: Inbox, call: JoinedCall, rows: Sequence[Row], *, amends: bool) -> Draft | None:
    direction = _direction(inbox, call)
    if direction == "internal":
        return None
    number = call.caller if direction == "in" else call.callee
    record = Call.model_validate(
        {
            "call_id": call.call_id, "direction": direction, "answered": call.answered, "started_at": call.started_at,
            "ended_at": call.ended_at, "talk_s": call.talk_s, "wait_s": call.wait_s, "caller": call.caller, "callee": call.callee,
            "agents": call.agents, "dispositions": call.dispositions,
        }
    )  # fmt: skip
    values: dict[str, Any] = {
        "kind": "call" if call.answered or direction == "out" else "missed_call",
        "direction": direction,
        "sender": _sender(inbox, number, call),
        "sent_at": call.started_at,
        "call": record,
        "defines": (f"ext:{inbox.id}:{call.call_id}",),
        "authenticated": False,
    }
    external_id = call.call_id
    if amends:
        last = max(row.key for row in rows)
        external_id = f"{call.call_id}:{last}"
        values |= {"kind": "edit", "in_reply_to": call.call_id, "refs": (f"ext:{inbox.id}:{call.call_id}",), "defines": ()}
    original = "\n".join(row.line for row in rows).encode("utf-8", "surrogatepass")
    return Draft(inbox=inbox, external_id=external_id, values=values, original=original)


def _sender(inbox: Inbox, number: str, call: JoinedCall) -> Sender:
    """The customer's number; one that is withheld or cannot be normalized stands for this call alone, never for a person."""
    if number.strip().lower() not in WITHHELD:
        try:
            phone = normalized("phone", number, region=inbox.region)
        except InputRejected:
            return Sender(kind="visitor", scope=f"call:{inbox.id}", value=call.call_id, raw=number, name=call.name)
        return Sender(kind="phone", value=phone.value, raw=number, name=call.name, assurance="channel_verified")
    return Sender(kind="visitor", scope=f"call:{inbox.id}", value=call.call_id, raw=number, name=call.name)


ADAPTER = AsteriskAdapter()

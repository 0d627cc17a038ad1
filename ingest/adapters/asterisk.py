"""Asterisk: call detail records posted as CSV rows, all rows of a call in one request (`santral ingest cdr` does so).

**Identity**: a call by its linkedid; rows that come after the call was settled are posted with ``?amends=true`` and become
amendments of it. Calls between extensions are no customer contact and make no message.
Which way a call went, and which numbers are ours, is told by the inbox's settings: ``agents`` and ``trunks`` name devices, ``numbers`` the
company's own numbers, ``extensions`` the form of those inside, ``inbound_contexts`` the contexts of calls from outside. Settings that are
wrong put every row in quarantine, with the setting named; a pattern that cannot be used counts as not given.
Answers: 200 stored (rows that cannot be read are in quarantine) · 401 wrong secret · 503 not stored, post again.
Source: see `ingest/phone/cdr.py`, `ingest/phone/switchboard.py`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from ingest.adapter import Call as OutgoingCall
from ingest.adapter import Capabilities, Challenge, Draft, Inbox, Outcome, Parsed, Reply, Request, Target, Unparsed
from ingest.phone.cdr import Row, lines_of, read_row
from ingest.phone.joined import JoinedCall, joined
from ingest.phone.switchboard import switchboard_of
from ingest.setting_formats import LISTED_MAX, VOUCHES
from ingest.signatures import verify_bearer
from shared.callers import CALL_SCOPE
from shared.errors import InputRejected, Unprocessable
from shared.handle import normalized
from shared.message import Call, Sender

_AMENDS: Final = "#amends"
_RECORDED: Final = (
    "call_id", "direction", "answered", "started_at", "ended_at", "talk_s", "wait_s", "caller", "callee", "agents", "dispositions",
)  # fmt: skip


class AsteriskAdapter:
    """See the module."""

    provider = "asterisk"
    channel = "phone"
    channels = frozenset({"phone"})
    hosts: frozenset[str] = frozenset()
    body_bytes_max: int = 8 * 1024 * 1024  # a few hundred calls a post
    proof: str | None = "post_secret"
    capabilities = Capabilities(text_chars_max=0)

    def settings_schema(self) -> Mapping[str, Any]:
        text = {"type": "string"}
        settings = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                # Whose number a call shows, and on which side of it the customer is, says all of this but the time.
                "region": {"type": "string", "format": "region", VOUCHES: True},
                "time_zone": {"type": "string", "format": "time-zone"},
                "extensions": {"type": "string", "format": "regex", VOUCHES: True},
                "inbound_contexts": {"type": "array", "maxItems": LISTED_MAX, "items": text, VOUCHES: True},
                "columns": {"type": "array", "maxItems": LISTED_MAX, "items": text, VOUCHES: True},
                "agents": {"type": "object", "additionalProperties": text, VOUCHES: True},
                "trunks": {"type": "array", "maxItems": LISTED_MAX, "items": {**text, "minLength": 1}, VOUCHES: True},
                "caller_numbers": {"enum": ["vouched", "shown"], VOUCHES: True},
                "numbers": {
                    "type": "array",
                    "maxItems": LISTED_MAX,
                    "items": {**text, "pattern": r"^\+?[0-9][0-9 ()./-]{1,30}$"},
                    VOUCHES: True,
                },
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
        secret = target.secrets.get("post_secret", "")
        if secret or not target.has_grace(request.received_at):
            verify_bearer(request.headers.get("authorization"), secret)
        return None

    def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        inbox = target.inboxes[0]
        lines = list(lines_of(request.body.decode("utf-8", "replace")))
        amends = request.query.get("amends") == "true" or lines[:1] == [_AMENDS]
        lines = [line for line in lines if line != _AMENDS]
        try:
            own = None if inbox.own is None else inbox.own.numbers
            board = switchboard_of(inbox.settings, region=inbox.region, own=own, number=inbox.address)
        except ValueError as error:
            return [_unparsed(inbox, rows, str(error), amends=amends) for rows in _by_call(lines, inbox)]
        parsed: list[Parsed] = []
        calls: dict[str, list[Row]] = {}
        for line in lines:
            try:
                row = read_row(line, zone=board.zone, columns=board.columns)
            except (ValueError, csv.Error) as error:
                parsed.append(_unparsed(inbox, [line], str(error), amends=amends))
                continue
            calls.setdefault(row.call_id, []).append(row)
        for rows in calls.values():
            call = joined(rows, board)
            if call is not None:
                parsed.append(_draft(inbox, call, rows, amends=amends))
        return parsed

    def reply(self, reply: Reply) -> OutgoingCall:
        raise Unprocessable("a telephone log carries no answer", field="content", remedy="call back, or use another channel")

    def outcome(self, status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
        return Outcome(state="failed", reason="a telephone log carries no answer")


def _by_call(lines: Sequence[str], inbox: Inbox) -> list[list[str]]:
    """Lines of the same call together, so that each call can be taken in by itself; without its columns a line stands alone."""
    given = inbox.settings.get("columns")
    columns = given if isinstance(given, list) and all(isinstance(one, str) for one in given) else ()
    calls: dict[str, list[str]] = {}
    for place, line in enumerate(lines):
        try:
            call_id = read_row(line, zone=ZoneInfo("UTC"), columns=columns).call_id
        except (ValueError, csv.Error):
            call_id = f"line {place}"
        calls.setdefault(call_id, []).append(line)
    return list(calls.values())


def _unparsed(inbox: Inbox, lines: Sequence[str], reason: str, *, amends: bool) -> Unparsed:
    """Rows on their way to quarantine, as a request that says by itself whether they amend a call."""
    original = "\n".join([_AMENDS, *lines] if amends else lines)
    return Unparsed(inbox=inbox, original=original.encode("utf-8", "surrogatepass"), reason=reason)


def _draft(inbox: Inbox, call: JoinedCall, rows: Sequence[Row], *, amends: bool) -> Draft:
    values: dict[str, Any] = {
        "kind": call.kind,
        "direction": call.direction,
        "sender": _sender(inbox, call),
        "sent_at": call.started_at,
        "call": Call.model_validate({name: getattr(call, name) for name in _RECORDED}),
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


def _sender(inbox: Inbox, call: JoinedCall) -> Sender:
    """The customer's number; without one that can be a number, the call alone stands for whoever called, never for a person."""
    if call.number:
        try:
            phone = normalized("phone", call.number, region=inbox.region)
        except InputRejected:
            pass
        else:
            # Whom we called has the number. Who calls shows one: whether the line lets through numbers that are not theirs, its operator knows.
            shown = call.direction == "in" and inbox.settings.get("caller_numbers") == "shown"
            assurance = "asserted" if shown else "channel_verified"
            return Sender(kind="phone", value=phone.value, raw=call.number, name=call.name, assurance=assurance)
    raw = call.caller if call.direction == "in" else call.callee
    return Sender(kind="visitor", scope=f"{CALL_SCOPE}{inbox.id}", value=call.call_id, raw=raw)


ADAPTER = AsteriskAdapter()

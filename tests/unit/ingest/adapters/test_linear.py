"""Every adapter takes steps by the size of what it reads: twice as much takes twice as many, counted in the interpreter's own instructions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any
from uuid import UUID

import pytest

from ingest.adapter import Inbox, Request, Target
from ingest.registry import adapter_for

ODD_MAX = 2.3
NOW = 1_764_000_000


def instructions(work: Callable[[], object]) -> int:
    """How many instructions of Python the work is."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def meta(kind: str, entry: dict[str, Any]) -> bytes:
    return json.dumps({"object": kind, "entry": [entry]}).encode()


def whatsapp(field: str, **value: Any) -> bytes:
    change = {"field": field, "value": {"metadata": {"phone_number_id": "1"}, **value}}
    return meta("whatsapp_business_account", {"id": "1", "changes": [change]})


def written(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"w{number}", "from": f"90532{number:07}", "timestamp": NOW, "type": "text", "text": {"body": "x"}, **more}


def rang(number: int) -> dict[str, Any]:
    return {"id": f"c{number}", "event": "terminate", "direction": "USER_INITIATED", "from": f"90532{number:07}", "timestamp": NOW}


def commented(number: int) -> dict[str, Any]:
    value = {"id": f"c{number}", "text": "x", "media": {"id": "p"}, "from": {"id": str(number), "username": "a"}}
    return {"field": "comments", "value": value}


def crowd(size: int) -> list[dict[str, Any]]:
    return [{"wa_id": 1, "user_id": f"TR.{number}"} for number in range(size)]


def row(number: int, call: str) -> str:
    times = "2026-11-30 10:00:00"
    fields = ["", "905321234567", "100", "from-trunk", "", f"PJSIP/trunk-{number:08}", "PJSIP/101-00000002", "Dial", ""]
    return ",".join([*fields, times, times, times, "1", "1", "ANSWERED", "3", f"{number}.1", "", "", call, str(number)])


def mail(fields: str, text: str = "merhaba", kind: str = "text/plain") -> bytes:
    return f"From: a@ornek.net\r\n{fields}Message-ID: <x@ornek.net>\r\nContent-Type: {kind}\r\n\r\n{text}\r\n".encode()


BODIES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "whatsapp, messages and contacts": (
        "whatsapp", lambda n: whatsapp("messages", contacts=crowd(n), messages=[written(one) for one in range(n)]),
    ),
    "whatsapp, messages of one who is many contacts": (
        "whatsapp", lambda n: whatsapp("messages", contacts=crowd(n), messages=[{**written(1), "from": 1, "from_user_id": "TR.x"}] * n),
    ),
    "whatsapp, statuses among contacts": (
        "whatsapp",
        lambda n: whatsapp(
            "messages", contacts=crowd(n), statuses=[{"id": f"s{one}", "status": "read", "timestamp": NOW} for one in range(n)]
        ),
    ),
    "whatsapp, what is odd among contacts": ("whatsapp", lambda n: whatsapp("messages", contacts=crowd(n), messages=[{"odd": 1}] * n)),
    "whatsapp, calls and contacts": ("whatsapp", lambda n: whatsapp("calls", contacts=crowd(n), calls=[rang(one) for one in range(n)])),
    "messenger, messages": (
        "messenger",
        lambda n: meta(
            "page",
            {"id": "1", "messaging": [
                {"sender": {"id": str(one)}, "recipient": {"id": "1"}, "timestamp": NOW, "message": {"mid": f"m{one}", "text": "x"}}
                for one in range(n)
            ]},
        ),
    ),
    "messenger, what was delivered": (
        "messenger",
        lambda n: meta(
            "page", {"id": "1", "messaging": [
                {"sender": {"id": "2"}, "timestamp": NOW, "delivery": {"watermark": NOW, "mids": [f"m{one}" for one in range(n)]}}
            ]},
        ),
    ),
    "messenger, attachments": (
        "messenger",
        lambda n: meta(
            "page", {"id": "1", "messaging": [
                {"sender": {"id": "2"}, "timestamp": NOW, "message": {"mid": "m", "attachments": [
                    {"type": "share", "payload": {"url": f"https://ornek.net/{one}"}} for one in range(n)
                ]}}
            ]},
        ),
    ),
    "instagram, comments": (
        "instagram", lambda n: meta("instagram", {"id": "1", "time": NOW, "changes": [commented(one) for one in range(n)]}),
    ),
    "asterisk, rows of one call": ("asterisk", lambda n: "\n".join(row(one, "1.1") for one in range(n)).encode()),
    "asterisk, calls": ("asterisk", lambda n: "\n".join(row(one, f"{one}.1") for one in range(n)).encode()),
    "asterisk, what is odd": ("asterisk", lambda n: b"bad,\n" * n),
    "mail, participants": ("smtp", lambda n: mail("To: " + ", ".join(f"a{one}@b.example" for one in range(n)) + "\r\n")),
    "mail, fields of participants": ("smtp", lambda n: mail("".join(f"Cc: a{one}@b.example\r\n" for one in range(n)))),
    "mail, references": ("smtp", lambda n: mail("References: " + "\r\n ".join(f"<{one}@b.example>" for one in range(n)) + "\r\n")),
    "mail, lines": ("smtp", lambda n: mail("", "> a\r\nb\r\n" * n)),
    "mail, elements": ("smtp", lambda n: mail("", "<div><b>x" * n, "text/html")),
    "mail, parts": (
        "smtp", lambda n: mail("", "".join(f"--x\r\nContent-Type: text/html\r\n\r\n<p>{one}\r\n" for one in range(n)), "multipart/mixed; boundary=x"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_twice_as_much_takes_twice_as_many_steps(name: str) -> None:
    provider, body_of = BODIES[name]
    channel = {"asterisk": "phone", "smtp": "email"}.get(provider, "chat")
    inbox = Inbox(workspace_id=UUID(int=1), id=UUID(int=2), name="a", channel=channel, provider=provider, address="1", region="TR")
    target = Target(id=inbox.id, workspace_id=inbox.workspace_id, provider=provider, inboxes=(inbox,))

    def steps(size: int) -> int:
        request = Request(method="POST", url="", headers={}, query={}, body=body_of(size), received_at=datetime.now(UTC))
        return instructions(lambda: adapter_for(provider).parse(target, request))

    steps(2)  # what is made once is no part of it
    once, twice, four_times = steps(20), steps(40), steps(80)
    assert four_times - twice <= ODD_MAX * (twice - once)
    assert four_times > once  # it reads them

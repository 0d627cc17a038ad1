"""Posts to `/in/{token}` that nobody foresaw: taken, with their bytes, and the others of the same post not held up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from ingest.adapter import Draft, Parsed, Request, Target
from ingest.adapters.smtp import SmtpAdapter
from services.frame.bodies import Bodies
from services.gateway.app import create_gateway
from services.gateway.taking_in import take_in
from shared.clock import SystemClock
from shared.errors import Unavailable
from tests.support.mail_door import MailDoor, OneInbox, mail_door


class Trusting:
    """Replays are nobody's concern here."""

    async def check(self, *_: object) -> None: ...

    async def remember(self, *_: object) -> None: ...


async def post(door: MailDoor, body: bytes) -> httpx.Response:
    app = create_gateway(
        directory=OneInbox(door.inbox),
        receiver=door.receiver,
        parser=door.parser,
        replays=cast("Any", Trusting()),
        clock=SystemClock(),
        bodies=Bodies(),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        return await client.post("/in/in", content=body)


@pytest.mark.parametrize(
    "body",
    [
        b"From: x@\r\n\r\nmerhaba\r\n",
        b"Subject: " + b"konu " * 1_000 + b"\r\n\r\nmerhaba\r\n",
        b"From: a@ornek.net\r\nTo: " + b", ".join(b"kisi-%d@ornek.net" % n for n in range(4_000)) + b"\r\n\r\nmerhaba\r\n",
        b"From: a@ornek.net\r\n\r\n" + b"satir\r\n" * 20_000,
    ],
    ids=["half-address", "long-subject", "many-recipients", "many-lines"],
)
async def test_raw_mail_is_taken_whatever_it_is(tmp_path: Path, body: bytes) -> None:
    async with mail_door(tmp_path) as door:
        answer = await post(door, body)
        assert answer.status_code == 200, answer.text
        (message,) = door.messages
        assert await door.original(message) == body


@pytest.mark.parametrize("provider", ["api", "asterisk", "meta"])
async def test_every_provider_is_told_yes(tmp_path: Path, provider: str) -> None:
    async with mail_door(tmp_path, provider=provider) as door:
        for body in (
            b"[" * 60_000,
            b"[" * 100_000,
            b"\xff\x00,\x00\n",
            json.dumps({"object": "page", "entry": [{"id": 1}]}).encode(),
        ):
            target = OneInbox(door.inbox).target("in")
            request = Request(method="POST", url="", headers={}, query={}, body=body, received_at=SystemClock().now())
            for one in await take_in(door.parser, door.receiver, target, request):
                assert not one.understood
        for message in door.messages:
            assert message.kind == "unparsed"
            assert message.reason


class Defective(SmtpAdapter):
    """An adapter with a defect: one element is no message, or all of it fails."""

    def __init__(self, values: Mapping[str, Any] | None) -> None:
        self._values = values

    def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        if self._values is None:
            raise ZeroDivisionError("the customer's words")
        good = Draft(inbox=target.inboxes[0], external_id="1", values={"text": "iyi"}, original=b"1")
        return [good, Draft(inbox=target.inboxes[0], external_id="2", values=self._values, original=b"2")]


class Directly:
    """A parser that asks one adapter."""

    def __init__(self, adapter: SmtpAdapter) -> None:
        self._adapter = adapter

    async def parse(self, target: Target, request: Request, **_: object) -> Sequence[Parsed]:
        return self._adapter.parse(target, request)


@pytest.mark.parametrize("values", [None, {"text": 7}, {"subject": "x" * 2_001}, {"nobody": "knows"}, {"text": "x", "refs": 3}])
async def test_a_defect_costs_nobody_a_message(
    tmp_path: Path, values: Mapping[str, Any] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    async with mail_door(tmp_path) as door:
        target = OneInbox(door.inbox).target("in")
        request = Request(method="POST", url="", headers={}, query={}, body=b"all", received_at=SystemClock().now())
        accepted = await take_in(cast("Any", Directly(Defective(values))), door.receiver, target, request)
        assert [one.understood for one in accepted] == ([False] if values is None else [True, False])
        last = door.messages[-1]
        assert last.kind == "unparsed"
        assert await door.original(last) == (b"all" if values is None else b"2")
        assert "words" not in last.reason + capsys.readouterr().out


async def test_what_is_not_durable_is_never_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("away")

    async with mail_door(tmp_path) as door:
        monkeypatch.setattr(door.kept, "publish", away)
        assert (await post(door, b"From: x@\r\n\r\nmerhaba\r\n")).status_code == 503

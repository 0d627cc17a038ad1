"""One external id fifty times at once through every door: one message, fifty equal answers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from uuid import uuid4

import httpx
import websockets

from ingest.signatures import signed_bytes
from tests.support.counter import MAILBOX, Counter
from tests.support.serving import said_by
from tests.support.waiting import eventually

TIMES = 50


async def stays_one(counter: Counter, value: str, kind: str) -> None:
    """A marker that was posted afterwards is routed, and there is still one message."""
    await counter.post("işaret", value=f"marker-{uuid4()}@ornek.com")
    assert len((await counter.conversation_of(value, kind=kind))["messages"]) == 1


async def test_mail(counter: Counter) -> None:
    person = f"elli-{uuid4()}@ornek.com"
    mail = f"From: {person}\r\nTo: {MAILBOX}\r\nSubject: Elli\r\nMessage-ID: <{uuid4()}@ornek.com>\r\n\r\nElli kere\r\n".encode()
    await asyncio.gather(*(counter.raw_mail(person, MAILBOX, mail) for _ in range(TIMES)))
    await stays_one(counter, person, "email")


async def test_call_records(counter: Counter) -> None:
    inboxes = (await counter.admin.get("/v1/inboxes?limit=200")).json()["items"]
    path = next(one["webhook_path"] for one in inboxes if one["name"] == "switchboard")
    number, call = f"0535{uuid4().int % 10**7:07d}", f"pbx-{uuid4()}"
    fields = [
        "", number, "800", "from-trunk", "", "PJSIP/trunk-00000001", "", "Queue", "", "2026-03-04 13:11:18", "", "2026-03-04 13:12:18",
        60, 0, "NO ANSWER", "DOCUMENTATION", call, "", "", call, 1,
    ]  # fmt: skip
    row = ",".join(f'"{field}"' for field in fields) + "\n"
    async with httpx.AsyncClient(base_url=counter.facts["webhooks"], trust_env=False, timeout=30) as client:
        answers = await asyncio.gather(*(client.post(path, content=row, headers=counter.switchboard) for _ in range(TIMES)))
    assert {(one.status_code, one.text) for one in answers} == {(200, answers[0].text)}
    await stays_one(counter, f"+90{number[1:]}", "phone")


async def test_the_signed_inbox_and_a_token_for_another_body(counter: Counter) -> None:
    secret, name = "a signing secret of a test", f"signed-{uuid4().hex[:8]}"
    made = (
        await counter.admin.post("/v1/inboxes", json={"name": name, "provider": "api", "secrets": {"signing_secret": secret}})
    ).json()
    person, token, stamp = f"imzali-{uuid4()}@ornek.com", str(uuid4()), f"{time.time():.0f}"
    body = json.dumps(
        {"inbox": name, "external_id": str(uuid4()), "from": {"kind": "email", "value": person}, "text": "x"}
    ).encode()
    digest = hmac.new(secret.encode(), signed_bytes(stamp, token, body), hashlib.sha256).hexdigest()
    headers = {"santral-timestamp": stamp, "santral-token": token, "santral-signature": f"v2={digest}"}
    async with httpx.AsyncClient(base_url=counter.facts["webhooks"], trust_env=False, timeout=30) as client:

        async def known() -> bool:
            return (await client.post(made["webhook_path"], content=body, headers=headers)).status_code == 200

        await eventually(known, 10, "the gateway knows the inbox")
        answers = await asyncio.gather(*(client.post(made["webhook_path"], content=body, headers=headers) for _ in range(TIMES)))
        assert {(one.status_code, one.text) for one in answers} == {(200, answers[0].text)}
        other = body.replace(b'"x"', b'"y"')
        signed = "v2=" + hmac.new(secret.encode(), signed_bytes(stamp, token, other), hashlib.sha256).hexdigest()
        stolen = await client.post(made["webhook_path"], content=other, headers={**headers, "santral-signature": signed})
        assert stolen.status_code == 401
    await stays_one(counter, person, "email")


async def test_chat(counter: Counter) -> None:
    inboxes = (await counter.admin.get("/v1/inboxes?limit=200")).json()["items"]
    widget = next(one["widget_token"] for one in inboxes if one["name"] == "shop-chat")
    session = (await counter.admin.post(f"/v1/chat/{widget}/sessions", json={})).json()
    url = counter.facts["http"].replace("http://", "ws://") + f"/v1/chat/{widget}/socket"
    frame = json.dumps({"type": "message", "id": str(uuid4()), "text": "Elli kere merhaba"})

    async def once() -> str:
        origin = websockets.Origin(counter.facts["http"])
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("santral.v1")], origin=origin) as socket:
            await socket.send(json.dumps({"type": "hello", "token": session["token"]}))
            await socket.send(frame)
            while True:
                answer = json.loads(await socket.recv())
                if answer["type"] == "accepted":
                    return str(answer["message_id"])

    ids = await asyncio.gather(*(once() for _ in range(TIMES // 5)))
    assert len(set(ids)) == 1
    routed = await counter.routed(ids[0])
    messages = (await counter.admin.get(f"/v1/conversations/{routed['conversation_id']}/messages")).json()["items"]
    assert len(messages) == 1


async def test_the_traffic_command_meets_no_refusal(counter: Counter) -> None:
    """Also where another telephone inbox comes first, whose secret the ready file does not tell."""
    made = await counter.admin.post("/v1/inboxes", json={"name": "a-branch", "channel": "phone", "provider": "asterisk"})
    assert made.status_code in (201, 409), made.text
    status, said = await said_by("traffic", "--rate", "10", "--for", "3s", "--ready-file", str(counter.served.ready_file))
    assert status == 0, said

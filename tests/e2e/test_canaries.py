"""Secrets and people are in no log line, metric, health page, error, document or doctor's report, whatever door they came through."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiosmtplib
import httpx
import pytest

from ingest.registry import OURS
from tests.support.canaries import Canaries, places
from tests.support.counter import MAILBOX, Counter
from tests.support.meta_server import graph_server
from tests.support.serving import said_by
from tests.support.waiting import eventually

SOCIAL = {"whatsapp": "1977", "messenger": "PAGE977", "instagram": "IG977"}
SPOKEN = ("log/", "metrics", "health", "what serve says")


async def made(counter: Counter, path: str, **body: Any) -> dict[str, Any]:
    """A connection or an inbox."""
    answer = await counter.admin.post(path, json=body)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def with_every_secret(counter: Counter, secrets: Canaries, graph: str) -> dict[str, dict[str, Any]]:
    """Inboxes of every provider, and a connection, with a canary in each secret that their adapters know; by provider."""
    found: dict[str, dict[str, Any]] = {}
    for adapter in sorted(OURS, key=lambda one: one.provider != "meta"):
        provider, shared = adapter.provider, adapter.provider == "meta"
        names = adapter.settings_schema()["connection" if shared else "inbox"]["secrets"]["properties"]
        more: dict[str, Any] = {"settings": {"graph_url": graph}} if shared else {}
        if provider in SOCIAL:
            more = {"connection": f"meta-{secrets.run}", "address": SOCIAL[provider]}
        elif provider == "smtp":
            more = {"address": f"{secrets.run}@yaylakahve.example"}
        planted = {name: secret_of(secrets, provider, name) for name in names}
        path = "/v1/connections" if shared else "/v1/inboxes"
        found[provider] = await made(counter, path, name=f"{provider}-{secrets.run}", provider=provider, secrets=planted, **more)
    return found


def secret_of(secrets: Canaries, provider: str, name: str) -> str:
    """The canary in this secret, long enough to be one."""
    return secrets.word(f"{provider}{name.replace('_', '')}") + "x" * 32


async def posted(
    counter: Counter, inbox: Mapping[str, Any], body: bytes, headers: Mapping[str, str], *, status: int
) -> httpx.Response:
    """A post to an inbox's address, once the gateway knows it."""
    async with httpx.AsyncClient(base_url=counter.facts["webhooks"], trust_env=False, timeout=30) as client:

        async def taken() -> httpx.Response | None:
            answer = await client.post(inbox["webhook_path"], content=body, headers=dict(headers))
            return answer if answer.status_code == status else None

        return await eventually(taken, 10, f"the gateway answers {status}")


def social_of(person: Canaries, provider: str) -> dict[str, Any]:
    """What they write there, by name and number."""
    stamp, text = int(time.time()), f"{person.word(provider)} {words_of(person)}"
    if provider == "whatsapp":
        writer = f"90{person.number}"
        value = {
            "messaging_product": "whatsapp", "metadata": {"display_phone_number": "902125550000", "phone_number_id": SOCIAL[provider]},
            "contacts": [{"profile": {"name": person.name}, "wa_id": writer}],
            "messages": [{"from": writer, "id": f"wamid.{uuid4()}", "timestamp": str(stamp), "type": "text", "text": {"body": text}}],
        }  # fmt: skip
        change = {"field": "messages", "value": value}
        odd = {"field": person.word("oddfield"), "value": {"x": person.mail}}
        return {"object": "whatsapp_business_account", "entry": [{"id": "W", "changes": [change, odd]}]}
    message = {
        "sender": {"id": person.word(f"{provider}writer")}, "recipient": {"id": SOCIAL[provider]}, "timestamp": stamp * 1000,
        "message": {"mid": f"m_{uuid4()}", "text": text},
    }  # fmt: skip
    return {
        "object": "page" if provider == "messenger" else "instagram",
        "entry": [{"id": SOCIAL[provider], "time": stamp * 1000, "messaging": [message]}],
    }


def words_of(person: Canaries) -> str:
    """What people write that they should not: an address, a number of identity, of an account."""
    person.words.setdefault("tckn", f"1{uuid4().int % 10**10:010d}")
    person.words.setdefault("iban", f"tr{uuid4().int % 10**24:024d}")
    return f"{person.mail} 0{person.number} {person.words['tckn']} {person.words['iban'].upper()}"


async def came_by_every_door(
    counter: Counter, person: Canaries, inboxes: Mapping[str, Mapping[str, Any]], secrets: Canaries
) -> None:
    """The person's words in good shape and in bad, by mail, posts, rows, social channels and a chat."""
    await counter.mail(f"{person.name} <{person.mail}>", f"Konu {person.word('subject')}", words_of(person))
    with pytest.raises(aiosmtplib.SMTPException):
        await counter.raw_mail(person.mail, f"{person.word('nobody')}@nowhere.example", b"x")
    await counter.raw_mail(person.mail, MAILBOX, f"Konu: {person.word('nothing')} {words_of(person)}".encode())
    bearer = {"authorization": "Bearer " + secret_of(secrets, "smtp", "post_secret")}
    await posted(counter, inboxes["smtp"], f"From: {person.mail}\r\n\r\n{words_of(person)}".encode(), bearer, status=200)
    bearer = {"authorization": "Bearer " + secret_of(secrets, "asterisk", "post_secret")}
    row = f'"{person.name}","0{person.number}",{person.word("row")}\n'.encode()
    await posted(counter, inboxes["asterisk"], row, bearer, status=200)
    for provider in SOCIAL:
        raw = json.dumps(social_of(person, provider)).encode()
        key = secret_of(secrets, "meta", "app_secret").encode()
        signed = {"x-hub-signature-256": "sha256=" + hmac.new(key, raw, hashlib.sha256).hexdigest()}
        await posted(counter, inboxes["meta"], raw, signed, status=200)
    await counter.post(words_of(person), value=person.mail, subject=person.word("posted"))
    for wrong in (
        {"inbox": "api", "from": {"kind": "phone", "value": f"0{person.number}x{person.word('wrong')}"}, "text": words_of(person)},
        {"inbox": person.word("inbox"), "external_id": "1", "from": {"kind": "email", "value": person.mail}, "text": "x"},
    ):
        answer = await counter.admin.post("/v1/messages", json=wrong)
        assert answer.status_code in (404, 422), answer.text
    widget = inboxes["webchat"]["widget_token"]
    claimed = await counter.admin.post(f"/v1/chat/{widget}/sessions", json={"identity": f"{person.word('token')}.x.y"})
    assert claimed.status_code == 401, claimed.text
    conversation = await counter.conversation_of(f"90{person.number}", kind="wa_id")
    for name in ("Ece", "Mert"):
        await counter.online(name, "away")
    await counter.online("Deniz")
    await counter.held("Deniz", conversation["id"])
    reply = await counter.agents["Deniz"].post(
        f"/v1/conversations/{conversation['id']}/replies", json={"content": {"kind": "text", "text": person.word("reply")}}
    )
    assert reply.status_code == 202, reply.text

    async def refused() -> bool:
        return bool((await counter.admin.get(f"/v1/replies/{reply.json()['id']}")).json()["state"] == "failed")

    await eventually(refused, 20, "the provider refuses, and says whom it could not reach")


async def said_about(counter: Counter, secrets: Canaries, inboxes: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """What the outside is answered and an operator is told: documents, lists, errors that secrets were sent into, doctor."""
    guess = secret_of(secrets, "meta", "app_secret")
    said = {
        path: (await counter.admin.get(path)).content
        for path in ("/openapi.json", "/v1/inboxes", "/v1/connections", "/v1/workspace")
    }
    body = {"name": "x", "provider": "smtp", "address": "x@ornek.com"}
    bodies: tuple[dict[str, Any], ...] = (
        {"secrets": guess},
        {"secrets": {"no_such": guess}},
        {"secrets": {"post_secret": [guess]}},
    )
    for number, wrong in enumerate(bodies):
        answer = await counter.admin.post("/v1/inboxes", json=body | wrong)
        assert answer.status_code == 422, answer.text
        said[f"a wrong inbox, {number}"] = answer.content
    stranger = await counter.admin.get("/v1/workspace", headers={"authorization": f"Bearer {guess}"})
    assert stranger.status_code == 401
    said["a wrong key"] = stranger.content
    for provider, header in (("smtp", "authorization"), ("api", "santral-signature"), ("meta", "x-hub-signature-256")):
        refused = await posted(counter, inboxes[provider], b"x", {header: f"Bearer {guess}!"}, status=401)
        said[f"a wrong {header}"] = refused.content
    for words in (("--json",), (), ("--where-data-goes", "--json")):
        _, told = await said_by("doctor", "--data", str(counter.served.folder), *words)
        assert "Traceback" not in told, told
        said[f"doctor {' '.join(words)}"] = told.encode()
    return said


async def quarantined(counter: Counter) -> list[Any]:
    """What lies there now."""
    return list((await counter.admin.get("/v1/quarantine?limit=200")).json()["items"])


def own_secrets(counter: Counter) -> dict[str, bytes]:
    """What the deployment itself keeps to itself."""
    folder = Path(counter.served.folder)
    found = {"secret": (folder / "secret").read_text().strip(), "key": counter.facts["api_key"]}
    if (folder / "postgres" / "passwords.json").exists():
        found |= json.loads((folder / "postgres" / "passwords.json").read_text())
    assert all(len(value) >= 16 for value in found.values())
    return {name: value.encode() for name, value in found.items()}


async def test_secrets_and_people_are_told_to_nobody(counter: Counter) -> None:
    secrets, person = Canaries(), Canaries()
    before = len(await quarantined(counter))
    async with graph_server() as graph:
        inboxes = await with_every_secret(counter, secrets, graph.url)
        shown = await made(counter, "/v1/inboxes", name=f"made-{secrets.run}", provider="api")
        secrets.words["made"] = shown["secrets_made"]["signing_secret"].lower()
        graph.failures.append((400, {"error": {"code": 131030, "message": f"{person.mail} (90{person.number}) is not allowed"}}))
        await came_by_every_door(counter, person, inboxes, secrets)
        assert graph.calls[-1]["token"] == f"Bearer {secret_of(secrets, 'whatsapp', 'access_token')}"
    said = await said_about(counter, secrets, inboxes)
    assert b"131030" in said["doctor "]
    assert len(secrets.words) >= 8
    assert {place: found for place, content in said.items() if (found := secrets.in_(content))} == {}
    assert await places(counter, secrets) == {}, "not even in a table, but sealed"

    async def kept() -> bool:
        return len(await quarantined(counter)) >= before + 2

    await eventually(kept, 20, "the row and the field that nobody knows are in quarantine")
    held = await places(counter, person)
    assert "table message" in held, "they did come in"
    assert {place: found for place, found in held.items() if place.startswith(SPOKEN)} == {}
    assert {place: found for place, content in said.items() if place.startswith("doctor") and (found := person.in_(content))} == {}
    told = [*said.values(), *(path.read_bytes() for path in (counter.served.folder / "log").glob("*.log"))]
    assert [name for name, value in own_secrets(counter).items() if any(value in content for content in told)] == []

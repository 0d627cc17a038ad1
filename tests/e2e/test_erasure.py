"""A person who came through every door is erased: canaries are looked for wherever Santral keeps anything, and nothing brings one back."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import stat
import time
import zipfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import websockets
from joserfc import jwt
from joserfc.jwk import OctKey

from shared.topics import Topics
from tests.support.canaries import Canaries, places
from tests.support.counter import MAILBOX, Counter
from tests.support.effects import connect
from tests.support.house import stopped
from tests.support.log_reader import read_topic
from tests.support.serving import said_by
from tests.support.waiting import eventually

TOPICS = Topics.under()


def letter_of(person: Canaries) -> EmailMessage:
    """Their mail, with a file."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"{person.name} <{person.mail}>", MAILBOX, f"Konu {person.word('subject')}"
    mail["Message-ID"] = f"<{person.word('messageid')}@ornek.com>"
    mail.set_content(f"Merhaba, {person.word('body')} gelmedi.")
    mail.add_attachment(f"icinde {person.word('file')} var\n", filename=f"{person.word('filename')}.txt")
    mail.set_boundary(f"letter-{person.run}")  # whoever delivers it again delivers the same octets
    return mail


def call_of(person: Canaries) -> str:
    """The row of a switchboard about a call they made in vain."""
    number = f"0{person.number}"
    fields = [
        "", number, "800", "from-trunk", f'"{person.word("caller")}" <{number}>', "PJSIP/trunk-00000001", "", "Queue", "",
        "2026-03-04 13:11:18", "", "2026-03-04 13:12:18", 60, 0, "NO ANSWER", "DOCUMENTATION", f"pbx-{person.run}", "", "",
        f"pbx-{person.run}", 1,
    ]  # fmt: skip
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(fields)
    return line.getvalue()


def posted_of(person: Canaries) -> dict[str, Any]:
    """What another system posts about them."""
    return {
        "inbox": "api", "external_id": person.word("externalid"), "subject": person.word("postedsubject"),
        "from": {"kind": "email", "value": person.mail, "name": person.name, "verified": True},
        "text": person.word("posted"), "traits": {"street": person.word("posttrait")},
    }  # fmt: skip


async def command(counter: Counter, *words: str) -> str:
    """Runs a command as a user would; what it said."""
    status, said = await said_by(*words, "--url", counter.facts["http"], "--api-key", counter.facts["api_key"])
    assert status == 0, said
    return said


async def import_list(counter: Counter, file: Path) -> dict[str, int]:
    """The old list of customers; the counts."""
    counts: dict[str, int] = json.loads((await command(counter, "profiles", "import", str(file), "--json")).splitlines()[-1])
    return counts


async def chat_with(counter: Counter, person: Canaries) -> None:
    """A chat of a page that knows its customer and signs for them."""
    secret, name = "a page's signing secret, 32 characters", f"chat-{person.run}"
    made = await counter.admin.post(
        "/v1/inboxes", json={"name": name, "provider": "webchat", "secrets": {"identity_secret": secret}}
    )
    assert made.status_code == 201, made.text
    claims = {"sub": person.word("customer"), "email": person.mail, "name": person.name, "aud": name, "exp": int(time.time()) + 600}
    identity = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))
    widget = made.json()["widget_token"]
    session = (await counter.admin.post(f"/v1/chat/{widget}/sessions", json={"identity": identity})).json()
    url = counter.facts["http"].replace("http://", "ws://") + f"/v1/chat/{widget}/socket"
    origin = websockets.Origin(counter.facts["http"])
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("santral.v1")], origin=origin) as socket:
        await socket.send(json.dumps({"type": "hello", "token": session["token"]}))
        await socket.send(json.dumps({"type": "message", "id": str(uuid4()), "text": f"Selam {person.word('chat')}"}))
        while True:
            answer = json.loads(await socket.recv())
            if answer["type"] == "accepted":
                await counter.routed(answer["message_id"])
                return


async def plant(counter: Counter, person: Canaries, folder: Path) -> str:
    """The person through every door; their profile."""
    await counter.online("Deniz")
    mail = {"kind": "email", "value": person.mail}
    known = [{"kind": "external_id", "value": person.word("customer")}, mail, {"kind": "phone", "value": f"+90{person.number}"}]
    body = {"handles": known, "name": person.name, "traits": {"home": person.word("home")}, "source": "crm"}
    answer = await counter.admin.post("/v1/profiles/identify", json=body)
    assert answer.status_code == 200, answer.text
    profile = str(answer.json()["profile_id"])
    claimed = {"handles": [mail, {"kind": "email", "value": f"{person.word('claimed')}@ornek.com"}], "assurance": "asserted"}
    answer = await counter.admin.post("/v1/profiles/identify", json=claimed)
    assert answer.status_code == 200, answer.text
    (folder / "customers.csv").write_text(
        f"email,name,trait.shoe\n{person.mail},{person.name},{person.word('imported')}\n", encoding="utf-8"
    )
    assert (await import_list(counter, folder / "customers.csv"))["rejected"] == 0
    await counter.raw_mail(person.mail, MAILBOX, letter_of(person).as_bytes())
    written = await counter.conversation_of(person.mail)
    await counter.held("Deniz", written["id"])
    said = {"content": {"kind": "text", "text": f"Bakıyorum {person.word('reply')}"}}
    reply = await counter.agents["Deniz"].post(f"/v1/conversations/{written['id']}/replies", json=said)
    assert reply.status_code == 202, reply.text
    note = await counter.agents["Deniz"].post(f"/v1/profiles/{profile}/notes", json={"text": f"Dikkat {person.word('note')}"})
    assert note.status_code == 201, note.text
    posted = await counter.admin.post("/v1/messages", json=posted_of(person), headers={"idempotency-key": person.word("retrykey")})
    assert posted.status_code == 202, posted.text
    await counter.routed(posted.json()["id"])
    (folder / "Master.csv").write_text(call_of(person), encoding="utf-8")
    cdr = ("ingest", "cdr", str(folder / "Master.csv"), "--inbox", "switchboard")
    status, output = await said_by(
        *cdr,
        "--secret",
        "POST_SECRET",
        "--url",
        counter.facts["http"],
        "--key",
        counter.facts["api_key"],
        "--webhook-url",
        counter.facts["webhooks"],
        environment={"POST_SECRET": counter.facts["secrets"]["switchboard"]["post_secret"]},
    )
    assert status == 0, output
    await counter.conversation_of(f"+90{person.number}", kind="phone")
    await chat_with(counter, person)
    await counter.sunk(person.word("reply"))
    return profile


async def mentioned(counter: Counter, person: Canaries) -> str:
    """Somebody else writes with a copy to the person, and is answered so; their conversation."""
    other = f"baska-{uuid4()}@ornek.com"
    await counter.mail(f"Başka Biri <{other}>", "Ortak sipariş", "İkimizin siparişi.", Cc=f"{person.name} <{person.mail}>")
    conversation = str((await counter.conversation_of(other))["id"])
    await counter.held("Deniz", conversation)
    words = f"İkinize de {uuid4()}"
    answer = {"content": {"kind": "text", "text": words}, "cc": [person.mail]}
    reply = await counter.agents["Deniz"].post(f"/v1/conversations/{conversation}/replies", json=answer)
    assert reply.status_code == 202, reply.text
    await counter.sunk(words)
    return conversation


async def nothing_anywhere(counter: Counter, person: Canaries) -> None:
    """Fails naming every place and canary, after the time that files have to go."""

    async def nothing() -> bool | None:
        return not await places(counter, person) or None

    try:
        await eventually(nothing, 5, "no canary anywhere")
    except AssertionError:
        assert await places(counter, person) == {}


async def read_again(counter: Counter) -> None:
    """The whole messages topic from its first record, by a router that begins anew."""
    wanted: dict[int, int] = {}
    for record in await read_topic(counter.facts["kafka"], TOPICS.messages):
        wanted[record.partition] = record.offset + 1
    connection = await connect(counter.facts["postgres"])
    try:
        router = counter.served.child("router")
        with stopped(router):
            await connection.execute("update santral.partition_lease set next_offset = 0 where topic = $1", TOPICS.messages)
            os.kill(router, signal.SIGKILL)

        async def done() -> bool:
            rows = await connection.fetch(
                "select partition, next_offset from santral.partition_lease where topic = $1", TOPICS.messages
            )
            found = {row["partition"]: row["next_offset"] for row in rows}
            return all(found.get(partition, 0) >= end for partition, end in wanted.items())

        await eventually(done, 60, "the topic is read again")

        async def back() -> bool:
            try:
                return counter.served.child("router") != router
            except LookupError:
                return False

        await eventually(back, 30, "the router is back")
    finally:
        await connection.close()


async def hurry(counter: Counter, erasure: str) -> None:
    """The last step's wait is for transactions that began before; here none did."""
    connection = await connect(counter.facts["postgres"])
    try:
        await connection.execute("update santral.erasure set due_at = now() where id = $1", erasure)
    finally:
        await connection.close()


async def exported(counter: Counter, named: str, out: Path) -> tuple[list[str], bytes]:
    """What a person's archive holds: the names in it and all its bytes."""
    await command(counter, "profiles", "export-person", named, "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        return names, b"\n".join(archive.read(name) for name in names)


async def test_an_erased_person_is_nowhere_and_nothing_brings_them_back(counter: Counter, tmp_path: Path) -> None:
    person = Canaries()
    profile = await plant(counter, person, tmp_path)
    other = await mentioned(counter, person)
    names, whole = await exported(counter, f"email:{person.mail}", tmp_path / "person.zip")
    assert sorted(set(person.planted) - set(person.in_(whole))) == []
    assert any(name.endswith(f"{person.word('filename')}.txt") for name in names)
    before = await places(counter, person)
    assert {"table message", "table handle", "table profile", "blobs"} <= set(before)

    erase = ("profiles", "erase", "--reason", "consent_withdrawn", "--yes", "--json")
    receipt = json.loads(await command(counter, *erase, f"email:{person.mail}"))

    async def settles() -> bool:
        shown = (await counter.admin.get(f"/v1/erasures/{receipt['id']}")).json()
        return bool(shown["step"] == "settle")

    await eventually(settles, 20, "all that was there is erased")
    await nothing_anywhere(counter, person)

    await counter.raw_mail(person.mail, MAILBOX, letter_of(person).as_bytes())
    late = await counter.admin.post("/v1/messages", json=posted_of(person))
    assert late.status_code == 202
    assert (await counter.admin.get(f"/v1/messages/{late.json()['id']}")).json()["state"] == "erased"
    assert (await import_list(counter, tmp_path / "customers.csv"))["created"] == 0
    await read_again(counter)
    await hurry(counter, receipt["id"])
    done = json.loads(await command(counter, *erase, "--wait", profile))
    assert (done["id"], done["state"]) == (receipt["id"], "done")
    assert done["log_ends_at"] > done["erased_at"]
    await nothing_anywhere(counter, person)

    kept = (await counter.admin.get(f"/v1/conversations/{other}/messages")).json()["items"]
    assert [one["direction"] for one in kept] == ["in", "out"]
    assert "İkimizin siparişi." in kept[0]["text"]

    again = await counter.post("Yeniden merhaba", value=person.mail)
    assert again["profile_id"] != profile
    _, whole = await exported(counter, f"email:{person.mail}", tmp_path / "again.zip")
    assert person.in_(whole) == ["address"]
    await asyncio.gather(*(counter.online(name, "away") for name in counter.agents))

"""Mail from a real client to the printed port, the answer to a real sink, and what a mail server meets that it should not."""

from __future__ import annotations

import asyncio
import base64
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import aiosmtplib
import pytest

from tests.support.counter import MAILBOX, Counter
from tests.support.waiting import eventually


async def answered(counter: Counter, value: str, text: str) -> tuple[dict[str, Any], str]:
    """Deniz answers this person's conversation; the item and the reply's id."""
    await counter.online("Deniz")
    conversation = await counter.conversation_of(value)
    await counter.held("Deniz", conversation["id"])
    reply = await counter.agents["Deniz"].post(
        f"/v1/conversations/{conversation['id']}/replies", json={"content": {"kind": "text", "text": text}}
    )
    assert reply.status_code == 202, reply.text
    return conversation, reply.json()["id"]


async def test_a_mail_is_answered_and_the_answer_to_that_lands_in_the_same_conversation(counter: Counter) -> None:
    for name in ("Ece", "Mert"):
        await counter.online(name, "away")
    person = f"ayse-{uuid4()}@ornek.com"
    first = await counter.mail(f"Ayşe Yılmaz <{person}>", "Siparişim nerede?", "Merhaba, 1042 numaralı sipariş gelmedi.")
    words = f"Hemen bakıyorum {uuid4()}"
    conversation, reply_id = await answered(counter, person, words)
    sunk = await counter.sunk(words)
    assert sunk["in_reply_to"] == f"<{first}>"
    assert first in sunk["references"]
    assert sunk["subject"] == "Re: Siparişim nerede?"
    plus = next(line for line in sunk["raw"].splitlines() if line.lower().startswith("reply-to:"))
    address = plus.partition("<")[2].strip("> ")
    assert address.startswith("destek+")

    async def sent() -> bool:
        return bool((await counter.admin.get(f"/v1/replies/{reply_id}")).json()["state"] == "sent")

    await eventually(sent, 20, "the reply is sent")
    await counter.mail(f"<{person}>", "Bambaşka bir konu", "Teşekkürler, bekliyorum ama acele edin lütfen.", to=address)
    same = await counter.conversation_of(person, at_least=3)
    assert same["id"] == conversation["id"]
    woken = await counter.held("Deniz", same["id"])
    assert woken["state"] == "assigned"
    assert (await counter.agents["Deniz"].post(f"/v1/items/{woken['id']}/done")).status_code == 200


async def test_a_file_goes_out_with_the_answer(counter: Counter) -> None:
    await counter.online("Deniz")
    person = f"dosya-{uuid4()}@ornek.com"
    await counter.mail(person, "Fatura", "Faturamı gönderir misiniz?")
    conversation = await counter.conversation_of(person)
    await counter.held("Deniz", conversation["id"])
    kept = await counter.agents["Deniz"].post(
        "/v1/files?name=fatura.pdf", content=b"%PDF-1.4 fatura", headers={"content-type": "application/pdf"}
    )
    assert kept.status_code == 201, kept.text
    words = f"Faturanız ektedir {uuid4()}"
    content = {"kind": "media", "text": words, "files": [kept.json()]}
    reply = await counter.agents["Deniz"].post(f"/v1/conversations/{conversation['id']}/replies", json={"content": content})
    assert reply.status_code == 202, reply.text
    raw = (await counter.sunk(words))["raw"]
    assert "fatura.pdf" in raw
    assert base64.b64encode(b"%PDF-1.4 fatura").decode() in raw


async def test_a_verified_address_is_one_person_on_two_channels(counter: Counter) -> None:
    person = f"ali-{uuid4()}@ornek.com"
    posted = await counter.post("Merhaba", value=person, verified=True)
    await counter.mail(f"Ali <{person}>", "Devam", "Az önce formdan yazdım, yanıt alamadım.")
    mailed = await counter.conversation_of(person)
    assert mailed["customer"]["profile_id"] == posted["profile_id"]


async def test_a_bounce_fails_the_reply_and_brings_the_work_back_to_its_writer(counter: Counter) -> None:
    for name in ("Ece", "Mert"):
        await counter.online(name, "away")
    person = f"yok-{uuid4()}@ornek.com"
    await counter.mail(person, "Fatura", "Faturamı istiyorum.")
    words = f"Faturanız ektedir {uuid4()}"
    conversation, reply_id = await answered(counter, person, words)
    ours = (await counter.sunk(words))["message_id"].strip("<>")
    report = (
        f"From: MAILER-DAEMON@ornek.com\r\nTo: {MAILBOX}\r\nSubject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=B\r\n\r\n"
        "--B\r\nContent-Type: text/plain\r\n\r\nThe address does not exist.\r\n"
        f"--B\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; ornek.com\r\n\r\nFinal-Recipient: rfc822; {person}\r\n"
        "Action: failed\r\nStatus: 5.1.1\r\n"
        f"--B\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{ours}>\r\nSubject: Re: Fatura\r\n\r\nx\r\n--B--\r\n"
    )
    await counter.raw_mail("", MAILBOX, report.encode())

    async def failed() -> bool:
        return bool((await counter.admin.get(f"/v1/replies/{reply_id}")).json()["state"] == "failed")

    await eventually(failed, 20, "the reply is marked as failed")
    back = await counter.held("Deniz", conversation["id"])
    assert back["state"] == "assigned"
    await counter.agents["Deniz"].post(f"/v1/items/{back['id']}/done")


async def test_an_automatic_answer_wakes_nobody(counter: Counter) -> None:
    person = f"tatil-{uuid4()}@ornek.com"
    await counter.mail(person, "Otomatik yanıt: tatildeyim", "İzindeyim.", Auto_Submitted="auto-replied")
    conversation = await counter.conversation_of(person)
    assert conversation["item"] is None
    assert conversation["messages"][0]["automatic"] in ("auto_reply", "out_of_office")


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: kim?\r\n\r\nGonderen yok.\r\n",
        b"From: a@ornek.com\r\nSubject: \xff\xfe\x00 bozuk\r\n\r\nNUL \x00 ve \xc3\x28 bozuk UTF-8\r\n",
        b"From: a@ornek.com\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
    ],
)
async def test_a_broken_mail_is_taken_and_never_lost(counter: Counter, content: bytes) -> None:
    async def known() -> int:
        found = await counter.admin.get("/v1/conversations?limit=200")
        quarantined = await counter.admin.get("/v1/quarantine?limit=200")
        return len(found.json()["items"]) + len(quarantined.json()["items"])

    marked = content.replace(b"\r\n\r\n", f"\r\nMessage-ID: <{uuid4()}@ornek.com>\r\n\r\n".encode(), 1)
    before = await known()
    await counter.raw_mail(f"bozuk-{uuid4()}@ornek.com", MAILBOX, marked)

    async def more() -> bool:
        return await known() > before

    if b"From: a@" not in content:
        await eventually(more, 20, "the mail is in a conversation or in quarantine")


@pytest.mark.parametrize("start", [b"From: x@", b"From: Ali <ali@ornek.com>", b"Subject: " + b"konu " * 1_000])
async def test_strange_fields_and_long_lines_are_taken(counter: Counter, start: bytes) -> None:
    person, line = f"uzun-{uuid4()}@ornek.com", b"uzun satir " * 20_000
    content = start + f"\r\nMessage-ID: <{uuid4()}@ornek.com>\r\nReply-To: {person}\r\n\r\n".encode() + line + b"\r\n"
    await counter.raw_mail("", MAILBOX, content)
    if not start.startswith(b"From"):
        conversation = await counter.conversation_of(person)
        assert conversation["messages"][0]["automatic"] is None


async def test_what_cannot_be_taken_is_refused_with_a_reason(counter: Counter) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as unknown:
        await counter.mail("a@ornek.com", "x", "y", to="nobody@yaylakahve.example")
    assert unknown.value.recipients[0].code == 550
    large = EmailMessage()
    large["From"], large["To"], large["Subject"] = "a@ornek.com", MAILBOX, "Büyük"
    large.set_content("x")
    with pytest.raises(aiosmtplib.SMTPException) as refused:
        await counter.raw_mail("a@ornek.com", MAILBOX, large.as_bytes() + b"x" * 60 * 1024 * 1024)
    assert "552" in str(refused.value)
    host, _, port = counter.facts["smtp"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    assert (await reader.readline()).startswith(b"220")
    writer.write(b"\x00\xff\xfe garbage\r\nQUIT\r\n")
    assert (await reader.readline()).startswith(b"50")
    writer.close()

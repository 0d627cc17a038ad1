"""The demo's mail sink: a real SMTP client, the file, the bound."""

from __future__ import annotations

import json
import stat
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib

from services.demo.sink import MAILS_MAX, Sink, summary


def mail(subject: str) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Destek <destek@ornek.com>"
    made["To"] = "ayse@ornek.net"
    made["Subject"] = subject
    made["Message-ID"] = "<1@ornek.com>"
    made["In-Reply-To"] = "<0@ornek.net>"
    made.set_content("Siparişiniz yolda.")
    return made


async def test_keeps_what_a_client_sends(tmp_path: Path) -> None:
    path = tmp_path / "mails.jsonl"
    listener = await Sink(path).listen("127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    await aiosmtplib.send(mail("Sipariş"), hostname="127.0.0.1", port=port, start_tls=False)
    listener.close()
    (kept,) = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert (kept["subject"], kept["to"], kept["in_reply_to"]) == ("Sipariş", "ayse@ornek.net", "<0@ornek.net>")
    assert kept["text"].strip() == "Siparişiniz yolda."
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_keeps_the_last_hundred_also_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "mails.jsonl"
    path.write_text("".join(f'{{"subject": "{number}"}}\n' for number in range(MAILS_MAX)), encoding="utf-8")
    listener = await Sink(path).listen("127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    await aiosmtplib.send(mail("new"), hostname="127.0.0.1", port=port, start_tls=False)
    listener.close()
    subjects = [json.loads(line)["subject"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert (len(subjects), subjects[0], subjects[-1]) == (MAILS_MAX, "1", "new")


def test_garbage_is_kept_as_it_came() -> None:
    kept = summary(b"\xff\xfe\x00 not a mail", "", ["a@b.example"])
    assert kept["raw"].endswith(" not a mail")

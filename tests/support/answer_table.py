"""The table of `ingest/mail/README.md`, "Who gets the answer": its cells as they are written, and for each of its rows the mails that are it.

for row, column in cells():
    first, then = ROWS[row]
    content = raw(then, column, tag="7", name="then", signed=address, ours=message_id)
    assert what_becomes_of(content) == TABLE[row][column]

A column that is not written, a row without mails or mails without a row fail when this is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from ingest.adapter import Draft, Inbox, Request, Target
from ingest.adapters.smtp import ADAPTER

PAGE: Final = Path(__file__).resolve().parents[2] / "ingest" / "mail" / "README.md"
COLUMNS: Final = ("pass", "none", "no border", "fail")
BORDER: Final = "mx.ornek.com"
ADDRESS: Final = "destek@ornek.com"
FORM: Final = "form@ornek.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail of a row, by roles: the customer, another person, a form, a list, ourselves. ``signed``, ``cites``: what it knows of our answer."""

    author: str = "customer"
    reply_to: str = ""
    signed: bool = False
    cites: bool = False


PLAIN: Final = Mail()
PAIR: Final = Mail(reply_to="elsewhere")
BY_FORM, BY_LIST = Mail(author="form", reply_to="customer"), Mail(author="list", reply_to="customer")
ROWS: Final[Mapping[str, tuple[Mail, Mail]]] = {
    "our signed reply address": (PLAIN, Mail(signed=True)),
    "our signed reply address, from another address": (PLAIN, Mail(signed=True, author="other")),
    "our signed reply address, Reply-To elsewhere": (PLAIN, Mail(signed=True, reply_to="elsewhere")),
    "our Message-ID": (PLAIN, Mail(cites=True)),
    "our Message-ID, from another address": (PLAIN, Mail(cites=True, author="other")),
    "our Message-ID, Reply-To elsewhere": (PLAIN, Mail(cites=True, reply_to="elsewhere")),
    "our Message-ID, from another address, Reply-To elsewhere": (PLAIN, Mail(cites=True, author="other", reply_to="elsewhere")),
    "the same From": (PLAIN, PLAIN),
    "the same From, Reply-To elsewhere": (PLAIN, PAIR),
    "the same From and the same Reply-To as it began with": (PAIR, PAIR),
    "the same From without the Reply-To it began with": (PAIR, PLAIN),
    "another From, Reply-To at the customer's address": (PLAIN, Mail(author="other", reply_to="customer")),
    "another From": (PLAIN, Mail(author="other")),
    "our own mailbox as From, nobody named": (PLAIN, Mail(author="ourselves")),
    "a form's mail that names the customer": (PLAIN, BY_FORM),
    "a form's mail for the same person": (BY_FORM, BY_FORM),
    "a form's mail for another person": (BY_FORM, Mail(author="form", reply_to="other")),
    "a list's mail of the same person": (BY_LIST, BY_LIST),
    "a list's mail of another person": (BY_LIST, Mail(author="list", reply_to="other")),
}


def _read() -> dict[str, dict[str, str]]:
    lines = PAGE.read_text(encoding="utf-8").partition("## Who gets the answer")[2].partition("\n## ")[0].splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    (head, _, *body) = table
    assert tuple(head) == ("evidence", *COLUMNS), head
    return {row[0]: dict(zip(COLUMNS, row[1:], strict=True)) for row in body}


TABLE: Final = _read()
assert list(TABLE) == list(ROWS), set(TABLE) ^ set(ROWS)


def cells() -> Iterator[tuple[str, str]]:
    """Every (row, column)."""
    return ((row, column) for row in ROWS for column in COLUMNS)


def people(tag: str) -> dict[str, str]:
    """Addresses by role; each tag has people of its own."""
    return {
        "customer": f"ayse{tag}@ornek.net", "other": f"can{tag}@baska.example", "elsewhere": f"ofis{tag}@uzak.example", "form": FORM,
        "list": ADDRESS, "ourselves": ADDRESS,
    }  # fmt: skip


def asks(mail: Mail, tag: str) -> str | None:
    """Where a mail wants to be answered; None for ourselves."""
    return None if mail.author == "ourselves" else people(tag)[mail.reply_to or mail.author]


def raw(mail: Mail, column: str, *, tag: str, name: str, signed: str = "", ours: str = "") -> bytes:
    """The mail as our border hands it on. ``signed``: the address our answer is answered at; ``ours``: our answer's Message-ID."""
    who = people(tag)
    author, reply_to = who[mail.author], who[mail.reply_to] if mail.reply_to else ""
    fields = [
        f"From: <{author}>",
        f"To: {signed if mail.signed else ADDRESS}",
        f"Message-ID: <{name}-{tag}@x>",
        f"Subject: Konu {tag}",
    ]
    if mail.author == "list":
        fields = [f"X-Original-Sender: {reply_to}", f"From: \"'Biri' via Destek\" <{author}>", *fields[1:]]
    if column != "no border":
        fields.insert(0, f"Authentication-Results: {BORDER}; dmarc={column} header.from={author.rpartition('@')[2]}")
    fields += [f"Reply-To: {reply_to}"] if reply_to else []
    fields += [f"In-Reply-To: <{ours}>"] if mail.cites else []
    return "\r\n".join([*fields, "", f"{name} {tag}", ""]).encode()


def draft_of(workspace_id: UUID, inbox_id: UUID, content: bytes, column: str) -> Draft:
    """The adapter's draft of a mail to an inbox at `ADDRESS`; the column says whether it knows a border."""
    given = Inbox(
        workspace_id=workspace_id, id=inbox_id, name="smtp", channel="email", provider="smtp", address=ADDRESS,
        settings={} if column == "no border" else {"authserv_id": BORDER},
    )  # fmt: skip
    target = Target(id=given.id, workspace_id=given.workspace_id, provider="smtp", inboxes=(given,))
    request = Request(method="SMTP", url="", headers={}, query={}, body=content, received_at=datetime.now(UTC), proven=True)
    (draft,) = ADAPTER.parse(target, request)
    assert isinstance(draft, Draft)
    return draft

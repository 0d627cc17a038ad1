"""Raw mail: from our SMTP listener, or posted as ``message/rfc822`` to ``/in/{id}`` by a mail server's hook.

Answers: SMTP 250 stored · 451 not stored, send again · 550 no such mailbox · 552 over the size limit; HTTP as in the gateway.
**Identity**: Message-ID with a digest of what its writer's program wrote (`ingest/mail/identity.py`), because one in six real mails has
no Message-ID or repeats one.
**Handles**: the From address, verified only with an aligned DMARC pass from our own border (RFC 8601); a failed one is a person
of its own that nobody else's mail can join. Of a form's or a list's mail the person it names, asserted (`ingest/mail/correspondent.py`).
**Traits**: ``verdict`` (pass, none, fail, no_border), ``reply_to`` where it is another mailbox, ``written_from`` of a form or a list.
**Machines**: what a machine wrote is told from what only forbids automatic answers (`ingest/mail/automatic.py`); what the filter at our own
border says is read where the setting ``border_filter`` names it (`ingest/mail/border_filter.py`).
**Way back**: RFC 5322 with In-Reply-To, References and a signed plus-address that finds the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ingest.adapter import (
    Call,
    Capabilities,
    Challenge,
    Draft,
    Inbox,
    MailCall,
    Outcome,
    Parsed,
    Part,
    Reply,
    Request,
    Target,
    Unparsed,
    require_carried,
)
from ingest.digest import content_digest
from ingest.mail.addresses import Mailbox, parse_mailboxes
from ingest.mail.authentication import SenderVerdict, sender_verdict
from ingest.mail.automatic import read_automatic
from ingest.mail.border_filter import FILTERS, border_verdict
from ingest.mail.compose import OutgoingFile, compose_reply, envelope_of, wire_domain
from ingest.mail.correspondent import correspondent
from ingest.mail.identity import mail_identity
from ingest.mail.mime import Mail, read_mail
from ingest.mail.own_mailboxes import OwnMailboxes, handle_value, own_mailboxes
from ingest.mail.reply_token import reply_address
from ingest.mail.reports import Bounce, names_a_mail, read_bounce, reported_message_id
from ingest.setting_formats import LISTED_MAX, VOUCHES
from ingest.signatures import verify_bearer
from ingest.steps import step
from shared.errors import Unprocessable
from shared.message import UNVERIFIED_SCOPE, Automatic, Filtered, Participant, Sender
from shared.text import clean_line

LISTENER: Final = "SMTP"
"""The method of a request that is a mail from our own listener."""
DRAFT_STEPS: Final = 100
"""Of a small mail's draft for one inbox, once it is read."""
REFERENCES_MAX: Final = 30
SUBJECT_CHARS_MAX: Final = 2000
REASON_CHARS_MAX: Final = 500
REASON_RECIPIENTS_MAX: Final = 5
_NUMBER_AT_END: Final = re.compile(r"[\d \u00a0\u2013-]{1,80}\Z")


class SmtpAdapter:
    """See the module."""

    provider = "smtp"
    channel = "email"
    channels = frozenset({"email"})
    hosts: frozenset[str] = frozenset()
    body_bytes_max: int = 64 * 1024 * 1024
    proof: str | None = "post_secret"
    capabilities = Capabilities(
        text_chars_max=500_000, html=True, files=True, file_bytes_max=25_000_000, subject=True, copies=True,
        receipts=frozenset({"sent", "failed"}),
    )  # fmt: skip

    def settings_schema(self) -> Mapping[str, Any]:
        text = {"type": "string"}
        settings = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "from_name": text,
                "authserv_id": {**text, VOUCHES: True},
                "aliases": {
                    "type": "array",
                    "maxItems": LISTED_MAX,
                    "items": {"type": "string", "format": "idn-email"},
                    VOUCHES: True,
                },
                "border_filter": {"enum": list(FILTERS)},
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
        inboxes = target.inboxes if target.every else target.inboxes[:1]
        if not request.body.strip():
            return [Unparsed(inbox=inbox, original=request.body, reason="an empty mail") for inbox in inboxes]
        mail = read_mail(request.body)
        if mail.sender is None and not mail.text and not mail.attachments:
            reason = "no From, no text and no attachment: not a mail"
            return [Unparsed(inbox=inbox, original=request.body, reason=reason) for inbox in inboxes]
        same = _same(mail, request.body)
        return [_draft(inbox, mail, same, proven=request.proven) for inbox in inboxes]

    def reply(self, reply: Reply) -> Call:
        require_carried(reply.content, self.capabilities)
        address = _own_address(reply.inbox.address)
        _require_somebody(reply)
        to = [Mailbox(name=reply.to_name or None, address=reply.to_value)]
        copies, hidden = [_box(one) for one in reply.cc], [_box(one) for one in reply.bcc]
        content = compose_reply(
            sender=Mailbox(name=str(reply.inbox.settings.get("from_name") or "") or None, address=address),
            to=to,
            cc=copies,
            bcc=hidden,
            subject=reply.subject,
            text=str(reply.content.get("text", "")),
            html=str(reply.content["html"]) if reply.content.get("html") else None,
            message_id=own_message_id(reply.id, address),
            in_reply_to=reply.in_reply_to,
            references=reply.references,
            reply_to=reply_address(address, reply.conversation_id, reply.token_secret),
            date=reply.at,
            attachments=[
                OutgoingFile(name=part.name, content_type=part.content_type, content=part.content) for part in reply.files
            ],
            automatic=bool(reply.content.get("automatic")),
        )
        envelope = (*envelope_of(to), *envelope_of(copies, field="cc"), *envelope_of(hidden, field="bcc"))
        return MailCall(envelope_from=address, recipients=tuple(dict.fromkeys(envelope)), content=content)

    def outcome(self, status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
        text = body.decode("utf-8", "replace")[:500]
        if status < 400:
            return Outcome(state="sent", reason=text)
        return Outcome(state="retry" if status < 500 else "failed", reason=f"{status} {text}".strip())


def own_message_id(reply_id: UUID, address: str) -> str:
    """The Message-ID of our reply: ours to recognize when it is answered, or bounces."""
    return f"{reply_id}@{_own_address(address).rpartition('@')[2]}"


def _own_address(address: str) -> str:
    """The inbox's address as mail carries it; what is ASCII stays as it was configured, because answers are recognized by it."""
    local, _, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}@{wire_domain(domain, 'from')}"


def _box(address: str) -> Mailbox:
    return Mailbox(name=None, address=address)


def _own(inbox: Inbox) -> OwnMailboxes:
    """Where we receive mail: the workspace's mailboxes, made once for all its mails; of an inbox that stands alone, its own."""
    if inbox.own is not None:
        return inbox.own.mailboxes
    return own_mailboxes((inbox.address, *map(str, inbox.settings.get("aliases") or ())))


def _require_somebody(reply: Reply) -> None:
    """Raises `Unprocessable` where nobody is known to answer, or it would be ourselves."""
    if reply.to_kind != "email":
        raise Unprocessable("nobody knows this writer's address", field="to", remedy="give an address")
    if _own(reply.inbox).has(reply.to_value):
        raise Unprocessable("the inbox's own mailbox", field="to", remedy="give the customer's address")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Same:
    """What of a mail's draft is the same for every inbox it came to, made once."""

    external_id: str
    values: Mapping[str, Any]
    parts: Sequence[Part]
    raw: bytes


def _same(mail: Mail, raw: bytes) -> _Same:
    values = {
        "subject": _subject(mail.subject),
        "text": mail.text,
        "text_stripped": mail.text_stripped if mail.text_stripped != mail.text else None,
        "sent_at": mail.date,
        "defines": (f"mid:{mail.message_id}",) if mail.message_id else (),
    }
    parts = [
        Part(content=one.content, name=one.name, content_type=one.content_type, content_id=one.content_id, inline=one.inline)
        for one in mail.attachments
    ]
    if mail.html:
        parts.append(Part(content=mail.html.encode(), content_type="text/html; charset=utf-8", role="html"))
    return _Same(external_id=mail_identity(raw, mail.message_id), values=values, parts=parts, raw=raw)


def _draft(inbox: Inbox, mail: Mail, same: _Same, *, proven: bool) -> Draft:
    step(DRAFT_STEPS)
    own = _own(inbox)
    who = correspondent(mail, own)
    automatic, reported = _automatic(mail, own)
    authserv_id = str(inbox.settings.get("authserv_id", ""))
    domain = mail.sender.address.rpartition("@")[2] if mail.sender is not None else ""
    verdict = sender_verdict(mail.headers, authserv_id=authserv_id, from_domain=domain)
    # A border's word for somebody counts from our listener, or from who knows the secret: anybody may post it. Denied is who denies themselves.
    verdict = "none" if verdict == "pass" and not proven else verdict
    sender = _sender(inbox, mail, who.box, verdict="none" if who.written_from and verdict == "pass" else verdict)
    values: dict[str, Any] = {
        **same.values,
        "sender": sender,
        "participants": _participants(mail, own, {sender.value, handle_value(who.written_from)}),
        "refs": _refs(mail, reported),
        "automatic": automatic,
        "filtered": _filtered(inbox, mail),
        "authenticated": sender.assurance != "asserted",
        "traits": {
            "verdict": verdict if authserv_id else "no_border",
            **({"reply_to": who.reply_to} if who.reply_to else {}),
            **({"written_from": who.written_from} if who.written_from else {}),
        },
    }
    return Draft(inbox=inbox, external_id=same.external_id, values=values, parts=same.parts, original=same.raw)


def _subject(subject: str) -> str:
    """The subject, cut to what a message holds; all of it stays in the original. A number that was cut in two could not be masked."""
    if len(subject) <= SUBJECT_CHARS_MAX:
        return subject
    return _NUMBER_AT_END.sub("", subject[: SUBJECT_CHARS_MAX - 1]) + "…"


def _sender(inbox: Inbox, mail: Mail, box: Mailbox | None, *, verdict: SenderVerdict) -> Sender:
    """``verdict``: of the border on this very person, none where a form or a list names them."""
    value = "" if box is None else handle_value(box.address)
    shown = box or mail.sender or Mailbox(name=None, address="")
    name = clean_line(shown.name or "")[:500]
    if not value:
        # A mail without a usable From, or from our own mailbox, still reaches an agent, as nobody we know.
        value = mail.message_id or content_digest({"text": mail.text, "subject": mail.subject})
        return Sender(kind="visitor", scope=f"mail:{inbox.id}", value=value[:512], raw=shown.address, name=name)
    return Sender(
        kind="email", scope=UNVERIFIED_SCOPE if verdict == "fail" else "", value=value, raw=shown.address, name=name,
        assurance="channel_verified" if verdict == "pass" else "asserted",
    )  # fmt: skip


def _participants(mail: Mail, own: OwnMailboxes, others: Collection[str]) -> tuple[Participant, ...]:
    """The others on the mail, each in the strongest part they have, without the customer, a form's or list's address and our own.

    Who sent it on to us stands in Resent-From (RFC 5322 §3.6.6); the mail is still its writer's.
    """
    resent = [box for name, value in mail.headers if name.lower() == "resent-from" for box in parse_mailboxes(value)]
    boxes = [("forwarder", box) for box in resent] + [("to", box) for box in mail.to] + [("cc", box) for box in mail.cc]
    found: dict[str, Participant] = {}
    for role, box in boxes:
        value = handle_value(box.address)  # empty for a group's name or a broken address: nobody to name
        if value and not own.has(value) and value not in others and value not in found:
            given = {"kind": "email", "value": value, "raw": box.address, "name": clean_line(box.name or "")[:500], "role": role}
            found[value] = Participant.model_validate(given)
    return tuple(found.values())


def _refs(mail: Mail, reported: str | None) -> tuple[str, ...]:
    """What the mail answers, strongest first: the signed address, the mail a report is about, In-Reply-To, References from the newest."""
    recipients = tuple(box.address for box in (*mail.to, *mail.cc, *mail.bcc))
    tokens = tuple(f"address:{address.lower()}" for address in recipients if "+" in address.partition("@")[0])
    answered = (*mail.in_reply_to, *reversed(mail.references[-REFERENCES_MAX:]))
    originals = (reported,) if reported else ()
    return tuple(dict.fromkeys((*tokens, *(f"mid:{one}" for one in (*originals, *answered)))))


def _automatic(mail: Mail, own: OwnMailboxes) -> tuple[Automatic | None, str | None]:
    """What says that a machine wrote, and the Message-ID of the mail that it reports about."""
    found = read_automatic(mail.headers, mail.attachments, mail.text, own=own)
    if found is None:
        return None, None
    if found.kind == "bounce":
        bounce = read_bounce(mail.headers, mail.attachments, mail.text)
        automatic = Automatic(
            kind="bounce", evidence=found.evidence, failed_recipient=next(iter(bounce.recipients), None),
            failed_recipients=bounce.recipients, permanent=bounce.permanent, reason=_reason(bounce),
        )  # fmt: skip
        return automatic, bounce.original_message_id
    reported = reported_message_id(mail.headers, mail.attachments, mail.text) if names_a_mail(found.kind) else None
    return Automatic(kind=found.kind, marked_only=found.marked_only, evidence=found.evidence), reported


def _reason(bounce: Bounce) -> str:
    """Why the mail came back, and for whom: agents see it at the answer, which may have had copies."""
    if all(one.lower() in bounce.reason.lower() for one in bounce.recipients):
        return bounce.reason[:REASON_CHARS_MAX]
    shown, others = bounce.recipients[:REASON_RECIPIENTS_MAX], len(bounce.recipients) - REASON_RECIPIENTS_MAX
    named = ", ".join(shown) + (f" (+{others})" if others > 0 else "")
    return f"{named}: {bounce.reason}"[:REASON_CHARS_MAX]


def _filtered(inbox: Inbox, mail: Mail) -> Filtered | None:
    verdict = border_verdict(mail.headers, str(inbox.settings.get("border_filter") or ""))
    return None if verdict is None else Filtered(verdict=verdict.verdict, by=verdict.by, score=verdict.score)


ADAPTER = SmtpAdapter()

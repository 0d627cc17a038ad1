"""Happenings as mails: matters that go on in their thread, absent people's automatic answers, bounces.

Source: RFC 5322 §3.6.4 (In-Reply-To, References), RFC 3834 (Auto-Submitted), RFC 3464 (delivery reports).
"""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from services.traffic.people import Happening


class Mails:
    """The mails of one run; it remembers the threads."""

    def __init__(self, mailbox: str, *, tag: str) -> None:
        self._mailbox = mailbox
        self._tag = tag
        self._threads: dict[tuple[int, int], list[str]] = {}

    def compose(self, happening: Happening, *, at: datetime) -> EmailMessage:
        """The mail; one that goes on with a matter answers the mail before it. Call it once for each happening."""
        person, mail = happening.person, EmailMessage()
        mid = f"<{self._tag}.{happening.number}@{person.email.partition('@')[2]}>"
        bounced = happening.kind == "bounce"
        mail["From"] = "Mail Delivery System <mailer-daemon@posta.example>" if bounced else formataddr((person.name, person.email))
        mail["To"] = self._mailbox
        mail["Subject"] = happening.subject
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = mid
        mail.set_content(happening.text)
        if bounced:
            _make_report(mail, happening)
        elif happening.kind == "auto_reply":
            mail["Auto-Submitted"] = "auto-replied"
            mail["Precedence"] = "auto_reply"
        else:
            known = self._threads.setdefault((person.number, happening.thread), [])
            if known:
                mail["In-Reply-To"] = known[-1]
                mail["References"] = " ".join(known[-10:])
            known.append(mid)
        return mail


def _make_report(mail: EmailMessage, happening: Happening) -> None:
    """A delivery report as RFC 3464 has it: words, status, and the mail that did not arrive."""
    mail.make_mixed()
    mail.set_type("multipart/report")
    mail.set_param("report-type", "delivery-status")
    status = EmailMessage()
    status["Content-Type"] = "message/delivery-status"
    reported, recipient = EmailMessage(), EmailMessage()
    reported["Reporting-MTA"] = "dns; mx.posta.example"
    recipient["Final-Recipient"] = f"rfc822; {happening.person.email}"
    recipient["Action"] = "failed"
    recipient["Status"] = "5.1.1"
    status.set_payload([reported, recipient])
    mail.attach(status)

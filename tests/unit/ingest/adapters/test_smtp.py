"""What a mail becomes on its way in: machines and their reports, marks, and our own filter's verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jsonschema
import pytest

from ingest.adapter import Draft, Inbox, Request, Target
from ingest.adapters.smtp import ADAPTER
from shared.message import Automatic, Filtered

WORKSPACE, INBOX = UUID(int=1), UUID(int=2)
OURS = "giden-1@bizim.example"


def taken(raw: str, **settings: Any) -> dict[str, Any]:
    """The values of the draft that this mail becomes in an inbox with these settings."""
    inbox = Inbox(
        workspace_id=WORKSPACE, id=INBOX, name="posta", channel="email", provider="smtp", address="destek@bizim.example",
        settings=settings,
    )  # fmt: skip
    target = Target(id=INBOX, workspace_id=WORKSPACE, provider="smtp", inboxes=(inbox,))
    at = datetime(2026, 11, 24, 9, tzinfo=UTC)
    (draft,) = ADAPTER.parse(target, Request(method="POST", url="/in/x", headers={}, query={}, body=raw.encode(), received_at=at))
    assert isinstance(draft, Draft)
    return dict(draft.values)


def report(kind: str, fields: str) -> str:
    return (
        "From: mailer-daemon@mx.example\nTo: destek@bizim.example\nSubject: x\n"
        f"Content-Type: multipart/report; report-type={kind}; boundary=b\n\n--b\nContent-Type: text/plain\n\nA report.\n"
        f"--b\nContent-Type: message/{kind}\n\n{fields}\n--b--\n"
    )


def group(address: str) -> str:
    return f"Final-Recipient: rfc822; {address}\nAction: failed\nDiagnostic-Code: smtp; 550 no such user\n"


def test_a_bounce_names_everybody_whom_our_mail_did_not_reach() -> None:
    fields = "\n".join(
        [f"Reporting-MTA: dns; mx.example\nX-Original-Message-ID: <{OURS}>\n", group("a@x.example"), group("b@y.example")]
    )
    values = taken(report("delivery-status", fields))
    assert values["automatic"] == Automatic(
        kind="bounce", evidence=("multipart/report; report-type=delivery-status",), failed_recipient="a@x.example",
        failed_recipients=("a@x.example", "b@y.example"), permanent=True, reason="a@x.example, b@y.example: 550 no such user",
    )  # fmt: skip
    assert values["refs"] == (f"mid:{OURS}",)


def test_the_reason_names_few_of_many_and_nobody_twice() -> None:
    many = taken(report("delivery-status", "x: y\n\n" + "\n".join(group(f"a{one}@x.example") for one in range(9))))
    assert many["automatic"].reason == (
        "a0@x.example, a1@x.example, a2@x.example, a3@x.example, a4@x.example (+4): 550 no such user"
    )  # fmt: skip
    assert len(many["automatic"].failed_recipients) == 9
    one = "x: y\n\n" + group("a@x.example")
    assert taken(report("delivery-status", one))["automatic"].reason == "a@x.example: 550 no such user"
    named = one.replace("no such user", "<A@x.example>: no such user")
    assert taken(report("delivery-status", named))["automatic"].reason == "550 <A@x.example>: no such user"


@pytest.mark.parametrize(
    ("kind", "named", "fields"),
    [
        ("disposition-notification", "disposition", f"Original-Message-ID: <{OURS}>\nDisposition: x; displayed\n"),
        ("feedback-report", "feedback", f"Feedback-Type: abuse\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <{OURS}>\n\nx\n"),
    ],
)
def test_receipts_and_abuse_reports_find_the_mail_that_they_are_about(kind: str, named: str, fields: str) -> None:
    values = taken(report(kind, fields))
    assert (values["automatic"].kind, values["refs"]) == (named, (f"mid:{OURS}",))


def test_a_mark_is_told_apart_from_a_machine() -> None:
    list_mail = "From: ali@x.example\nTo: destek@liste.example\nSubject: Konu\nPrecedence: bulk\n\nSiparişim gelmedi.\n"
    assert taken(list_mail)["automatic"] == Automatic(kind="bulk", evidence=("Precedence", "To"))
    through_alias = taken(list_mail, aliases=["destek@liste.example"])
    assert through_alias["automatic"] == Automatic(kind="bulk", marked_only=True, evidence=("Precedence",))
    assert taken("From: ali@x.example\nSubject: Konu\nAuto-Submitted: no\n\nx\n")["automatic"] is None


SPAM = "X-Spam-Status: Yes, score=7.2 required=5.0\nFrom: ali@x.example\nSubject: Konu\n\nSiparişim gelmedi.\n"


def test_our_own_filter_is_believed_by_the_setting_alone() -> None:
    assert taken(SPAM)["filtered"] is None
    assert taken(SPAM, border_filter="rspamd")["filtered"] is None
    assert taken(SPAM, border_filter="spamassassin")["filtered"] == Filtered(verdict="spam", by="spamassassin", score=7.2)


def test_the_setting_names_a_filter_that_is_read() -> None:
    schema = ADAPTER.settings_schema()["inbox"]["settings"]
    jsonschema.validate({"border_filter": "rspamd", "aliases": ["a@b.c"]}, schema)
    with pytest.raises(jsonschema.ValidationError, match="barracuda"):
        jsonschema.validate({"border_filter": "barracuda"}, schema)

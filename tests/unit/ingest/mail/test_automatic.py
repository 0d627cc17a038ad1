from pathlib import Path

import pytest

from ingest.mail.automatic import LOOP_HEADER, AutomaticKind, Bounce, automatic_kind, read_bounce
from ingest.mail.mime import read_mail

FIXTURES = Path(__file__).parents[3] / "fixtures" / "mail"


def _kind(stem: str) -> AutomaticKind | None:
    mail = read_mail((FIXTURES / f"{stem}.eml").read_bytes())
    return automatic_kind(mail.headers, mail.attachments)


@pytest.mark.parametrize(
    ("stem", "kind"),
    [
        ("bounce_postfix", "bounce"),
        ("bounce_delayed_headers", "bounce"),
        ("bounce_qmail", "bounce"),
        ("out_of_office_turkish", "out_of_office"),
        ("newsletter", "bulk"),
        ("read_receipt", "disposition"),
        ("feedback_report", "feedback"),
        ("gmail_turkish_reply", None),
        ("calendar_invite", None),
        ("forwarded_message", None),
    ],
)
def test_fixture_is_of_its_kind(stem: str, kind: AutomaticKind | None) -> None:
    assert _kind(stem) == kind


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ([("Auto-Submitted", "no")], None),
        ([("auto-submitted", "Auto-Generated; type=x")], "auto_reply"),
        ([("Auto-Submitted", "auto-replied (vacation)")], "out_of_office"),
        ([("Precedence", "AUTO_REPLY")], "auto_reply"),
        ([("Precedence", "junk")], "bulk"),
        ([("Precedence", "first-class")], None),
        ([("X-Auto-Response-Suppress", "DR, OOF, AutoReply")], "auto_reply"),
        ([("X-Auto-Response-Suppress", "None")], None),
        ([("List-Unsubscribe", "<mailto:u@x>")], "bulk"),
        ([("Return-Path", "<>")], "auto_reply"),
        ([("Return-Path", "<>"), ("From", "ali@x"), ("Subject", "Siparişim nerede?")], None),
        ([("Return-Path", "< >"), ("From", "Ali <ali@x>"), ("Subject", "Out of office: kim bakacak?")], None),
        ([("Return-Path", "<>"), ("From", "MAILER-DAEMON@x")], "auto_reply"),
        ([("Return-Path", "<>"), ("From", "postmaster@x")], "auto_reply"),
        ([("Return-Path", "<>"), ("From", "<>")], "auto_reply"),
        ([("Return-Path", "<>"), ("From", ""), ("Reply-To", "ali@x")], None),
        ([("Return-Path", "<>"), ("From", "ali@x"), ("Subject", "Undeliverable: x")], "bounce"),
        ([("Return-Path", "<ali@x>")], None),
        ([("From", "MAILER-DAEMON@x"), ("Subject", "Undeliverable: x")], "bounce"),
        ([("From", "ali@x"), ("Subject", "Undeliverable: bana gelen mesaj")], None),
        ([("X-Failed-Recipients", "a@b.c")], "bounce"),
        ([(LOOP_HEADER, "1")], "auto_reply"),
        ([("Subject", "Otomatik yanıt: Toplantı")], "auto_reply"),
        ([("Subject", "Automatic reply: Out of office until Monday")], "out_of_office"),
        ([("Subject", "Abwesend: x"), ("Auto-Submitted", "auto-replied")], "out_of_office"),
        ([("Subject", "izindeyim ama soracağım")], None),
        ([("Content-Type", "multipart/report; report-type=disposition-notification; boundary=x")], "disposition"),
    ],
)
def test_headers_decide(headers: list[tuple[str, str]], kind: AutomaticKind | None) -> None:
    assert automatic_kind(headers) == kind


@pytest.mark.parametrize(
    ("stem", "bounce"),
    [
        (
            "bounce_postfix",
            Bounce(
                original_message_id="giden-99@ornek.com",
                recipients=("Yok@ornek.net",),
                status="5.1.1",
                permanent=True,
                reason="550 5.1.1 <yok@ornek.net>: Recipient address rejected: User unknown",
            ),
        ),
        (
            "bounce_delayed_headers",
            Bounce(
                original_message_id="giden-100@ornek.com",
                recipients=("dolu@ornek.net",),
                status="4.2.2",
                permanent=False,
                reason="Henüz teslim edilemedi.",
            ),
        ),
        (
            "bounce_qmail",
            Bounce(
                original_message_id="giden-101@ornek.com",
                recipients=("kayip@ornek.net",),
                status="5.1.1",
                permanent=True,
                reason="Sorry, no mailbox here by that name. (#5.1.1)",
            ),
        ),
        ("newsletter", None),
    ],
)
def test_bounce_names_mail_recipient_and_cause(stem: str, bounce: Bounce | None) -> None:
    mail = read_mail((FIXTURES / f"{stem}.eml").read_bytes())
    assert read_bounce(mail.headers, mail.attachments, mail.text) == bounce


def report(*recipients: str) -> bytes:
    """A delivery report about these groups of fields."""
    status = "\r\n\r\n".join(["Reporting-MTA: dns; mx.example", *recipients])
    return (
        "From: mailer-daemon@mx.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n--b--\r\n"
    ).encode()


def bounce_of(raw: bytes) -> Bounce:
    mail = read_mail(raw)
    found = read_bounce(mail.headers, mail.attachments, mail.text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("action", "status", "permanent"),
    [
        ("failed", "5.1.1", True), ("failed", "4.4.7", True), ("failed", "5.2.2", True), ("Failed", "4.2.2", True),
        ("delayed", "4.4.1", False), ("delayed", "5.1.1", False), ("delivered", "2.0.0", False), ("relayed", "2.1.9", False),
        ("expanded", "2.0.0", False),
    ],
)  # fmt: skip
def test_the_action_says_whether_a_mail_came_back_and_the_status_only_why(action: str, status: str, permanent: bool) -> None:
    found = bounce_of(report(f"Final-Recipient: rfc822; a@x.example\r\nAction: {action}\r\nStatus: {status}"))
    assert found.permanent is permanent
    assert found.recipients == (("a@x.example",) if action.lower() in ("failed", "delayed") else ())


def test_without_an_action_the_status_tells() -> None:
    assert bounce_of(report("Final-Recipient: rfc822; a@x.example\r\nStatus: 5.2.2")).permanent
    assert not bounce_of(report("Final-Recipient: rfc822; a@x.example\r\nStatus: 4.4.1")).permanent


def test_a_report_names_everybody_whom_the_mail_did_not_reach() -> None:
    found = bounce_of(
        report(
            "Final-Recipient: rfc822; a@x.example\r\nAction: delayed\r\nStatus: 4.4.1",
            "Original-Recipient: rfc822; b+2Bc@x.example\r\nFinal-Recipient: rfc822; b2@y.example\r\nAction: failed\r\nStatus: 5.1.1",
            "Final-Recipient: rfc822; d@x.example\r\nAction: failed\r\nStatus: 5.2.1",
            "Final-Recipient: rfc822; e@x.example\r\nAction: delivered\r\nStatus: 2.0.0",
        )
    )
    assert (found.recipients, found.status, found.permanent) == (("b+c@x.example", "d@x.example"), "5.1.1", True)

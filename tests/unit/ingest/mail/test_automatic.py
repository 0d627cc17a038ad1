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
                recipient="Yok@ornek.net",
                status="5.1.1",
                permanent=True,
                reason="550 5.1.1 <yok@ornek.net>: Recipient address rejected: User unknown",
            ),
        ),
        (
            "bounce_delayed_headers",
            Bounce(
                original_message_id="giden-100@ornek.com",
                recipient="dolu@ornek.net",
                status="4.2.2",
                permanent=False,
                reason="Henüz teslim edilemedi.",
            ),
        ),
        (
            "bounce_qmail",
            Bounce(
                original_message_id="giden-101@ornek.com",
                recipient="kayip@ornek.net",
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

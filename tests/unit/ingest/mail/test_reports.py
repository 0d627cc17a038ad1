"""Delivery reports, receipts and abuse reports: which mail, whom it did not reach, why, and whether it came back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.mime import read_mail
from ingest.mail.report_text import read_report_text
from ingest.mail.reports import Bounce, names_a_mail, read_bounce, reported_message_id

FIXTURES = Path(__file__).parents[3] / "fixtures" / "mail"


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
    ],
)
def test_bounce_names_mail_recipient_and_cause(stem: str, bounce: Bounce) -> None:
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
    return read_bounce(mail.headers, mail.attachments, mail.text)


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


@pytest.mark.parametrize("action", ["failure", "error", "failed (gave up)", "FAIL"])
def test_an_action_in_other_words_is_failed(action: str) -> None:
    found = bounce_of(report(f"Final-Recipient: rfc822; a@x.example\r\nAction: {action}\r\nStatus: 4.0.0"))
    assert (found.permanent, found.recipients) == (True, ("a@x.example",))


def test_addresses_beyond_ascii_are_read_in_seven_bits() -> None:
    found = bounce_of(report("Final-Recipient: utf-8; \\x{15F}ule@x.example\r\nAction: failed"))
    assert found.recipients == ("şule@x.example",)
    assert bounce_of(report("Final-Recipient: utf-8; \\x{FFFFFF}a@x.example\r\nAction: failed")).recipients == (
        "\\x{FFFFFF}a@x.example",
    )


def plain(text: str, *, subject: str = "Mail delivery failed", fields: str = "") -> Bounce:
    raw = f"From: mailer-daemon@mx.example\nTo: destek@bizim.example\nSubject: {subject}\n{fields}\n{text}"
    return bounce_of(raw.encode())


@pytest.mark.parametrize(
    ("text", "recipients", "reason"),
    [
        (
            "Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message.\n\n"
            "<a@x.example>:\nSorry, no mailbox here.\n\n<b@x.example>:\nUser is over the quota.\n\n"
            "--- Below this line is a copy of the message.\n\nTo: c@x.example\n",
            ("a@x.example", "b@x.example"), "Sorry, no mailbox here.",
        ),
        (
            "This message was created automatically by mail delivery software.\n\nThe following address(es) failed:\n\n"
            "  a@x.example\n    SMTP error from remote mail server after RCPT TO:<a@x.example>:\n"
            "    host mx.x.example [192.0.2.1]: 550 No such user\n",
            ("a@x.example",), "host mx.x.example [192.0.2.1]: 550 No such user",
        ),
        (
            "Your message\n\n  To:      destek@bizim.example\n  Subject: 550 TL iade\n\ndid not reach the following recipient(s):\n\n"
            "a@x.example on Fri, 4 Oct 2024 17:12:28 -0400\n    The recipient name is not recognized\n",
            ("a@x.example",), "The recipient name is not recognized",
        ),
        (
            "<a@x.example>: host mx.x.example said: 554 Refused (in reply to end of DATA command)\n",
            ("a@x.example",), "<a@x.example>: host mx.x.example said: 554 Refused (in reply to end of DATA command)",
        ),
        (
            "Sayın yetkili,\n\nİletiniz aşağıdaki alıcıya teslim edilemedi:\n\na@x.example\n\nNeden: Posta kutusu dolu\n",
            ("a@x.example",), "Posta kutusu dolu",
        ),
        ("Your message was not delivered to:\n\na@x.example\n\nbecause:\n\nUser a not listed in Directory\n", ("a@x.example",),
         "User a not listed in Directory"),
        ("Hello,\n\nyour message could not be delivered to destek@bizim.example or a@x.example.\n", ("a@x.example",),
         "your message could not be delivered to destek@bizim.example or a@x.example."),
        ("Hi!\n", (), ""),
        ("Merhaba,\n\nUçtu gitti.\n", (), "Uçtu gitti."),
        ("", (), ""),
    ],
)  # fmt: skip
def test_words_name_recipients_and_cause(text: str, recipients: tuple[str, ...], reason: str) -> None:
    found = plain(text)
    assert (found.recipients, found.reason) == (recipients, reason)


def test_the_header_with_failed_recipients_wins_over_the_words() -> None:
    found = plain("x@y.example\n", fields="X-Failed-Recipients: a@x.example,\n b@x.example\n")
    assert found.recipients == ("a@x.example", "b@x.example")


@pytest.mark.parametrize(
    ("subject", "text", "permanent"),
    [
        ("Warning: message 1abc delayed 24 hours", "a@x.example\n", False),
        ("Delivery delayed: Yanit", "a@x.example\n", False),
        ("Delayed Mail (still being retried)", "a@x.example\n", False),
        ("Mail delivery", "A message that you sent has not yet been delivered. Delivery attempts will continue.\n", False),
        ("Mail delivery failed", "451 4.4.1 timeout. This is a permanent error; it was delayed too long.\n", True),
        ("Mail delivery failed", "452 4.2.2 mailbox full, giving up\n", True),
        ("İletiniz teslim edilemedi", "Kullanıcı bulunamadı.\n", True),
        ("Teslim gecikti: Yanıt", "İletiniz henüz teslim edilemedi.\n", False),
        (
            "Undeliverable: Re: Delivery delayed again",
            "Your message\n\n  Subject: Re: my parcel is delayed\n\ndid not reach a@x.example\n",
            True,
        ),
        ("Teslim edilemedi: Sipariş gecikti", "Konu: Teslimat gecikti\n\na@x.example: kullanıcı bulunamadı\n", True),
    ],
)
def test_words_say_whether_somebody_still_tries(subject: str, text: str, permanent: bool) -> None:
    assert plain(text, subject=subject).permanent is permanent


def about(part: str, *, text: str = "") -> str | None:
    raw = (
        "From: a@x.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--b\r\n{part}\r\n--b--\r\n"
    )
    mail = read_mail(raw.encode())
    return reported_message_id(mail.headers, mail.attachments, mail.text)


@pytest.mark.parametrize(
    "part",
    [
        "Content-Type: message/disposition-notification\r\n\r\nOriginal-Message-ID: <giden-1@bizim.example>\r\nDisposition: x; displayed",
        "Content-Type: message/rfc822\r\n\r\nSubject: x\r\nMessage-ID: <giden-1@bizim.example>\r\n\r\nx",
        "Content-Type: text/rfc822-headers\r\n\r\nMESSAGE-ID:\r\n <giden-1@bizim.example>\r\n",
        "Content-Type: message/delivery-status\r\n\r\nX-Original-Message-ID: <giden-1@bizim.example>\r\n\r\nAction: failed",
    ],
)
def test_a_report_names_the_mail_that_it_is_about(part: str) -> None:
    assert about(part) == "giden-1@bizim.example"


def test_the_words_name_it_where_no_part_does() -> None:
    assert about("Content-Type: text/csv\r\n\r\nx", text="> Message-ID: <giden-1@bizim.example>") == "giden-1@bizim.example"
    assert about("Content-Type: text/csv\r\n\r\nx") is None


def test_reports_are_about_a_mail_and_other_machines_mail_is_not() -> None:
    assert all(names_a_mail(kind) for kind in ("bounce", "disposition", "feedback"))
    assert not any(names_a_mail(kind) for kind in ("auto_reply", "bulk", "out_of_office"))


@given(
    st.text(max_size=300),
    st.lists(st.sampled_from(["<a@x.example>:", "550 5.1.1 no", "because:", "-- copy", "To: a@x.example"]), max_size=9),
)
def test_no_text_raises(text: str, lines: list[str]) -> None:
    found = read_report_text("\n".join([*lines, text]))
    assert found.reason == found.reason.strip()

"""Bounces without a report, as servers of many makes write them: known whatever stands on the envelope."""

from __future__ import annotations

import pytest

from ingest.mail.automatic import read_automatic
from ingest.mail.body import MailPart
from ingest.mail.own_mailboxes import own_mailboxes

RETURNED = MailPart(name="mail", content_type="message/rfc822", content=b"Subject: x\r\n\r\nx")
FORMS = [
    (
        "postmaster@h.example", "[BOUNCE]",
        "Hi. This is the James mail server at h.example.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n\nyok@x.example\n",
        True,
    ),
    (
        "postmaster@biglobe.example", "Returned mail: User unknown",
        "   ----- The following addresses had delivery problems -----\nyok@x.example\n",
        False,
    ),
    (
        "Postmaster@ezweb.example", "Mail System Error - Returned Mail",
        "The user(s) yok@x.example are not correct.\n",
        True,
    ),
    (
        "Postmaster@ezweb.example", "Mail System Error - Returned Mail",
        "Each of the following recipients was rejected by a remote mail server.\n"
        "The reasons given by the server are included.\n\nRecipient: <yok@x.example>\n>>> RCPT TO\n<<< 550\n",
        True,
    ),
    (
        "Postmaster <Postmaster@h.example>", "Undeliverable Mail",
        "User mailbox exceeds allowed size: yok@x.example\n\nOriginal message follows.\n",
        False,
    ),
    (
        "Postmaster <Postmaster@h.example>", "Undeliverable Mail",
        "Body of message generated response:\n552 spam\n",
        False,
    ),
    (
        "InterScan MSS <imss@h.example>", "Mail could not be delivered",
        "Sent <<< RCPT TO:<yok@x.example>\nReceived >>> 550 5.1.1 no\n"
        "Unable to deliver message to <yok@x.example> (and other recipients in the same domain).\n",
        True,
    ),
    (
        "InterScan Notification <n@h.example>", "メッセージを配信できません。",
        "次のメッセージは配信できません。\nRCPT TO:<yok@x.example>\n550\n",
        True,
    ),
    (
        "postmaster@h.example", "Message delivery has failed",
        "Unable to deliver message to: <yok@x.example>\nDelivery failed for the following reason:\n"
        "Server mx said 550\n",
        True,
    ),
    (
        "postmaster@h.example", "Undeliverable Mail: \"Konu\"",
        "Your message:\n   From:    a@b.example\n   Subject: Konu\n\nCould not be delivered because of\n\n"
        "550 5.1.1 User unknown\n\nThe following recipients were affected:\n    yok@x.example\n",
        False,
    ),
    (
        "Internet Mail Delivery <postmaster@h.example>", "Delivery Notification: Delivery has failed",
        "This report relates to a message you sent with the following header fields:\n\n"
        "Your message cannot be delivered to the following recipients:\n\n Recipient address: yok@x.example\n",
        True,
    ),
    (
        "Mailer Daemon <Postmaster@h.example>", "failure notice",
        "-------server message\n550 5.1.1 unknown user <yok@x.example>\n-------SMTP command\nDATA\n"
        "-------original message\n",
        False,
    ),
    (
        "HOST <notes@h.example>", "Undeliverable message",
        "------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\nyok@x.example\n\n"
        "------- Returned Message --------\n",
        False,
    ),
    (
        "Mail Deliver System <mds@h.example>", "Returned Mail: User Unknown",
        "The original message was received at Mon\n\n  ----- The following addresses -----\nyok@x.example\n",
        False,
    ),
    (
        "MAILER-DAEMON@h.example", "There was an error sending your mail",
        "We had trouble delivering your message. Full details follow:\n\nSubject: x\n",
        False,
    ),
    (
        "post_master@vtext.example", "Undeliverable Message",
        "Error: 550 - Requested action not taken: no such user here\n\nMessage details:\n  RCPT TO: yok@x.example\n",
        False,
    ),
    (
        "sysadmin@1.vzwpix.example", "Undeliverable Message",
        "Message could not be delivered to mobile.\nError: No valid recipients for this MM\n",
        False,
    ),
    (
        "no-reply@a.dion.example", "Undeliverable mail",
        "Your mail sent on: Thu, 29 Apr 2010 11:04:47 +0900\n    Could not be delivered to: <yok@x.example>\n"
        "    As their mailbox is full.\n",
        True,
    ),
    (
        "neko-admin@h.example", "NOT MEMBER article from a@b.example (neko ML)",
        "You are not a member of this mailing list <neko-meeting@h.example>.\n",
        False,
    ),
    (
        "postmaster@h.example", "Mail Delivery Failure",
        "--- The following addresses had delivery problems ---\n\n<yok@x.example>   (User unknown yok@x.example)\n",
        True,
    ),
    (
        "Mail Administrator <Postmaster@docomo.example>", "Mail System Error - Returned Mail",
        "次のあて先へのメッセージはエラーのため送信できませんでした。\n\nyok@x.example\n",
        True,
    ),
    (
        "admin@h.example", "Undeliverable: Konu",
        "Your message did not reach some or all of the intended recipients.\n\n      Subject: Konu\n\n"
        "The following recipient(s) cannot be reached:\n\n      yok@x.example on 24.11.2025\n"
        "            There was a SMTP communication problem\n",
        True,
    ),
    (
        "MDaemon@h.example", "Warning: yok@x.example - User unknown!",
        "yok@x.example - no such user here.\n",
        True,
    ),
    (
        "postmaster@h.example", "Delivery Failure",
        "Could not deliver message to the following recipient(s):\n\nFailed Recipient: yok@x.example\n"
        "Reason: Remote host said: 550 no\n\n   -- The header and top 20 lines of the message follows --\n",
        False,
    ),
    (
        "postmaster@aol.example", "Returned mail: service unavailable",
        "The original message was received at Mon\n"
        "   ----- The following addresses had permanent fatal errors -----\n<yok@x.example>\n",
        False,
    ),
    (
        "NoReply@kerio.example", "Delivery failed",
        "Your message was not delivered to the following recipients:\n\nyok@x.example\n  550 no\n",
        False,
    ),
    (
        "Posta Yöneticisi <postmaster@h.example>", "Teslim Edilemedi: Konu",
        "İletiniz aşağıdaki alıcılara ulaştırılamadı:\n\nyok@x.example\n",
        False,
    ),
    (
        "bilgi@hosting.example", "E-postanız teslim edilemedi",
        "Göndermiş olduğunuz e-posta yok@x.example adresine teslim edilemedi.\n\n550 5.1.1 kullanıcı yok\n",
        False,
    ),
    (
        "noreply@natro.example", "Mail Delivery Failure",
        "Merhaba,\n\nyok@x.example adresine gönderdiğiniz ileti teslim edilememiştir. 550 5.1.1\n",
        False,
    ),
]  # fmt: skip


@pytest.mark.parametrize("path", [None, "<>", "<posta@baska.example>"])
@pytest.mark.parametrize(("sender", "subject", "text", "returned"), FORMS)
def test_a_bounce_in_words_is_known(path: str | None, sender: str, subject: str, text: str, returned: bool) -> None:
    headers = [("From", sender), ("To", "destek@bizim.example"), ("Subject", subject), *([("Return-Path", path)] if path else [])]
    found = read_automatic(headers, [RETURNED] if returned else [], text, own=own_mailboxes(("destek@bizim.example",)))
    assert found is not None
    assert (found.kind, found.marked_only) == ("bounce", False)


@pytest.mark.parametrize(("sender", "subject", "text", "returned"), FORMS)
def test_the_same_words_below_a_persons_are_a_persons(sender: str, subject: str, text: str, returned: bool) -> None:
    words = f"Merhaba, size yazdım ve bana bu geldi. Ne yapmalıyım? Siparişim hâlâ yolda görünüyor.\n{'Lütfen yardım edin. ' * 25}\n\n{text}"
    for path in ("<>", "<ali@x.example>"):
        headers = [("From", "Ali <ali@x.example>"), ("Subject", f"İlt: {subject}"), ("Return-Path", path)]
        assert read_automatic(headers, [RETURNED] if returned else [], words) is None

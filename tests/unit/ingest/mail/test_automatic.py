"""What is a machine's, what only forbids automatic answers, and what a person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.automatic import AutomaticKind, AutomaticMail, read_automatic
from ingest.mail.body import MailPart
from ingest.mail.machine_fields import LOOP_HEADER
from ingest.mail.mime import read_mail
from ingest.mail.own_mailboxes import own_mailboxes

FIXTURES = Path(__file__).parents[3] / "fixtures" / "mail"
OWN = own_mailboxes(("destek@bizim.example", "yardim@bizim.example"))
Fields = list[tuple[str, str]]


def verdict(found: AutomaticMail | None) -> tuple[AutomaticKind, bool] | None:
    """Kind, and whether it is only a mark."""
    return None if found is None else (found.kind, found.marked_only)


@pytest.mark.parametrize(
    ("stem", "kind"),
    [
        ("bounce_postfix", "bounce"), ("bounce_delayed_headers", "bounce"), ("bounce_qmail", "bounce"),
        ("out_of_office_turkish", "out_of_office"), ("read_receipt", "disposition"), ("feedback_report", "feedback"),
        ("gmail_turkish_reply", None), ("calendar_invite", None), ("forwarded_message", None),
    ],
)  # fmt: skip
def test_fixture_is_of_its_kind(stem: str, kind: AutomaticKind | None) -> None:
    mail = read_mail((FIXTURES / f"{stem}.eml").read_bytes())
    assert verdict(read_automatic(mail.headers, mail.attachments, mail.text)) == (kind and (kind, False))


@pytest.mark.parametrize(
    ("headers", "kind", "evidence"),
    [
        ([("Auto-Submitted", "auto-replied (vacation)")], "out_of_office", ("Auto-Submitted",)),
        ([("Auto-Submitted", "(x) Auto-Replied; type=y")], "auto_reply", ("Auto-Submitted",)),
        ([("Precedence", "AUTO_REPLY")], "auto_reply", ("Precedence",)),
        ([("X-Precedence", "auto_reply")], "auto_reply", ("X-Precedence",)),
        ([("X-Autoreply", "yes")], "auto_reply", ("X-Autoreply",)),
        ([("X-Autorespond", "Konu")], "auto_reply", ("X-Autorespond",)),
        ([("Delivered-By-The-Graces-Of", "The Vacation program")], "out_of_office", ("Delivered-By-The-Graces-Of",)),
        ([(LOOP_HEADER, "1")], "auto_reply", (LOOP_HEADER,)),
        ([(LOOP_HEADER, "1"), ("Auto-Submitted", "no")], "auto_reply", (LOOP_HEADER,)),
        ([("Return-Path", "<>")], "auto_reply", ("Return-Path", "From")),
        ([("Return-Path", "<>"), ("From", "MAILER-DAEMON@x")], "auto_reply", ("Return-Path", "From")),
        ([("Return-Path", "<>"), ("From", "<>")], "auto_reply", ("Return-Path", "From")),
        ([("Return-Path", "<>"), ("From", "ali@x"), ("Subject", "Undeliverable: x")], "bounce", ("Return-Path", "subject")),
        ([("From", "MAILER-DAEMON@x"), ("Subject", "Undeliverable: x")], "bounce", ("From", "subject")),
        ([("From", "MAILER-DAEMON <>"), ("Subject", "Mail problem: not delivered")], "bounce", ("From", "subject")),
        ([("Received", "(qmail 12 invoked for bounce); x"), ("From", "a@x"), ("Subject", "x")], "bounce", ("Received",)),
        ([("X-Failed-Recipients", "a@b.c")], "bounce", ("X-Failed-Recipients",)),
        ([("Content-Type", "multipart/report; report-type=disposition-notification; boundary=x")], "disposition",
         ("multipart/report; report-type=disposition-notification",)),
        ([("X-MS-Exchange-Generated-Message-Source", "OOF Agent")], "out_of_office", ("X-MS-Exchange-Generated-Message-Source",)),
    ],
)  # fmt: skip
def test_a_machine_says_so_itself(headers: Fields, kind: AutomaticKind, evidence: tuple[str, ...]) -> None:
    assert read_automatic(headers) == AutomaticMail(kind=kind, evidence=evidence)


@pytest.mark.parametrize(
    ("headers", "kind", "evidence"),
    [
        ([("auto-submitted", "Auto-Generated; type=x")], "auto_reply", ("Auto-Submitted",)),
        ([("Auto-Submitted", "auto-notified")], "auto_reply", ("Auto-Submitted",)),
        ([("X-Auto-Response-Suppress", "DR, OOF, AutoReply")], "auto_reply", ("X-Auto-Response-Suppress",)),
        ([("X-Loop", "ali@x")], "auto_reply", ("X-Loop",)),
        ([("From", "postmaster@x")], "auto_reply", ("From",)),
        ([("Return-Path", "<>"), ("From", "postmaster@x")], "auto_reply", ("From",)),
        ([("Subject", "Otomatik yanıt: Toplantı")], "auto_reply", ("subject",)),
        ([("Subject", "Automatic reply: Out of office until Monday")], "out_of_office", ("subject",)),
        ([("List-Unsubscribe", "<mailto:u@x>")], "bulk", ("List-Unsubscribe",)),
        ([("List-Id", "<a.x>"), ("Precedence", "list")], "bulk", ("Precedence", "List-Id")),
        ([("Feedback-ID", "a:b")], "bulk", ("Feedback-ID",)),
        ([("To", "Destek <Destek+42@bizim.example>"), ("Precedence", "bulk")], "bulk", ("Precedence",)),
        ([("Cc", "x@y.example, yardim@bizim.example"), ("X-Campaign-Id", "7")], "bulk", ("X-Campaign-Id",)),
        ([("Auto-Submitted", "no"), ("X-Autoreply", "yes")], "auto_reply", ("X-Autoreply",)),
    ],
)  # fmt: skip
def test_a_mark_forbids_answers_and_nothing_else(headers: Fields, kind: AutomaticKind, evidence: tuple[str, ...]) -> None:
    assert read_automatic(headers, own=OWN) == AutomaticMail(kind=kind, marked_only=True, evidence=evidence)


@pytest.mark.parametrize(
    "headers",
    [
        [("Auto-Submitted", "no")],
        [("Auto-Submitted", "NO (by hand)")],
        [("Precedence", "first-class")],
        [("X-Auto-Response-Suppress", "None")],
        [("X-Auto-Response-Suppress", "DR, NDR, RN")],
        [("X-Autoreply", "no")],
        [("Return-Path", "<>"), ("From", "ali@x"), ("Subject", "Siparişim nerede?")],
        [("Return-Path", "< >"), ("From", "Ali <ali@x>"), ("Subject", "Out of office: kim bakacak?")],
        [("Return-Path", "<>"), ("From", ""), ("Reply-To", "ali@x")],
        [("Return-Path", "<ali@x>"), ("Return-Path", "<>"), ("From", "ali@x")],
        [("From", "ali@x"), ("Subject", "Undeliverable: bana gelen mesaj")],
        [("Subject", "izindeyim ama soracağım")],
        [("Subject", "RE: Otomatik yanıt: Fatura"), ("In-Reply-To", "<o1@bizim.example>")],
        [("From", "maileri@x"), ("Subject", "Delivery failure of my order")],
        [("From", "Express Mail Delivery <mail.delivery@x>"), ("Subject", "Delivery problem with your parcel")],
        [("From", "Mail Delivery System <ali@x>"), ("Subject", "x")],
        [("From", "System Administrator <admin@x>"), ("Subject", "x")],
    ],
)
def test_a_person_stays_one(headers: Fields) -> None:
    assert read_automatic(headers, own=OWN) is None


# --- mail to many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        [("Precedence", "bulk")],
        [("Precedence", "JUNK")],
        [("X-Campaign-Id", "7")],
        [("List-Unsubscribe", "<https://x>"), ("Feedback-ID", "a:b")],
    ],
)
def test_mail_to_many_is_kept_out_unless_it_names_us(fields: Fields) -> None:
    others = [("From", "haber@magaza.example"), ("To", "Aboneler <aboneler@magaza.example>")]
    ours = [("From", "haber@magaza.example"), ("To", "yardim+7@bizim.example")]
    assert verdict(read_automatic(others + fields, own=OWN)) == ("bulk", False)
    assert verdict(read_automatic(fields, own=OWN)) == ("bulk", False)
    assert verdict(read_automatic(ours + fields, own=OWN)) == ("bulk", True)
    assert verdict(read_automatic(ours + fields)) == ("bulk", False), "without an address of ours nothing names us"


@pytest.mark.parametrize(
    "fields", [[("List-Post", "<mailto:destek@liste.example>")], [("X-BeenThere", "a@x")], [("Mailing-List", "contact a-help@x")]]
)
def test_what_members_of_a_list_write_is_a_mark_however_the_list_calls_it(fields: Fields) -> None:
    post: Fields = [("From", "ali@x.example"), ("To", "destek@liste.example"), ("Precedence", "bulk")]
    assert verdict(read_automatic([*post, *fields], own=OWN)) == ("bulk", True)
    assert verdict(read_automatic([*post, ("List-Post", "NO")], own=OWN)) == ("bulk", False), "nobody may write to it"


# --- answers -------------------------------------------------------------------------------------------------------------

EXCHANGE: Fields = [
    ("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All"), ("In-Reply-To", "<s1@bizim.example>"),
    ("X-MS-Exchange-Generated-Message-Source", "Mailbox Rules Agent"), ("Return-Path", "<>"), ("From", "Ali <ali@x.example>"),
]  # fmt: skip
SUBJECTS = [
    "Automatic reply: Invoice 12", "Otomatik Yanıt: Fatura", "Automatische Antwort: Rechnung", "Réponse automatique : Facture",
    "Respuesta automática: Factura", "Risposta automatica: Fattura", "Automatisch antwoord: Factuur", "Resposta automática: Fatura",
    "Autosvar: Faktura", "Automatiskt svar: Faktura", "Automatisk svar: Faktura", "Automaattinen vastaus: Lasku",
    "Automatická odpověď: Faktura", "Automatická odpoveď: Faktúra", "Autoodpowiedź: Faktura", "Odpowiedź automatyczna: Faktura",
    "Автоматический ответ: Счёт", "Автоматична відповідь: Рахунок", "自動応答: 請求書", "自動返信：請求書", "自动答复: 发票", "자동 회신: 청구서",
    "Automatikus válasz: Számla", "Αυτόματη απάντηση: Τιμολόγιο", "Răspuns automat: Factură", "رد تلقائي: فاتورة", "תשובה אוטומטית: חשבון",
    "Out of Office AutoReply: Invoice", "Abwesenheitsnotiz: Rechnung", "AUTO: Ali Veli is out of the office (returning 05.12.2025)",
]  # fmt: skip


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_with_evidence_is_an_absent_persons_program(subject: str) -> None:
    assert verdict(read_automatic([*EXCHANGE, ("Subject", subject)])) == ("out_of_office", False)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("prefix", ["", "RE: ", "Ynt: ", "AW: ", "Fwd: "])
def test_a_subject_alone_is_a_person_or_a_mark(subject: str, prefix: str) -> None:
    found = read_automatic([("From", "Ali <ali@x.example>"), ("Subject", prefix + subject)])
    assert found is None or (found.marked_only and not prefix)


SUPPORT: list[Fields] = [
    [("Auto-Submitted", "auto-generated")], [("Precedence", "bulk")], [("X-MS-Exchange-Generated-Message-Source", "Mailbox Rules Agent")],
    [("Return-Path", "<>")], [("In-Reply-To", "<s1@bizim.example>")], [("X-Auto-Response-Suppress", "All")],
]  # fmt: skip
WHO: Fields = [("From", "Ali <ali@x.example>"), ("To", "destek@bizim.example"), ("Subject", "Automatic reply: Invoice 12")]


@pytest.mark.parametrize("one", SUPPORT)
@pytest.mark.parametrize("other", SUPPORT)
def test_a_subject_needs_two_signs_beside_it(one: Fields, other: Fields) -> None:
    """Each stands on people's mail: forwarders, rules that send on, answers, programs that mark all they send."""
    found = read_automatic([*WHO, *one, *other], own=OWN)
    assert found is not None
    assert found.marked_only is (one == other)
    person = read_automatic([*WHO[:2], ("Subject", "Invoice 12"), *one, *other], own=OWN)
    assert person is None or person.marked_only


def test_an_answer_that_speaks_of_absence_is_an_absent_persons() -> None:
    fields: Fields = [("Auto-Submitted", "auto-replied"), ("Subject", "Re: Fatura")]
    assert verdict(read_automatic(fields, text="5 Aralık'a kadar yıllık izindeyim.")) == ("out_of_office", False)
    assert verdict(read_automatic(fields, text="Talebiniz alındı.")) == ("auto_reply", False)


def test_a_rule_that_sends_a_persons_mail_on_is_no_answer() -> None:
    fields: Fields = [("X-MS-Exchange-Generated-Message-Source", "Mailbox Rules Agent"), ("Auto-Submitted", "auto-generated")]
    assert verdict(read_automatic([*fields, ("Subject", "FW: Siparişim gelmedi"), ("From", "ali@x.example")])) == (
        "auto_reply",
        True,
    )


# --- bounces -------------------------------------------------------------------------------------------------------------

REPORT = MailPart(name="status", content_type="message/delivery-status", content=b"Action: failed\r\n")
RETURNED = MailPart(name="mail", content_type="message/rfc822", content=b"Subject: x\r\n\r\nx")
EXIM = "A message that you sent could not be delivered to one or more of its recipients.\n\n  yok@hedef.example\n    550 no\n"


@pytest.mark.parametrize(
    ("headers", "parts", "kind"),
    [
        ([("Return-Path", "<>"), ("From", "ali@x")], [REPORT], "bounce"),
        ([("From", "postmaster@x")], [REPORT], "bounce"),
        ([("Auto-Submitted", "auto-replied"), ("From", "a@x")], [REPORT], "bounce"),
        ([("From", "ali@x"), ("Subject", "Fwd: Undelivered Mail Returned to Sender")], [REPORT, RETURNED], None),
        ([("From", "staff@hot.example"), ("Subject", "complaint about message from 192.0.2.1")], [RETURNED], "feedback"),
        ([("From", "ali@x"), ("Subject", "complaint about your courier")], [RETURNED], None),
        ([("From", "mailer-daemon@x"), ("Subject", "x")], [RETURNED], "bounce"),
        ([("Return-Path", "<>"), ("From", "ali@x"), ("Subject", "Undelivered Mail Returned to Sender")], [], "bounce"),
        ([("Return-Path", "<>"), ("From", "ali@x"), ("Subject", "Undeliverable mail")], [RETURNED], None),
    ],
)
def test_a_part_needs_a_machines_other_signs(headers: Fields, parts: list[MailPart], kind: AutomaticKind | None) -> None:
    assert verdict(read_automatic(headers, parts, "Bana bu geldi.")) == (kind and (kind, False))


@pytest.mark.parametrize(
    ("sender", "subject", "text", "kind"),
    [
        ("MAILER-DAEMON@x", "Hello", EXIM, "bounce"),
        ("Mail Delivery System <no-reply@x>", "Returned", EXIM, "bounce"),
        ("postmaster@x", "Undeliverable Mail", "Unknown user: a@x.example", "bounce"),
        ("noreply@x", "Mail delivery failed: returning message to sender", EXIM, "bounce"),
        (
            "noreply@x",
            "Mail delivery failed: returning message to sender",
            f"Merhaba, bana bu geldi, neden?{' x' * 200}\n{EXIM}",
            None,
        ),
        ("ali@x", "About my parcel", EXIM, None),
        ("ali@x", "Delivery failed", "Your parcel could not be delivered to the following address:\nAtatürk Cad. 5\n", None),
        ("postmaster@x", "Postalarımız reddediliyor", "Bizden size giden postalar 550 ile reddediliyor.", "mark"),
        ("postmaster@x", "Mail delivery failed", "Merhaba, dünden beri size yazamıyorum, sunucumuz ne yapmalı?", "mark"),
    ],
)
def test_the_less_a_writer_seems_a_machine_the_more_its_words_have_to_say(
    sender: str, subject: str, text: str, kind: str | None
) -> None:
    found = read_automatic([("From", sender), ("Subject", subject)], text=text)
    assert verdict(found) == {"bounce": ("bounce", False), "mark": ("auto_reply", True), None: None}[kind]


def test_a_refusal_in_the_form_of_a_receipt_is_a_bounce() -> None:
    fields: Fields = [
        ("From", "Mail Delivery Subsystem <postmaster@x>"), ("Subject", "Automatically rejected mail"),
        ("Content-Type", "multipart/report; report-type=disposition-notification; boundary=x"),
    ]  # fmt: skip
    assert verdict(read_automatic(fields, text="Your message to <a@x.example> was automatically rejected:\nQuota exceeded")) == (
        "bounce", False,
    )  # fmt: skip
    assert verdict(read_automatic(fields, text="This is a receipt.")) == ("disposition", False)


NAMES = st.sampled_from(
    [
        "From",
        "To",
        "Subject",
        "Return-Path",
        "Auto-Submitted",
        "Precedence",
        "X-Auto-Response-Suppress",
        "Content-Type",
        "X-Autoreply",
    ]
)


@given(st.lists(st.tuples(NAMES, st.text(max_size=60)), max_size=8), st.text(max_size=200))
def test_nothing_raises_and_what_is_said_has_evidence(headers: Fields, text: str) -> None:
    found = read_automatic(headers, text=text, own=own_mailboxes(("",)))
    assert found is None or (found.evidence and len(set(found.evidence)) == len(found.evidence))

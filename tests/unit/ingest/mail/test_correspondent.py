"""Who a mail is from: the person behind forms, lists and a borrowed From; our own mailbox never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.correspondent import Correspondent, correspondent
from ingest.mail.mime import read_mail
from ingest.mail.own_mailboxes import own_mailboxes

OWN = own_mailboxes(["destek@ornek.example", "yardim@kucukisletme.example", "kucukisletme@gmail.com", "not an address"])


def who(*fields: str) -> tuple[str | None, str | None, str, str]:
    """(name, address, where answered, written from) of a mail with these fields."""
    found: Correspondent = correspondent(read_mail("\r\n".join((*fields, "", "x")).encode()), OWN)
    name, address = (found.box.name, found.box.address) if found.box else (None, None)
    return name, address, found.reply_to, found.written_from


ALI, FORM = "ali@musteri.example", "form@ornek.example"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # people, who answer for themselves
        (["From: Ali <ali@musteri.example>"], ("Ali", ALI, "", "")),
        (["From: Ali <ali@musteri.example>", "Reply-To: ALI@Musteri.Example"], ("Ali", ALI, "", "")),
        (["From: Ali <ali@musteri.example>", "Reply-To: ali@ev.example"], ("Ali", ALI, "ali@ev.example", "")),
        (["From: Ali <ali@musteri.example>", "Reply-To: a@ev.example, ali@musteri.example"], ("Ali", ALI, "", "")),
        (["From: ali@musteri.example", "Reply-To: a@ev.example, b@ev.example"], (None, ALI, "a@ev.example", "")),
        (["From: ali@musteri.example", "Reply-To: bozuk"], (None, ALI, "", "")),
        (["From: ali@gmail.com", "Reply-To: ali@musteri.example"], (None, "ali@gmail.com", ALI, "")),
        (["From: ali@musteri.example", "X-Original-From: x@y.example"], (None, ALI, "x@y.example", "")),
        (["From: Ali via Posta <ali@musteri.example>"], ("Ali via Posta", ALI, "", "")),
        # a list that leaves From alone
        (["From: ali@musteri.example", "List-Id: <x.y>", "X-Original-Sender: bounce@z.example"], (None, ALI, "", "")),
        (["From: ali@musteri.example", "List-Post: <mailto:grup@x.example>", "Reply-To: grup@x.example"], (None, ALI, "", "")),
        (["From: ali@musteri.example", "Mailing-list: list grup@x.example; contact a@x.example", "Reply-To: grup@x.example"],
         (None, ALI, "", "")),
        # our own mailbox is no place to answer
        (["From: ali@musteri.example", "Reply-To: destek@ornek.example"], (None, ALI, "", "")),
        (["From: ali@musteri.example", "Reply-To: Destek+x1@ornek.example, ali@ev.example"], (None, ALI, "ali@ev.example", "")),
        # and nobody's customer
        (["From: Destek <destek@ornek.example>"], (None, None, "", "")),
        (["From: destek+a@ornek.example", "Reply-To: yardim@kucukisletme.example"], (None, None, "", "")),
        # lists that put their own address into From
        (["From: Ali Veli via Destek <destek@liste.example>", "Reply-To: Ali Veli <ali@musteri.example>", "List-Id: <d.l>"],
         ("Ali Veli", ALI, "", "destek@liste.example")),
        (["From: \"'Ali Veli' via Destek\" <destek@ornek.example>", "X-Original-Sender: ali@musteri.example",
          "X-Original-From: ali@musteri.example", "Mailing-list: list destek@ornek.example; contact x@ornek.example"],
         ("Ali Veli", ALI, "", "destek@ornek.example")),
        (["From: 'Ali' via Bilgi <bilgi@grup.example>", "X-Original-Sender: ali@musteri.example"],
         ("Ali", ALI, "", "bilgi@grup.example")),
        (["From: 'Ali' via Bilgi <bilgi@grup.example>", "List-Id: <b.g>", "X-Original-From: ali@musteri.example",
          "Reply-To: bilgi@grup.example"], ("Ali", ALI, "", "bilgi@grup.example")),
        (["From: 'Ali' via Bilgi <bilgi@grup.example>", "List-Id: <b.g>", "X-Original-From: Ali <ali@musteri.example>",
          "Reply-To: saldirgan@baska.example"], ("Ali", ALI, "saldirgan@baska.example", "bilgi@grup.example")),
        (["From: Ali über Bilgi <bilgi@grup.example>", "List-Id: <b.g>", "Reply-To: ali@musteri.example"],
         ("Ali", ALI, "", "bilgi@grup.example")),
        (
            [
                "From: Ali via Liste <liste@grup.example>", "List-Id: <l.g>",
                "Reply-To: liste@grup.example, Ali Veli <ali@musteri.example>",
            ],
            ("Ali Veli", ALI, "", "liste@grup.example"),
        ),
        # forms: under our own mailbox, our own domain, a program's name, or a program's word
        (["From: Web <destek@ornek.example>", "Reply-To: Ali <ali@musteri.example>"], ("Ali", ALI, "", "destek@ornek.example")),
        (["From: Web Formu <form@ornek.example>", "Reply-To: ali@musteri.example"], (None, ALI, "", FORM)),
        (["From: info@www.ornek.example", "Reply-To: ali@musteri.example"], (None, ALI, "", "info@www.ornek.example")),
        (["From: no-reply@forms.example", "Reply-To: ali@musteri.example"], (None, ALI, "", "no-reply@forms.example")),
        (["From: Yanıtlama <yanitlama@forms.example>", "Reply-To: ali@musteri.example"], (None, ALI, "", "yanitlama@forms.example")),
        (["From: a@x.example", "Reply-To: ali@musteri.example", "X-Mailer: PHPMailer 6.9"], (None, ALI, "", "a@x.example")),
        (["From: a@x.example", "Reply-To: ali@musteri.example", "Auto-Submitted: auto-generated"], (None, ALI, "", "a@x.example")),
        (["From: form-submission@site.example", "Reply-To: ali@musteri.example"], (None, ALI, "", "form-submission@site.example")),
        (["From: no-reply-forms+7@site.example", "Reply-To: ali@musteri.example"], (None, ALI, "", "no-reply-forms+7@site.example")),
        (["From: iletisim_formu@site.example", "Reply-To: ali@musteri.example"], (None, ALI, "", "iletisim_formu@site.example")),
        (
            ["From: a@x.example", "Reply-To: ali@musteri.example", "X-PHP-Originating-Script: 1001:contact.php"],
            (None, ALI, "", "a@x.example"),
        ),
        (
            ["From: ali@musteri.example", "Reply-To: ali@ev.example", "X-PHP-Originating-Script: 501:rcube.php"],
            (None, ALI, "ali@ev.example", ""),
        ),
        (["From: webber@musteri.example", "Reply-To: ali@ev.example"], (None, "webber@musteri.example", "ali@ev.example", "")),
        # a colleague of ours, and a mailbox beside ours where everybody has one
        (["From: ece@ornek.example", "Reply-To: can@ornek.example"], (None, "ece@ornek.example", "can@ornek.example", "")),
        (["From: baskasi@gmail.com", "Reply-To: ali@musteri.example"], (None, "baskasi@gmail.com", ALI, "")),
        (["From: kucukisletme+form@gmail.com", "Reply-To: ali@musteri.example"], (None, ALI, "", "kucukisletme+form@gmail.com")),
        # nobody
        (["Subject: x"], (None, None, "", "")),
    ],
)  # fmt: skip
def test_the_person_is_who_wrote(fields: list[str], expected: tuple[str | None, ...]) -> None:
    assert who(*fields) == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["From", "Reply-To", "Sender", "X-Original-From", "X-Original-Sender", "List-Post", "Mailing-list"]),
            st.sampled_from(["destek@ornek.example", "ali@musteri.example", "'A' via B <destek+x@ornek.example>", "=?x", "yardim"])
            | st.text(max_size=30),
        ),
        max_size=6,
    )
)
def test_our_own_mailbox_is_never_anybody(fields: list[tuple[str, str]]) -> None:
    raw = "".join(f"{name}: {' '.join(value.split())}\r\n" for name, value in fields).encode("utf-8", "replace") + b"\r\nx"
    found = correspondent(read_mail(raw), OWN)
    assert found.box is None or not OWN.has(found.box.address)
    assert not OWN.has(found.reply_to)

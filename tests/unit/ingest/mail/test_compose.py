from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.addresses import Mailbox
from ingest.mail.automatic import AutomaticMail, read_automatic
from ingest.mail.compose import OutgoingFile, compose_reply, envelope_of, reply_subject
from ingest.mail.mime import read_mail
from shared.errors import InputRejected

DATE = datetime(2025, 11, 3, 12, 0, tzinfo=UTC)
BASE: dict[str, Any] = {
    "sender": Mailbox(name="Örnek Destek", address="destek@ornek.com"),
    "to": [Mailbox(name="Yılmaz, Ayşe", address="ayse@ornek.net")],
    "subject": "YNT: RE: Sipariş gecikti",
    "text": "Merhaba Ayşe Hanım,\n\nKargonuz yolda.",
    "message_id": "giden-1@ornek.com",
    "date": DATE,
    "in_reply_to": "gelen-2@ornek.net",
    "references": ("gelen-1@ornek.net",),
}


def _composed(**changes: Any) -> bytes:
    return compose_reply(**{**BASE, **changes})


def test_what_is_sent_reads_back() -> None:
    raw = _composed(
        cc=[Mailbox(name='Ali "Usta" Can', address="ali@örnek.com")],
        bcc=[Mailbox(name=None, address="gizli@ornek.net")],
        html="<p>Merhaba <img src='cid:logo@x'></p>",
        reply_to="destek+abc@ornek.com",
        attachments=[
            OutgoingFile(name="fatura ş.pdf", content_type="application/pdf", content=b"%PDF\r\n\x00"),
            OutgoingFile(name="logo.png", content_type="image/png", content=b"png", content_id="logo@x"),
        ],
    )
    mail = read_mail(raw)
    assert mail.sender == BASE["sender"]
    assert list(mail.to) == BASE["to"]
    assert mail.cc == (Mailbox(name='Ali "Usta" Can', address="ali@xn--rnek-4qa.com"),)
    assert mail.subject == "Re: Sipariş gecikti"
    assert (mail.message_id, mail.in_reply_to) == ("giden-1@ornek.com", ("gelen-2@ornek.net",))
    assert mail.references == ("gelen-1@ornek.net", "gelen-2@ornek.net")
    assert mail.reply_to[0].address == "destek+abc@ornek.com"
    assert mail.text == BASE["text"]
    assert mail.date == DATE
    assert {part.name: part.content for part in mail.attachments} == {"fatura ş.pdf": b"%PDF\r\n\x00", "logo.png": b"png"}
    assert [part.inline for part in mail.attachments] == [True, False]
    assert mail.warnings == ()
    assert read_automatic(mail.headers, mail.attachments, mail.text) is None
    assert raw.isascii()
    assert b"gizli" not in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_automatic_answers_say_so() -> None:
    mail = read_mail(_composed(automatic=True))
    assert read_automatic(mail.headers) == AutomaticMail(kind="auto_reply", evidence=("X-Santral-Loop",))
    assert ("Auto-Submitted", "auto-replied") in mail.headers


def test_long_ids_are_not_folded_into_encoded_words() -> None:
    long_id = "x" * 200 + "@ornek.net"
    raw = _composed(in_reply_to=long_id, references=())
    assert f"In-Reply-To: <{long_id}>\r\n".encode() in raw


def test_references_are_bounded_and_keep_the_first() -> None:
    chain = read_mail(_composed(references=[f"{n}@x" for n in range(60)])).references
    assert len(chain) == 20
    assert (chain[0], chain[-1]) == ("0@x", "gelen-2@ornek.net")


def test_strange_references_are_dropped() -> None:
    assert read_mail(_composed(references=["a b@x", "çok@x", "iyi@x"])).references == ("iyi@x", "gelen-2@ornek.net")


def test_a_first_mail_keeps_its_subject() -> None:
    assert read_mail(_composed(in_reply_to=None, subject="YNT: x")).subject == "YNT: x"


@pytest.mark.parametrize(
    ("subject", "reply"),
    [
        ("Sipariş", "Re: Sipariş"),
        ("Re: Sipariş", "Re: Sipariş"),
        ("YNT: Ynt: RE: AW: Sipariş", "Re: Sipariş"),
        ("Re[2]: Sipariş", "Re: Sipariş"),
        ("Yanıt: Sipariş", "Re: Sipariş"),
        ("Rehber: Sipariş", "Re: Rehber: Sipariş"),
        ("", "Re:"),
    ],
)
def test_reply_subject_has_one_prefix(subject: str, reply: str) -> None:
    assert reply_subject(subject) == reply


BREAK = "x\r\nBcc: kurban@ornek.net"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("subject", {"subject": BREAK}),
        ("subject", {"subject": "nul\x00"}),
        ("to", {"to": [Mailbox(name=BREAK, address="a@b.c")]}),
        ("to", {"to": [Mailbox(name=None, address="a@b.c\nBcc: d@e.f")]}),
        ("from", {"sender": Mailbox(name=BREAK, address="a@b.c")}),
        ("cc", {"cc": [Mailbox(name="x", address="a b@c.d")]}),
        ("bcc", {"bcc": [Mailbox(name=None, address="a@b.c\r\nx")]}),
        ("to", {"to": [Mailbox(name=None, address="ç ok@b.c")]}),
        ("to", {"to": [Mailbox(name=None, address='"a\r\nBcc: d@e.f"@b.c')]}),
        ("to", {"to": [Mailbox(name=None, address='"a\x00b"@b.c')]}),
        ("to", {"to": [Mailbox(name=None, address='"a\tb"@b.c')]}),
        ("to", {"to": [Mailbox(name=None, address='"a\x7fb"@b.c')]}),
        ("to", {"to": [Mailbox(name=None, address='"a"b"@b.c')]}),
        ("to", {"to": [Mailbox(name=None, address='"a\\"@b.c')]}),
        ("to", {"to": [Mailbox(name=None, address='""@b.c')]}),
        ("to", {"to": [Mailbox(name=None, address='"' + "a " * 33 + '"@b.c')]}),
        ("to", {"to": [Mailbox(name=None, address='a"b"@b.c')]}),
        ("cc", {"cc": [Mailbox(name=None, address="a@☃.net")]}),
        ("bcc", {"bcc": [Mailbox(name=None, address="a@-ü.de")]}),
        ("reply_to", {"reply_to": "a@ü..de"}),
        ("to", {"to": [Mailbox(name=None, address="a@b c")]}),
        ("to", {"to": []}),
        ("reply_to", {"reply_to": "a@b.c\r\nX: y"}),
        ("message_id", {"message_id": "a@b>\r\nX: y"}),
        ("in_reply_to", {"in_reply_to": "a b"}),
        ("attachments", {"attachments": [OutgoingFile(name=BREAK, content_type="a/b", content=b"")]}),
        ("attachments", {"attachments": [OutgoingFile(name="x", content_type="a/b\r\nX: y", content=b"")]}),
        ("date", {"date": datetime(2025, 1, 1)}),  # noqa: DTZ001
    ],
)
def test_what_would_break_a_header_is_refused(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InputRejected) as refused:
        _composed(**changes)
    assert refused.value.field == field
    assert refused.value.remedy


@given(
    subject=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=150),
    name=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=80),
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)
def test_any_words_read_back(subject: str, name: str, text: str) -> None:
    raw = _composed(subject=subject, to=[Mailbox(name=name, address="a@b.c")], text=text)
    mail = read_mail(raw)
    assert raw.isascii()
    assert "".join(mail.subject.split()) == "".join(reply_subject(subject).split())
    assert [box.address for box in mail.to] == ["a@b.c"]
    assert len(mail.headers) == 10


def test_envelope_has_every_recipient_once() -> None:
    boxes = [
        Mailbox(name=None, address="a@b.c"),
        Mailbox(name="A", address="a@b.c"),
        Mailbox(name=None, address="ü@x".replace("ü", "u")),
    ]
    assert envelope_of(boxes, boxes) == ("a@b.c", "u@x")


def test_domains_are_written_as_the_wire_knows_them() -> None:
    boxes = [Mailbox(name=None, address="ali@straße.de"), Mailbox(name="Ali", address="ali@例え。jp")]
    assert envelope_of(boxes, field="cc") == ("ali@xn--strae-oqa.de", "ali@xn--r8jz45g.jp")
    raw = _composed(to=boxes[:1], cc=boxes[1:], reply_to="destek@örnek.com", sender=Mailbox(name=None, address="destek@örnek.com"))
    assert raw.isascii()
    for field in (b"To: ali@xn--strae-oqa.de", b"Cc: Ali <ali@xn--r8jz45g.jp>", b"Reply-To: <destek@xn--rnek-4qa.com>"):
        assert field in raw


QUOTED = {
    # RFC 5321 §4.1.2: quotes where they are needed, also around odd dots that came without them, and nowhere else
    '"ali veli"@musteri.example': '"ali veli"@musteri.example',
    '"taro..y"@docomo.example': '"taro..y"@docomo.example',
    "taro..y@docomo.example": '"taro..y"@docomo.example',
    "hanako.@docomo.example": '"hanako."@docomo.example',
    ".hanako@docomo.example": '".hanako"@docomo.example',
    '"ali@ev"@musteri.example': '"ali@ev"@musteri.example',
    r'"ali\"v"@musteri.example': r'"ali\"v"@musteri.example',
    r'"a\\b"@musteri.example': r'"a\\b"@musteri.example',
    r'"a\bc d"@musteri.example': '"abc d"@musteri.example',
    '"/c=tr/a= /p=ornek/s=veli/"@gw.example': '"/c=tr/a= /p=ornek/s=veli/"@gw.example',
    '"a,b;c:d <e>"@musteri.example': '"a,b;c:d <e>"@musteri.example',
    '"ali.veli"@musteri.example': "ali.veli@musteri.example",
    '"ayşe y"@örnek.com': '"ayşe y"@xn--rnek-4qa.com',
}


@pytest.mark.parametrize(("address", "wire"), list(QUOTED.items()))
@pytest.mark.parametrize("name", [None, "Ali Veli", "Yılmaz, Ayşe"])
def test_quotes_stand_where_they_are_needed(address: str, wire: str, name: str | None) -> None:
    box = Mailbox(name=name, address=address)
    assert envelope_of([box]) == (wire,)
    assert envelope_of([Mailbox(name=None, address=wire)]) == (wire,), "twice gives the same"
    assert list(read_mail(_composed(to=[box], cc=[box])).to) == [Mailbox(name=name, address=wire)]


def test_letters_before_the_at_stay_what_they_are() -> None:
    box = Mailbox(name="Ayşe", address="ayşe@örnek.com")
    assert envelope_of([box]) == ("ayşe@xn--rnek-4qa.com",)
    raw = _composed(to=[box])
    assert "<ayşe@xn--rnek-4qa.com>" in raw.partition(b"\r\n\r\n")[0].decode()


def test_what_cannot_be_encoded_says_whose_address_it_is() -> None:
    with pytest.raises(InputRejected, match=r"cc: .*domain") as refused:
        envelope_of([Mailbox(name=None, address="a@☃.net")], field="cc")
    assert "☃" not in str(refused.value), "an address is the customer's"

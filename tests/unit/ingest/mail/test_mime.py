"""Every fixture is read as a person would read it; no bytes at all make the reader raise."""

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.mail.addresses import parse_mailboxes
from ingest.mail.charsets import decode_text
from ingest.mail.headers import FIELDS_MAX, VALUE_BYTES_MAX, decode_words, message_ids, parameters, parse_date, split_block
from ingest.mail.mime import ENCRYPTED_TEXT, Mail, read_mail
from ingest.mail.transfer import lenient_base64
from tests.support.counted_calls import counted_calls

FIXTURES = Path(__file__).parents[3] / "fixtures" / "mail"
RAW = {path.stem: path.read_bytes() for path in sorted(FIXTURES.glob("*.eml"))}

PERSON = {"sender": ("Ali", "ali@ornek.net")}
EXPECTED: dict[str, dict[str, Any]] = {
    "gmail_turkish_reply": {
        "sender": ("Ayşe Yılmaz", "ayse.yilmaz@gmail.example"),
        "subject": "Ynt: Sipariş numarası 42 gecikti",
        "message_id": "CAF+bXy9=q1@mail.gmail.example",
        "in_reply_to": ("yanit-7@ornek.com",),
        "references": ("acilis-1@ornek.com", "yanit-7@ornek.com"),
        "text_stripped": "Teşekkürler, kargo hâlâ gelmedi.",
        "html": '<div dir="ltr">Teşekkürler, kargo hâlâ gelmedi.</div>\n',
        "date": "2025-11-03T19:22:30+00:00",
    },
    "outlook_turkish_html_only": {
        "sender": ("Mehmet Öz (Muhasebe)", "mehmet@firma.example"),
        "cc": [("Kaya, Zeynep", "zeynep@firma.example"), (None, "bilgi@firma.example")],
        "subject": "Fatura düzeltme isteği",
        "text_stripped": "Fatura tutarı yanlış, düzeltir misiniz?",
    },
    "iphone_turkish_reply": {"sender": ("Can Öztürk", "can@icloud.example"), "text_stripped": "Perşembe uygun."},
    "inline_answers": {**PERSON, "text_stripped": "> Siparis numaraniz?\n4211\n> Adresiniz?\nAnkara"},
    "comment_name": {
        "sender": ("Marc Smith", "marc@kisi.example"),
        "to": [("Destek (Türkiye) Hattı", "destek@ornek.com")],
        "date": "2025-11-05T10:00:00+00:00",
    },
    "group_syntax": {
        "sender": ("Satış", "satis@firma.example"),
        "to": [(None, "ali@ornek.net"), ("Veli K.", "veli@ornek.net"), (None, "tek@ornek.net")],
        "cc": [],
    },
    "unquoted_comma": {
        "sender": ("Yilmaz, Ayse", "ayse@ornek.net"),
        "to": [("Kaya, Zeynep", "z@ornek.net"), ("Ali Can", "a@ornek.net"), (None, "b@ornek.net")],
    },
    "encoded_word_comma": {
        "sender": ("Yılmaz, Ayşe", "ayse@ornek.net"),
        "to": [("Öz, Can", "can@ornek.net")],
        "subject": "şĿü sonu",
    },
    "split_letter": {"subject": "Şikâyet: ürün kırık"},
    "empty_from_reply_to": {"sender": ("Gerçek Kişi", "gercek@ornek.net"), "warnings": ("no sender in From",)},
    "no_from_sender": {"sender": ("Sistem", "sistem@ornek.net")},
    "utf7": {"text": "Günaydın ž  Hi Mom -☺-!"},
    "big5_subject": {"subject": "訂單問題請幫忙處理"},
    "gb_subject_and_body": {
        "sender": ("李雷", "lilei@ornek.net"),
        "subject": "订单没有收到",
        "text": "您好，订单没有收到。",
        "warnings": (),
    },
    "latin1_name": {"sender": ("José Muñoz", "jose@ornek.net"), "text": "¿Dónde está?"},
    "latin5_unlabelled": {
        "sender": ("İsmail Şahin", "ismail@ornek.net"),
        "subject": "Sayın yetkili, iade isteği",
        "text": "Ürünü iade etmek istiyorum, kargo şirketi hangisi?",
    },
    "unknown_charset": {"subject": "Merhaba dünya", "text": "Nasılsınız?", "warnings": ("a charset was guessed",)},
    "wrong_charset_label": {"text": "Güneşli bir gün"},
    "rfc2231_names": {
        "text": "Ekte.",
        "files": ["İrsaliye Şubat.pdf", "İade formu.pdf", "attachment-3.bin", "liste.csv"],
    },
    "header_injection": {
        "sender": ("Kötü Bcc: kurban@ornek.net", "kotu@ornek.net"),
        "subject": "merhaba Bcc: x@ornek.net\ufffdson",
        "bcc": [],
    },
    "nul_and_surrogates": {"subject": "\ufffdx ÿş nul\ufffdson", "text": "biriki \ufffd son"},
    "forwarded_message": {"text": "Bilginize.", "files": ["Şikayet dilekçesi.eml"]},
    "smime_encrypted": {"text": ENCRYPTED_TEXT, "files": ["smime.p7m"]},
    "pgp_encrypted": {"text": ENCRYPTED_TEXT, "files": ["attachment-1.bin", "encrypted.asc"]},
    "signed": {"text": "İmzalı metin.", "files": ["smime.p7s"]},
    "calendar_invite": {"text": "Toplantıya davetlisiniz.", "files": ["attachment-1.ics"]},
    "inline_images": {"text": "Resim: logo", "files": ["attachment-1.png", "foto.jpg", "son.gif"]},
    "tnef": {"text": "Dosya ekte, sayın yetkili.", "files": ["winmail.dat"]},
    "broken_base64": {"text": "Merhaba dünya"},
    "missing_boundary_end": {"text": "Metin var.", "files": ["a.bin"], "warnings": ("a multipart without end",)},
    "no_boundary": {"text": "Bulundu.", "warnings": ("a multipart without boundary",)},
    "no_blank_line": {"subject": "bosluk yok", "text": "Merhaba, bu govde.\nIkinci satir.\n\nSon."},
    "odd_message_id": {
        "message_id": "[x@y]",
        "in_reply_to": ("bir@ornek.com",),
        "references": ("uzun-bir-kimlik-devami@ornek.com", "iki@ornek.com", "uc@ornek.com"),
        "date": "2025-11-05T07:00:00+00:00",
    },
    "mixed_html_and_footer": {"text": "Asıl ileti burada.\n\nListe altbilgisi"},
    "no_headers_at_all": {"sender": None, "text": "just a few words\nwithout any header"},
    "empty": {"sender": None, "text": "", "text_stripped": "", "html": None},
    "bare_cr": {"subject": "eski mac", "text": "Satir bir\nSatir iki"},
}


def _seen(mail: Mail, name: str) -> Any:
    if name == "sender":
        return mail.sender and (mail.sender.name, mail.sender.address)
    if name in ("to", "cc", "bcc"):
        return [(box.name, box.address) for box in getattr(mail, name)]
    if name == "files":
        return [part.name for part in mail.attachments]
    if name == "date":
        return mail.date and mail.date.isoformat()
    return getattr(mail, name)


@pytest.mark.parametrize("stem", EXPECTED)
def test_fixture_reads_as_a_person_reads_it(stem: str) -> None:
    mail = read_mail(RAW[stem])
    assert {name: _seen(mail, name) for name in EXPECTED[stem]} == EXPECTED[stem]


def test_there_are_enough_fixtures_and_each_gives_something() -> None:
    assert len(RAW) >= 40
    assert [
        stem
        for stem, raw in RAW.items()
        if raw and not ((read_mail(raw).text and read_mail(raw).headers) or stem == "no_headers_at_all")
    ] == []


def test_calendar_shows_method_and_folded_uid() -> None:
    (part,) = read_mail(RAW["calendar_invite"]).attachments
    assert (part.calendar_method, part.calendar_uid) == ("REQUEST", "040000008200E00074C5B7101A82E0080000000010@ornek.net")


def test_inline_is_what_the_page_shows() -> None:
    parts = read_mail(RAW["inline_images"]).attachments
    assert [(part.inline, part.content_id) for part in parts] == [(True, "logo@x"), (True, None), (False, None)]
    assert parts[1].content == b"\xff\xd8\xff\xe0"


def test_forwarded_message_stays_whole() -> None:
    (part,) = read_mail(RAW["forwarded_message"]).attachments
    assert read_mail(part.content).text == "Ic metin"


def test_quote_of_the_reply_is_kept_beside_it() -> None:
    mail = read_mail(RAW["gmail_turkish_reply"])
    assert "> Siparişiniz yola çıktı." in mail.quoted
    assert "> Siparişiniz yola çıktı." in mail.text


def test_headers_repeat_and_keep_their_order() -> None:
    names = [name for name, _ in read_mail(RAW["forged_authentication"]).headers]
    assert names[:4] == ["Received", "Authentication-Results", "Received", "Authentication-Results"]


def test_thousands_of_links_stay_readable() -> None:
    text = read_mail(RAW["many_links"]).text
    assert text.startswith("Bas")
    assert text.endswith("Son")
    assert text.count("kotu.example") <= 5_000


# --- hostile sizes: quadratic readers need minutes for these --------------------------------------------------------------


def test_a_thousand_levels_and_ten_thousand_parts_are_cut() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1_000))
    assert "parts nested too deep were left in the original" in read_mail(b"From: a@b.c\n" + nested).warnings
    wide = b"From: a@b.c\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\nContent-Type: image/png\n\nx\n" * 10_000
    mail = read_mail(wide)
    assert len(mail.attachments) < 1_000
    assert "parts beyond the thousandth were left in the original" in mail.warnings


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: text/plain;" + b" " * 60_000 + b"x\n\nx",
        b"Subject: " + b"=?u?q?x" * 9_000 + b"\n\nx",
        b"From: " + b"(" * 60_000 + b"\n\nx",
        b"X: y\n" + b"z\n" * 300_000,
        b"Content-Type: text/html\n\n" + b"<a " * 300_000,
        b"Content-Type: text/html\n\n" + b"<!--" * 200_000,
        b"X: y\n\n" + b"Kimden: a\n" * 19_000,
    ],
    ids=["blanks", "words", "comments", "strays", "tags", "html comments", "quote marks"],
)
def test_bombs_are_read_in_linear_time(raw: bytes) -> None:
    assert read_mail(raw).headers


# --- no bytes raise -------------------------------------------------------------------------------------------------------


def _check(mail: Mail) -> None:
    plain = dataclasses.asdict(mail)
    json.dumps(
        plain, default=lambda value: value.hex() if isinstance(value, bytes) else value.isoformat(), ensure_ascii=False
    ).encode("utf-8")
    assert not any(warning.startswith("unreadable") for warning in mail.warnings)
    for text in _strings(plain):
        assert "\x00" not in text
    lines = [
        mail.subject,
        mail.message_id or "",
        *mail.references,
        *(value for _, value in mail.headers),
        *(part.name for part in mail.attachments),
    ]
    lines += [box.name or "" for box in (*mail.to, *mail.cc, *mail.bcc, *mail.reply_to)]
    assert not any("\n" in line or "\r" in line for line in lines)
    assert bool(mail.text_stripped) == bool(mail.text)
    assert all(part.name and "/" not in part.name for part in mail.attachments)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _strings(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _strings(one)]
    return []


@given(st.binary(max_size=400))
def test_any_bytes_are_a_mail(raw: bytes) -> None:
    _check(read_mail(raw))


NAMES = [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"References", b"Content-Type", b"Content-Disposition", b"Content-ID"]
PIECES = [
    b"=?utf-8?B?", b"=?x?Q?", b"?=", b'"', b"<", b">", b"(", b")", b",", b";", b":", b"@", b"a@b.c", b"multipart/mixed", b"text/html",
    b"message/rfc822", b"boundary=b", b"charset=", b"utf-7", b"punycode", b"filename*0*=", b"%ff", b"''", b"\\", b"\x00", b"\xed\xa0\x80",
    b"\xff", b"\r\n ", b"\n\n", b"--b\n", b"--b--", b"=", b"&#99999999999;", b"<a ", b"9" * 5_000, b"\x1b$B", b"\xef\xbb\xbf",
]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(PIECES), max_size=8)), max_size=6),
    st.lists(st.sampled_from(PIECES), max_size=12),
)
def test_any_header_values_are_a_mail(fields: list[tuple[bytes, list[bytes]]], body: list[bytes]) -> None:
    _check(read_mail(b"".join(name + b": " + b"".join(value) + b"\r\n" for name, value in fields) + b"\r\n" + b"".join(body)))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(set(RAW) - {"many_links"})), st.integers(0, 2**32 - 1))
def test_any_damaged_fixture_is_a_mail(stem: str, seed: int) -> None:
    damaged = bytearray(RAW[stem])
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 12)):
        at = chance.randint(0, len(damaged))
        piece = chance.choice(PIECES)[:40]
        damaged[at : at + chance.choice([0, 1, 3, 40])] = chance.choice([b"", piece, bytes([chance.randint(0, 255)])])
    _check(read_mail(bytes(damaged)))


def test_reading_twice_gives_equal_mails() -> None:
    assert all(read_mail(raw) == read_mail(raw) for raw in RAW.values())


# --- the smaller readers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("<a@b.c>", [(None, "a@b.c")]),
        ("a@b.c; d@e.f", [(None, "a@b.c"), (None, "d@e.f")]),
        ('"Ali \\"Usta\\" Can" <A.B@Ornek.NET>', [('Ali "Usta" Can', "A.B@ornek.net")]),
        ("'Ali Can' <a@b.c>", [("Ali Can", "a@b.c")]),
        ("Ali [mailto:a@b.c]", [("Ali", "a@b.c")]),
        ("Ali <a@b.c", [("Ali", "a@b.c")]),
        ('"Ali <a@b.c>', [("Ali", "a@b.c")]),
        ("Ali <nick> <a@b.c>", [("Ali nick", "a@b.c")]),
        ("<@route.example:a@b.c>", [(None, "a@b.c")]),
        ("=?utf-8?Q?Ali_=3Ca=40b=2Ec=3E?=", [("Ali", "a@b.c")]),
        ("<MAILER-DAEMON>", [(None, "MAILER-DAEMON")]),
        ("undisclosed-recipients:;", []),
        ("<>", []),
        ("", []),
    ],
)
def test_addresses(text: str, boxes: list[tuple[str | None, str]]) -> None:
    assert [(box.name, box.address) for box in parse_mailboxes(text)] == boxes


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        ("ığüşöç".encode("cp1254"), "iso-8859-9", "ığüşöç"),
        ("ığüşöç".encode(), "iso-8859-1", "ığüşöç"),
        (b"caf\xe9 \x93x\x94", "iso-8859-1", "café “x”"),
        ("zażółć".encode("cp1250"), "windows-1250", "zażółć"),
        (b"\xef\xbb\xbfabc", None, "abc"),
        ("日本語".encode("iso2022_jp"), None, "日本語"),
        ("日本語".encode("shift_jis"), "Shift_JIS", "日本語"),
        (b"\xed\xa0\xbd\xed\xb8\x80", "utf-8", "😀"),
        (b"abc", "hex", "abc"),
        (b"a-b", "punycode", "a-b"),
    ],
)
def test_charsets(data: bytes, label: str | None, text: str) -> None:
    assert decode_text(data, label)[0] == text


def test_parameters_join_sections_out_of_order() -> None:
    assert parameters(b"Text/X; a*1=son; a*0*=utf-8'tr'%C5%9F; b=\"c;d\"; b=e") == ("text/x", {"b": "c;d", "a": "şson"})


def test_base64_with_padding_in_the_middle() -> None:
    assert lenient_base64(b"YQ==Yg==") == b"ab"
    assert lenient_base64(b"YWI\n") == b"ab"


def test_words_stay_words_when_nothing_is_encoded() -> None:
    assert decode_words("a =? b ?= c") == "a =? b ?= c"
    assert decode_words("x =?utf-8?Q?y_z?= w") == "x y z w"


def test_long_references_keep_the_first_and_the_newest() -> None:
    ids = message_ids(" ".join(f"<{n}@x>" for n in range(500)))
    assert len(ids) == 100
    assert (ids[0], ids[-1]) == ("0@x", "499@x")


@pytest.mark.parametrize("text", ["dün", "", "Mon, 99 Foo 2025", "9" * 5_000, "Mon, 3 Nov 2025 99:99:99 +0000"])
def test_a_bad_date_is_no_date(text: str) -> None:
    assert parse_date(text) is None


def test_what_is_turkish_is_turkish_in_names_too() -> None:
    raw = (
        b"From: =?iso-8859-1?Q?I=FE=FDl_Y=FDld=FDz?= <a@b.c>\r\nCc: =?iso-8859-1?Q?=FE=FDk?= <d@e.f>\r\nSubject: =?iso-8859-1?Q?I=FE=FDl?=\r\n"
        b"Content-Type: text/plain; charset=iso-8859-9\r\n\r\n\xf0\xfd\xfe\r\n"
    )
    mail = read_mail(raw)
    assert mail.sender is not None
    assert (mail.sender.name, mail.cc[0].name, mail.subject, mail.text) == ("Işıl Yıldız", "şık", "Işıl", "ğış")


def test_a_from_with_a_blank_before_its_colon_is_no_separator() -> None:
    mail = read_mail(b"From  : John Doe <jdoe@machine.example>\r\nSubject : x\r\n\r\ny\r\n")
    assert mail.sender is not None
    assert (mail.sender.address, mail.subject, mail.text) == ("jdoe@machine.example", "x", "y")
    assert read_mail(b"From jdoe Mon Nov 23\nFrom: a@b.c\n\ny\n").sender is not None


@pytest.mark.parametrize(
    ("line", "at_most"), [("X: a\r\n", FIELDS_MAX), (" a\r\n", VALUE_BYTES_MAX), ("nothing\r\n", VALUE_BYTES_MAX)]
)
def test_what_is_kept_of_no_field_costs_nothing(line: str, at_most: int) -> None:
    counts = []
    for times in (1, 3):
        raw = b"From: a@ornek.net\r\n" + line.encode() * (at_most + times * 5_000) + b"To: b@ornek.net\r\n\r\nmerhaba"
        with counted_calls() as calls:
            fields, body = split_block(raw, 0, len(raw))
        counts.append(calls.count)
        if line.startswith("X"):
            assert (len(fields), raw[body : body + 4]) == (FIELDS_MAX + 1, b"X: a")
        else:
            assert ([field.name for field in fields], raw[body:]) == (["From", "To"], b"merhaba")
    assert counts[1] < counts[0] + 100

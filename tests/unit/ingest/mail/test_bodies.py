"""Which parts are the text, how headers of programs that break the rules are read, and how files are named."""

import time

import pytest

from ingest.mail.file_names import file_name
from ingest.mail.headers import Field, parameters
from ingest.mail.mime import Mail, read_mail


def _mail(head: str, body: str = "x") -> Mail:
    return read_mail(f"From: a@b.c\n{head}\n\n{body}".encode())


def _multipart(kind: str, *parts: str) -> Mail:
    return _mail(f"Content-Type: multipart/{kind}; boundary=b", "".join(f"--b\n{part}\n" for part in parts) + "--b--")


PLAIN, MARKDOWN, PAGE = "Content-Type: text/plain\n\n", "Content-Type: text/markdown\n\n", "Content-Type: text/html\n\n"


def test_two_plain_alternatives_with_other_words_are_both_read() -> None:
    assert _multipart("alternative", PLAIN + "Bir", PLAIN + "İki", PAGE + "<p>Bir</p>").text == "Bir\n\nİki"
    assert _multipart("alternative", PLAIN + "Bir", PLAIN + "Bir ", PAGE + "Bir").text == "Bir"
    assert _multipart("alternative", PLAIN + "Baslik", MARKDOWN + "# Baslik").text == "Baslik"
    assert _multipart("alternative", MARKDOWN + "# Baslik").text == "# Baslik"


@pytest.mark.parametrize("kind", ["text/markdown", "text/x-note", "text/prs.any", "text"])
def test_unknown_text_is_text(kind: str) -> None:
    assert _mail(f"Content-Type: {kind}", "söz").text == "söz"
    mail = _multipart("mixed", PLAIN + "Bir", f"Content-Type: {kind}\n\nİki", PLAIN + "Üç")
    assert (mail.text, mail.attachments) == ("Bir\n\nİki\n\nÜç", ())


@pytest.mark.parametrize("kind", ["text/csv", "text/vcard", "text/rfc822-headers", "text/x-note; name=a.note"])
def test_text_for_programs_is_a_file(kind: str) -> None:
    mail = _multipart("mixed", PLAIN + "Bir", f"Content-Type: {kind}\n\nİki")
    assert (mail.text, len(mail.attachments)) == ("Bir", 1)


@pytest.mark.parametrize("separator", [" ", ", ", "\t", "\n ", " ; ", ";; "])
def test_a_content_type_without_semicolon(separator: str) -> None:
    assert parameters(f"text/html{separator}charset=koi8-r; format=flowed".encode()) == (
        "text/html",
        {"charset": "koi8-r", "format": "flowed"},
    )
    assert _mail(f"Content-Type: multipart/mixed{separator}boundary=b", "--b\n\nbir\n--b--").text == "bir"


def test_disposition_and_types_with_comments_stay() -> None:
    assert parameters(b"attachment; filename=a b=c.pdf") == ("attachment", {"filename": "a b=c.pdf"})
    assert parameters(b"text/plain (a=b); charset=utf-8")[1] == {"charset": "utf-8"}


def test_a_mark_before_the_first_field_of_a_mail_or_part() -> None:
    assert read_mail(b"\xef\xbb\xbfFrom: a@b.c\nSubject: Konu\n\nx").subject == "Konu"
    assert _multipart("mixed", "\ufeff" + PAGE + "<p>bir</p>").text == "bir"
    assert read_mail("\ufeffsadece sözler".encode()).text == "sadece sözler"


@pytest.mark.parametrize("blank", [" ", "\t ", "  \r"])
def test_a_line_of_blanks_among_fields(blank: str) -> None:
    mail = _mail(f"Subject: bir\n{blank}\n iki\nDate: x", "gövde")
    assert (mail.subject, mail.text) == ("bir iki", "gövde")
    assert _mail(f"Subject: bir\n{blank}\nX-Mailer: y", "gövde").text == "gövde"
    assert _mail(f"Subject: bir\n{blank}\n girintili\nsöz: bir").text == " girintili\nsöz: bir\n\nx"
    assert _mail(f"Subject: bir\n{blank}\nNot: söz").text == "Not: söz\n\nx"


def test_every_subject_once_and_no_null_octet() -> None:
    assert _mail("Subject: bir\nSubject: iki\nsubject: bir\nSubject:").subject == "bir iki"
    assert _mail("Subject: x", "Mer\0haba").text == "Merhaba"


def test_a_missing_end_keeps_the_parts() -> None:
    inner = "Content-Type: multipart/alternative; boundary=c\n\n--c\n" + PLAIN + "Bir"
    assert _mail("Content-Type: multipart/mixed; boundary=b", f"--b\n{inner}\n--b\n{PLAIN}İki").text == "Bir\n\nİki"


def test_a_boundary_that_no_line_has() -> None:
    mail = _mail("Content-Type: multipart/mixed; boundary=yanlis", f"--b\n{PLAIN}Bir\n--b\nContent-Type: image/png\n\nx\n--b--")
    assert (mail.text, len(mail.attachments), mail.warnings) == ("Bir", 1, ("a multipart without boundary",))
    assert _mail("Content-Type: multipart/mixed; boundary=yanlis", "Selam\n--\nAli").text == "Selam\n--\nAli"


def test_many_texts_take_linear_time() -> None:
    started = time.process_time()
    parts = [PAGE + f"<p>{number} " + "söz " * 2_000 for number in range(400)]
    assert _multipart("mixed", *parts).text.count("\n\n") == 399
    assert _multipart("alternative", *(PLAIN + part for part in parts)).text
    assert time.process_time() - started < 10


# --- names ----------------------------------------------------------------------------------------------------------------


def _named(given: str = "", kind: str = "application/pdf", **fields: str) -> str:
    return file_name(given, [Field(name.replace("_", "-"), value.encode()) for name, value in fields.items()], kind, b"", 1)


def test_a_file_is_named_by_its_description_when_that_is_a_name() -> None:
    assert _named(Content_Description="fatura.pdf") == "fatura.pdf"
    assert _named(Content_Description="=?utf-8?Q?=C5=9Eubat_fatura.pdf?=") == "Şubat fatura.pdf"
    assert _named(Content_Description="C:\\Belgeler\\fatura.pdf") == "fatura.pdf"
    assert _named(Content_Description="Delivery report") == "attachment-1.pdf"
    assert _named("asil.pdf", Content_Description="fatura.pdf") == "asil.pdf"
    assert _named(Content_Location="https://x.example/a/%C5%9Eema.png?s=1", kind="image/png") == "Şema.png"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("%C5%9Eubat.pdf", "Şubat.pdf"),
        ("a%20b.pdf", "a b.pdf"),
        ("%50.pdf", "%50.pdf"),
        ("yüzde 50%.pdf", "yüzde 50%.pdf"),
        ("%FF.pdf", "%FF.pdf"),
    ],
)
def test_names_written_like_addresses(given: str, name: str) -> None:
    assert _named(given) == name


@pytest.mark.parametrize("given", ["%C5%9E%2F..%2Fa.pdf", "..%2F..%2F%C5%9Ea.pdf", "%C5%9E%0D%0Aa.pdf", "%C5%9E%E2%80%AEfdp.exe"])
def test_a_written_path_or_deceit_stays_none(given: str) -> None:
    name = _named(given)
    assert not set(name) & set("/\\\r\n\u202e")


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"),
        ("image/heic", ".heic"),
        ("a/b", ".bin"),
    ],
)
def test_a_nameless_file_is_named_by_its_type(kind: str, ending: str) -> None:
    assert _named(kind=kind) == f"attachment-1{ending}"

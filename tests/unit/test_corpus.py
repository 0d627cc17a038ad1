"""The corpus of mails: no kind has fewer right values than before, and what says so counts properly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.corpus import (
    CORPUS,
    FIELDS,
    GIVEN,
    Judged,
    address_key,
    agrees,
    below,
    entries,
    floors,
    judge,
    kinds,
    right_values,
    table,
    wrong,
)

MAIL = CORPUS / "mail"
KINDS = ("automatic", "bodies", "bounces", "charsets", "identity", "replies", "verdicts")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_never_falls_below_its_floor(kind: str) -> None:
    judged = list(judge(MAIL / kind))
    floor = floors("mail")[kind]
    assert floor > 0
    assert right_values(judged)[kind] >= floor, f"fewer than {floor} right in {kind}:\n\n{wrong(judged)}"


def test_each_kind_has_a_floor() -> None:
    assert tuple(kinds(MAIL)) == KINDS
    assert set(floors("mail")) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_mail_stands_in_the_table_once_with_a_source_and_at_least_one_right_value(kind: str) -> None:
    told = entries(MAIL / kind)
    assert sorted(entry["file"] for entry in told) == sorted(path.name for path in (MAIL / kind).glob("*.eml"))
    assert len(told) >= 40
    assert [entry["file"] for entry in told if not entry["source"].strip()] == []
    assert [entry["file"] for entry in told if not set(entry) - GIVEN or set(entry) - GIVEN - set(FIELDS)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_mails_are_small(kind: str) -> None:
    assert [path.name for path in (MAIL / kind).glob("*.eml") if path.stat().st_size >= 8192] == []


def test_a_wrong_value_is_counted_and_shown(tmp_path: Path) -> None:
    folder = tmp_path / "identity"
    folder.mkdir()
    (folder / "01-a.eml").write_bytes(b"From: Ali <ali@musteri.example>\r\nSubject: Konu\r\n\r\nMerhaba\r\n")
    (folder / "expected.yaml").write_text("- {file: 01-a.eml, source: none, sender: ali@musteri.example, subject: Baska}", "utf-8")

    judged = list(judge(folder))

    assert [(one.field, one.right) for one in judged] == [("sender", True), ("subject", False)]
    assert right_values(judged) == {"identity": 1}
    assert "identity/01-a.eml: subject" in wrong(judged)
    assert "identity/01-a.eml: sender" not in wrong(judged)
    assert "1 of    2" in table(judged)
    assert below({"identity": 1}, {"identity": 2}) == ["identity: 1 right, 2 before"]
    assert below({"identity": 2}, {"identity": 2}) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"ali"@musteri.example', "ali@Musteri.Example"),
        ('"al\\i"@musteri.example', '"ali"@musteri.example'),
        ('"taro..y"@docomo.example', "taro..y@docomo.example"),
        ("ali@örnek.example", "ali@xn--rnek-4qa.example"),
    ],
)
def test_addresses_of_one_mailbox_are_equal(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


def test_addresses_of_two_mailboxes_are_not() -> None:
    assert address_key('"ali veli"@musteri.example') != address_key("aliveli@musteri.example")
    assert address_key("ali@ev.example") != address_key("ali@ev.test")


@pytest.mark.parametrize(
    ("field", "expected", "found", "right"),
    [
        ("text", "bir\niki", "\nbir \r\niki\n\n", True),
        ("text", "bir\niki", "bir iki", False),
        ("text", "bir\niki", "bir\n\niki", False),
        ("reply", "bir\n\niki", "bir\niki", True),
        ("reply", "bir", "bir\n> eski", False),
        ("text_has", ["bir", "iki"], "bir ve iki", True),
        ("text_has", ["bir", "uc"], "bir ve iki", False),
        ("text_lacks", ["uc"], "bir ve iki", True),
        ("reply_lacks", ["iki"], "bir ve iki", False),
        ("sender", None, None, True),
        ("sender", None, "ali@musteri.example", False),
        ("automatic", None, "bulk", False),
        ("permanent", False, None, False),
        ("attachments", ["b.pdf", "a.pdf"], ["a.pdf", "b.pdf"], True),
        ("failed_recipients", ["a@b.example"], [], False),
    ],
)
def test_what_is_right(field: str, expected: object, found: object, right: bool) -> None:
    judged = Judged(
        kind="x", file="x", source="x", field=field, expected=expected, found=found, right=agrees(field, expected, found)
    )
    assert judged.right is right

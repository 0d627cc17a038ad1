"""The corpus: no kind has fewer right values than before, and what says so counts properly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.corpus import CORPUS, FLOOR, JUDGES, floors, kinds, main
from tests.support.corpus_arrivals import GIVEN as GIVEN_ARRIVAL
from tests.support.corpus_arrivals import OF_A_FILE, OF_A_MESSAGE
from tests.support.corpus_arrivals import agrees as arrival_agrees
from tests.support.corpus_mail import FIELDS, GIVEN, address_key, agrees, judge
from tests.support.judged import Judged, below, entries, right_values, table, wrong

KINDS = {
    "mail": ("automatic", "bodies", "bounces", "charsets", "identity", "replies", "verdicts"),
    "meta": ("instagram", "messenger", "whatsapp"),
    "calls": ("asterisk",),
}
EACH = [pytest.param(name, kind, id=f"{name}-{kind}") for name, of_it in KINDS.items() for kind in of_it]
MAIL = [kind for kind in EACH if kind.values[0] == "mail"]
ARRIVALS = [kind for kind in EACH if kind.values[0] != "mail"]


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_a_kind_never_falls_below_its_floor(name: str, kind: str) -> None:
    judged = list(JUDGES[name](CORPUS / name / kind))
    floor = floors(name)[kind]
    assert floor > 0
    assert right_values(judged)[kind] >= floor, f"fewer than {floor} right in {kind}:\n\n{wrong(judged)}"


def test_each_kind_has_a_floor() -> None:
    assert set(JUDGES) == set(KINDS)
    for name, of_it in KINDS.items():
        assert tuple(kinds(CORPUS / name)) == of_it
        assert set(floors(name)) == set(of_it)


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_each_file_stands_in_the_table_once_with_a_source(name: str, kind: str) -> None:
    folder = CORPUS / name / kind
    told = entries(folder)
    assert sorted(entry["file"] for entry in told) == sorted({path.name for path in folder.iterdir()} - {"expected.yaml"})
    assert len(told) >= 40
    assert [entry["file"] for entry in told if not entry["source"].strip()] == []


@pytest.mark.parametrize(("name", "kind"), MAIL)
def test_each_mail_has_at_least_one_right_value(name: str, kind: str) -> None:
    told = entries(CORPUS / name / kind)
    assert [entry["file"] for entry in told if not set(entry) - GIVEN or set(entry) - GIVEN - set(FIELDS)] == []


@pytest.mark.parametrize(("name", "kind"), ARRIVALS)
def test_each_arrival_has_right_values_of_the_closed_lists(name: str, kind: str) -> None:
    for entry in entries(CORPUS / name / kind):
        of_the_file = set(entry) - GIVEN_ARRIVAL
        assert of_the_file, entry["file"]
        assert of_the_file <= set(OF_A_FILE), entry["file"]
        for message in entry.get("messages", ()):
            assert message, entry["file"]
            assert set(message) <= set(OF_A_MESSAGE), entry["file"]


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_files_are_small(name: str, kind: str) -> None:
    files = [path for path in (CORPUS / name / kind).iterdir() if path.name != "expected.yaml"]
    assert [path.name for path in files if path.stat().st_size >= 8192] == []


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


def test_a_message_that_does_not_come_is_wrong_in_each_of_its_values_and_takes_no_other_along(tmp_path: Path) -> None:
    folder = tmp_path / "calls" / "asterisk"
    folder.mkdir(parents=True)
    row = (CORPUS / "calls" / "asterisk" / "01-columns-21.csv").read_bytes()
    (folder / "a.csv").write_bytes(row)
    told = "[{call: k-0, talk_s: 9}, {call: k-1, talk_s: 180}]"
    (folder / "expected.yaml").write_text(f"- {{file: a.csv, source: none, count: 2, messages: {told}}}", "utf-8")

    judged = list(JUDGES["calls"](folder))

    assert [(one.file, one.field, one.right) for one in judged] == [
        ("a.csv", "count", False),
        ("a.csv message 1", "call", False),
        ("a.csv message 1", "talk_s", False),
        ("a.csv message 2", "call", True),
        ("a.csv message 2", "talk_s", True),
    ]


def test_the_command_ends_well_and_names_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    before = FLOOR.read_bytes()
    assert main(["calls", "--kind", "asterisk"]) == 0
    assert "asterisk" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["fax"])
    assert "there are mail, meta, calls" in capsys.readouterr().err
    assert FLOOR.read_bytes() == before


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


@pytest.mark.parametrize(
    ("field", "expected", "found", "right"),
    [
        ("kept", 2, 3, True),
        ("kept", 2, 1, False),
        ("count", 2, 3, False),
        ("says", ["bir", "iki"], "bir\niki", True),
        ("says", ["bir", "uc"], "bir\niki", False),
        ("reason_has", ["bir"], None, False),
        ("text_lacks", ["uc"], "bir", True),
        ("contents", ["photo", "file"], ["file", "photo"], True),
        ("contents", ["photo"], ["file", "photo"], False),
        ("contents_has", ["photo"], ["file", "photo"], True),
        ("contents_any", ["voice", "audio"], ["audio"], True),
        ("contents_any", ["voice", "audio"], [], False),
        ("contents_any", ["post"], ["post", "unsupported"], False),
        ("thread", "10_501", ["10_501", "x"], True),
        ("thread", "10_50", ["10_501"], False),
        ("number", [], ["905320000101"], False),
        ("in_reply_to", None, "wamid.1", False),
    ],
)
def test_what_is_right_of_an_arrival(field: str, expected: object, found: object, right: bool) -> None:
    assert arrival_agrees(field, expected, found) is right

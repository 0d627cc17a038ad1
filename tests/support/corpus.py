"""A corpus of mails against our reader: what comes out right, by kind and by field. ``make corpus``, or
``python -m tests.support.corpus mail [--wrong] [--kind KIND] [--raise-floor]``.

Ends with 1 when a kind has fewer right values than `tests/fixtures/corpus/floor.yaml` says; with ``--raise-floor`` it writes the
numbers of today there, never a lower one. The right values are in the corpus; nothing here knows one.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import idna
import yaml

from ingest.mail.authentication import sender_verdict
from ingest.mail.automatic import AutomaticMail, read_automatic
from ingest.mail.mime import Mail, read_mail
from ingest.mail.reports import Bounce, names_a_mail, read_bounce, reported_message_id

CORPUS: Final = Path(__file__).resolve().parents[1] / "fixtures" / "corpus"
FLOOR: Final = CORPUS / "floor.yaml"
GIVEN: Final = frozenset({"file", "source", "authserv_id", "from_domain", "inbox"})
"""What an entry says beside right values."""
_NEEDLESS_QUOTES = re.compile(r'[^\s"(),:;<>@\[\]]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One right value of one mail, and what our reader found."""

    kind: str
    file: str
    source: str
    field: str
    expected: object
    found: object
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    mail: Mail
    automatic: AutomaticMail | None
    bounce: Bounce | None
    entry: Mapping[str, Any]


def kinds(corpus: Path) -> list[str]:
    """The kinds of a corpus: its folders."""
    return sorted(path.parent.name for path in corpus.glob("*/expected.yaml"))


def entries(folder: Path) -> list[dict[str, Any]]:
    """The right values of one kind's mails."""
    found = yaml.safe_load((folder / "expected.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, list)
    return found


def floors(name: str) -> dict[str, int]:
    """How many values of each kind have to be right; empty when nobody has written any."""
    written = yaml.safe_load(FLOOR.read_text(encoding="utf-8")) if FLOOR.exists() else {}
    return {kind: int(number) for kind, number in (written.get(name) or {}).items()}


def judge(folder: Path) -> Iterator[Judged]:
    """Every right value of one kind against what our reader finds."""
    for entry in entries(folder):
        reading = _read(read_mail((folder / entry["file"]).read_bytes()), entry)
        for field, expected in entry.items():
            if field not in GIVEN:
                found = FIELDS[field](reading)
                yield Judged(
                    kind=folder.name, file=entry["file"], source=entry["source"], field=field, expected=expected, found=found,
                    right=agrees(field, expected, found),
                )  # fmt: skip


# --- what is found -------------------------------------------------------------------------------------------------------


def _read(mail: Mail, entry: Mapping[str, Any]) -> _Reading:
    automatic = read_automatic(mail.headers, mail.attachments, mail.text, own=(entry.get("inbox", ""),))
    is_bounce = automatic is not None and automatic.kind == "bounce"
    bounce = read_bounce(mail.headers, mail.attachments, mail.text) if is_bounce else None
    return _Reading(mail=mail, automatic=automatic, bounce=bounce, entry=entry)


def _sender(reading: _Reading) -> str | None:
    return reading.mail.sender.address if reading.mail.sender else None


def _sender_name(reading: _Reading) -> str:
    return (reading.mail.sender.name or "") if reading.mail.sender else ""


def _failed_recipients(reading: _Reading) -> list[str]:
    return list(reading.bounce.recipients) if reading.bounce else []


def _original_message_id(reading: _Reading) -> str | None:
    if reading.automatic is None or not names_a_mail(reading.automatic.kind):
        return None
    return reported_message_id(reading.mail.headers, reading.mail.attachments, reading.mail.text)


def _automatic(reading: _Reading) -> str | None:
    """The kind that keeps a mail out of work; what only forbids automatic answers may be a person's."""
    return None if reading.automatic is None or reading.automatic.marked_only else reading.automatic.kind


def _verdict(reading: _Reading) -> str:
    entry = reading.entry
    return sender_verdict(reading.mail.headers, authserv_id=entry["authserv_id"], from_domain=entry["from_domain"])


FIELDS: Final[Mapping[str, Callable[[_Reading], object]]] = {
    "sender": _sender,
    "sender_name": _sender_name,
    "reply_to": lambda reading: [box.address for box in reading.mail.reply_to],
    "subject": lambda reading: reading.mail.subject,
    "text": lambda reading: reading.mail.text,
    "text_has": lambda reading: reading.mail.text,
    "text_lacks": lambda reading: reading.mail.text,
    "reply": lambda reading: reading.mail.text_stripped,
    "reply_lacks": lambda reading: reading.mail.text_stripped,
    "automatic": _automatic,
    "permanent": lambda reading: reading.bounce.permanent if reading.bounce else None,
    "failed_recipients": _failed_recipients,
    "original_message_id": _original_message_id,
    "reason_has": lambda reading: reading.bounce.reason if reading.bounce else "",
    "attachments": lambda reading: [part.name for part in reading.mail.attachments],
    "attachment_types": lambda reading: [part.content_type for part in reading.mail.attachments],
    "verdict": _verdict,
}
"""The closed list of fields a corpus may judge."""


# --- what is equal -------------------------------------------------------------------------------------------------------


def agrees(field: str, expected: Any, found: Any) -> bool:
    """Whether what was found is right, by the field's own measure: lines, pieces, mailboxes or the very value."""
    if field.endswith("_has"):
        return all(piece in _lines(found) for piece in expected)
    if field.endswith("_lacks"):
        return not any(piece in found for piece in expected)
    if field == "text":
        return _lines(expected) == _lines(found)
    if field == "reply":
        return _full_lines(expected) == _full_lines(found)
    if field == "sender":
        return (expected and address_key(expected)) == (found and address_key(found))
    if field in {"reply_to", "failed_recipients"}:
        return sorted(map(address_key, expected)) == sorted(map(address_key, found))
    if field in {"attachments", "attachment_types"}:
        return sorted(expected) == sorted(found)
    return bool(expected == found)


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def _full_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def address_key(address: str) -> str:
    """Equal for equal mailboxes: RFC 5321 §4.1.2 (quotes that change nothing), RFC 5890 (A-label and U-label), any case."""
    local, _, domain = address.rpartition("@")
    if len(local) > 2 and local[0] == local[-1] == '"' and _NEEDLESS_QUOTES.fullmatch(local[1:-1]):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    with suppress(UnicodeError):
        domain = idna.encode(domain, uts46=True, transitional=False).decode("ascii")
    return f"{local}@{domain}".lower()


# --- what is shown -------------------------------------------------------------------------------------------------------


def table(judged: Sequence[Judged]) -> str:
    """Right of all, for each kind and each of its fields."""
    rows: dict[tuple[str, str], list[bool]] = {}
    for one in judged:
        rows.setdefault((one.kind, ""), []).append(one.right)
        rows.setdefault((one.kind, one.field), []).append(one.right)
    lines = []
    for (kind, field), right in rows.items():
        label = f"  {field}" if field else kind
        lines.append(f"{label:<24}{sum(right):>6} of {len(right):>4}  {sum(right) / len(right):7.1%}")
    return "\n".join(lines)


def wrong(judged: Sequence[Judged]) -> str:
    """Every wrong value with the file, its source, what is right and what was found."""
    return "\n\n".join(
        f"{one.kind}/{one.file}: {one.field}\n  source    {one.source}\n  expected  {one.expected!r}\n  found     {_short(one.found)}"
        for one in judged
        if not one.right
    )


def _short(found: object) -> str:
    return repr(found[:400] if isinstance(found, str) else found)


def right_values(judged: Sequence[Judged]) -> dict[str, int]:
    """How many values of each kind are right."""
    counts: dict[str, int] = {}
    for one in judged:
        counts[one.kind] = counts.get(one.kind, 0) + one.right
    return counts


def below(counts: Mapping[str, int], floor: Mapping[str, int]) -> list[str]:
    """The kinds that have fallen below their floor, in words."""
    return [f"{kind}: {counts[kind]} right, {floor[kind]} before" for kind in counts if counts[kind] < floor.get(kind, 0)]


def _raise_floor(name: str, counts: Mapping[str, int]) -> None:
    written = yaml.safe_load(FLOOR.read_text(encoding="utf-8")) if FLOOR.exists() else {}
    old = written.get(name) or {}
    written[name] = {**old, **{kind: max(number, old.get(kind, 0)) for kind, number in counts.items()}}
    head = "# How many values of each kind come out right; `make corpus ARGS=--raise-floor` raises them, nothing lowers them.\n"
    FLOOR.write_text(head + yaml.safe_dump(written), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Read one corpus and say how much of it is right; 1 when a kind is below its floor."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.corpus", description=__doc__)
    parser.add_argument("corpus", choices=sorted(path.name for path in CORPUS.iterdir() if path.is_dir()))
    parser.add_argument("--kind", action="append", help="only this kind; may be given several times")
    parser.add_argument("--wrong", action="store_true", help="list what comes out wrong")
    parser.add_argument("--raise-floor", action="store_true", help="write today's numbers as the new floor")
    given = parser.parse_args(arguments)
    folder = CORPUS / given.corpus
    judged = [one for kind in given.kind or kinds(folder) for one in judge(folder / kind)]
    if given.wrong:
        print(wrong(judged), end="\n\n")
    print(table(judged))
    counts = right_values(judged)
    print(f"\n{sum(counts.values())} of {len(judged)} values right")
    if given.raise_floor:
        _raise_floor(given.corpus, counts)
    fallen = below(counts, floors(given.corpus))
    print(*fallen, sep="\n", end="\n" if fallen else "")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

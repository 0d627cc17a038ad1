"""What a provider recorded once, changed as tomorrow's release, a broken proxy or an enemy would change it: Hypothesis strategies.

JSON is changed in its structure (a value becomes another kind of value, a field goes, comes twice, or gets a name nobody knows), and
every sample in its bytes (cut, doubled, moved, spoilt by what parsers stumble over).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, Final

from hypothesis import strategies as st

from tests.support.providers import CORPUS, FIXTURES

_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 2**63 - 1, -(2**63), 1e300, 0.5, "", " ", "0", "-1", "x", "page", "1e999", "\ud800", "\x00", "\u202e", "ğ" * 3_000,
    "1790000000", "99999999999999999999", "NaN", [], {}, [[]], [None], [0], {"id": None}, {"id": []}, {"": {}}, [{}] * 40, ["a", 1, None],
)  # fmt: skip
"""What no field expects: every kind of value, and of each the ones on its edges."""
_NAMES: Final = (
    "tomorrow",
    "id",
    "from",
    "type",
    "text",
    "messages",
    "statuses",
    "message",
    "sender",
    "value",
    "field",
    "changes",
    "",
    "\x00",
)
_PIECES: Final = (
    b"", b"\x00", b"\xff", b"\xed\xa0\x80", b"\r", b"\n", b"\r\n\r\n", b'"', b'""', b",", b";", b"[", b"]", b"{", b"}", b"\\", b"\\u0000",
    b"\\ud800", b"-", b"9" * 400, b"1e400", b"NaN", b"=?utf-8?b?", b"?=", b"=", b"--", b"<", b"@", b": ", b"null", "İ".encode(), b"\x1b$B",
)  # fmt: skip
"""What a parser may stumble over, in the place of any piece of the bytes."""
_FIELDS: Final = (
    b"-1", b"0", b"9999-12-31 23:59:59", b"1969-01-01 00:00:00", b"2026-03-29 03:30:00", b"ANSWERED", b"Local/1@x-1;2", b"anonymous", b"7bit",
    b"multipart/mixed; boundary=x", b"text/html; charset=utf-7", b"<a@b>", b"a@[127.0.0.1]", b"xn--a", "١".encode(), b"1_0", b" 7 ",
)  # fmt: skip
"""What a column or a header does not expect."""
_STEPS_MAX: Final = 4

Place = tuple[str | int, ...]


def samples(provider: str) -> list[dict[str, Any]]:
    """What is recorded of a provider, as `providers.request_of` reads it: webhooks, rows and mails; the bytes of some as ``body``."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIXTURES.glob(f"{provider}/*.request.json"))]
    found += [_webhook(path.read_bytes()) for path in sorted(CORPUS.glob(f"meta/{provider}/*.json"))]
    found += [{"body": path.read_bytes()} for path in sorted(CORPUS.glob(f"calls/{provider}/*.csv"))]
    if provider == "smtp":
        mails = [*sorted(FIXTURES.glob("mail/*.eml")), *sorted(CORPUS.glob("mail/*/*.eml"))]
        found += [{"body": path.read_bytes()} for path in mails]
    return found


def _webhook(content: bytes) -> dict[str, Any]:
    """One of the corpus's, of which some are no JSON."""
    try:
        return {"signed": True, "json": json.loads(content)}
    except ValueError:
        return {"signed": True, "body": content}


def body_of(sample: dict[str, Any]) -> bytes:
    """The bytes that were posted."""
    if "body" in sample:
        return bytes(sample["body"])
    return json.dumps(sample["json"]).encode() if "json" in sample else str(sample["text"]).encode()


@st.composite
def mutated(draw: st.DrawFn, recorded: list[dict[str, Any]]) -> tuple[dict[str, Any], bytes]:
    """One of the samples, and the bytes that became of it."""
    sample = draw(st.sampled_from(recorded))
    if "json" in sample and draw(st.integers(0, 3)):
        value = copy.deepcopy(sample["json"])
        for _ in range(draw(st.integers(1, _STEPS_MAX))):
            value = _changed(draw, value)
        return sample, json.dumps(value).encode()
    content = body_of(sample)
    for _ in range(draw(st.integers(1, _STEPS_MAX))):
        content = _spoilt(draw, content)
    return sample, content


def single_changes(sample: dict[str, Any]) -> Iterator[bytes]:
    """A webhook with each of its values, one after the other, as everything else; a row with each of its columns so; nothing of a mail."""
    if "json" in sample:
        for place in list(_places(sample["json"]))[1:]:
            for odd in _VALUES:
                value = copy.deepcopy(sample["json"])
                _at(value, place[:-1])[place[-1]] = odd
                yield json.dumps(value).encode()
    elif "text" in sample:
        row, _, others = str(sample["text"]).encode().partition(b"\n")
        fields = row.split(b",")
        for column in range(len(fields)):
            for odd in (*_PIECES, *_FIELDS):
                yield b",".join([*fields[:column], odd, *fields[column + 1 :]]) + b"\n" + others


def _places(value: Any, before: Place = ()) -> Iterator[Place]:
    yield before
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from _places(one, (*before, name))


def _at(value: Any, place: Place) -> Any:
    for name in place:
        value = value[name]
    return value


def _changed(draw: st.DrawFn, value: Any) -> Any:
    place = draw(st.sampled_from(list(_places(value))))
    deed = draw(st.sampled_from(("replace", "remove", "rename", "double", "add", "swap")))
    if not place:
        return copy.deepcopy(draw(st.sampled_from((value, [value], {"object": value}, *_VALUES)))) if deed == "replace" else value
    holder, name = _at(value, place[:-1]), place[-1]
    if deed == "replace":
        holder[name] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
    elif deed == "remove":
        del holder[name]
    elif deed == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[int(name)]))
    elif deed == "swap":
        holder[name] = copy.deepcopy(_at(value, draw(st.sampled_from(list(_places(value))))))
    elif isinstance(holder, dict):
        known = holder.pop(name) if deed == "rename" else copy.deepcopy(holder[name])
        holder[draw(st.sampled_from(_NAMES))] = known
    return value


def _field_changed(draw: st.DrawFn, content: bytes) -> bytes:
    """One field of one line as something else: a column of a row, a word or value of a mail's header."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    number = draw(st.integers(0, len(lines) - 1))
    between = draw(st.sampled_from((b'","', b",", b": ", b";", b" ")))
    fields = lines[number].split(between)
    fields[draw(st.integers(0, len(fields) - 1))] = draw(st.sampled_from((*_PIECES, *_FIELDS)))
    lines[number] = between.join(fields)
    return b"".join(lines)


def _spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    if draw(st.booleans()):
        return _field_changed(draw, content)
    start = draw(st.integers(0, len(content)))
    end = min(len(content), start + draw(st.sampled_from((0, 0, 1, 1, 2, 8, 64, 4_096))))
    deed = draw(st.sampled_from(("replace", "cut", "double", "move", "end")))
    piece = content[start:end]
    if deed == "end":
        return content[:start]
    if deed == "move":
        rest = content[:start] + content[end:]
        to = draw(st.integers(0, len(rest)))
        return rest[:to] + piece + rest[to:]
    instead = {"replace": draw(st.sampled_from(_PIECES)), "cut": b"", "double": piece * 2}[deed]
    return content[:start] + instead + content[end:]

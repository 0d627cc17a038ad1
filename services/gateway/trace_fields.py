"""What the last mail server writes on top of a mail: who sent it on the envelope, and our verdict where we are the border. Pure; linear.

Source: RFC 5321 §4.4 (Return-Path), RFC 8601 §5 (a border removes what claims to be its own; here all results, however their id is
written, as none from outside counts). The mail's identity does not change by it (`ingest/mail/identity.py`).
"""

from __future__ import annotations

import re
from typing import Final

_RESULTS: Final = re.compile(rb"^authentication-results[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+\n?", re.IGNORECASE | re.MULTILINE)
_BEFORE: Final = re.compile(rb"[\r\n]*(?:>*From (?![ \t]*:)[^\n]*\n)?")
_RETURN_PATH: Final = re.compile(rb"(?:return-path[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*)+", re.IGNORECASE)
_FIELD: Final = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_FROM: Final = re.compile(rb"^from[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
_DOMAIN: Final = re.compile(rb"@([^\s<>@,;()\"]+)")
_FROM_SCAN_BYTES: Final = 256 * 1024
_PATH_CHARS: Final = re.compile(r"[\x00-\x20\x7f<>]")


def traced(content: bytes, *, mail_from: str, results: str | None = None) -> bytes:
    """The mail with its ``Return-Path`` on top, in the place of one that stands there, and below it our ``results``.

    ``results`` is the value of our Authentication-Results field; with one, every such field that came with the mail is removed.
    Blank lines and a mailbox file's separator before the fields go; a mail without fields gets a blank line before its text.
    """
    start = _start(content)
    top = [b"Return-Path: <" + _PATH_CHARS.sub("", mail_from).encode("utf-8", "surrogateescape") + b">\r\n"]
    if results is not None:
        top.append(b"Authentication-Results: " + results.encode() + b"\r\n")
    if not _FIELD.match(content, start) and not content.startswith((b"\r\n", b"\n"), start):
        return b"".join([*top, b"\r\n", content])
    if results is None:
        return b"".join([*top, content[start:]])
    end = _head_end(content, start)
    return b"".join([*top, _RESULTS.sub(b"", content[start:end]), content[end:]])


def from_domain(content: bytes) -> bytes:
    """The domain of the From field as it stands there, ``unknown`` without one."""
    start = _start(content)
    head = content[start : min(_head_end(content, start), start + _FROM_SCAN_BYTES)]
    field = _FROM.search(head)
    found = _DOMAIN.findall(field[1]) if field is not None else []
    return bytes(found[-1]) if found else b"unknown"


def _start(content: bytes) -> int:
    """Where the fields begin that are kept."""
    before = _BEFORE.match(content)
    start = before.end() if before is not None else 0
    replaced = _RETURN_PATH.match(content, start)
    return replaced.end() if replaced is not None else start


def _head_end(content: bytes, start: int) -> int:
    for blank in (b"\r\n\r\n", b"\n\n"):
        if (found := content.find(blank, start)) >= 0:
            return found + len(blank)
    return len(content)

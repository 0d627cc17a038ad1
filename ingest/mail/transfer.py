"""Bytes of a part without their transfer encoding, also where the label is wrong or missing. Pure; never raises; linear.

Source: RFC 2045 §6.7 (quoted-printable) and §6.8 (base64), RFC 7103 §7.7 (labels that do not fit), IEEE 1003.1 (uuencode).
A label is doubted for text only, and only when the bytes leave no doubt: files come out as the label says.
"""

from __future__ import annotations

import binascii
import contextlib
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_BASE64_ONLY = re.compile(rb"[A-Za-z0-9+/\s]*+(?:=[=\s]*+)?")  # possessive: linear in any run of blanks
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_LOWER_WORD = re.compile(rb"[A-Za-z]?[a-z]*")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SOFT_BREAK = re.compile(rb"=[ \t]+(?=\r?\n|\Z)")
_ESCAPE = re.compile(rb"=[0-9A-Fa-f]{2}")
_QUERY_ESCAPE = re.compile(rb"[?&][\w.-]{1,60}=[0-9A-Fa-f]{2}")
_UTF8_ESCAPES = re.compile(rb"(?:=[CD][0-9A-F]=[89AB][0-9A-F]|=E[0-9A-F](?:=[89AB][0-9A-F]){2}|=F[0-4](?:=[89AB][0-9A-F]){3})")
_UU = {"x-uuencode", "uuencode", "x-uue", "uue"}
_SAMPLE_BYTES = 4_096
_UNLABELLED_BYTES_MIN = 40


def decode_transfer(body: bytes, encoding: str, *, is_text: bool = False) -> bytes:
    """The bytes without base64, quoted-printable or uuencode; any other encoding means as they are.

    With ``is_text`` a label that cannot be right is passed over: clear text stays, an unlabelled encoding is undone.
    """
    if encoding == "base64":
        if is_text and _is_clear(body):
            return decode_transfer(body, "", is_text=True)
        return lenient_base64(_without_footer(body))
    if encoding == "quoted-printable":
        if not is_text:
            return _unquoted(body)
        if _is_unlabelled_base64(body):
            return lenient_base64(body)
        return body if _only_queries(body) else _unquoted(body)
    if encoding in _UU:
        return _uudecoded(body)
    if is_text and body.isascii():
        if _is_unlabelled_base64(body):
            return lenient_base64(body)
        if _is_unlabelled_quoted(body):
            return _unquoted(body)
    return body


def lenient_base64(data: bytes) -> bytes:
    """What base64 can be read from the bytes: foreign characters are skipped, missing padding is added, a lone digit dropped.

    Padding in the middle (two encodings glued together) ends one and starts the next.
    """
    if b"=" not in data.rstrip(b"=\r\n\t "):
        # The usual case, ten times faster; it fails when padding or a digit is missing.
        with contextlib.suppress(binascii.Error):
            return binascii.a2b_base64(data)
    out = []
    for chunk in re.split(rb"=+", data):
        digits = _NOT_BASE64.sub(b"", chunk)
        if len(digits) % 4 == 1:
            digits = digits[:-1]
        out.append(binascii.a2b_base64(digits + b"=" * (-len(digits) % 4)))
    return b"".join(out)


def _without_footer(body: bytes) -> bytes:
    """The base64 before lines of clear text that a list or a scanner appended; they stay in the original."""
    if _BASE64_ONLY.fullmatch(body):
        return body
    at, padded = 0, False
    for line in body.splitlines(keepends=True):
        words = line.strip()
        if words and at and _is_footer(words, padded=padded):
            return body[:at]
        at += len(line)
        padded = padded or words.endswith(b"=")
    return body


def _is_footer(line: bytes, *, padded: bool) -> bool:
    if padded and not _BASE64_LINE.fullmatch(line):
        return True
    foreign = len(_NOT_BASE64.findall(line[:_SAMPLE_BYTES].rstrip(b"=")))
    # Digits that were damaged on the way have few foreign letters; rules (--, ____) and sentences have many.
    return foreign * 8 > min(len(line), _SAMPLE_BYTES) and (foreign > 2 or foreign == len(line))


def _is_clear(body: bytes) -> bool:
    """Whether what is labelled base64 is words as they are: a sentence, a page, letters of no base64."""
    sample = body[:_SAMPLE_BYTES].strip()
    if len(sample) < 4:
        return bool(sample)
    first = sample.splitlines()[0].strip()
    if _BASE64_LINE.fullmatch(first) and (len(first) >= _UNLABELLED_BYTES_MIN or first.endswith(b"=")):
        return False
    if _is_readable(lenient_base64(sample)) or (_BASE64_LINE.fullmatch(first) and _is_readable(lenient_base64(first))):
        return False
    if sample[:1] == b"<" or not sample.isascii():
        return True
    words = sample.split()
    if all(_LOWER_WORD.fullmatch(word) for word in words):
        return True
    return len(words) > 1 and _NOT_BASE64.search(b"".join(words).rstrip(b"=")) is not None and len(sample) < 16 * len(words)


def _is_readable(data: bytes) -> bool:
    """Whether the bytes are text in UTF-8; a letter may be cut at the end. Words taken for base64 practically never are."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as failure:
        if failure.start < len(data) - 3:
            return False
    return _CONTROLS.search(data) is None


def _is_unlabelled_base64(body: bytes) -> bool:
    """Whether a text is nothing but base64 of a readable text; a code of one word is not."""
    if len(body) < _UNLABELLED_BYTES_MIN or not _BASE64_ONLY.fullmatch(body):
        return False
    lines = body.split()
    if any(len(line) != len(lines[0]) for line in lines[:-1]) or len(lines[-1]) > len(lines[0]) or sum(map(len, lines)) % 4:
        return False
    if len(lines) > 1 and len(lines[0]) < _UNLABELLED_BYTES_MIN:
        return False
    with contextlib.suppress(binascii.Error):
        return _is_readable(text := binascii.a2b_base64(body)) and len(text.split()) > 2
    return False


def _is_unlabelled_quoted(body: bytes) -> bool:
    """Whether a text in ASCII has letters of UTF-8 as quoted-printable, and no equals sign that is anything else."""
    if b"=" not in body or len(_UTF8_ESCAPES.findall(body)) < 2:
        return False
    signs = body.count(b"=") - len(re.findall(rb"=\r?\n", body))
    return signs == len(_ESCAPE.findall(body)) and not _only_queries(body)


def _only_queries(body: bytes) -> bool:
    """Whether the only escapes are values in addresses (``?id=AB``): an encoder would have written ``=3D`` there."""
    escapes = len(_ESCAPE.findall(body))
    return 0 < escapes == len(_QUERY_ESCAPE.findall(body)) and re.search(rb"=\s*\n", body) is None


def _unquoted(body: bytes) -> bytes:
    return binascii.a2b_qp(_SOFT_BREAK.sub(b"=", body))


def _uudecoded(body: bytes) -> bytes:
    out = []
    for line in body.splitlines():
        if line.startswith(b"begin ") or line in (b"end", b"`", b""):
            continue
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            continue
    return b"".join(out)

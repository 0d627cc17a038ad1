"""One Authentication-Results field, read result by result. Pure; never raises; linear in its input.

Source: RFC 8601 §2.2 (grammar), RFC 5322 §3.2.2 (comments), RFC 8616 (U-labels).
Read beyond the standard: a semicolon at the end, properties without a type (``action=none``), any character in a value but
blanks, semicolons, quotes and parentheses (IPv6, ``ali=ornek.com@liste.example``). A result that cannot be read voids itself only.
Trust: borders repeat what strangers write (names, mailboxes). Where such text may have opened or closed a quote or a comment,
``sound`` is False, and no pass in it may be believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

VALUE_CHARS_MAX = 16_000
RESULTS_MAX = 200
_PLAIN = re.compile(r'[^\s;"()]+')
_PROPERTY = re.compile(r"[a-z]+\.[a-z0-9-]+=", re.IGNORECASE)
"""Behind a name without a value: ``smtp.mailfrom= smtp.helo=…`` for a bounce."""
_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one method found, all in lower case but the values. ``sound`` False: nothing good in it counts."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()
    sound: bool = True

    def value(self, name: str) -> str:
        """The value of ``type.property``; empty when it is missing or said twice with different values."""
        said = {value for key, value in self.properties if key == name}
        return said.pop() if len(said) == 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationResults:
    """``authserv_id`` as written, without quotes; empty when the field names no server."""

    authserv_id: str
    results: tuple[Result, ...]


def read_results(value: str) -> AuthenticationResults:
    """The field with this value, folding removed. A version other than 1 is not interpreted: no results."""
    pieces, sound = _pieces(value)
    words = pieces[0]
    if not words or any("=" in word for word in words):
        return AuthenticationResults(authserv_id="", results=())
    if words[1:] not in ([], [_VERSION]):
        return AuthenticationResults(authserv_id=_unquoted(words[0]), results=())
    results = [_result(piece, sound) for piece in pieces[1 : RESULTS_MAX + 1]]
    return AuthenticationResults(authserv_id=_unquoted(words[0]), results=tuple(one for one in results if one))


def _pieces(value: str) -> tuple[list[list[str]], bool]:
    """The words between semicolons, quoted strings as they stand, comments gone; and whether every quote and comment ends."""
    pieces: list[list[str]] = [[]]
    at, end, sound, glued = 0, min(len(value), VALUE_CHARS_MAX), len(value) <= VALUE_CHARS_MAX, False
    while at < end:
        char = value[at]
        if char == "(":
            at, closed = _past_comment(value, at, end)
            sound, glued = sound and closed, False
            continue
        start = at
        if char == '"':
            at, closed = _past_quoted(value, at, end)
            sound = sound and closed
        elif match := _PLAIN.match(value, at, end):
            at = match.end()
        else:
            at, glued = at + 1, False
            sound = sound and char != ")"
            if char == ";":
                pieces.append([])
            continue
        if glued:
            pieces[-1][-1] += value[start:at]
        else:
            pieces[-1].append(value[start:at])
        glued = True
    return pieces, sound


def _past_comment(value: str, at: int, end: int) -> tuple[int, bool]:
    """Behind the comment that begins here. One with half a quoted string in it was closed by a stranger's local part."""
    depth, quotes = 0, 0
    while at < end:
        char = value[at]
        if char == "\\":
            at += 1
        elif char == '"':
            quotes += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return at + 1, quotes % 2 == 0
        at += 1
    return end, False


def _past_quoted(value: str, at: int, end: int) -> tuple[int, bool]:
    at += 1
    while at < end:
        if value[at] == '"':
            return at + 1, True
        at += 2 if value[at] == "\\" else 1
    return end, False


def _unquoted(word: str) -> str:
    """A word that is one quoted string, without its quotes; any other as it is: ``"a"@b`` is no quoted string."""
    if len(word) > 1 and word[0] == '"' and _past_quoted(word, 0, len(word)) == (len(word), True):
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word


def _result(words: list[str], sound: bool) -> Result | None:
    pairs, whole = _pairs(words)
    if not pairs:
        return None
    (spec, result), *properties = pairs
    method, _, version = spec.lower().partition("/")
    if not method or version not in ("", _VERSION):
        return None
    named = tuple((name.lower(), value) for name, value in properties)
    return Result(method=method, result=result.lower(), properties=named, sound=sound and whole)


def _pairs(words: list[str]) -> tuple[list[tuple[str, str]], bool]:
    """``name=value`` with blanks around ``=``, ``.`` and ``/`` removed; and whether every word belonged to a pair.

    A value is the whole word behind the sign, further signs in it are its own: a sender's ``dkim=pass@…`` is no result.
    """
    pairs: list[tuple[str, str]] = []
    name, pending, whole = "", False, True
    for word in words:
        if pending:
            empty = bool(_PROPERTY.match(word))
            pairs.append((name, "" if empty else _unquoted(word)))
            name, pending = "", False
            if not empty:
                continue
        left, sign, right = ("", "", "") if word[0] == '"' else word.partition("=")
        if not sign:
            left = word
        if name and left and not (name[-1] in "./" or left[0] in "./"):
            name, whole = "", False
        name += left
        if sign and right:
            pairs.append((name, _unquoted(right)))
            name = ""
        pending = bool(sign and not right)
    return [pair for pair in pairs if pair[0]], whole and not name and not pending and all(name for name, _ in pairs)

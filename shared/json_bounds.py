"""How large and how deep JSON may be, asked of its bytes before anything is made of them; and what was stored deeper, read again.

Parsers and serialisers recurse: what one of them takes, the next may not be able to write. So JSON that comes in is read once, token by
token, and refused at the first that is over a bound: cost and memory are those of the bytes up to there.
What nests too deeply in what is stored is cut where it is read, so it can be shown, replaced and deleted.

Source: RFC 8259 (§9: a parser may set limits on nesting, numbers and strings), RFC 7493 (I-JSON: no NaN, no lone surrogates).
**Units**: places are characters of the JSON; depth counts open arrays and objects.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import TooLarge, Unprocessable

STORED_DEPTH_MAX: Final = 100
CUT: Final = "…"
"""What stands in place of what is nested too deeply to be shown."""
# A closing quote may be missing: the string then ends with the text, and the parser says so.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{},:]|[^][{},:"\s]++', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\u([0-9a-fA-F]{4})|\\.", re.DOTALL)
_NAN: Final = (b"NaN", b"Infinity", b"-Infinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of one door. ``values`` counts all of them, names too; numbers are also held to 64 bits and to what a float holds.

    ``any_text`` takes a NUL and half a surrogate pair: where they are replaced later (`shared/text.py`), no message is refused for them.
    """

    depth: int = 32
    values: int = 20_000
    string_bytes: int = 1024 * 1024
    number_chars: int = 40
    any_text: bool = False


API: Final = Bounds()
MESSAGE: Final = Bounds(any_text=True)
PROVIDER: Final = Bounds(values=1_000_000, any_text=True)
"""Providers send many events in one post."""
IMPORT: Final = Bounds(values=400_000)
"""A chunk of an import has thousands of rows; its bytes bound it too."""


def require_bounded(content: bytes, bounds: Bounds = API) -> None:
    """Raises `TooLarge` (too deep, too many, too long) or `Unprocessable` (a number or text that nothing here can hold), naming where.

    Whether it is JSON at all is the parser's to say.
    """
    depth = count = 0
    for token in _TOKEN.finditer(content):
        first = content[token.start()]
        if first in b"[{":
            depth += 1
            if depth > bounds.depth:
                raise TooLarge("nested too deeply", field=_place(content, token.start()), remedy=f"at most {bounds.depth} levels")
        elif first in b"]}":
            depth -= 1
            if depth < 0:
                return
            continue
        elif first in b",:":
            continue
        count += 1
        if count > bounds.values:
            raise TooLarge("too many values", field="body", remedy=f"at most {bounds.values} in one body; send it in parts")
        if first == 0x22:
            _require_text(content, token, bounds)
        elif first in b"-+.0123456789NI":
            _require_number(content, token, bounds)


def _require_text(content: bytes, token: re.Match[bytes], bounds: Bounds) -> None:
    if token.end() - token.start() > bounds.string_bytes:
        raise TooLarge(
            "too long a text", field=_place(content, token.start()), remedy=f"at most {bounds.string_bytes} bytes of JSON"
        )
    # A backslash is rare: only such a text is read again.
    if bounds.any_text or content.find(b"\\u", token.start(), token.end()) < 0:
        return
    high_at: int | None = None
    for escape in _ESCAPE.finditer(content, token.start(), token.end()):
        code = int(escape[1], 16) if escape[1] else -1
        paired = high_at == escape.start()
        if code == 0 or (high_at is not None and not paired) or (0xDC00 <= code <= 0xDFFF) != paired:
            raise _no_text(content, token.start())
        high_at = escape.end() if 0xD800 <= code <= 0xDBFF else None
    if high_at is not None:
        raise _no_text(content, token.start())


def _no_text(content: bytes, at: int) -> Unprocessable:
    return Unprocessable("a NUL or half a surrogate pair in a text", field=_place(content, at), remedy="leave the character out")


def _require_number(content: bytes, token: re.Match[bytes], bounds: Bounds) -> None:
    text = token[0]
    if text in _NAN:
        raise Unprocessable("no number of JSON", field=_place(content, token.start()), remedy="a finite number, or null")
    if len(text) > bounds.number_chars:
        raise Unprocessable(
            "too many digits", field=_place(content, token.start()), remedy=f"at most {bounds.number_chars}; a longer one as text"
        )
    try:
        fits = -(2**63) <= int(text) < 2**63 if text.lstrip(b"-").isdigit() else math.isfinite(float(text))
    except ValueError:
        return
    if not fits:
        raise Unprocessable(
            "too large a number", field=_place(content, token.start()), remedy="within 64 bits; a larger one as text"
        )


def _place(content: bytes, until: int) -> str:
    """``body.traits.a.0`` of the value that begins at ``until``; at most its first levels."""
    path: list[str | int] = []
    last = b""
    for token in _TOKEN.finditer(content, 0, until):
        first = content[token.start()]
        if first == 0x5B:
            path.append(0)
        elif first == 0x7B:
            path.append("")
        elif first in b"]}":
            path.pop()
        elif first == 0x22:
            last = token[0]
        elif first == 0x3A and path:
            path[-1] = last[1:41].rstrip(b'"').decode("utf-8", "replace")
        elif first == 0x2C and path and isinstance(path[-1], int):
            path[-1] += 1
    return ".".join(["body", *(str(one) for one in path[:8] if one != "")])


def bounded_json(content: bytes, bounds: Bounds = API) -> Any:
    """JSON within bounds as values. Raises what `require_bounded` raises, and `ValueError` for what is no JSON."""
    require_bounded(content, bounds)
    return json.loads(content)


def shallow(text: str | bytes, depth_max: int = STORED_DEPTH_MAX) -> str | bytes:
    """Stored JSON that can be parsed and written again: itself, or with `CUT` for every value below ``depth_max`` levels."""
    content = text.encode() if isinstance(text, str) else text
    # Two counts in native code tell nearly all of what is stored that it is shallow.
    if content.count(b"[") + content.count(b"{") <= depth_max:
        return text
    kept: list[bytes] = []
    depth = deepest = 0
    for token in _TOKEN.finditer(content):
        first = content[token.start()]
        opens = first in b"[{"
        depth += opens
        deepest = max(deepest, depth)
        if depth <= depth_max:
            kept.append(token[0])
        elif opens and depth == depth_max + 1:
            kept.append(json.dumps(CUT).encode())
        depth -= first in b"]}"
    return b"".join(kept) if deepest > depth_max else text

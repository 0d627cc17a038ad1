"""Text that every store, wire and log accepts, and the fold by which Turkish text is compared.

What arrives from providers may hold NUL (PostgreSQL refuses it), lone surrogates (JSON and UTF-8 refuse them) and line breaks
inside what must be one line (a header injected into the next mail). These three functions are where that ends.

Source: The Unicode Standard, §3.9 (surrogates are not scalar values) and SpecialCasing.txt (the four Turkish letters i).
Identity: two texts are the same for search and matching when their folds are equal.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from typing import Final

KEY_BYTES_MAX: Final = 1200
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LINE_BREAKS = re.compile("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
# Letters that turn the direction of what follows are orders too: a name reads as it is written. A space, not nothing: of a stranger's address
# no customer's is made.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_DOTLESS = str.maketrans({"İ": "i", "I": "i", "ı": "i"})


def clean_text(s: str) -> str:
    """The text with each NUL and each lone surrogate replaced by U+FFFD; everything else untouched. Twice is once."""
    return _UNSTORABLE.sub("\ufffd", s)


def key_text(s: str) -> str:
    """The text as a key that an index takes (PostgreSQL: 2,704 bytes a row): clean, and over 1,200 bytes its beginning with its digest.

    Equal texts have equal keys, others others. Twice is once. Source: PostgreSQL, B-Tree Indexes; UTF-8 has up to four bytes a character.
    """
    clean = clean_text(s)
    whole = clean.encode()
    if len(whole) <= KEY_BYTES_MAX:
        return clean
    return f"{whole[: KEY_BYTES_MAX - 100].decode('utf-8', 'ignore')}~sha256:{hashlib.sha256(whole).hexdigest()}"


def same_secret(given: str, expected: str) -> bool:
    """Whether two texts are the same, in a time that tells nothing of where they differ. Any text may be given, also outside ASCII."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))


def clean_line(s: str) -> str:
    """The text on one line: line breaks with the blanks around them become one space, other control characters a space.

    For header values, names, subjects and file names. The ends are stripped. Twice is once.
    """
    # Split and strip, not one pattern with blanks on both sides: that is quadratic in a run of blanks.
    pieces = _LINE_BREAKS.split(clean_text(s))
    if len(pieces) > 1:
        pieces = [piece for piece in (one.strip(" \t") for one in pieces) if piece]
    return _CONTROLS.sub(" ", " ".join(pieces)).strip()


def fold_turkish(s: str) -> str:
    """The key for search and matching: without case, without diacritics, with I, İ, ı and i the same letter.

    Not for display and not for identity of handles. Twice is once.
    """
    if s.isascii():
        return s.lower()
    folded = s
    # Compatibility forms may unfold to letters with case and the reverse, so once is not always enough.
    for _ in range(3):
        plain = unicodedata.normalize("NFKD", folded.translate(_DOTLESS)).casefold()
        plain = unicodedata.normalize("NFKD", plain)
        plain = "".join(c for c in plain if not unicodedata.combining(c)).translate(_DOTLESS)
        if plain == folded or plain.isascii():
            return plain
        folded = plain
    return folded

"""How words are compared by which machines begin their mails. Pure; linear.

Source: RFC 3464 and RFC 3834 for what such mails are; the words are those that mail servers and mail programs are known to write.
Identity: words are the same when they are folded the same, with any blanks between them and straight apostrophes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.steps import step
from shared.text import fold_turkish

SUBJECT_CHARS_MAX = 500
"""What is looked at of a subject."""

_RULES = re.compile(r"[#=*_|~+-]{2,}|\.{4,}")


def folded(text: str) -> str:
    """Text as it is compared: folded, one blank between words, apostrophes straight, lines of signs gone."""
    step(4)
    plain = fold_turkish(text)
    if not text.isascii():
        step((len(text) + 2 * len(plain)) // 16)  # a letter may be many: U+FDFA is eighteen
    plain = plain.replace("\u2019", "'").replace("\u00b4", "'")
    return " ".join(_RULES.sub(" ", plain).split())


def any_of(phrases: Sequence[str]) -> str:
    """A pattern of these phrases, for folded text."""
    return "|".join(re.escape(folded(phrase)) for phrase in phrases)

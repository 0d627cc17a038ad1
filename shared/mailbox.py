"""A mail address in one form for one mailbox: its local part quoted only where it must be, its domain as A-labels. Pure; linear.

Source: RFC 5321 §4.1.2 (a local part is quoted only where it must be), RFC 5891 and UTS 46 (domains), without transitional mapping:
ß is a letter of its own, and ``faß.example`` and ``fass.example`` have two owners. What is ASCII is not mapped, because hosts have
underscores. To name somebody, labels that IDNA 2008 refuses (signs, emoji) have the form of UTS 46, as in browsers: none is lost.

**Identity**: a domain is its A-labels. Odd dots stay as they are written: ``taro..y@`` and ``"taro..y"@`` are two.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import idna

DOMAIN_CHARS_MAX: Final = 255
_LABEL_CHARS_MAX: Final = 63
_LABELS_MAX: Final = 20
"""Of a domain that is not ASCII: each is looked up letter by letter, and nobody's name has as many."""
KEPT_MAX: Final = 4096
_DOTS: Final = ".。．｡"
_ATEXT: Final = r'[^\s\x00-\x1f\x7f"(),:;<>@\[\]\\.]'
_DOT_STRING: Final = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_ODD_DOTS: Final = re.compile(rf"(?:{_ATEXT}|\.)+")
_SPECIAL: Final = re.compile(r'(["\\])')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def local_part(text: str, *, quoted: bool) -> str:
    """The local part whose content is ``text``, in quotes where it needs them; ``quoted``: it was written in quotes."""
    if _DOT_STRING.fullmatch(text) or (not quoted and _ODD_DOTS.fullmatch(text)):
        return text
    return '"' + _SPECIAL.sub(r"\\\1", text) + '"'


def local_content(written: str) -> tuple[str, bool] | None:
    """What a local part as written stands for, and whether it stands in quotes; None when its quotes are not whole."""
    match = _QUOTED.fullmatch(written)
    if match:
        return _PAIR.sub(r"\1", match[1]), True
    return None if '"' in written else (written, False)


def a_labels(domain: str, *, lenient: bool = False) -> str:
    """The domain as A-labels in lower case, empty when it is none. Twice gives the same.

    ``lenient``: also where IDNA 2008 refuses letters, to name somebody; nobody is written to or vouched for by such a domain.
    """
    plain = domain.strip().rstrip(".")
    if not plain.isascii():
        plain = _mapped(plain, lenient) if len(plain) <= DOMAIN_CHARS_MAX else ""
    plain = plain.lower()
    return plain if _HOST.fullmatch(plain) else ""


@lru_cache(maxsize=KEPT_MAX)
def _mapped(domain: str, lenient: bool) -> str:
    # A letter may become eighteen, and a label's form takes time by the square of its letters: what grows is refused before it costs.
    grown = unicodedata.normalize("NFKC", domain)
    if len(grown) > DOMAIN_CHARS_MAX or sum(map(grown.count, _DOTS)) >= _LABELS_MAX:
        return ""
    try:
        labels = idna.uts46_remap(domain, std3_rules=False, transitional=False).rstrip(".").split(".")
    except idna.IDNAError:
        return ""
    if len(labels) > _LABELS_MAX or any(len(label) > _LABEL_CHARS_MAX for label in labels):
        return ""
    encoded = [label if label.isascii() else _a_label(label, lenient=lenient) for label in labels]
    return ".".join(encoded) if all(0 < len(label) <= _LABEL_CHARS_MAX for label in encoded) else ""


def _a_label(label: str, *, lenient: bool) -> str:
    """Empty for what is refused; what pretends to be an A-label already is, always."""
    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError:
        return "" if not lenient or label.startswith("xn--") else f"xn--{label.encode('punycode').decode('ascii')}"


def as_letters(domain: str) -> str:
    """A domain of A-labels in its letters; labels that stand for none stay as they are."""
    return ".".join(_letters(label) if label.startswith("xn--") else label for label in domain.split("."))


def _letters(label: str) -> str:
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return label

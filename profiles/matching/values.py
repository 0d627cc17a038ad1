"""What is compared of a value: each kind of field brought to one form, so that spelling, case and order of writing do not count. Pure.

Turkish letters and diacritics fold away; a number is its digits; a date is ``yyyymmdd`` where it can be read; an e-mail address is
the form its provider delivers to. These forms serve comparison only, never identity.

**Identity**: two values are equal for matching when their forms are. A form of an empty value or a placeholder is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from profiles.blocked import blocked_reason
from shared.telephone import one_form
from shared.text import fold_turkish

Kind: TypeAlias = Literal[
    "given_name", "family_name", "name", "date", "email", "phone", "identifier", "postcode", "place", "category", "number",
    "amount", "address", "company", "text",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = (
    "given_name", "family_name", "name", "date", "email", "phone", "identifier", "postcode", "place", "category", "number",
    "amount", "address", "company", "text",
)  # fmt: skip
_CHARS_MAX: Final = 400
_TOKENS_MAX: Final = 40
_WORD: Final = re.compile(r"[^\W_]+")
_APOSTROPHE: Final = re.compile(r"(?<=\w)['’`´](?=\w)")
_ALNUM: Final = re.compile(r"[^0-9a-z]+")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_PARTS: Final = re.compile(r"\d+|[^\W\d_]+")
_NOTHING: Final = frozenset({"", "nan", "none", "null", "n a", "n/a", "na", "unknown", "undefined", "nil"})
_TITLES: Final = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "bay", "bayan", "sn", "sayin"})
_MONTHS: Final[Mapping[str, int]] = {
    name: number
    for number, names in enumerate(
        (
            "jan ocak january oca", "feb subat february sub", "mar mart march", "apr nisan april nis", "may mayis",
            "jun haziran june haz", "jul temmuz july tem", "aug agustos august agu", "sep eylul september eyl sept",
            "oct ekim october eki", "nov kasim november kas", "dec aralik december ara",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_SHORT: Final[Mapping[str, str]] = {
    "street": "st", "str": "st", "road": "rd", "avenue": "av", "ave": "av", "place": "pl", "drive": "dr", "court": "ct",
    "crescent": "cr", "cres": "cr", "boulevard": "blvd", "lane": "ln", "circuit": "cct", "close": "cl", "terrace": "tce",
    "parade": "pde", "square": "sq", "highway": "hwy", "north": "n", "south": "s", "east": "e", "west": "w", "apartment": "apt",
    "mahalle": "mah", "mahallesi": "mah", "cadde": "cad", "caddesi": "cad", "sokak": "sk", "sokagi": "sk", "sok": "sk",
    "bulvar": "blv", "bulvari": "blv", "apartmani": "apt", "daire": "d", "numara": "no", "kat": "k", "blok": "bl",
}  # fmt: skip
_LEGAL: Final = frozenset({
    "ltd", "limited", "inc", "llc", "co", "corp", "corporation", "gmbh", "ag", "plc", "as", "sti", "san", "tic", "ve", "and", "the",
    "company", "anonim", "sirketi", "sanayi", "ticaret",
})  # fmt: skip
_DOTLESS_LOCAL: Final = frozenset({"gmail.com", "googlemail.com"})


def compared(kind: Kind, value: str | None) -> str:
    """The form of a value that is compared; empty when there is nothing to compare. Twice is once for every kind but ``date``."""
    if value is None:
        return ""
    text = _APOSTROPHE.sub("", fold_turkish(value[:_CHARS_MAX])).strip()
    if text in _NOTHING:
        return ""
    return _FORMS.get(kind, _words)(text)


def email_parts(form: str) -> tuple[str, str]:
    """Local part and domain of a compared address."""
    local, _, domain = form.rpartition("@")
    return local, domain


def month_of(text: str) -> int:
    """The month that one or two digits (no calendar need have it) or a name in any case say; 0: none."""
    parts = _PARTS.findall(fold_turkish(text))
    if not parts or parts[0].isalpha():
        return _MONTHS.get(parts[0][:3], 0) if parts else 0
    return int(parts[0]) if len(parts[0]) <= 2 else 0


def _words(text: str) -> str:
    words = " ".join(_WORD.findall(text)[:_TOKENS_MAX])
    return "" if words in _NOTHING else words


def _name(text: str) -> str:
    words = _words(text).split()
    kept = [word for word in words if word not in _TITLES]
    return " ".join(kept or words)


def _address(text: str) -> str:
    return " ".join(_SHORT.get(word, word) for word in _words(text).split())


def _company(text: str) -> str:
    words = _words(text).split()
    return " ".join([word for word in words if word not in _LEGAL and len(word) > 1] or words)


def _email(text: str) -> str:
    local, at, domain = text.replace(" ", "").rpartition("@")
    if not at or not local:
        return ""
    local = local.partition("+")[0] or local
    if domain in _DOTLESS_LOCAL:
        local, domain = local.replace(".", ""), "gmail.com"
    form = f"{local}@{domain}"
    return "" if blocked_reason("email", form) else form


def _phone(text: str) -> str:
    digits = one_form("+" + "".join(c for c in text if c.isdigit()).lstrip("0"))[1:][-10:]
    return digits if len(digits) >= 5 and len(set(digits)) > 1 else ""


def _identifier(text: str) -> str:
    form = _ALNUM.sub("", text)
    return "" if blocked_reason("external_id", form) else form


def _number(text: str) -> str:
    form = _ALNUM.sub("", text)
    return form.lstrip("0") or form


def _amount(text: str) -> str:
    plain = text.replace(",", "") if "." in text or re.search(r",\d{3}\b", text) else text.replace(",", ".")
    found = _NUMBER.search(plain)
    return str(found.group()) if found else ""


def _date(text: str) -> str:
    parts = _PARTS.findall(text.partition("t0")[0] if "t0" in text else text)
    numbers = [_MONTHS.get(part[:3], 0) if part.isalpha() else int(part) for part in parts[:3]]
    if len(numbers) == 1 and len(parts[0]) == 8 and parts[0].isdigit():
        return str(parts[0])
    if len(numbers) == 1 and len(parts[0]) == 4 and parts[0].isdigit():
        return f"{parts[0]}0000"
    if len(numbers) == 3 and min(numbers) > 0:
        if len(parts[0]) == 4:
            year, month, day = numbers
        elif parts[0].isalpha():
            month, day, year = numbers
        else:
            day, month, year = numbers
        if month > 12 >= day:
            day, month = month, day
        year = year if year > 99 else 1900 + year if year > 30 else 2000 + year
        return f"{year:04d}{month:02d}{day:02d}"[:8]
    return "".join(c for c in text if c.isdigit())[:8]


_FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "given_name": _name, "family_name": _name, "name": _name, "date": _date, "email": _email, "phone": _phone,
    "identifier": _identifier, "postcode": _identifier, "number": _number, "amount": _amount, "address": _address,
    "company": _company,
}  # fmt: skip

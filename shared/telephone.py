"""One form for one telephone number, however its country, a provider or an old list writes it. Pure.

Some countries changed their numbers, and what was written down before is written so to this day: WhatsApp's ``wa_id`` above all, but
also caller numbers, customer lists and people. The form of today's dialling from abroad is the one that is kept.

===========  =======================================  ==================  ====================================================
country      also written                             kept                source
===========  =======================================  ==================  ====================================================
Mexico       ``+52 1 55 1234 5678``, 01, 044, 045     ``+525512345678``   IFT, Plan Técnico Fundamental de Numeración, since 2019
Argentina    ``+54 9 11 2345 6789``, with 15          ``+541123456789``   ENACOM: area and number are given once, to a mobile or not
Brazil       ``+55 54 8123 4567`` (mobiles, 6 to 9)   ``+5554981234567``  ANATEL, Resolução 553/2010
Benin        ``+229 97 12 34 56``                     ``+2290197123456``  ARCEP Bénin, since 30 November 2024
===========  =======================================  ==================  ====================================================

**Identity**: the E.164 text. Argentina's 9 says only how a call is routed, and callers, lists and providers leave it out or put it in at
will; so it is no part of who somebody is, but part of where they are written to (`as_given`).
"""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

# Brazil's landlines (2 to 5) never had another form; an area code holds no zero, so 0800 and 0300 are none either.
_FORMS: Final = (
    (re.compile(r"\+52(?:1|01|04[45])(\d{10})"), r"+52\1"),
    (re.compile(r"\+549(\d{10})"), r"+54\1"),
    (re.compile(r"\+55([1-9]{2})([6-9]\d{7})"), r"+55\g<1>9\2"),
    (re.compile(r"\+229(\d{8})"), r"+22901\1"),
)
_BEFORE: Final = (
    (re.compile(r"\+52(\d{10})"), r"+521\1"),
    (re.compile(r"\+54(\d{10})"), r"+549\1"),
    (re.compile(r"\+55([1-9]{2})9([6-9]\d{7})"), r"+55\1\2"),
    (re.compile(r"\+22901(\d{8})"), r"+229\1"),
)


def one_form(number: str) -> str:
    """The one form of a number in E.164; what is none, or has one form only, as it is. Idempotent."""
    return _rewritten(number, _FORMS) or number


def form_before(number: str) -> str:
    """What a number in its one form was called while both forms counted as numbers of their own; empty where there was no other."""
    return _rewritten(number, _BEFORE)


def number_of(text: str, region: str | None) -> str:
    """The one form of a number as somebody wrote it; empty where it is none. ``region``: the country (two letters) of one without ``+``.

    A number that is one only as it is written stays so: not every series moved.
    """
    written = _e164(text, region)
    return next((number for number in (one_form(written), written) if _is_valid(number)), "")


def is_region(text: str) -> bool:
    """Whether these two letters are a country whose numbers can be read without ``+``."""
    return text in phonenumbers.SUPPORTED_REGIONS


def as_given(number: str, raw: str) -> str:
    """The other form of a number where ``raw`` is written so and it can be dialled; else the number itself, which is in its one form.

    A message goes to what its sender gave, and travels under it, as before there was one form.
    """
    if not form_before(number) or not raw:
        return number
    given = _e164(raw, phonenumbers.region_code_for_number(phonenumbers.parse(number)))
    return given if one_form(given) == number and _is_valid(given) else number


def _e164(text: str, region: str | None) -> str:
    try:
        number = phonenumbers.parse(text, None if text.startswith("+") else region)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_valid(number: str) -> bool:
    return number != "" and phonenumbers.is_valid_number(phonenumbers.parse(number))


def _rewritten(number: str, forms: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for written, kept in forms:
        found = written.fullmatch(number)
        if found:
            return found.expand(kept)
    return ""

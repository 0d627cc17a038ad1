"""What usual column names of lists of people and of things mean, for matching. Pure.

**Identity** of a column name: folded, without separators: ``Given Name``, ``given_name`` and ``givenName`` are one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from profiles.matching.matching import Field, field_of
from profiles.matching.split_dates import PART_OF, TARGETS, Part, Parts
from profiles.matching.values import KINDS, Kind
from shared.errors import InputRejected
from shared.text import fold_turkish

_SEPARATORS: Final = re.compile(r"[^0-9a-z]+")
_NAMES: Final[Mapping[Kind, str]] = {
    "given_name": "givenname given firstname first fname forename forenames adi isim ad fnamec1 firstname1 givennames ilkad onad",
    "family_name": "familyname family surname lastname last lname soyad soyadi lnamec1 lastname1",
    "name": "name fullname personname customername displayname adsoyad isimsoyisim unvan musteri customer person contact contactname",
    "date": "dateofbirth dob birthdate birthday birth dogumtarihi dogum dobfull",
    "email": "email emailaddress mail eposta epostaadresi emails emailid",
    "phone": "phone phonenumber telephone tel mobile mobilephone mobilenumber cell telefon ceptelefonu gsm phonenum phone1 homephone",
    "identifier": "socsecid ssn nationalid tckn tcno tckimlikno taxid vkn vergino vatnumber passport passportnumber isbn ean gtin upc "
    "modelno partnumber sku nhsnumber soundexid",
    "postcode": "postcode postalcode zip zipcode zip5 postakodu postcodefake pcode postkodu",
    "place": "suburb city town locality state2 county birthplace placeofbirth ilce il sehir district province region placename",
    "category": "state gender sex culture country cinsiyet title nationality ulke countrycode marital",
    "number": "streetnumber housenumber houseno number streetno year kapino binano modelyear",
    "amount": "price listprice fiyat amount",
    "address": "address address1 address2 addr street streetaddress streetname addressline1 addressline2 adres sokak cadde homeaddress "
    "fulladdress strasse",
    "company": "company organisation organization employer firma sirket companyname businessname business restaurant hotel venue "
    "manufacturer brand marka publisher kurum",
    "text": "description category type occupation job jobtitle class cuisine authors author artist album song songtitle genre meslek "
    "productname product modelname details notes",
}  # fmt: skip
_KIND_OF: Final[Mapping[str, Kind]] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_PEOPLE: Final = frozenset({"given_name", "family_name", "date"})
# Columns that only repeat parts which are compared already, and would count twice.
_MAY_BE_PART: Final = frozenset({"date", "number", "category"})
_REPEATS: Final = frozenset({"fullname", "firstandsurname", "displayname", "name", "adsoyad"})


def folded_column(name: str) -> str:
    """The form under which column names are the same."""
    return _SEPARATORS.sub("", fold_turkish(name))


def guessed_fields(columns: Sequence[str]) -> tuple[Field, ...]:
    """The columns whose names are understood, as fields to compare; empty when none is."""
    parts = parts_of(columns)
    taken = {name for _, name in parts}
    known = [(name, _KIND_OF[folded_column(name)]) for name in columns if folded_column(name) in _KIND_OF and name not in taken]
    kinds = {kind for _, kind in known}
    if {"given_name", "family_name"} <= kinds:
        known = [(name, kind) for name, kind in known if folded_column(name) not in _REPEATS]
    if not kinds & _PEOPLE and "year" not in dict(parts):
        # A list of things: their name is a text like any other, their title is what they are called.
        known = [(name, "text" if kind == "name" else kind) for name, kind in known if folded_column(name) != "title"]
        known += [(name, "text") for name in columns if folded_column(name) == "title"]
    return _with_parts([field_of(name, kind) for name, kind in known], parts)


def parts_of(columns: Sequence[str]) -> Parts:
    """The columns whose names say a part of a date of birth, the first of each part. Beside year and month a birthday is a day."""
    found: dict[Part, str] = {}
    for name in columns:
        part = PART_OF.get(folded_column(name))
        if part is not None:
            found.setdefault(part, name)
    birthday = next((name for name in columns if folded_column(name) == "birthday"), None)
    if birthday is not None and {"year", "month"} <= found.keys():
        found.setdefault("day", birthday)
    return tuple(found.items())


def mapped_fields(maps: Sequence[str], columns: Sequence[str]) -> tuple[Field, ...]:
    """The fields of ``kind=column`` pairs; a date in several columns is ``birth_year``, ``birth_month``, ``birth_day``.

    Raises `InputRejected` naming the pair.
    """
    fields: list[Field] = []
    parts: list[tuple[Part, str]] = []
    for given in maps:
        kind, equals, column = given.partition("=")
        if not equals:
            raise InputRejected(f"{given!r} is no pair", field="--map", remedy="kind=column, like family_name=surname")
        if column not in columns:
            raise InputRejected(f"there is no column {column!r}", field="--map", remedy=f"one of {', '.join(columns[:40])}")
        said = TARGETS.get(kind) or PART_OF.get(folded_column(kind))
        known = kind if kind in KINDS else _KIND_OF.get(folded_column(kind))
        if said is None and known in _MAY_BE_PART:
            said = PART_OF.get(folded_column(column))
        if said is not None:
            parts.append((said, column))
        elif known is None:
            raise InputRejected(f"unknown kind of field {kind!r}", field="--map", remedy=f"one of {', '.join((*KINDS, *TARGETS))}")
        else:
            fields.append(field_of(column, known))
    named = [*(one.name for one in fields), *(column for _, column in parts)]
    if len(set(named)) < len(named):
        raise InputRejected("a column is mapped twice", field="--map", remedy="name each column once")
    twice = next((part for part, _ in parts if sum(part == other for other, _ in parts) > 1), None)
    if twice is not None:
        raise InputRejected(f"two columns are the {twice} of birth", field="--map", remedy=f"name one of them birth_{twice}")
    if parts and not any(one.kind == "date" for one in fields) and "year" not in dict(parts):
        raise InputRejected("a date of birth without its year", field="--map", remedy="add birth_year=COLUMN")
    return _with_parts(fields, tuple(parts))


def _with_parts(fields: Sequence[Field], parts: Parts) -> tuple[Field, ...]:
    """The parts joined to the date of birth, or a date of their own; parts that no year or date goes with are nothing."""
    dates = [one for one in fields if one.kind == "date"]
    born = next((one for one in dates if folded_column(one.name) in _KIND_OF), dates[0] if dates else None)
    if not parts or (born is None and "year" not in dict(parts)):
        return tuple(fields)
    if born is not None:
        return tuple(replace(one, parts=parts) if one is born else one for one in fields)
    return (*fields, replace(field_of("+".join(column for _, column in parts), "date"), parts=parts))

"""Columns that say a part of a date of birth, and the date they say together. Pure.

A year of birth or an age beside the date of birth is the same evidence again, never a second one; day, month and year in columns of
their own are one date. **Identity** of a column name: folded, as in `columns.py`. A form is that of `values.py`: ``yyyymmdd``, where
``00`` stands for what is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from profiles.matching.values import month_of

Part: TypeAlias = Literal["year", "month", "day", "age"]
Parts: TypeAlias = tuple[tuple[Part, str], ...]
"""Each part with its column."""
TARGETS: Final[Mapping[str, Part]] = {"birth_year": "year", "birth_month": "month", "birth_day": "day"}
"""What a mapping calls the columns of a date that is split."""
_NAMES: Final[Mapping[Part, str]] = {
    "year": "birthyear yearofbirth byear by yob dobyear dogumyili birthdateyear",
    "month": "birthmonth monthofbirth bmonth bm mob dobmonth dogumayi birthdatemonth",
    "day": "dayofbirth bday bd dobday dogumgunu birthdateday birthday2",
    "age": "age yas yasi ageyears",
}
PART_OF: Final[Mapping[str, Part]] = {name: part for part, names in _NAMES.items() for name in names.split()}
"""Part by folded column name."""
_DIGITS: Final = re.compile(r"\d+")


def year_of(text: str) -> int:
    """The year that one or more digits say; two digits are one between 1931 and 2030. 0: none."""
    found = _DIGITS.search(text)
    year = int(found.group()) if found else 0
    if not found or len(found.group()) > 4:
        return 0
    return year if year > 99 else 1900 + year if year > 30 else 2000 + year


def split_date(said: Mapping[Part, str]) -> str:
    """The form of the date that the parts say, as one column would say it; empty without a year. A month may be a name."""
    year = year_of(said.get("year", ""))
    return f"{year:04d}{month_of(said.get('month', '')):02d}{day_of(said.get('day', '')):02d}" if year else ""


def day_of(text: str) -> int:
    """The day that one or two digits say, which no month need have. 0: none."""
    found = _DIGITS.search(text)
    return int(found.group()) if found and len(found.group()) <= 2 else 0


def agree(one: str, other: str) -> bool:
    """Whether nothing that both forms say differs: a year agrees with every day of it."""
    if len(one) != 8 or len(other) != 8:
        return one == other
    parts = ((one[begin:end], other[begin:end]) for begin, end in ((0, 4), (4, 6), (6, 8)))
    return all(mine == theirs or not int(mine) or not int(theirs) for mine, theirs in parts)


def fuller(one: str, other: str) -> str:
    """Of two forms of the same date the one that says more; the first where both say as much."""
    return one if _said(one) >= _said(other) else other


def _said(form: str) -> int:
    if len(form) != 8:
        return 1 if form else 0
    return 1 + (form[4:6] != "00") + (form[6:] != "00")

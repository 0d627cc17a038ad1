"""Public holidays of a country or a part of it, by the `holidays` library. Pure: the library computes, it asks nobody.

Days that follow the moon are estimates until they are proclaimed, so a calendar's own overrides win over all of this.
Source: the library `holidays` (country_holidays, supported categories).
**Units**: days are counted from 1970-01-01, wall times are seconds since midnight.
**Identity**: equal country, subdivision and categories give the same days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

import holidays as library

from shared.errors import Unprocessable

HALF_DAY: Final = "half_day"
PUBLIC: Final = "public"
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_CATEGORIES_SHOWN: Final = 12
_KEPT_YEARS_MAX: Final = 2048
_LANGUAGE: Final = "en_US"  # of the names; left out, it would be the machine's


@dataclass(frozen=True, slots=True)
class NamedDay:
    """A holiday; of a half day the morning is worked."""

    name: str
    half: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holidays:
    """Which holidays a calendar keeps. ``half_day_until_s``: when work ends on a half day."""

    country: str
    subdivision: str | None = None
    categories: tuple[str, ...] = (PUBLIC,)
    half_day_until_s: int = 13 * 3600

    def closes(self, day: int) -> bool:
        """Whether the day is a whole holiday."""
        found = self._on(day)
        return found is not None and not found.half

    def name_of(self, day: int) -> str | None:
        """The holiday's name, in English; None for a usual day."""
        found = self._on(day)
        return None if found is None else found.name

    def days_between(self, first: int, last: int) -> list[int]:
        """The holidays, half and whole, from a day to another, both counted."""
        years = range(date.fromordinal(first + _EPOCH_DAY).year, date.fromordinal(last + _EPOCH_DAY).year + 1)
        return [day for year in years for day in self._named(year) if first <= day <= last]

    def left_of(self, day: int, usual: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """What a day's usual spans become."""
        found = self._on(day)
        if found is None:
            return usual
        if not found.half:
            return ()
        return tuple((start, min(stop, self.half_day_until_s)) for start, stop in usual if start < self.half_day_until_s)

    def _on(self, day: int) -> NamedDay | None:
        return self._named(date.fromordinal(day + _EPOCH_DAY).year).get(day)

    def _named(self, year: int) -> Mapping[int, NamedDay]:
        # Not by when work ends on a half day, of which there are many for the same days.
        return named_days(self.country, self.subdivision, self.categories, year)


@lru_cache(maxsize=_KEPT_YEARS_MAX)
def named_days(country: str, subdivision: str | None, asked: tuple[str, ...], year: int) -> Mapping[int, NamedDay]:
    """The holidays of a year by day; a whole holiday wins over a half one. `checked_holidays` has accepted what is asked."""
    days: dict[int, NamedDay] = {}
    for half in (True, False):
        categories = tuple(one for one in asked if (one == HALF_DAY) == half)
        if not categories:
            continue
        found: Mapping[date, str] = library.country_holidays(
            country, subdiv=subdivision, years=year, categories=categories, language=_LANGUAGE
        )
        for day, name in found.items():
            days[day.toordinal() - _EPOCH_DAY] = NamedDay(name, half)
    return days


def checked_holidays(asked: Holidays) -> Holidays:
    """Returns it when the library knows it. Raises `Unprocessable` naming the member and what is possible."""
    known = countries()
    if asked.country not in known:
        raise Unprocessable(
            f"no public holidays are known of {asked.country!r}",
            field="holidays.country", remedy="a country by its two letters, like TR, or list the days under overrides",
        )  # fmt: skip
    subdivisions = known[asked.country]
    if asked.subdivision is not None and asked.subdivision not in subdivisions:
        remedy = f"one of {', '.join(subdivisions)}" if subdivisions else "leave it out"
        raise Unprocessable(f"{asked.country} has no part {asked.subdivision!r}", field="holidays.subdivision", remedy=remedy)
    possible = _categories(asked.country)
    for category in asked.categories:
        if category not in possible:
            remedy = f"of {', '.join(possible[:_CATEGORIES_SHOWN])}"
            raise Unprocessable(f"{asked.country} has no {category!r} holidays", field="holidays.categories", remedy=remedy)
    return asked


@lru_cache(maxsize=1)
def countries() -> Mapping[str, Sequence[str]]:
    """The countries whose public holidays are known, by two letters, each with its parts."""
    found: Mapping[str, Sequence[str]] = library.list_supported_countries(include_aliases=False)
    return found


@lru_cache(maxsize=256)
def _categories(country: str) -> Sequence[str]:
    entity: Any = library.country_holidays(country)
    return tuple(sorted(entity.supported_categories))

"""Periods to begin with, by where a company is: for each class how long, why, and where that is written. Data, and its date.

Laws say how long some things must be kept, and that nothing may be kept longer than its purpose needs; between the two a company
decides, with its own lawyer. So nothing here is applied by itself, and every period says what it rests on. A class without a rule of its
own rests on the principle alone.
**Units**: days. Years are counted with the rest of the calendar year where the law begins at its end.
Source: per period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.privacy.retention import RetentionClass
from shared.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How long a class is kept, why, and the rule it rests on."""

    days: int
    why: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Periods for companies of one place. ``as_of`` is when somebody last compared them with the rules."""

    name: str
    title: str
    as_of: date
    periods: Mapping[RetentionClass, Period]

    def days(self) -> dict[str, int]:
        """What a workspace's setting `retention` holds."""
        return {name: period.days for name, period in self.periods.items()}


_TRADE_TR: Final = (
    "Turkish Commercial Code (6102), arts. 64 and 82: commercial letters ten years, from the end of the calendar year"
)
_PURPOSE_TR: Final = "Law on the Protection of Personal Data (6698), art. 4(2)(ç) and art. 7: no longer than the purpose needs"
_TRADE_EU: Final = (
    "no rule for the whole union; German Commercial Code (HGB), § 257(1), (4), (5): commercial letters six years, from the end of the"
    " calendar year; other member states have their own"
)
_PURPOSE_EU: Final = "GDPR (2016/679), art. 5(1)(e): no longer than the purpose needs"
_ACCOUNT_EU: Final = "GDPR (2016/679), art. 5(2): who is responsible can show it"
_PRESETS: Final = (
    Preset(
        name="tr",
        title="Türkiye",
        as_of=date(2026, 11, 29),
        periods={
            "messages": Period(days=11 * 365, why="letters about orders and contracts are commercial letters", source=_TRADE_TR),
            "files": Period(days=11 * 365, why="they belong to the letters", source=_TRADE_TR),
            "conversations": Period(days=11 * 365, why="nothing is left in them by then", source=_TRADE_TR),
            "deliveries": Period(
                days=3 * 365, why="what was sent, should somebody complain that it was not asked for",
                source="Regulation on Commercial Communication and Commercial Electronic Messages (2015), art. 13: records three years",
            ),
            "quarantine": Period(
                days=180, why="resolved entries are of no further use",
                source="Regulation on Erasure, Destruction and Anonymisation of Personal Data (2017), art. 11: at most every six months",
            ),
            "decisions": Period(days=2 * 365, why="why a message went where it did, as long as anybody asks", source=_PURPOSE_TR),
            "views": Period(days=2 * 365, why="who looked at whom, as long as an incident may still come to light", source=_PURPOSE_TR),
            "audit": Period(
                days=10 * 365, why="who did what, as long as a claim may be brought",
                source="Turkish Code of Obligations (6098), art. 146: claims ten years",
            ),
            "sessions": Period(days=30, why="run out, they serve nobody", source=_PURPOSE_TR),
            "retry_keys": Period(days=7, why="nobody repeats a call after a week", source=_PURPOSE_TR),
        },
    ),
    Preset(
        name="eu",
        title="European Union",
        as_of=date(2026, 11, 29),
        periods={
            "messages": Period(days=7 * 365, why="letters about orders and contracts are commercial letters", source=_TRADE_EU),
            "files": Period(days=7 * 365, why="they belong to the letters", source=_TRADE_EU),
            "conversations": Period(days=7 * 365, why="nothing is left in them by then", source=_TRADE_EU),
            "deliveries": Period(
                days=4 * 365, why="what was sent, as long as a claim may be brought",
                source="no rule for the whole union; German Civil Code (BGB), §§ 195 and 199: three years, from the end of the year",
            ),
            "quarantine": Period(days=90, why="resolved entries are of no further use", source=_PURPOSE_EU),
            "decisions": Period(days=2 * 365, why="why a message went where it did, as long as anybody asks", source=_PURPOSE_EU),
            "views": Period(days=3 * 365, why="who looked at whom, as long as an incident may still come to light", source=_ACCOUNT_EU),
            "audit": Period(days=4 * 365, why="who did what, as long as a claim may be brought", source=_ACCOUNT_EU),
            "sessions": Period(days=30, why="run out, they serve nobody", source=_PURPOSE_EU),
            "retry_keys": Period(days=7, why="nobody repeats a call after a week", source=_PURPOSE_EU),
        },
    ),
)  # fmt: skip
PRESETS: Final[Mapping[str, Preset]] = {preset.name: preset for preset in _PRESETS}


def preset_named(name: str) -> Preset:
    """The preset. Raises `NotFound` naming those there are."""
    found = PRESETS.get(name)
    if found is None:
        raise NotFound(f"there are no periods for {name!r}", field="preset", remedy=f"one of {', '.join(PRESETS)}")
    return found

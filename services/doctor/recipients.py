"""Where providers keep what is sent to them, as they say themselves. Data, and its date; nobody is asked over the network.

What a provider holds where is its own word and changes: ``as_of`` is when somebody last read it. No legal advice.
Source: per recipient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

AS_OF: Final = date(2026, 11, 29)
EEA: Final = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()  # noqa: SIM905
)
"""The member states of the Union, with Iceland, Liechtenstein and Norway. Source: GDPR (2016/679), as taken into the EEA agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A provider: who it is, the countries it names, whether others may come beside them, and where it says so."""

    name: str
    countries: tuple[str, ...]
    among_others: bool
    source: str


_PRODUCTS: Final = Known(
    name="Meta Platforms", countries=("US", "IE", "DK", "SG"), among_others=True,
    source="Meta, Sustainability, \"Data centers\"; Meta, Privacy Policy, \"How do we transfer information?\"",
)  # fmt: skip
KNOWN: Final[Mapping[str, Known]] = {
    "whatsapp": Known(
        name="Meta Platforms (WhatsApp Cloud API)", countries=("US",), among_others=True,
        source="Meta, WhatsApp Business Platform, \"Local storage\": in the United States, unless the number stores locally",
    ),
    "messenger": _PRODUCTS,
    "instagram": _PRODUCTS,
}  # fmt: skip
"""By the provider of an inbox."""


def is_abroad(region: str | None, countries: tuple[str, ...], *, among_others: bool) -> bool | None:
    """Whether it leaves the region's country, or the EEA where that is in it; None: nobody here can tell."""
    if region is None or not countries:
        return None
    home = EEA if region in EEA else {region}
    if any(country not in home for country in countries):
        return True
    return None if among_others else False


def rule_for(region: str | None) -> str:
    """Which rule is about transfers abroad, for the regions we know; empty for others."""
    if region == "TR":
        return "Law on the Protection of Personal Data (6698), art. 9"
    return "GDPR (2016/679), chapter V" if region in EEA else ""

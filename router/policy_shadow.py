"""Which rules are never reached: whatever meets them has met an earlier rule that decides. Pure.

A rule is known by what must hold for it at once (its parts). An earlier one whose parts are all implied by a later one's takes
everything that the later one would. What this says is sure; it does not find every such rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

_COMPARED: Final = re.compile(
    r"\((?:(?P<guard>.+) && )?(?P<path>[\w.]+|queue\[\"[^\"]+\"\]\.\w+) (?P<sign>==|>=|<=|>|<) (?P<value>.+)\)"
)
_LISTED: Final = re.compile(r"\((?:(?P<guard>.+) && )?(?P<path>[\w.]+) in \[(?P<values>.*)\]\)")
_EARLIER_MAX: Final = 200


class Shadows:
    """The rules that decide, in order."""

    def __init__(self) -> None:
        self._earlier: list[tuple[str, Sequence[str]]] = []

    def add(self, name: str, parts: Sequence[str]) -> None:
        """A rule that decides when all its parts hold; no parts, always."""
        if len(self._earlier) < _EARLIER_MAX:
            self._earlier.append((name, parts))

    def above(self, parts: Sequence[str]) -> str | None:
        """The earlier rule that takes all that a rule with these parts would, if one is known to."""
        given = set(parts)
        for name, earlier in self._earlier:
            if all(one in given or any(implies(other, one) for other in parts) for one in earlier):
                return name
        return None


def implies(narrow: str, wide: str) -> bool:
    """Whether a leaf, in CEL as trees are translated, holds only where another one does: ``> 5`` implies ``> 3``."""
    if narrow == wide:
        return True
    first = _COMPARED.fullmatch(narrow)
    if first is None:
        return False
    listed = _LISTED.fullmatch(wide)
    if listed is not None:
        if first["sign"] != "==" or first["path"] != listed["path"]:
            return False
        try:
            value, values = json.loads(first["value"]), json.loads(f"[{listed['values']}]")
        except ValueError:
            return False
        return any(type(one) is type(value) and one == value for one in values)
    second = _COMPARED.fullmatch(wide)
    if second is None or second["path"] != first["path"]:
        return False
    try:
        tight, loose = float(first["value"]), float(second["value"])
    except ValueError:
        return False
    match second["sign"]:
        case ">":
            return tight > loose if first["sign"] in ("==", ">=") else first["sign"] == ">" and tight >= loose
        case ">=":
            return first["sign"] in ("==", ">=", ">") and tight >= loose
        case "<":
            return tight < loose if first["sign"] in ("==", "<=") else first["sign"] == "<" and tight <= loose
        case "<=":
            return first["sign"] in ("==", "<=", "<") and tight <= loose
    return False

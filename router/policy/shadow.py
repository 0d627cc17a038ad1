"""Which rules are never reached: whatever meets them has met an earlier rule that decides. Pure.

A rule is known by what must hold for it at once (its parts). An earlier one whose parts are all implied by a later one's takes
everything that the later one would. What this says is sure; it does not find every such rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

_COMPARED: Final = re.compile(
    r"\((?:(?P<guard>.+) && )?(?P<path>[\w.]+|queue\[\"[^\"]+\"\]\.\w+) (?P<sign>==|>=|<=|>|<) (?P<value>.+)\)"
)
_LISTED: Final = re.compile(r"\((?:(?P<guard>.+) && )?(?P<path>[\w.]+) in \[(?P<values>.*)\]\)")
_EARLIER_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class _Leaf:
    path: str
    sign: str
    value: Any


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
    first, second = _read(narrow), _read(wide)
    if first is None or second is None or first.path != second.path or first.sign == "in":
        return False
    if second.sign == "in":
        return first.sign == "==" and any(type(one) is type(first.value) and one == first.value for one in second.value)
    tight, loose = first.value, second.value
    if not (_is_number(tight) and _is_number(loose)):
        return False
    match second.sign:
        case ">":
            return bool(tight > loose) if first.sign in ("==", ">=") else first.sign == ">" and bool(tight >= loose)
        case ">=":
            return first.sign in ("==", ">=", ">") and bool(tight >= loose)
        case "<":
            return bool(tight < loose) if first.sign in ("==", "<=") else first.sign == "<" and bool(tight <= loose)
        case "<=":
            return first.sign in ("==", "<=", "<") and bool(tight <= loose)
    return False


@lru_cache(maxsize=16384)
def _read(part: str) -> _Leaf | None:
    """A comparison's path, sign and value; None for any other part."""
    listed = _LISTED.fullmatch(part)
    compared = None if listed is not None else _COMPARED.fullmatch(part)
    try:
        if listed is not None:
            return _Leaf(listed["path"], "in", tuple(json.loads(f"[{listed['values']}]")))
        return None if compared is None else _Leaf(compared["path"], compared["sign"], json.loads(compared["value"]))
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

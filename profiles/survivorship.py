"""Which of several observed values of an attribute is shown: a pure choice, the same for any order of observations.

A strategy is an order over values: the greatest wins. Ties end with source and value, so two equal choices are equal values.
An attribute that decides how somebody is served (tier, tags) is never taken from an unverified claim.

**Identity** of a value: handle, attribute, source. **Units**: times aware UTC; values are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from shared.handle import assurance_rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A value somebody saw. ``source`` like ``key:<id>``, ``import:<id>``, ``message:<id>``; ``assurance`` as for handles."""

    name: str
    value: Any
    source: str
    assurance: str
    observed_at: datetime


Order: TypeAlias = Callable[[Observation], tuple[Any, ...]]
VERIFIED_ONLY: Final = frozenset({"tier", "tags"})


def by_assurance(seen: Observation) -> tuple[Any, ...]:
    """The best vouched for, then the most recent, then source and value."""
    return (assurance_rank(seen.assurance), seen.observed_at, seen.source, _text(seen.value))


def most_recent(seen: Observation) -> tuple[Any, ...]:
    """The latest, then the best vouched for, then source and value."""
    return (seen.observed_at, assurance_rank(seen.assurance), seen.source, _text(seen.value))


STRATEGIES: Final[Mapping[str, Order]] = {"assurance": by_assurance, "most_recent": most_recent}


def effective(
    observations: Iterable[Observation], *, strategies: Mapping[str, str] | None = None, default: str = "assurance"
) -> dict[str, Observation]:
    """Attribute → the value that counts. ``strategies`` names another order for single attributes.

    Attributes only claimed, never verified, are left out where :data:`VERIFIED_ONLY` says so.
    """
    chosen: dict[str, Observation] = {}
    for seen in observations:
        if seen.name in VERIFIED_ONLY and assurance_rank(seen.assurance) == 0:
            continue
        order = STRATEGIES[(strategies or {}).get(seen.name, default)]
        best = chosen.get(seen.name)
        if best is None or order(seen) > order(best):
            chosen[seen.name] = seen
    return dict(sorted(chosen.items()))


def materialized(chosen: Mapping[str, Observation]) -> dict[str, Any]:
    """The JSON kept beside a profile: attribute → value with its provenance."""
    return {
        name: {
            "value": seen.value,
            "source": seen.source,
            "assurance": seen.assurance,
            "observed_at": seen.observed_at.isoformat(),
        }
        for name, seen in chosen.items()
    }


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

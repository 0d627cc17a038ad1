"""Which of several observed values of an attribute is shown: a pure choice, the same for any order of observations.

A strategy is an order over values: the greatest wins. Every tie is broken by the source's rank, then time, then value, so two equal
choices are equal values. Whatever the strategy, a value that somebody vouched for goes before one that is only claimed, and an
attribute that decides how somebody is served (tier, tags) is never taken from a claim. An empty value is no value.

**Identity** of a value: handle, attribute, source. **Units**: times aware UTC; values are JSON.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from shared.handle import assurance_rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A value somebody saw. ``source`` like ``identify:crm``, ``import:<id>``, ``agent:<id>``; ``assurance`` as for handles."""

    name: str
    value: Any
    source: str
    assurance: str
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How one attribute's value is chosen. ``sources``, most trusted first, also break every other strategy's ties."""

    name: str = "highest_assurance"
    sources: tuple[str, ...] = ()

    def rank(self, source: str) -> int:
        """The place of a source, 0 first: a listed word stands for ``word``, ``word:…`` and ``…:word``."""
        words = {source, *source.split(":")}
        return next((place for place, listed in enumerate(self.sources) if listed in words), len(self.sources))


Order: TypeAlias = Callable[[Observation, Sequence[Observation], Strategy], tuple[Any, ...]]
VERIFIED_ONLY: Final = frozenset({"tier", "tags"})
DEFAULT_STRATEGY: Final = Strategy()


def _most_recent(seen: Observation, others: Sequence[Observation], strategy: Strategy) -> tuple[Any, ...]:
    return (seen.observed_at, assurance_rank(seen.assurance))


def _trusted_source(seen: Observation, others: Sequence[Observation], strategy: Strategy) -> tuple[Any, ...]:
    return (-strategy.rank(seen.source),)


def _most_complete(seen: Observation, others: Sequence[Observation], strategy: Strategy) -> tuple[Any, ...]:
    return _completeness(seen.value)


def _highest_assurance(seen: Observation, others: Sequence[Observation], strategy: Strategy) -> tuple[Any, ...]:
    return (assurance_rank(seen.assurance),)


def _majority(seen: Observation, others: Sequence[Observation], strategy: Strategy) -> tuple[Any, ...]:
    # A source has one vote per value, however many handles it said it of.
    return (len({other.source for other in others if _text(other.value) == _text(seen.value)}),)


STRATEGIES: Final[Mapping[str, Order]] = {
    "highest_assurance": _highest_assurance,
    "most_recent": _most_recent,
    "trusted_source": _trusted_source,
    "most_complete": _most_complete,
    "majority": _majority,
}


def by_time(seen: Observation) -> tuple[Any, ...]:
    """The order in which one source's observations replace each other."""
    return (seen.observed_at, assurance_rank(seen.assurance), seen.source, _text(seen.value))


def effective(
    observations: Iterable[Observation],
    *,
    strategies: Mapping[str, Strategy] | None = None,
    default: Strategy = DEFAULT_STRATEGY,
) -> dict[str, Observation]:
    """Attribute → the value that counts. ``strategies`` names another one for single attributes.

    Attributes only claimed, never verified, are left out where :data:`VERIFIED_ONLY` says so.
    """
    by_name: dict[str, list[Observation]] = defaultdict(list)
    for seen in observations:
        if not _empty(seen.value):
            by_name[seen.name].append(seen)
    chosen: dict[str, Observation] = {}
    for name in sorted(by_name):
        vouched = [seen for seen in by_name[name] if assurance_rank(seen.assurance) > 0]
        standing = vouched or ([] if name in VERIFIED_ONLY else by_name[name])
        if standing:
            chosen[name] = _best(standing, (strategies or {}).get(name, default))
    return chosen


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


def _best(standing: Sequence[Observation], strategy: Strategy) -> Observation:
    if len(standing) == 1:
        return standing[0]
    order = STRATEGIES[strategy.name]

    def key(seen: Observation) -> tuple[Any, ...]:
        last = (-strategy.rank(seen.source), seen.observed_at, _text(seen.value), seen.source, assurance_rank(seen.assurance))
        return (*order(seen, standing, strategy), *last)

    return max(standing, key=key)


def _completeness(value: Any) -> tuple[int, int, int]:
    """(parts that say something, words, characters)."""
    if isinstance(value, Mapping | list):
        parts = [_completeness(part) for part in (value.values() if isinstance(value, Mapping) else value) if not _empty(part)]
        return (sum(part[0] for part in parts), sum(part[1] for part in parts), sum(part[2] for part in parts))
    text = str(value)
    return (1, len(text.split()), len(text))


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value in ([], {})


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

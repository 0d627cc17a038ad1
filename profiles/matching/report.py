"""How good suggestions are on a labelled list: precision, recall and F1 at thresholds, and what blocking left out. Pure.

**Units**: weights in bits; counts are pairs of records. **Identity** of a pair: its two places, the smaller first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from profiles.matching.matching import probability

THRESHOLDS: Final = (-6.0, -4.0, -2.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0)


class Truth(NamedTuple):
    """What is really the same: a cluster per record, or the pairs themselves. ``sources``: the list each record came from, when
    only pairs of two lists count."""

    clusters: Sequence[str] | None = None
    pairs: Collection[tuple[int, int]] | None = None
    sources: Sequence[int] | None = None

    def same(self, one: int, other: int) -> bool:
        """Whether a pair is one person."""
        if self.pairs is not None:
            return (min(one, other), max(one, other)) in self.pairs
        assert self.clusters is not None
        return self.clusters[one] != "" and self.clusters[one] == self.clusters[other]

    def total(self) -> int:
        """How many pairs are."""
        if self.pairs is not None:
            return len(self.pairs)
        assert self.clusters is not None
        whole = _pairs(Counter(cluster for cluster in self.clusters if cluster).values())
        if self.sources is None:
            return whole
        return whole - _pairs(Counter((c, s) for c, s in zip(self.clusters, self.sources, strict=True) if c).values())


def comparable(records: int, sources: Sequence[int] | None) -> int:
    """How many pairs there are without blocking."""
    whole = records * (records - 1) // 2
    return whole - _pairs(Counter(sources).values()) if sources is not None else whole


def scores(right: int, said: int, total: int) -> dict[str, float]:
    """Precision (1 when nothing was said), recall and F1."""
    precision = right / said if said else 1.0
    recall = right / total if total else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": round(precision, 5), "recall": round(recall, 5), "f1": round(f1, 5)}


def at_thresholds(weighed: Iterable[tuple[float, bool]], total: int, thresholds: Sequence[float]) -> list[dict[str, Any]]:
    """One row per threshold: what suggestions of at least this weight are worth."""
    known = sorted(weighed, reverse=True)
    rows = []
    for threshold in sorted(thresholds):
        said = [same for weight, same in known if weight >= threshold]
        rows.append(
            {"weight": threshold, "probability": round(probability(threshold), 6), "pairs": len(said), "right": sum(said)}
            | scores(sum(said), len(said), total)
        )
    return rows


def best_of(weighed: Iterable[tuple[float, bool]], total: int) -> dict[str, Any]:
    """The threshold with the best F1 there is, known only afterwards; an upper bound, not a result."""
    best: dict[str, Any] = {"weight": None, **scores(0, 0, total)}
    right = 0
    known = sorted(weighed, key=lambda pair: -pair[0])
    for said, (weight, same) in enumerate(known, start=1):
        right += same
        if said < len(known) and known[said][0] == weight:
            continue
        here = scores(right, said, total)
        if here["f1"] > best["f1"]:
            best = {"weight": round(weight, 3), **here}
    return best


def _pairs(counts: Iterable[int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts)

"""Confidence intervals of a mean over independent runs, by Student's t.

Source: Abramowitz and Stegun, *Handbook of Mathematical Functions*, 26.7.3 and 26.7.4 (the distribution for whole degrees of
freedom, a finite sum). Pure; no dependency.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


def within(t: float, degrees: int) -> float:
    """The probability that |T| is below ``t`` (>= 0), for a whole number of degrees of freedom (>= 1)."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine = math.cos(angle)
    odd = degrees % 2 == 1
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    first = 3 if odd else 2
    for k in range(first, degrees + 1, 2):
        total += term
        term *= cosine * cosine * (k - 1) / k
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


@lru_cache(maxsize=256)
def t_quantile(confidence: float, degrees: int) -> float:
    """The ``t`` below which |T| lies with this probability (0 < confidence < 1)."""
    low, high = 0.0, 1.0
    while within(high, degrees) < confidence:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if within(middle, degrees) < confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over runs; ``half_width`` None where fewer than two runs know it."""

    mean: float
    half_width: float | None

    def contains(self, value: float) -> bool:
        """Whether the interval contains it."""
        return self.half_width is not None and abs(value - self.mean) <= self.half_width

    def shown(self) -> dict[str, float | None]:
        """For JSON."""
        half = self.half_width
        low, high = (None, None) if half is None else (self.mean - half, self.mean + half)
        return {"mean": self.mean, "low": low, "high": high, "half_width": half}


def estimate(values: Sequence[float], confidence: float) -> Estimate:
    """The mean of independent values (at least one) with its interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Estimate(mean=mean, half_width=None)
    half = t_quantile(confidence, len(values) - 1) * statistics.stdev(values, mean) / math.sqrt(len(values))
    return Estimate(mean=mean, half_width=half)


def over_runs(runs: Sequence[Any], confidence: float) -> Any:
    """The same tree of mappings and lists as each run's, its numbers replaced by estimates as JSON (None: no run knows it)."""
    first = runs[0]
    if isinstance(first, dict):
        return {name: over_runs([run[name] for run in runs], confidence) for name in first}
    if isinstance(first, list):
        return [over_runs([run[place] for run in runs], confidence) for place in range(len(first))]
    known = [run for run in runs if run is not None]
    return estimate(known, confidence).shown() if known else None

"""How evenly work falls on those who could take it. Pure. **Units**: shares 0..1; 0 is perfectly even.

Source: Gini (1912), as the mean absolute difference over twice the mean, here of work per unit of weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Name = TypeVar("Name")


def shares(taken: Mapping[Name, float], weights: Mapping[Name, float]) -> dict[Name, tuple[float, float]]:
    """Name → (share of the work, share of the weight), for everybody who has a weight."""
    work, weight = sum(taken.get(name, 0.0) for name in weights), sum(weights.values())
    return {name: (taken.get(name, 0.0) / work if work else 0.0, own / weight if weight else 0.0) for name, own in weights.items()}


def gini(taken: Mapping[Name, float], weights: Mapping[Name, float]) -> float:
    """0 when everybody's work is as their weight, toward 1 when one does it all. Those without weight do not count."""
    pairs = sorted((taken.get(name, 0.0) / weight, weight) for name, weight in weights.items() if weight > 0)
    whole = sum(weight for _, weight in pairs)
    work = sum(rate * weight for rate, weight in pairs)
    if not whole or not work:
        return 0.0
    # Twice the area between the line of evenness and the Lorenz curve.
    area = done = 0.0
    for rate, weight in pairs:
        area += weight / whole * (2 * done + rate * weight) / work
        done += rate * weight
    return max(0.0, 1.0 - area)

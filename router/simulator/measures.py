"""From one run's observation to its measures: a tree of numbers, the same shape for every run of a scenario.

Pure. **Units**: seconds; shares 0..1. A measure that a run cannot know (the wait of nobody) is None. An abandoned or unserved customer
has waited. Source of the four service levels: the usual formulas of contact-centre practice differ in what they do with who left.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from router.simulator.observation import Asked, Observation, Waits
from router.simulator.scenario import Scenario

_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_BINS: Final = 48
_CURVE: Final = 100


def measures(observation: Observation, scenario: Scenario) -> dict[str, Any]:
    """One run's tree: ``overall``, ``classes``, ``offers``, ``agents``, ``groups``, ``occupancy``, ``over_time`` and ``curves``."""
    span_s = observation.ended_at - observation.began_at
    overall = _together(observation.waits)
    uses = observation.uses
    groups: dict[str, list[tuple[float | None, float | None]]] = {}
    for group, use in uses.values():
        groups.setdefault(group, []).append((use.occupancy, use.busy))
    named = {name: (kind, waits) for name, kind, waits in zip(observation.names, scenario.kinds, observation.waits, strict=True)}
    return {
        "overall": _of(overall, span_s, scenario.thresholds_s),
        "classes": {name: _of(waits, span_s, kind.thresholds_s) for name, (kind, waits) in named.items()},
        "offers": {
            name: _offers(asked, len(waits.served))
            for name, asked, waits in zip(observation.names, observation.asked, observation.waits, strict=True)
            if asked is not None
        },
        "agents": {name: {"occupancy": use.occupancy, "busy": use.busy, "items": use.items} for name, (_, use) in uses.items()},
        "groups": {
            name: {"occupancy": _mean([one for one, _ in shares]), "busy": _mean([one for _, one in shares])}
            for name, shares in groups.items()
        },
        "occupancy": _mean([use.occupancy for _, use in uses.values()]),
        "widened": observation.widened,
        "escalated": observation.escalated,
        "over_time": [] if scenario.span_s is None else _over_time(overall, observation.began_at, scenario.span_s),
        "curves": {name: _curve(waits) for name, waits in zip(observation.names, observation.waits, strict=True)},
    }


def _offers(asked: Asked, served: int) -> dict[str, float | None]:
    """Of a class with offers, sticky agents or parking; ``per_item`` over those who were offered at all."""
    return {
        "offers": asked.offers,
        "per_item": asked.offers / asked.asked if asked.asked else None,
        "declined": asked.declined,
        "expired": asked.expired,
        "returning": asked.returning,
        "sticky_hits": asked.sticky_hits,
        "sticky_share": _share(asked.sticky_hits, asked.returning),
        "parked": asked.parked,
        "parked_per_item": _share(asked.parked, served),
        "wake_wait": _mean(asked.wakes),
        "wake_share": _share(asked.wake_hits, len(asked.wakes)),
    }


def bins(began_at: float, span_s: float) -> list[tuple[float, float]]:
    """The stretches of ``over_time``, from and to."""
    return [(began_at + span_s * one / _BINS, began_at + span_s * (one + 1) / _BINS) for one in range(_BINS)]


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share (0..1) does not exceed; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _together(every: Sequence[Waits]) -> Waits:
    whole = Waits()
    for one in every:
        whole.served.extend(one.served)
        whole.served_at.extend(one.served_at)
        whole.abandoned.extend(one.abandoned)
        whole.abandoned_at.extend(one.abandoned_at)
        whole.unserved += one.unserved
    return whole


def _of(waits: Waits, span_s: float, thresholds_s: Sequence[float]) -> dict[str, Any]:
    served, abandoned = len(waits.served), len(waits.abandoned)
    arrived = served + abandoned + waits.unserved
    waited = abandoned + waits.unserved + sum(1 for one in waits.served if one > 0)
    ordered_served = sorted(waits.served)
    ordered = sorted(chain(waits.served, waits.abandoned)) if abandoned else ordered_served
    total_s = math.fsum(waits.served) + math.fsum(waits.abandoned)
    return {
        "arrived": arrived,
        "served": served,
        "abandoned": abandoned,
        "unserved": waits.unserved,
        "p_wait": _share(waited, arrived),
        "p_abandon": _share(abandoned, arrived),
        "throughput_per_h": 3600 * served / span_s if span_s > 0 else None,
        "waiting_mean": total_s / span_s if span_s > 0 else None,
        "wait_all": _spread(ordered),
        "wait_served": _spread(ordered_served),
        "service_level": {f"{threshold:g}": _levels(waits, arrived, ordered_served, threshold) for threshold in thresholds_s},
    }


def _levels(waits: Waits, arrived: int, served: Sequence[float], threshold_s: float) -> dict[str, float | None]:
    """Answered in time, as a share of: all, the answered, all but who left in time; and with who left in time as a success."""
    in_time = _up_to(served, threshold_s)
    left = sum(1 for one in waits.abandoned if one <= threshold_s)
    return {
        "of_arrived": _share(in_time, arrived),
        "of_served": _share(in_time, len(served)),
        "without_short_abandons": _share(in_time, arrived - left),
        "with_short_abandons": _share(in_time + left, arrived),
    }


def _up_to(ordered: Sequence[float], most: float) -> int:
    return bisect_right(ordered, most)


def _spread(ordered: Sequence[float]) -> dict[str, float | None]:
    return {
        "mean": math.fsum(ordered) / len(ordered) if ordered else None,
        **{name: quantile(ordered, share) for name, share in _QUANTILES.items()},
        "max": ordered[-1] if ordered else None,
    }


def _over_time(waits: Waits, began_at: float, span_s: float) -> list[dict[str, float | None]]:
    found: list[list[float]] = [[] for _ in range(_BINS)]
    for at, wait in chain(zip(waits.served_at, waits.served, strict=True), zip(waits.abandoned_at, waits.abandoned, strict=True)):
        found[min(_BINS - 1, int(_BINS * (at - began_at) / span_s)) if span_s > 0 else 0].append(wait)
    return [
        {"arrived": len(one), "wait_mean": _mean(one), "wait_p90": quantile(sorted(one), 0.9), "wait_max": max(one, default=None)}
        for one in found
    ]


def _curve(waits: Waits) -> list[float | None]:
    ordered = sorted(chain(waits.served, waits.abandoned))
    return [quantile(ordered, one / _CURVE) for one in range(_CURVE + 1)]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None

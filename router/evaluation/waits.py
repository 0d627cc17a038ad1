"""How waits would change if a queue got more or fewer items: an estimate from what was observed, by Erlang C.

A queue's servers are not counted but found: as many as explain the mean wait that was observed at the observed rate and handling time.
With as many, the other number of items gives the predicted wait. It takes the items that come in addition to be like the others.

Source: `router/waits/erlang.py`. Pure. **Units**: seconds. **Identity**: a queue by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from router.waits.erlang import ErlangC, erlang_c

SERVERS_MAX: Final = 5_000
ITEMS_MIN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A queue in a stretch of time: items that were assigned, their mean wait and handling, breaches and the target."""

    queue: str
    items: int
    wait_s: float | None
    wait_p90_s: float | None
    handling_s: float | None
    breached: int = 0
    target_s: float | None = None


def waits(observed: Sequence[Observed], before: Mapping[str, int], after: Mapping[str, int], span_s: float) -> list[dict[str, Any]]:
    """Per queue that has items before or after: counts, the observed wait, and the predicted one where enough was observed."""
    by_name = {one.queue: one for one in observed}
    found = []
    for queue in sorted({*before, *after}):
        one = by_name.get(queue)
        was, is_ = before.get(queue, 0), after.get(queue, 0)
        row: dict[str, Any] = {
            "queue": queue, "items_before": was, "items_after": is_, "wait_s": None, "wait_p90_s": None, "predicted_wait_s": None,
            "overloaded": False, "breached": None, "predicted_breached": None,
        }  # fmt: skip
        if one is not None:
            row |= {"wait_s": one.wait_s, "wait_p90_s": one.wait_p90_s, "breached": one.breached if one.target_s else None}
            row |= _predicted(one, was, is_, span_s)
        found.append(row)
    return found


def _predicted(one: Observed, was: int, is_: int, span_s: float) -> dict[str, Any]:
    if one.items < ITEMS_MIN or not was or not one.handling_s or one.wait_s is None or span_s <= 0:
        return {}
    now = _explained(was / span_s, one.handling_s, one.wait_s)
    if now is None:
        return {}
    if is_ == was:
        return {"predicted_wait_s": one.wait_s, "predicted_breached": one.breached if one.target_s else None}
    if is_ == 0:
        return {"predicted_wait_s": 0.0, "predicted_breached": 0 if one.target_s else None}
    if is_ / span_s * one.handling_s >= now.agents:
        return {"overloaded": True}
    then = erlang_c(is_ / span_s, one.handling_s, now.agents)
    predicted: dict[str, Any] = {"predicted_wait_s": round(one.wait_s + then.wait_s - now.wait_s, 1)}
    if one.target_s:
        late = is_ * (1 - then.service_level(one.target_s)) - was * (1 - now.service_level(one.target_s))
        predicted["predicted_breached"] = max(0, min(is_, round(one.breached + late)))
    predicted["predicted_wait_s"] = max(0.0, predicted["predicted_wait_s"])
    return predicted


def _explained(rate: float, handling_s: float, wait_s: float) -> ErlangC | None:
    """The smallest number of servers that waits no longer than was observed."""
    servers = int(rate * handling_s) + 1
    while servers <= SERVERS_MAX:
        line = erlang_c(rate, handling_s, servers)
        if line.wait_s <= wait_s:
            return line
        servers += 1
    return None

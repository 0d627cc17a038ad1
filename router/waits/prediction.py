"""How long somebody who stands in a line will wait. Pure.

The line's length over its pace: ``n · mu`` departures a second, where ``n`` counts the places of the agents who are there and ``mu`` is
one over the time an item holds a place. An agent in several queues serves each by the share of the work that waits there. The wait of
whoever stands k-th is then the k-th departure of a Poisson stream, an Erlang distribution, whose quantiles are given.

Source: queue-length estimators for delay announcements (Ibrahim and Whitt 2009); Wilson and Hilferty (1931) for the quantiles.
**Units**: seconds. Below :data:`FINISHED_MIN` finished items nobody knows ``mu``: a position is said, no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final
from uuid import UUID

from router.item.admission import ChannelRule

FINISHED_MIN: Final = 20
_Z90: Final = NormalDist().inv_cdf(0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A queue as it is: how many wait, on which channel mostly, and how long an item holds its agent's place."""

    id: UUID
    waiting: int
    channel: str
    handling_s: float | None
    finished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An agent who is there: the queues and how many items of a channel fit at once."""

    queues: Sequence[UUID]
    budget: int
    rules: Mapping[str, ChannelRule]

    def places(self, channel: str) -> float:
        """How many items of this channel the agent holds at once."""
        rule = self.rules.get(channel)
        if rule is None or not rule.enabled or rule.cap <= 0:
            return 0.0
        if rule.exclusive:
            return 1.0
        return float(min(rule.cap, self.budget // rule.cost if rule.cost > 0 else rule.cap))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Half of those who stand there wait at most ``p50_s``, nine of ten at most ``p90_s``."""

    p50_s: float
    p90_s: float


def departures_per_s(lines: Iterable[Line], servers: Iterable[Server]) -> dict[UUID, float]:
    """Each line's pace; lines whose handling time nobody knows yet are left out."""
    known = {line.id: line for line in lines}
    pace = {line.id: 0.0 for line in known.values() if line.handling_s and line.finished >= FINISHED_MIN}
    for server in servers:
        weights = {queue: known[queue].waiting + 1 for queue in server.queues if queue in known}
        whole = sum(weights.values())
        for queue, weight in weights.items():
            handling_s = known[queue].handling_s
            if queue in pace and handling_s:
                pace[queue] += server.places(known[queue].channel) * weight / whole / handling_s
    return pace


def wait_of(position: int, per_s: float | None) -> Wait | None:
    """The wait of whoever stands at ``position`` (1 is next); None when nobody is there or the pace is not known."""
    if not per_s or position < 1:
        return None
    return Wait(p50_s=_departure(position, per_s, 0.0), p90_s=_departure(position, per_s, _Z90))


def _departure(k: int, per_s: float, z: float) -> float:
    """A quantile of the time until the k-th departure."""
    cube = 1 - 1 / (9 * k) + z / (3 * k**0.5)
    return float(k * cube**3 / per_s)

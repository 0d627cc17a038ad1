"""When customers come: endless moments of a Poisson process, constant or changing, of a renewal process, or given ones. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random

from router.simulator.document import Arrivals, Rate


def moments(arrivals: Arrivals, random: Random) -> Iterator[float]:
    """The moments in ascending order, from 0 on, in seconds."""
    if arrivals.at is not None:
        yield from sorted(arrivals.at)
    elif arrivals.interval is not None:
        draw = arrivals.interval.draw()
        now = 0.0
        while True:
            now += draw(random)
            yield now
    elif arrivals.profile is not None:
        yield from _changing(arrivals.profile, arrivals.repeat, random)
    elif arrivals.rate:
        scale, now, log = 1 / arrivals.rate, 0.0, math.log
        while True:
            now -= scale * log(1.0 - random.random())
            yield now


def _changing(profile: Sequence[Rate], repeat_s: float | None, random: Random) -> Iterator[float]:
    """By the area under the rate: an arrival comes when an exponential amount of it has passed."""
    left = -math.log(1.0 - random.random())
    begins, place = 0.0, 0
    while True:
        rate, at = profile[place].rate, begins + profile[place].at
        last = place + 1 == len(profile)
        if not last:
            until = begins + profile[place + 1].at
        elif repeat_s is not None:
            until = begins + repeat_s
        else:
            until = math.inf
        while rate and at + left / rate < until:
            at += left / rate
            left = -math.log(1.0 - random.random())
            yield at
        if until == math.inf:
            return
        left -= rate * (until - at)
        place = 0 if last else place + 1
        begins += repeat_s or 0.0 if last else 0.0

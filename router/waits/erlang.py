"""Erlang's formulas: what theory says of a queue with Poisson arrivals, exponential handling and equal agents.

Source: A. K. Erlang (1917) for delay; C. Palm (1957) for customers who leave after an exponential patience (Erlang A), with the
offered wait behind j others as the sum of j + 1 exponentials, whose transform e^(-patience rate · wait) is Beta distributed.
Pure. **Units**: rates a second, times in seconds, shares 0..1. Every function raises ValueError for values that have no answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SMALL = 1e-14


@dataclass(frozen=True, slots=True, kw_only=True)
class ErlangC:
    """A line without limit and without departures. ``wait_s``: mean over everybody (the average speed of answer)."""

    agents: int
    load: float
    p_wait: float
    wait_s: float
    occupancy: float
    drain: float

    def service_level(self, within_s: float) -> float:
        """The share that waits at most so long."""
        return 1 - self.p_wait * math.exp(-self.drain * within_s)

    def quantile(self, share: float) -> float:
        """The wait that this share (0 <= share < 1) of everybody does not exceed, in seconds."""
        return max(0.0, math.log(self.p_wait / (1 - share)) / self.drain)


def erlang_b(load: float, agents: int) -> float:
    """The share turned away when nobody may wait; ``load`` in agents' work (arrival rate × handling time)."""
    _check(load, agents)
    blocked = 1.0
    for one in range(1, agents + 1):
        blocked = load * blocked / (one + load * blocked)
    return blocked


def erlang_c(rate: float, handling_s: float, agents: int) -> ErlangC:
    """The line of ``agents`` with this arrival rate and mean handling time. There is none when the load reaches the agents."""
    load = rate * handling_s
    _check(load, agents)
    if load >= agents:
        raise ValueError(f"{agents} agents never serve a load of {load:g}; the line grows without end")
    blocked = erlang_b(load, agents)
    p_wait = blocked / (1 - load / agents * (1 - blocked))
    drain = (agents - load) / handling_s
    return ErlangC(agents=agents, load=load, p_wait=p_wait, wait_s=p_wait / drain, occupancy=load / agents, drain=drain)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErlangA:
    """A line that customers leave. ``wait_s``: mean over everybody, also who leaves. ``waiting``: share that finds j waiting before it."""

    agents: int
    load: float
    p_wait: float
    p_abandon: float
    wait_s: float
    occupancy: float
    handling_s: float
    patience_s: float
    waiting: tuple[float, ...]

    def service_level(self, within_s: float) -> float:
        """The share of everybody that is answered within so long; who leaves is not answered."""
        base = self.agents * self.patience_s / self.handling_s
        x = math.exp(-within_s / self.patience_s)
        answered = 1 - self.p_wait
        term, below = 1.0, 1.0  # of the Beta distribution's sum for whole second parameters
        for j, share in enumerate(self.waiting):
            answered += share * base / (base + j + 1) * max(0.0, 1 - x ** (base + 1) * below)
            term *= (base + 1 + j) / (j + 1) * (1 - x)
            below += term
        return answered


def erlang_a(rate: float, handling_s: float, agents: int, patience_s: float) -> ErlangA:
    """The line of ``agents`` whose customers leave after an exponential patience of this mean."""
    load = rate * handling_s
    _check(load, agents)
    if not patience_s > 0:
        raise ValueError("patience is above 0; for customers who never leave, ask Erlang C")
    blocked = erlang_b(load, agents)
    # In units of the probability that all agents are busy and nobody waits.
    shares, share, number = [1.0], 1.0, 0
    while share > _SMALL * sum(shares) or rate > agents / handling_s + number / patience_s:
        number += 1
        share *= rate / (agents / handling_s + number / patience_s)
        shares.append(share)
    whole = 1 / blocked - 1 + math.fsum(shares)
    waiting = tuple(one / whole for one in shares)
    in_line = math.fsum(j * one for j, one in enumerate(waiting))
    p_abandon = in_line / patience_s / rate
    return ErlangA(
        agents=agents, load=load, p_wait=math.fsum(waiting), p_abandon=p_abandon, wait_s=in_line / rate,
        occupancy=load * (1 - p_abandon) / agents, handling_s=handling_s, patience_s=patience_s, waiting=waiting,
    )  # fmt: skip


def _check(load: float, agents: int) -> None:
    if agents < 1:
        raise ValueError("agents: at least one")
    if not (load > 0 and math.isfinite(load)):
        raise ValueError("rate and handling time are above 0")

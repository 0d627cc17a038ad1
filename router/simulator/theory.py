"""Where Erlang's formulas say exactly what a simulation would: one class, exponential work, equal agents, first come first served.

Pure. **Units**: rates a second, times in seconds, shares 0..1. Source of the formulas: `router/waits/erlang.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from router.item.plan import meets
from router.simulator.document import CustomerClass, Document, Group
from router.simulator.quantities import Exponential
from router.waits.erlang import erlang_a, erlang_c


@dataclass(frozen=True, slots=True, kw_only=True)
class Theory:
    """What the formulas need. ``slots``: how many items each agent takes at once; as many servers as all agents have of them."""

    rate: float
    handling_s: float
    patience_s: float | None
    slots: int = 1

    @property
    def load(self) -> float:
        """In agents' work."""
        return self.rate * self.handling_s / self.slots

    @property
    def method(self) -> str:
        """The name of the formula that is exact here."""
        return "erlang_c" if self.patience_s is None else "erlang_a"

    def shown(self, agents: int, within_s: float) -> dict[str, Any]:
        """The formulas' answers for so many agents as JSON; None where there is none."""
        answer: dict[str, Any] = {"erlang_c": None, "erlang_a": None}
        servers = agents * self.slots
        if agents > self.load:
            line = erlang_c(self.rate, self.handling_s, servers)
            answer["erlang_c"] = {
                "p_wait": line.p_wait, "wait_mean": line.wait_s, "wait_p99": line.quantile(0.99),
                "service_level": line.service_level(within_s), "occupancy": line.occupancy, "p_abandon": 0.0,
            }  # fmt: skip
        if self.patience_s is not None:
            left = erlang_a(self.rate, self.handling_s, servers, self.patience_s)
            answer["erlang_a"] = {
                "p_wait": left.p_wait, "wait_mean": left.wait_s, "service_level": left.service_level(within_s),
                "occupancy": left.occupancy, "p_abandon": left.p_abandon,
            }  # fmt: skip
        return answer

    def exact(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of what :meth:`shown` told, the formula that holds; a line that grows without end answers nobody in time."""
        return told[self.method] or {"service_level": 0.0, "occupancy": 1.0, "p_wait": 1.0, "p_abandon": 0.0}


def theory_of(document: Document, group: Group) -> Theory | None:
    """The formulas' numbers of a document, or None where they are not exact."""
    if len(document.classes) != 1 or len(document.agents) != 1:
        return None
    one = document.classes[0]
    queue = document.queues.get(one.queue)
    steady = document.warm_up is None or document.warm_up.items or document.warm_up.time
    if (
        not steady
        or (queue is not None and (queue.order == "lifo" or queue.items_max is not None))
        or not (_plain(one) and _equal(group, one))
    ):
        return None
    rate = one.arrivals.rate if one.arrivals is not None else None
    patience = one.patience.mean if isinstance(one.patience, Exponential) else None
    if not rate or not isinstance(one.service, Exponential) or (one.patience is not None and patience is None):
        return None
    return Theory(rate=rate, handling_s=one.service.mean, patience_s=patience, slots=group.slots or 1)


def _plain(one: CustomerClass) -> bool:
    """Whether work goes at once to whoever is free and is finished in one go."""
    return not (one.plan or one.wrap or one.offer or one.sticky or one.park)


def _equal(group: Group, one: CustomerClass) -> bool:
    """Whether every agent of the group always takes this work, as fast as everybody."""
    own = None if group.queues is None else group.queues.get(one.queue)
    pulls = group.queues is None or (own is not None and not own.delay and own.items_max is None)
    others = group.channels or group.shifts or group.service or group.new_items
    return pulls and not others and meets(group.skills, tuple(one.requires.items()))

"""How many agents a goal needs: the smallest number whose simulation keeps it, with Erlang's formulas beside it where they apply.

Pure but for time. **Units**: seconds; shares 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from router.simulator.document import Document, Group
from router.simulator.quantities import Exponential
from router.waits.erlang import erlang_a, erlang_c
from shared.errors import InputRejected

AGENTS_MAX: Final = 5000
Play = Callable[[Document], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """``share`` of all who come answered within ``within_s``; None: no such limit. ``kind``: one class's instead of everybody's."""

    share: float
    within_s: float
    occupancy_max: float | None = None
    abandonment_max: float | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Theory:
    """What the formulas need of a document they apply to: one class, exponential work, equal agents who take one item at a time."""

    rate: float
    handling_s: float
    patience_s: float | None

    @property
    def load(self) -> float:
        """In agents' work."""
        return self.rate * self.handling_s

    def shown(self, agents: int, within_s: float) -> dict[str, Any]:
        """The formulas' answer for so many agents as JSON; None where there is none."""
        answer: dict[str, Any] = {"erlang_c": None, "erlang_a": None}
        if agents > self.load:
            line = erlang_c(self.rate, self.handling_s, agents)
            answer["erlang_c"] = {
                "p_wait": line.p_wait, "wait_mean": line.wait_s, "service_level": line.service_level(within_s),
                "occupancy": line.occupancy,
            }  # fmt: skip
        if self.patience_s is not None:
            left = erlang_a(self.rate, self.handling_s, agents, self.patience_s)
            answer["erlang_a"] = {
                "p_wait": left.p_wait, "wait_mean": left.wait_s, "service_level": left.service_level(within_s),
                "occupancy": left.occupancy, "p_abandon": left.p_abandon,
            }  # fmt: skip
        return answer


def theory_of(document: Document, group: Group) -> Theory | None:
    """The formulas' numbers of a document, or None where they do not apply."""
    if len(document.classes) != 1 or len(document.agents) != 1 or group.channels is not None or (group.slots or 1) != 1:
        return None
    one = document.classes[0]
    rate = one.arrivals.rate if one.arrivals is not None else None
    plain = not (one.plan or one.wrap or group.shifts or group.service)
    patience = one.patience.mean if isinstance(one.patience, Exponential) else None
    if not rate or not plain or not isinstance(one.service, Exponential) or (one.patience is not None and patience is None):
        return None
    return Theory(rate=rate, handling_s=one.service.mean, patience_s=patience)


def group_of(document: Document, name: str | None) -> Group:
    """The group whose number is asked for: the only one, or the one of this name. Raises `InputRejected`."""
    if name is None and len(document.agents) == 1:
        return document.agents[0]
    for group in document.agents:
        if group.name == name:
            return group
    names = ", ".join(group.name for group in document.agents)
    raise InputRejected(f"no group {name}" if name else "several groups", field="--group", remedy=f"name one of {names}")


def staffing(document: Document, group: Group, goal: Goal, play: Play) -> dict[str, Any]:
    """The smallest ``count`` of the group that keeps the goal, and what was tried on the way, as JSON.

    ``play`` simulates a document. Raises `InputRejected` when 5000 agents do not keep it, or the class is unknown.
    """
    if goal.kind is not None and goal.kind not in {one.name for one in document.classes}:
        raise InputRejected(f"no class has the name {goal.kind}", field="--class", remedy="name a class of the document")
    theory = theory_of(document, group)
    tried: dict[int, dict[str, Any]] = {}

    def keeps(count: int) -> bool:
        if count not in tried:
            tried[count] = _try(document, group, count, goal, theory, play)
        return bool(tried[count]["keeps"])

    found = _smallest(keeps, max(1, group.count if theory is None else math.ceil(theory.load) + 1))
    return {
        "agents": found,
        "goal": {
            "share": goal.share, "within_s": goal.within_s, "occupancy_max": goal.occupancy_max,
            "abandonment_max": goal.abandonment_max, "class": goal.kind,
        },
        "group": group.name,
        "runs": document.runs,
        "confidence": document.confidence,
        "tried": [tried[count] for count in sorted(tried)],
    }  # fmt: skip


def _smallest(keeps: Callable[[int], bool], guess: int) -> int:
    """The smallest number that keeps, by steps that double and then halve; who keeps is expected to keep with more, too."""
    step = 1
    if keeps(guess):
        kept, failed = guess, guess - 1
        while failed > 0 and keeps(failed):
            kept, step = failed, 2 * step
            failed = max(0, failed - step)
    else:
        failed, kept = guess, guess + 1
        while not keeps(kept):
            failed, step = kept, 2 * step
            kept += step
            if kept > AGENTS_MAX:
                raise InputRejected(
                    f"{failed} agents do not keep it", field="--target", remedy="a lower target, more skills, or less work"
                )
    while kept - failed > 1:
        middle = (kept + failed) // 2
        if keeps(middle):
            kept = middle
        else:
            failed = middle
    return kept


def _try(document: Document, group: Group, count: int, goal: Goal, theory: Theory | None, play: Play) -> dict[str, Any]:
    staffed = tuple(one.model_copy(update={"count": count}) if one is group else one for one in document.agents)
    thresholds = tuple(sorted({*document.thresholds, goal.within_s}))
    answer = play(document.model_copy(update={"agents": staffed, "thresholds": thresholds}))
    who = answer["overall"] if goal.kind is None else answer["classes"][goal.kind]
    level = who["service_level"][f"{goal.within_s:g}"]["of_arrived"]
    occupancy = answer["groups"][group.name]["occupancy"]
    keeps = level["mean"] >= goal.share
    if goal.occupancy_max is not None and occupancy is not None:
        keeps = keeps and occupancy["mean"] <= goal.occupancy_max
    if goal.abandonment_max is not None:
        keeps = keeps and who["p_abandon"]["mean"] <= goal.abandonment_max
    return {
        "agents": count,
        "keeps": keeps,
        "service_level": level,
        "wait_mean": who["wait_all"]["mean"],
        "wait_p99": who["wait_all"]["p99"],
        "wait_max": who["wait_all"]["max"],
        "p_wait": who["p_wait"],
        "p_abandon": who["p_abandon"],
        "occupancy": occupancy,
        **({} if theory is None else theory.shown(count, goal.within_s)),
    }

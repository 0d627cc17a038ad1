"""How many agents a goal needs: by Erlang's formulas where they are exact, else by simulation until chance is out of the answer.

A number of agents is played until the confidence interval lies on one side of every limit of the goal, or so many customers were
played that the answer stays "between". Pure but for time. **Units**: seconds; shares 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from router.simulator.document import Document, Group
from router.simulator.intervals import over_runs
from router.simulator.scenario import scenario_of
from router.simulator.theory import Theory, theory_of
from shared.errors import InputRejected

AGENTS_MAX: Final = 5000
ITEMS_MAX: Final = 1_000_000
Play = Callable[[Document, Sequence[int], str], list[dict[str, Any]]]
"""Plays the runs of these numbers and returns their measures; the text says what is known so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """``share`` of all who come answered within ``within_s``; None: no such limit. ``kind``: one class's instead of everybody's."""

    share: float
    within_s: float
    occupancy_max: float | None = None
    abandonment_max: float | None = None
    kind: str | None = None

    def kept(self, told: dict[str, Any]) -> bool | None:
        """Whether these estimates keep every limit; None where an interval holds one."""
        sides = [_side(told["service_level"], self.share, 1)]
        for limit, name in ((self.occupancy_max, "occupancy"), (self.abandonment_max, "p_abandon")):
            if limit is not None and told[name] is not None:
                sides.append(_side(told[name], limit, -1))
        if False in sides:
            return False
        return None if None in sides else True


def _side(estimate: dict[str, float | None], limit: float, sign: int) -> bool | None:
    """Whether the value is at least (``sign`` 1) or at most (-1) the limit; None where the interval does not say."""
    mean, half = estimate["mean"] or 0.0, estimate["half_width"] or 0.0
    if half and abs(mean - limit) <= half:
        return None
    return sign * (mean - limit) >= 0


def group_of(document: Document, name: str | None) -> Group:
    """The group whose number is asked for: the only one, or the one of this name. Raises `InputRejected`."""
    if name is None and len(document.agents) == 1:
        return document.agents[0]
    for group in document.agents:
        if group.name == name:
            return group
    names = ", ".join(group.name for group in document.agents)
    raise InputRejected(f"no group {name}" if name else "several groups", field="--group", remedy=f"name one of {names}")


def staffing(
    document: Document, group: Group, goal: Goal, play: Play, *, always: bool = False, items_max: int = ITEMS_MAX
) -> dict[str, Any]:
    """The smallest ``count`` of the group that keeps the goal, and what was tried on the way, as JSON.

    ``always``: simulate even where a formula is exact. ``items_max``: so many customers are played at most for one number of
    agents. ``between`` is the largest number that surely fails plus one, and the smallest that surely keeps it: ``agents``.
    Raises `InputRejected` when 5000 agents do not keep it, or the class is unknown.
    """
    if goal.kind is not None and goal.kind not in {one.name for one in document.classes}:
        raise InputRejected(f"no class has the name {goal.kind}", field="--class", remedy="name a class of the document")
    scenario_of(_staffed(document, group, max(1, group.count), goal))
    theory = theory_of(document, group)
    trial = _Trial(document, group, goal, theory, play, always=always or theory is None, items_max=items_max)
    low, high = trial.between(max(1, group.count if theory is None else math.ceil(theory.load) + 1))
    return {
        "agents": high,
        "between": [low, high],
        "method": theory.method if theory is not None and not always else "simulation",
        "goal": {
            "share": goal.share, "within_s": goal.within_s, "occupancy_max": goal.occupancy_max,
            "abandonment_max": goal.abandonment_max, "class": goal.kind,
        },
        "group": group.name,
        "items": sum(one["items"] for one in trial.tried.values()),
        "confidence": document.confidence,
        "tried": [trial.tried[count] for count in sorted(trial.tried)],
    }  # fmt: skip


class _Trial:
    """Numbers of agents tried so far; who keeps a goal is expected to keep it with more, too."""

    def __init__(
        self, document: Document, group: Group, goal: Goal, theory: Theory | None, play: Play, *, always: bool, items_max: int
    ) -> None:
        self._document, self._group, self._goal, self._theory = document, group, goal, theory
        self._play, self._always, self._items_max = play, always, items_max
        self.tried: dict[int, dict[str, Any]] = {}

    def between(self, guess: int) -> tuple[int, int]:
        """The smallest number that nothing proves too few, and the smallest that is proved enough."""
        high = self._smallest(lambda count: self._keeps(count) is True, guess)
        low = high
        while low > 1 and self._keeps(low - 1) is not False:
            low -= 1
        return low, high

    def _keeps(self, count: int) -> bool | None:
        if count not in self.tried:
            staffed = _staffed(self._document, self._group, count, self._goal)
            beside = {} if self._theory is None else self._theory.shown(count, self._goal.within_s)
            formula = None if self._always else self._theory
            found = self._played(staffed, count) if formula is None else _exact(formula.exact(beside))
            self.tried[count] = {"agents": count, "keeps": self._goal.kept(found), **found, **beside}
        keeps: bool | None = self.tried[count]["keeps"]
        return keeps

    def _played(self, staffed: Document, count: int) -> dict[str, Any]:
        """Play until the goal is decided, twice as many runs each time; the runs played before count."""
        played: list[dict[str, Any]] = []
        while True:
            more = range(len(played), 2 * len(played) or max(2, staffed.runs))
            played += [self._of(one) for one in self._play(staffed, more, f"{count} agents{self._so_far()}")]
            items = sum(one["items"] for one in played)
            told = {**over_runs(played, staffed.confidence), "items": items, "runs": len(played)}
            if self._goal.kept(told) is not None or 2 * items > self._items_max:
                return told

    def _of(self, run: dict[str, Any]) -> dict[str, Any]:
        who = run["overall"] if self._goal.kind is None else run["classes"][self._goal.kind]
        return {
            "service_level": who["service_level"][f"{self._goal.within_s:g}"]["of_arrived"],
            "wait_mean": who["wait_all"]["mean"],
            "wait_p99": who["wait_all"]["p99"],
            "wait_max": who["wait_all"]["max"],
            "p_wait": who["p_wait"],
            "p_abandon": who["p_abandon"],
            "occupancy": run["groups"][self._group.name]["occupancy"],
            "items": run["overall"]["arrived"],
        }

    def _so_far(self) -> str:
        failed = max((count for count, one in self.tried.items() if one["keeps"] is False), default=None)
        kept = min((count for count, one in self.tried.items() if one["keeps"]), default=None)
        known = [f"more than {failed}"] if failed is not None else []
        known += [f"at most {kept}"] if kept is not None else []
        return f" (needed: {', '.join(known)})" if known else ""

    @staticmethod
    def _smallest(keeps: Callable[[int], bool], guess: int) -> int:
        """The smallest number that keeps, by steps that double and then halve."""
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


def _staffed(document: Document, group: Group, count: int, goal: Goal) -> Document:
    staffed = tuple(one.model_copy(update={"count": count}) if one is group else one for one in document.agents)
    return document.model_copy(
        update={"agents": staffed, "thresholds": tuple(sorted({*document.thresholds, goal.within_s}))}
    )  # fmt: skip


def _exact(values: Any) -> dict[str, Any]:
    """A formula's answer in the shape of a simulation's."""

    def known(name: str) -> dict[str, float] | None:
        value = values.get(name)
        return None if value is None else {"mean": value, "low": value, "high": value, "half_width": 0.0}

    names = ("service_level", "wait_mean", "wait_p99", "wait_max", "p_wait", "p_abandon", "occupancy")
    return {**{name: known(name) for name in names}, "items": 0, "runs": 0}

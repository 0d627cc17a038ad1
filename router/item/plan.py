"""Plans: who may take a work item, and how that widens while it waits.

A plan is a tuple of steps. A step names queues (none: the item's own), required skills and a timeout.
Units: seconds. Identity: two plans with equal steps are the same plan.

Relaxation is monotone by construction: what an item reaches at step *n* is the union of what the steps
0..n name, so a later step can only add agents, whatever was written in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

Requirement = tuple[tuple[str, int], ...]
"""Sorted (skill, minimum level) pairs: the signature that items share when the same agents may take them."""

Reach = tuple[tuple[UUID | None, Requirement], ...]
"""Alternatives an agent may qualify by: (queue, requirement); ``None`` stands for the item's own queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One widening. An agent filter that is not a skill is given as a skill of level 1 under the filter's name."""

    queues: tuple[UUID | None, ...] = (None,)
    requires: Requirement = ()
    timeout_s: float | None = None
    raise_s: float = 0.0
    turns: tuple[tuple[UUID, int], ...] = ()  # queues whose agents are asked after others, with their turn; the rest have 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "requires", tuple(sorted(self.requires)))


@dataclass(frozen=True, slots=True)
class Plan:
    """At least one step. A last step without timeout waits as long as the item's time to live allows."""

    steps: tuple[Step, ...] = (Step(),)

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("steps: a plan has at least one step; leave the plan out for the default one")


OWN_QUEUE = Plan()


@lru_cache(maxsize=4096)
def reach(plan: Plan, step: int) -> Reach:
    """What an item reaches at this step (0-based), without alternatives that a weaker one already covers."""
    pairs: dict[tuple[UUID | None, Requirement], None] = {}
    for one in plan.steps[: step + 1]:
        for queue in one.queues:
            pairs[queue, one.requires] = None
    return tuple(
        (queue, requires)
        for queue, requires in pairs
        if not any(other[0] == queue and other[1] != requires and _covers(other[1], requires) for other in pairs)
    )


@lru_cache(maxsize=4096)
def turns(plan: Plan, step: int) -> tuple[int, ...]:
    """For each pair of :func:`reach`, whose turn it is: agents of a smaller one are asked first. The earliest step that names it counts."""
    known: dict[UUID | None, int] = {}
    for one in plan.steps[: step + 1]:
        said = dict(one.turns)
        for queue in one.queues:
            known.setdefault(queue, 0 if queue is None else said.get(queue, 0))
    return tuple(known[queue] for queue, _ in reach(plan, step))


@lru_cache(maxsize=4096)
def raised_s(plan: Plan, step: int) -> float:
    """Seconds by which the steps entered so far moved the item forward."""
    return sum(one.raise_s for one in plan.steps[: step + 1])


def _covers(weaker: Requirement, stronger: Requirement) -> bool:
    """Whether everybody who meets ``stronger`` meets ``weaker`` too."""
    levels = dict(stronger)
    return all(levels.get(skill, 0) >= level for skill, level in weaker)


def meets(skills: Mapping[str, int], requires: Requirement) -> bool:
    """Whether an agent with these skill levels (1..5) meets the requirement."""
    return all(skills.get(skill, 0) >= level for skill, level in requires)

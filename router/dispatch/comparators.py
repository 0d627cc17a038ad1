"""How the agents of a lane are compared: each comparator gives a score, smaller first. No state."""

from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import UUID

from router.dispatch.agents import AgentState, Comparator
from router.item.plan import Requirement


class Compared(Protocol):
    """What of an agent a comparator looks at; `router/dispatch/lanes.py` has it."""

    facts: AgentState
    ratio: float
    idle_since: float
    turns: Mapping[UUID, float]


Score = tuple[float, float]


def _load(agent: Compared, queue: UUID, requires: Requirement) -> Score:
    return (agent.ratio, agent.idle_since)


def _round_robin(agent: Compared, queue: UUID, requires: Requirement) -> Score:
    return (agent.turns.get(queue, 0.0), agent.ratio)


def _best_skill(agent: Compared, queue: UUID, requires: Requirement) -> Score:
    skills = agent.facts.skills
    return (-float(sum(skills.get(skill, 0) for skill, _ in requires)), agent.ratio)


def _least_flexible(agent: Compared, queue: UUID, requires: Requirement) -> Score:
    return (float(len(agent.facts.skills) + len(agent.facts.queues)), agent.ratio)


COMPARATORS: Mapping[Comparator, Callable[[Compared, UUID, Requirement], Score]] = {
    "load": _load,
    "round_robin": _round_robin,
    "best_skill": _best_skill,
    "least_flexible": _least_flexible,
}
"""Smaller score first, ties by the agent's id. ``load``: load ratio, then longest idle. ``round_robin``: whom this queue asked longest ago."""

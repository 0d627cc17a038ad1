"""The capacity rule at its edges: exactly full is allowed, one unit more is not. The store's statement is held to the same table."""

from __future__ import annotations

import pytest

from router.dispatch.agents import AgentState
from router.item.admission import DEFAULT_RULES, admissible
from tests.support.dispatch_world import uid
from tests.support.edges import EDGES, Edge


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
def test_at_the_edge(edge: Edge) -> None:
    counts: dict[str, int] = {}
    for channel in edge.holds:
        counts[channel] = counts.get(channel, 0) + 1
    rules = [DEFAULT_RULES[channel] for channel in edge.holds]
    agent = AgentState(
        id=uid(1),
        version=1,
        queues={},
        channels=DEFAULT_RULES,
        budget=edge.budget,
        used=sum(rule.cost for rule in rules),
        interruptible_used=sum(rule.cost for rule in rules if rule.interruptible),
        exclusive_held=sum(rule.exclusive for rule in rules),
        counts=counts,
    )
    assert (admissible(agent, edge.wants, 0.0) is None) is edge.fits

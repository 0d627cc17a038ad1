"""What a workspace's rules may take of the loop in which all workspaces' messages stand behind each other."""

from __future__ import annotations

from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from router.intake.rule_time import A_SECOND_S, FREE_S, SAY_AGAIN_S, STORE_S, RuleTime
from router.policy.policy import BUDGET_S

ONE, OTHER = UUID(int=1), UUID(int=2)
DEAR_S = 0.05


class Played:
    """Rule time by clocks that stand still but for what is said."""

    def __init__(self, *, alone: bool = False) -> None:
        self.now_s = 1000.0
        self._taken_s = 0.0
        self.times = RuleTime(is_alone=lambda: alone, now_s=lambda: self.now_s, taken_s=lambda: self._taken_s)

    def message(self, workspace: UUID, seconds: float) -> bool:
        """One message whose rules take so long where they are asked; whether they are."""
        budget_s = self.times.budget_s(workspace)
        with self.times.of(workspace):
            self._taken_s += seconds if budget_s else 0.0
        return budget_s == BUDGET_S

    def flood(self, workspace: UUID, *, most: int = 10_000) -> int:
        """Dear messages at once until no rule is asked any more; how many were."""
        return next(number for number in range(most) if not self.message(workspace, DEAR_S))


def unasked() -> float:
    return REGISTRY.get_sample_value("santral_policy_unasked_total") or 0.0


def test_a_flood_takes_the_store_and_then_a_quarter_of_the_time() -> None:
    played = Played()
    assert played.flood(ONE) * (DEAR_S - FREE_S) == pytest.approx(STORE_S, abs=DEAR_S)
    asked = 0
    for _ in range(10_000):
        played.now_s += 0.01
        asked += played.message(ONE, DEAR_S)
    assert asked * (DEAR_S - FREE_S) == pytest.approx(100 * A_SECOND_S, abs=A_SECOND_S)


def test_others_are_asked_as_ever() -> None:
    played = Played()
    played.flood(ONE)
    assert played.message(OTHER, DEAR_S)


def test_where_it_is_used_up_it_fills_for_a_second_first() -> None:
    played = Played()
    played.flood(ONE)
    played.now_s += 0.9
    assert not played.message(ONE, 0.0)
    played.now_s += 0.3
    assert played.message(ONE, 0.0)
    played.now_s += 1000.0
    assert played.flood(ONE) * (DEAR_S - FREE_S) == pytest.approx(STORE_S, abs=DEAR_S), "no more than the store"


def test_what_every_message_may_take_counts_for_nothing() -> None:
    played = Played()
    assert all(played.message(ONE, FREE_S) for _ in range(20_000))


def test_who_is_alone_delays_nobody() -> None:
    played = Played(alone=True)
    assert all(played.message(ONE, DEAR_S) for _ in range(1000))


def test_it_is_counted_by_message_and_said_once() -> None:
    played = Played()
    before = unasked()
    with capture_logs() as said:
        asked = played.flood(ONE)
        for _ in range(20):
            played.message(ONE, DEAR_S)
        played.now_s += SAY_AGAIN_S / 2
        played.flood(ONE)
    assert unasked() - before == 22
    assert [(one["action"], one["kind"], one["workspace"]) for one in said] == [("throttled", "rules", str(ONE))]
    assert asked > 20

"""What all rules together may take of the loop in which all workspaces' messages stand behind each other, and who is asked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from router.intake.rule_time import A_SECOND_S, MOST_S, SAY_AGAIN_S, STORE_S, RuleTime
from router.policy.policy import BUDGET_S

ONE, OTHER = UUID(int=1), UUID(int=2)
DEAR_S = 0.005


class Played:
    """Rule time by clocks that stand still but for what is said."""

    def __init__(self, *, alone: bool = False) -> None:
        self.now_s = 1000.0
        self._taken_s = 0.0
        self.times = RuleTime(is_alone=lambda: alone, now_s=lambda: self.now_s, taken_s=lambda: self._taken_s)

    def message(self, workspace: UUID, seconds: float) -> bool:
        """One message whose rules take so long where they are asked; whether they are."""
        with self.times.of(workspace) as budget_s:
            self._taken_s += seconds if budget_s else 0.0
        return budget_s == BUDGET_S

    def flood(self, workspace: UUID, *, most: int = 10_000) -> int:
        """Dear messages at once until no rule is asked any more; how many were."""
        return next(number for number in range(most) if not self.message(workspace, DEAR_S))

    def some_time(self, each_s: Mapping[UUID, tuple[int, float]], *, seconds: int = 10) -> tuple[Counter[UUID], Counter[UUID]]:
        """Each workspace has so many messages a second, each of so much; what each took, and how many of each were not asked about."""
        took, unasked_of = Counter[UUID](), Counter[UUID]()
        for tick in range(seconds * 1000):
            self.now_s += 0.001
            for place, (workspace, (a_second, cost_s)) in enumerate(each_s.items()):
                due = (tick + 1 + place) * a_second // 1000 - (tick + place) * a_second // 1000
                for _ in range(due):
                    if self.message(workspace, cost_s):
                        took[workspace] += cost_s  # type: ignore[assignment]
                    else:
                        unasked_of[workspace] += 1
        return took, unasked_of


def unasked() -> float:
    return REGISTRY.get_sample_value("santral_policy_unasked_total") or 0.0


def workspaces(number: int) -> list[UUID]:
    return [UUID(int=n + 1) for n in range(number)]


@pytest.mark.parametrize("number", [1, 4, 20])
def test_all_together_take_half_of_the_time(number: int) -> None:
    took, _ = Played().some_time(dict.fromkeys(workspaces(number), (400, DEAR_S)))
    assert sum(took.values()) <= 10 * A_SECOND_S + MOST_S
    assert sum(took.values()) >= 10 * A_SECOND_S, "what there is, is given"
    assert min(took.values()) == pytest.approx(max(took.values()), rel=0.1)


def test_small_rules_in_masses_count_too() -> None:
    took, _ = Played().some_time({ONE: (3000, 0.0009)}, seconds=20)
    assert took[ONE] == pytest.approx(20 * A_SECOND_S, abs=STORE_S)


@pytest.mark.parametrize("greedy", [1, 4, 20])
def test_who_takes_little_is_always_asked_and_leaves_the_rest(greedy: int) -> None:
    light, dear = UUID(int=1000), workspaces(greedy)
    share_s = A_SECOND_S / (greedy + 1)
    took, unasked_of = Played().some_time({**dict.fromkeys(dear, (400, DEAR_S)), light: (round(share_s / 2 / 0.0009), 0.0009)})
    assert unasked_of[light] == 0
    assert sum(took.values()) >= 10 * A_SECOND_S


def test_who_takes_little_beside_hundreds_who_do_is_always_asked() -> None:
    many = workspaces(300)
    took, unasked_of = Played().some_time({**dict.fromkeys(many, (1, 0.0009)), UUID(int=1000): (400, DEAR_S)})
    assert [unasked_of[one] for one in many] == [0] * len(many)
    assert took[UUID(int=1000)] >= 10 * (A_SECOND_S - 0.3)


def test_thousands_who_come_at_once_do_not_fill_the_loop_either() -> None:
    played = Played()
    assert sum(played.message(one, DEAR_S) for one in workspaces(5000)) * DEAR_S == pytest.approx(MOST_S, abs=2 * DEAR_S)
    played.now_s += 2 * MOST_S
    assert played.message(ONE, DEAR_S)


def test_a_flood_takes_the_store_and_no_more_however_long_it_was_quiet() -> None:
    played = Played()
    assert played.flood(ONE) * DEAR_S == pytest.approx(STORE_S, abs=2 * DEAR_S)
    assert played.message(OTHER, DEAR_S)
    played.now_s += 1000.0
    assert played.flood(ONE) * DEAR_S == pytest.approx(STORE_S, abs=2 * DEAR_S)


def test_who_is_alone_delays_nobody() -> None:
    played = Played(alone=True)
    assert all(played.message(ONE, DEAR_S) for _ in range(1000))


def test_it_is_counted_by_message_and_said_once() -> None:
    played = Played()
    before = unasked()
    with capture_logs() as said:
        played.flood(ONE)
        for _ in range(20):
            played.message(ONE, DEAR_S)
        played.now_s += SAY_AGAIN_S / 2
        played.flood(ONE)
    assert unasked() - before == 22
    assert [(one["action"], one["kind"], one["workspace"]) for one in said] == [("throttled", "rules", str(ONE))]

"""What a workspace's clocks may take in one look."""

from __future__ import annotations

from uuid import UUID

from router.clocks.spent import Spent

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_who_took_its_time_waits_and_others_go_on() -> None:
    now = [0.0]
    spent = Spent(most_s=0.1, clock=lambda: now[0])
    for _ in range(3):
        assert not spent.is_over(ONE)
        with spent.by(ONE):
            now[0] += 0.04
    before = spent.left_out
    assert (spent.is_over(ONE), spent.is_over(OTHER)) == (True, False)
    assert (before, spent.left_out) == (False, True), "so the next look is at what was closed before this one too"
    assert not Spent(most_s=0.1, clock=lambda: now[0]).is_over(ONE), "the next look"

"""When intake stops instead of draining the topic, and that nobody stops it alone."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import pytest

from router.intake.quarantine_limit import Judged, QuarantineLimit, QuarantineLimitReached

ONE, OTHER, THIRD = (UUID(int=place) for place in range(3))


def judged(outcomes: Iterable[tuple[int, bool]], workspace: UUID = ONE) -> list[Judged]:
    return [Judged(partition, workspace, failed) for partition, failed in outcomes]


def test_the_limit_stops_a_run_and_a_share() -> None:
    limit = QuarantineLimit(run_max=3, window=10, ratio_max=0.5)
    limit.check(judged([(0, True), (0, True), (1, True), (0, True)]), alone=True)
    with pytest.raises(QuarantineLimitReached, match="one after another"):
        limit.check(judged([(0, True)] * 4), alone=True)
    limit.count(judged([(0, False), (0, True)] * 5))
    with pytest.raises(QuarantineLimitReached, match="of the last 10"):
        limit.check(judged([(0, False), (0, True), (1, True)]), alone=True)
    limit.check(judged([(0, False), (0, True)]), alone=True)


def test_one_workspace_of_several_stops_nobody() -> None:
    limit = QuarantineLimit()
    for _ in range(40):
        limit.check(judged([(0, True)] * 100), alone=False)
        limit.count(judged([(0, True)] * 100))
    # One that fails by chance beside it is no bad release either.
    limit.count(judged([(0, True)], OTHER))
    limit.check(judged([(0, True)] * 500) + judged([(1, False)] * 90 + [(1, True)] * 10, OTHER), alone=False)


def test_what_several_workspaces_meet_stops() -> None:
    limit = QuarantineLimit()
    with pytest.raises(QuarantineLimitReached, match="one after another"):
        limit.check([Judged(0, (ONE, OTHER)[place % 2], True) for place in range(60)], alone=False)
    rare = [Judged(0, ONE, True), Judged(0, OTHER, True), Judged(0, THIRD, False), Judged(0, ONE, False)] * 250
    with pytest.raises(QuarantineLimitReached, match="failed"):
        limit.check(rare, alone=False)

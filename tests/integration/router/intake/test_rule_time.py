"""Rules that take much, in a deployment of several workspaces: beyond its time a workspace's messages go to its default queue."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from router.evaluation.evaluation import differences
from router.intake.rule_time import RuleTime
from router.policy.policy import policy_of
from shared.database import Database
from shared.ids import new_id
from tests.support.intake_line import Line, Member, member_of, message_to, rows
from tests.support.workspaces import Workspace, make_workspace

DEAR_S = 0.3
"""What each message's rules take, by the clock of these tests: the store has three of them and a piece."""
POLICY = {"rules": [{"name": "returns", "when_cel": 'message.text.contains("iade")', "queue": "iade"}], "default_queue": "genel"}


class Clock:
    """Says how the time goes on, and of each look at the processor's that so much was taken since the one before."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._looks = count()

    def taken_s(self) -> float:
        return DEAR_S * next(self._looks)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def with_rules(db: Database, workspace: Workspace) -> None:
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.queue (workspace_id, id, name, title, mode) values ($1, $2, 'iade', 'İade', 'both')",
            workspace.id, new_id(),
        )  # fmt: skip
        await connection.execute("update santral.policy set document = $2 where workspace_id = $1", workspace.id, POLICY)


async def router_of(db: Database, clock: Clock) -> Member:
    return await member_of(
        db, rule_time=lambda is_alone: RuleTime(is_alone=is_alone, now_s=lambda: clock.now_s, taken_s=clock.taken_s)
    )


def asks(workspace: Workspace, numbers: range) -> list[Any]:
    return [message_to(workspace, "smtp", str(n), who=f"{n}@ornek.com", text="iade etmek istiyorum") for n in numbers]


async def decided(db: Database, workspace: Workspace) -> list[dict[str, Any]]:
    found = await rows(
        db,
        "select d.record from santral.decision d join santral.message m on m.workspace_id = d.workspace_id and m.id = d.message_id"
        " where d.workspace_id = $1 order by m.external_id::int",
        workspace.id,
    )
    return [one["record"] for one in found]


async def test_beyond_its_time_a_workspaces_messages_go_to_its_default_queue(
    worker_db: Database, workspace: Workspace, clock: Clock
) -> None:
    other = await make_workspace(worker_db, name="komsu")
    for one in (workspace, other):
        await with_rules(worker_db, one)
    member = await router_of(worker_db, clock)
    line = Line()
    line.add(*asks(workspace, range(6)), *asks(other, range(2)))
    await member.take(line)
    records = await decided(worker_db, workspace)
    assert [one["queue"] for one in records] == ["iade"] * 4 + ["genel"] * 2
    assert [one["queue"] for one in await decided(worker_db, other)] == ["iade"] * 2
    late = records[-1]
    assert (late["out_of_time"], late["asked"], late["rule"]) == (True, 0, None)
    assert "this workspace's rules have taken too long of late" in late["summary"]
    policy = policy_of(POLICY, version=1)
    assert differences(late, policy, {"message": {"text": "iade etmek istiyorum"}}) == []
    clock.now_s += 100.0
    line.add(*asks(workspace, range(6, 7)))
    await member.take(line)
    assert (await decided(worker_db, workspace))[-1]["queue"] == "iade"


async def test_a_workspace_alone_is_not_limited(worker_db: Database, workspace: Workspace, clock: Clock) -> None:
    await with_rules(worker_db, workspace)
    member = await router_of(worker_db, clock)
    line = Line()
    line.add(*asks(workspace, range(6)))
    await member.take(line)
    assert [one["queue"] for one in await decided(worker_db, workspace)] == ["iade"] * 6

"""The statement that takes capacity against the pure rule, over random agents: both read the same row and answer the same.

The row is read as dispatch reads it (`router/matcher/feed.py`), so what the two make of the settings' three places is compared as well.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from router.item.admission import Reason, admissible
from router.matcher.feed import agent_state, read_everything
from router.moves.capacity import Claim, hold
from router.policy.agent_filter import Filters
from shared.database import Database
from tests.support.workspaces import Workspace, make_workspace

_CHANNELS = ("chat", "email", "social", "phone", "kiosk")
_AGENTS = 400
_SEED = 20261201

_SET = """
update santral.agent set kind = $3, enabled = $4, presence = $5, lease_until = $6, budget = $7, used = $8, interruptible_used = $9,
    exclusive_held = $10, counts = $11, channels = $12, presences = $13
where workspace_id = $1 and id = $2
"""


def _rule(chance: random.Random) -> dict[str, Any]:
    """Some members of a channel's rule, some of them null: what is left out comes from the place before."""
    members: dict[str, Any] = {
        "cost": chance.choice((0, 1, 20, 33, 100)),
        "cap": chance.choice((0, 1, 3, 5)),
        "enabled": chance.random() < 0.8,
        "exclusive": chance.random() < 0.3,
        "interruptible": chance.random() < 0.5,
    }
    return {name: None if chance.random() < 0.1 else value for name, value in members.items() if chance.random() < 0.4}


def _rules(chance: random.Random) -> dict[str, Any]:
    return {channel: _rule(chance) for channel in _CHANNELS if chance.random() < 0.4}


def _columns(chance: random.Random) -> list[Any]:
    used = chance.choice((0, 20, 40, 66, 100))
    return [
        chance.choice(("person", "bot")),
        chance.random() < 0.9,
        chance.choice(("online", "online", "online", "online", "busy", "away", "offline")),
        chance.choice((None, *(datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1, 1, 1)))),
        chance.choice((0, 33, 99, 100, 133)),
        used,
        chance.choice((0, used, used // 2)),
        chance.choice((0, 0, 0, 1)),
        {channel: chance.randrange(5) for channel in _CHANNELS if chance.random() < 0.5},
        _rules(chance),
        {channel: chance.choice(("online", "away")) for channel in _CHANNELS if chance.random() < 0.2},
    ]


async def test_the_statement_and_the_rule_agree(worker_db: Database) -> None:
    chance = random.Random(_SEED)
    reasons: dict[Reason | None, int] = {}
    for settings in ({}, {"channels": _rules(chance)}, {"channels": _rules(chance)}, {"channels": _rules(chance)}):
        workspace = await make_workspace(worker_db, settings=settings)
        for reason, count in (await _compared(worker_db, workspace, chance)).items():
            reasons[reason] = reasons.get(reason, 0) + count
    assert {None, "offline", "lease_lost", "channel_disabled", "exclusive_held", "cap_reached", "budget"} == set(reasons)
    assert min(reasons.values()) > 5, reasons


async def _compared(db: Database, workspace: Workspace, chance: random.Random) -> dict[Reason | None, int]:
    """Many states of one agent, each asked for one more item of each channel; how often the rule gave which reason."""
    reasons: dict[Reason | None, int] = {}
    for _ in range(_AGENTS // 4):
        columns = _columns(chance)
        for channel in _CHANNELS:
            claim = Claim(workspace_id=workspace.id, agent_id=workspace.agent_id, channel=channel, queue_id=workspace.queue_id)
            async with db.batch(workspace.id) as connection:
                await connection.execute(_SET, workspace.id, workspace.agent_id, *columns)
                told = (await read_everything(connection, [workspace.id]))[workspace.id]
                now = datetime.now(UTC).timestamp()
                row = next(one for one in told if isinstance(one, dict))
                reason = admissible(agent_state(row, Filters({})), channel, now)
                granted = workspace.agent_id in await hold(connection, [claim])
            assert granted is (reason is None), (reason, channel, columns)
            reasons[reason] = reasons.get(reason, 0) + 1
    return reasons

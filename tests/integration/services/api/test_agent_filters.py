"""Filters over agents: as many as a workspace may have, for as long as something names them, asked beside dispatch's loop."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from router.commands.reopening import reopen
from router.moves.moves import slot_of
from router.policy.agent_filter import FILTERS_MAX, filter_skill
from services.chores.unused_filters import UnusedFilters
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift
from tests.support.workspaces import Workspace

VIP = 'agent.attributes["team"] == "vip"'
OTHER = 'agent.attributes["team"] == "other"'


async def kept(db: Database) -> set[str]:
    return {row["source"] for row in await rows(db, "select source from santral.agent_filter")}


async def queue_plan(api: Api, shift: Shift, key: dict[str, str], *sources: str) -> None:
    plan = {"steps": [{"filter": source} for source in sources]} if sources else None
    body = {"name": "genel", "mode": "both", "plan": plan}
    answer = await api.client.put(f"/v1/queues/{shift.workspace.queue_id}", json=body, headers=key)
    assert answer.status_code == 200, answer.text
    await shift.member.configuration.refresh()


async def test_a_filter_stays_for_open_items_and_goes_at_the_second_look(api: Api, shift: Shift, worker_db: Database) -> None:
    key = await api.key(shift.workspace.id)
    await queue_plan(api, shift, key, VIP)
    item = await shift.waiting()
    await queue_plan(api, shift, key)
    chore = UnusedFilters()
    for _ in range(3):
        assert await chore.look(worker_db) == 0
    assert await kept(worker_db) == {VIP}
    deniz = {"name": "Deniz", "queues": [{"queue": "genel"}], "attributes": {"team": "vip"}}
    assert (await api.client.put(f"/v1/agents/{shift.deniz}", json=deniz, headers=key)).status_code == 200
    await shift.settle()
    assert (await shift.item(item))["agent_id"] == shift.deniz
    await shift.accept(item)
    await shift.done(item)
    await shift.execute(
        "update santral.work_item set state = 'completed', closed_at = now(), timer_at = null where id = $1", item
    )  # fmt: skip
    assert await chore.look(worker_db) == 0
    assert await kept(worker_db) == {VIP}
    assert await chore.look(worker_db) == 1
    assert await kept(worker_db) == set()
    # What comes back after it gets the queue's plan of today, and is offered.
    await queue_plan(api, shift, key, OTHER)
    async with worker_db.batch() as connection:
        again = await reopen(
            connection, workspace_id=shift.workspace.id, conversation_id=(await shift.item(item))["conversation_id"],
            at=datetime.now(UTC), trigger="undelivered",
        )  # fmt: skip
    assert again is not None
    assert [list(step["skills"]) for step in (await shift.item(again))["plan"]] == [[filter_skill(OTHER)]]


async def test_what_comes_back_while_its_filter_is_kept_has_its_own_plan(api: Api, shift: Shift, worker_db: Database) -> None:
    key = await api.key(shift.workspace.id)
    await queue_plan(api, shift, key, VIP)
    item = await shift.waiting()
    await queue_plan(api, shift, key, OTHER)
    await shift.execute("update santral.work_item set state = 'completed', closed_at = now(), timer_at = null where id = $1", item)
    async with worker_db.batch() as connection:
        again = await reopen(
            connection, workspace_id=shift.workspace.id, conversation_id=(await shift.item(item))["conversation_id"],
            at=datetime.now(UTC), trigger="undelivered",
        )  # fmt: skip
    assert again is not None
    assert [list(step["skills"]) for step in (await shift.item(again))["plan"]] == [[filter_skill(VIP)]]


async def test_a_filter_that_was_named_between_two_looks_stays(api: Api, shift: Shift, worker_db: Database) -> None:
    key = await api.key(shift.workspace.id)
    await queue_plan(api, shift, key, VIP)
    await queue_plan(api, shift, key, OTHER)
    chore = UnusedFilters()
    assert await chore.look(worker_db) == 0
    # A router may have read the plan while it stood, and open an item with it a moment later.
    await queue_plan(api, shift, key, VIP)
    await queue_plan(api, shift, key, OTHER)
    assert await chore.look(worker_db) == 0
    assert await kept(worker_db) == {VIP, OTHER}
    assert await chore.look(worker_db) == 1
    assert await kept(worker_db) == {OTHER}


async def test_a_workspace_has_so_many_filters(api: Api, workspace: Workspace, worker_db: Database) -> None:
    key = await api.key(workspace.id)

    def plan(number: int, names: range) -> dict[str, Any]:
        return {"name": f"p{number}", "steps": [{"filter": f'agent.name == "{name}"', "timeout_s": 9} for name in names]}

    for number in range(FILTERS_MAX // 20):
        answer = await api.client.post("/v1/plans", json=plan(number, range(20 * number, 20 * number + 20)), headers=key)
        assert answer.status_code == 201, answer.text
    one_more = plan(99, range(FILTERS_MAX - 1, FILTERS_MAX + 1))
    answer = await api.client.post("/v1/plans", json=one_more, headers=key)
    assert (answer.status_code, answer.json()["field"]) == (409, "steps.1.filter")
    assert answer.json()["remedy"]
    assert len(await kept(worker_db)) == FILTERS_MAX
    # Those that are there already may be named again, and many times.
    assert (await api.client.post("/v1/plans", json=plan(98, range(20)), headers=key)).status_code == 201
    dear = {"name": "dear", "steps": [{"filter": 'agent.queues.all(q, agent.queues.all(p, agent.title.matches("(x|t){1,500}y")))'}]}
    answer = await api.client.post("/v1/plans", json=dear, headers=key)
    assert (answer.status_code, answer.json()["field"]) == (422, "steps.0.filter")


async def test_filters_are_asked_beside_dispatchs_loop_and_once(shift: Shift, worker_db: Database) -> None:
    sources = [f'agent.attributes["team"] == "{n}" || "x{n}" in agent.languages' for n in range(FILTERS_MAX)]
    async with worker_db.batch() as connection:
        for source in sources:
            await connection.execute(
                "insert into santral.agent_filter (workspace_id, name, source) values ($1, $2, $3)",
                shift.workspace.id, filter_skill(source), source,
            )  # fmt: skip
        for number in range(300):
            await connection.execute(
                "insert into santral.agent (workspace_id, id, name) values ($1, $2, $3)", shift.workspace.id, new_id(), f"a{number}"
            )
        await connection.execute(
            "insert into santral.dispatch_change (workspace_id, slot, kind, id)"
            " select workspace_id, $2, 'agent', id from santral.agent where workspace_id = $1",
            shift.workspace.id, slot_of(shift.workspace.id),
        )  # fmt: skip
    whole, own = time.process_time(), time.thread_time()
    await shift.settle()
    whole, own = time.process_time() - whole, time.thread_time() - own
    assert own < whole / 2

"""An operator's own model on the way in: its labels reach rules and records, and whatever it does, messages arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.responses import JSONResponse, Response

from router.evaluation.evaluation import differences
from router.evaluation.store import first_id, read_document, read_range
from router.policy.policy import policy_of
from services.router.http_classifier import FAILURES_MAX, HttpClassifier
from shared.database import Database
from shared.ids import new_id
from shared.message import Automatic
from tests.support.intake_line import Line, Member, member_of, message_to, rows
from tests.support.model_server import Model, model_server
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace

POLICY = {
    "rules": [{"name": "refunds", "when_cel": "signals.label == 'refund' && signals.label_confidence > 0.5", "queue": "iade"}],
    "default_queue": "genel",
}
Joined = Callable[..., Awaitable[Member]]


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with model_server() as server:
        yield server


@pytest.fixture
async def join(worker_db: Database, workspace: Workspace, model: Model) -> AsyncIterator[Joined]:
    """Routers that ask the model, in a workspace that takes part and has a queue for refunds."""
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.queue (workspace_id, id, name, title, mode) values ($1, $2, 'iade', 'İade', 'both')",
            workspace.id, new_id(),
        )  # fmt: skip
        await connection.execute("update santral.policy set document = $2 where workspace_id = $1", workspace.id, POLICY)
        await connection.execute(
            "update santral.workspace set settings = settings || '{\"classify\": true}' where id = $1", workspace.id
        )
    made: list[HttpClassifier] = []

    async def joined(**more: Any) -> Member:
        made.append(HttpClassifier(model.url, **{"budget_s": 5.0, **more}))
        return await member_of(worker_db, classifier=made[-1])

    yield joined
    for one in made:
        await one.close()


async def queues(db: Database) -> list[str]:
    """Where work went, in the order in which it came."""
    found = await rows(db, "select record->>'queue' as queue from santral.decision where kind = 'routing' order by id")
    return [row["queue"] for row in found]


async def test_labels_reach_rules_records_and_the_message(
    worker_db: Database, workspace: Workspace, model: Model, join: Joined
) -> None:
    member, line = await join(token="a token"), Line()
    line.add(message_to(workspace, "smtp", "1", subject="Sipariş", text="Paramı iade edin"))
    line.add(message_to(workspace, "smtp", "2", who="can@ornek.com"))
    await member.take(line)
    assert await queues(worker_db) == ["iade", "genel"]
    assert model.tokens == ["Bearer a token"]
    assert [set(one) for one in model.asked] == [{"id", "workspace", "channel", "kind", "language", "subject", "text"}] * 2
    decided = await read_all(worker_db, workspace)
    seen = decided[0].record["facts"]["signals"]
    assert {name: seen[name] for name in ("label", "label_confidence", "labels", "model", "urgency")} == {
        "label": "refund", "label_confidence": 0.9, "labels": ["refund", "other"], "model": "topics-3", "urgency": 0.7,
    }  # fmt: skip
    (message, _) = await rows(worker_db, "select signals from santral.message order by accepted_at, id")
    assert message["signals"]["label"] == "refund"
    async with worker_db.batch(workspace.id) as connection:
        policy = policy_of(await read_document(connection, workspace.id, 1) or {}, version=1)
    assert [differences(one.record, policy, one.facts or {}) for one in decided] == [[], []], "without the model"
    assert model.calls == 1


async def read_all(db: Database, workspace: Workspace) -> list[Any]:
    async with db.batch(workspace.id) as connection:
        now = await connection.fetchval("select now() + interval '1 day'")
        return await read_range(connection, workspace.id, after=first_id(now.replace(year=2020)), before=first_id(now), limit=10)


async def test_who_is_not_asked_about(worker_db: Database, workspace: Workspace, model: Model, join: Joined) -> None:
    """A machine's mail, and everything of a workspace that does not take part."""
    member, line = await join(), Line()
    line.add(message_to(workspace, "smtp", "1", text="Bir iade", automatic=Automatic(kind="auto_reply")))
    await member.take(line)
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.workspace set settings = settings - 'classify', version = version + 1 where id = $1", workspace.id
        )
    await member.configuration.refresh()
    line.add(message_to(workspace, "smtp", "2", text="Bir iade"))
    await member.take(line)
    assert model.calls == 0
    assert await queues(worker_db) == ["genel"]


async def test_a_slow_model_costs_its_budget_and_nothing_else(
    worker_db: Database, workspace: Workspace, model: Model, join: Joined
) -> None:
    member, line, model.waits_for = await join(budget_s=0.05), Line(), asyncio.Event()
    line.add(message_to(workspace, "smtp", "1", text="Bir iade"))
    await asyncio.wait_for(member.take(line), 10)
    assert await queues(worker_db) == ["genel"]
    assert not model.waits_for.is_set(), "nobody waited for it"


@pytest.mark.parametrize(
    "instead",
    [
        Response(status_code=500),
        Response(b"\xff not JSON"),
        JSONResponse({"messages": [{"id": "1"}]}),
        JSONResponse({"messages": [{"id": str(new_id()), "labels": {"refund": 7}}]}),
        Response(b"[" * 2_000_000),
        Response(status_code=302, headers={"location": "/classify"}),
    ],
    ids=["broken", "garbage", "no id", "no share", "endless", "elsewhere"],
)
async def test_an_answer_that_is_none(
    worker_db: Database, workspace: Workspace, model: Model, join: Joined, instead: Response
) -> None:
    member, line, model.instead = await join(), Line(), instead
    line.add(message_to(workspace, "smtp", "1", text="Bir iade"))
    await member.take(line)
    assert await queues(worker_db) == ["genel"]


async def test_a_model_that_fails_again_and_again_is_left_alone_for_a_while(
    worker_db: Database, workspace: Workspace, model: Model, join: Joined
) -> None:
    member, line, model.instead = await join(rest_s=0.5), Line(), Response(status_code=503)
    for number in range(FAILURES_MAX + 2):
        line.add(message_to(workspace, "smtp", str(number), who=f"a{number}@ornek.com", text="Bir iade"))
        await member.take(line)
    assert model.calls == FAILURES_MAX
    assert REGISTRY.get_sample_value("santral_classified_messages_total", {"result": "not_asked"})
    model.instead = None

    async def asked_again() -> bool:
        number = len(line.records)
        line.add(message_to(workspace, "smtp", str(number), who=f"a{number}@ornek.com", text="Bir iade"))
        await member.take(line)
        return (await queues(worker_db))[-1] == "iade"

    await eventually(asked_again, 10, "the model is asked again")


async def test_a_dead_address(worker_db: Database, workspace: Workspace, join: Joined, unused_tcp_port: int) -> None:
    gone = HttpClassifier(f"http://127.0.0.1:{unused_tcp_port}/classify", budget_s=5.0)
    member, line = await member_of(worker_db, classifier=gone), Line()
    line.add(message_to(workspace, "smtp", "1", text="Bir iade"))
    await member.take(line)
    await gone.close()
    assert await queues(worker_db) == ["genel"]


async def test_what_was_decided_first_stays(worker_db: Database, workspace: Workspace, model: Model, join: Joined) -> None:
    """Two fetches at once, each with answers of its own; read again, when the model thinks otherwise, nothing changes."""
    member = await join()
    lines = [Line(partition=0), Line(partition=1)]
    for line in lines:
        for number in range(70):
            who = f"p{line.partition}-{number}@ornek.com"
            line.add(message_to(workspace, "smtp", who, who=who, text="Bir iade" if number % 2 else "Merhaba"))
    await asyncio.gather(*(member.take(line) for line in lines))
    assert sorted(await queues(worker_db)) == ["genel"] * 70 + ["iade"] * 70
    assert model.calls == 4, "in portions"
    model.labels, first = {}, await rows(worker_db, "select id, record from santral.decision order by id")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.partition_lease set next_offset = 0, epoch = epoch + 1")
    again = await join()
    for line in lines:
        await again.take(line)
    assert await rows(worker_db, "select id, record from santral.decision order by id") == first

"""Arrivals of a time range through REST, as the simulator replays them: nothing personal, and the command that records them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router.simulator.document import document_of
from router.simulator.runs import simulate
from router.simulator.trace import line_of, read_trace
from router.work import abandon
from services.cli.main import create_app
from shared.database import Database
from shared.embedded_postgres import PostgresUrls
from tests.support.api import Api, listening, running_api
from tests.support.shift import Shift, shift_of
from tests.support.workspaces import Workspace


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as running:
        yield running


@pytest.fixture
async def shift(worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Shift:
    return await shift_of(worker_db, database_urls, workspace)


async def arrivals(api: Api, shift: Shift, **more: Any) -> Any:
    now = datetime.now(UTC)
    query = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(hours=1)).isoformat(), **more}
    answer = await api.client.get("/v1/reports/arrivals", params=query, headers=await api.key(shift.workspace.id, "events:read"))
    return answer.json()


async def test_a_day_is_recorded_and_replayed(api: Api, shift: Shift) -> None:
    """One answered in ninety seconds of work, one who left after forty seconds, one still waiting."""
    first = await shift.mine(who="v1")
    await shift.done(first)
    if (await shift.item(first))["state"] == "wrapping":
        await shift.passes(first)
    await shift.execute("update santral.agent set presence = 'away', version = version + 1")
    left = await shift.waiting(who="v2")
    await shift.waiting(who="v3")
    await shift.execute(
        "update santral.event set at = at + interval '90 s' where data->>'item_id' = $1 and data->>'state' in ('wrapping', 'completed')",
        str(first),
    )
    conversation = (await shift.item(left))["conversation_id"]
    async with shift.db.batch(shift.workspace.id) as connection:
        await abandon(connection, workspace_id=shift.workspace.id, conversation_id=conversation, reason="left")
    await shift.execute("update santral.event set at = at + interval '40 s' where data->>'state' = 'abandoned'")
    rows = (await arrivals(api, shift))["items"]
    assert [set(row) for row in rows] == [{"at", "queue", "channel", "handling_s", "patience_s", "skills"}] * 3
    assert [(row["queue"], row["channel"]) for row in rows] == [("genel", "chat")] * 3
    assert rows[0]["handling_s"] == pytest.approx(90, abs=5)
    assert [row["handling_s"] for row in rows[1:]] == [None, None]
    assert [row["patience_s"] for row in rows] == [None, pytest.approx(40, abs=5), None]
    recorded = read_trace([line_of(row) for row in rows], {})
    answer = simulate(document_of({"agents": [{"name": "team"}], "runs": 1}), recorded)
    assert answer["classes"]["genel/chat"]["arrived"]["mean"] == 3
    assert answer["classes"]["genel/chat"]["abandoned"]["mean"] == 1


async def test_pages_and_ranges(api: Api, shift: Shift) -> None:
    for number in range(3):
        await shift.waiting(who=f"v{number}")
    page = await arrivals(api, shift, limit=2)
    assert len(page["items"]) == 2
    rest = await arrivals(api, shift, limit=2, cursor=page["next"])
    assert len(rest["items"]) == 1
    assert rest["next"] is None
    moments = [row["at"] for row in (*page["items"], *rest["items"])]
    assert moments == sorted(moments)
    before = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
    assert (await arrivals(api, shift, **before))["items"] == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"to": "2020-01-01T00:00:00Z"}, "to"),
        ({"from": "2020-01-01T00:00:00Z"}, "to"),
        ({"cursor": "abc"}, "cursor"),
        ({"from": "yesterday"}, "from"),
    ],
)
async def test_a_range_that_is_refused(api: Api, shift: Shift, more: dict[str, str], field: str) -> None:
    problem = await arrivals(api, shift, **more)
    assert problem["status"] == 422
    assert field in json.dumps(problem)


async def test_it_needs_the_scope(api: Api, shift: Shift) -> None:
    headers = await api.key(shift.workspace.id, "config:read")
    query = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
    assert (await api.client.get("/v1/reports/arrivals", params=query, headers=headers)).status_code == 403


async def test_the_command_writes_a_trace(api: Api, shift: Shift, tmp_path: Path) -> None:
    await shift.waiting()
    key = (await api.key(shift.workspace.id, "events:read"))["authorization"].removeprefix("Bearer ")
    now, out = datetime.now(UTC), tmp_path / "day.jsonl"
    span = f"{(now - timedelta(hours=1)).isoformat()}..{(now + timedelta(hours=1)).isoformat()}"
    async with listening(api) as address:
        words = ["simulate", "--record", span, "--out", str(out), "--url", address.replace("ws://", "http://"), "--api-key", key]
        result = await asyncio.to_thread(CliRunner().invoke, create_app("simulate"), words)
    assert result.exception is None, result.exception
    assert result.stdout == f"1 arrivals are in {out}\n"
    (arrival,) = read_trace(out.read_text().splitlines(), {})
    assert arrival.kind == "genel/chat"

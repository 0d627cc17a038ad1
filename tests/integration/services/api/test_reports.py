"""Arrivals of a time range through REST, as the simulator replays them: nothing personal, and the command that records them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router.commands.work import abandon
from router.simulator.document import document_of
from router.simulator.runs import simulate
from router.simulator.trace import line_of, read_trace
from services.cli.main import create_app
from tests.support.api import Api, listening
from tests.support.shift import Shift


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
    recorded = read_trace([line_of(row) for row in rows], {}).recorded
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
    (arrival,) = read_trace(out.read_text().splitlines(), {}).recorded
    assert arrival.kind == "genel/chat"


async def test_a_changed_policy_says_where_it_would_have_put_each_arrival(api: Api, shift: Shift, tmp_path: Path) -> None:
    """Two came, one of them about a refund: the changed policy has a queue for those. What was recorded stays as it was."""
    await shift.add_queue("iade", shift.deniz)
    await shift.waiting(who="v1")
    await shift.waiting(who="v2", text="İade istiyorum")
    key = (await api.key(shift.workspace.id, "config:read", "conversations:read"))["authorization"].removeprefix("Bearer ")
    policy, out, team = tmp_path / "policy.yaml", tmp_path / "day.jsonl", tmp_path / "team.yaml"
    rule = {"name": "refunds", "when_cel": "message.text.contains('İade')", "queue": "iade", "boost_s": 60}
    policy.write_text(json.dumps({"rules": [rule], "default_queue": "genel"}))
    team.write_text(json.dumps({"agents": [{"name": "team"}], "runs": 1, "classes": [
        {"name": name, "queue": name, "channel": "chat", "service": {"kind": "exponential", "mean": 60}} for name in ("genel", "iade")
    ]}))  # fmt: skip
    now = datetime.now(UTC)
    span = f"{(now - timedelta(hours=1)).isoformat()}..{(now + timedelta(hours=1)).isoformat()}"
    async with listening(api) as address:
        words = ["simulate", "--record", span, "--policy", str(policy), "--out", str(out)]
        words += ["--url", address.replace("ws://", "http://"), "--api-key", key]
        recorded = await asyncio.to_thread(CliRunner().invoke, create_app("simulate"), words)
    assert recorded.exception is None, recorded.exception
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["queue"] for line in lines] == ["genel", "genel"]
    assert [line["changed"] for line in lines] == [
        {"queue": "genel", "skills": None, "earlier_s": 0},
        {"queue": "iade", "skills": None, "earlier_s": 60},
    ]
    asked = ["simulate", str(team), "--replay", str(out), "--processes", "1"]
    shown = await asyncio.to_thread(CliRunner().invoke, create_app("simulate"), asked)
    assert "1 of 2 arrivals go to another queue after the change" in shown.stdout
    told = json.loads((await asyncio.to_thread(CliRunner().invoke, create_app("simulate"), [*asked, "--json"])).stdout)
    came = {when: {name: one["arrived"]["mean"] for name, one in told[when]["classes"].items()} for when in ("before", "after")}
    assert came == {"before": {"genel": 2, "iade": 0}, "after": {"genel": 1, "iade": 1}}
    assert told["elsewhere"] == 1


async def test_a_changed_policy_that_is_refused(api: Api, shift: Shift) -> None:
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat()}
    headers = await api.key(shift.workspace.id, "config:read", "conversations:read")
    wrong = {
        **span,
        "document": {"rules": [{"name": "a", "when_cel": "message.txt == ''", "queue": "genel"}], "default_queue": "genel"},
    }
    problem = await api.client.post("/v1/reports/arrivals", json=wrong, headers=headers)
    assert (problem.status_code, "message.txt" in problem.text) == (422, True), problem.text
    for scope in ("events:read", "config:read"):
        reader = await api.key(shift.workspace.id, scope)
        assert (await api.client.post("/v1/reports/arrivals", json=span, headers=reader)).status_code == 403
    assert (await api.client.post("/v1/reports/arrivals", json=span, headers=headers)).json() == {"items": [], "next": None}

"""Calendars, service levels and deadlines over REST, in files and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.calendars.hours import DAYS
from services.client.apply import apply_file
from services.client.export import export_workspace
from services.client.workspace_file import parse_workspace_file, read_workspace_file
from shared.errors import Unprocessable
from tests.support.api import Api, listening
from tests.support.serving import said_by
from tests.support.workspaces import Workspace

OFFICE: dict[str, Any] = {
    "name": "office", "time_zone": "Europe/Berlin", "hours": {day: [["09:00", "12:30"], ["13:30", "18:00"]] for day in DAYS[:5]},
    "holidays": {"country": "DE", "subdivision": "BE"}, "overrides": {"2026-12-31": [["09:00", "12:00"]]},
}  # fmt: skip
SLA: dict[str, Any] = {
    "name": "default", "calendar": "office", "escalate_to": "genel",
    "targets": [{"channel": "email", "first_response_s": 14400}, {"tier": "gold", "resolution_s": 86400, "calendar": "always"}],
}  # fmt: skip


async def test_a_calendar_is_kept_versioned_and_not_deleted_while_it_is_named(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    made = await api.client.post("/v1/calendars", json=OFFICE, headers=headers)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/v1/calendars/office"
    assert {name: made.json()[name] for name in ("hours", "overrides")} == {name: OFFICE[name] for name in ("hours", "overrides")}
    replaced = await api.client.put("/v1/calendars/office", json={**OFFICE, "title": "Büro"}, headers=headers | {"if-match": "1"})
    assert (replaced.status_code, replaced.json()["version"]) == (200, 2)
    assert (await api.client.put("/v1/calendars/office", json=OFFICE, headers=headers | {"if-match": "1"})).status_code == 409
    listed = (await api.client.get("/v1/calendars", headers=headers)).json()["items"]
    assert [one["name"] for one in listed] == ["office"]

    assert (await api.client.post("/v1/slas", json=SLA, headers=headers)).status_code == 201
    (queue,) = (await api.client.get("/v1/queues", headers=headers)).json()["items"]
    settings = {name: queue[name] for name in ("name", "mode")} | {"calendar": "office"}
    put = await api.client.put(f"/v1/queues/{queue['id']}", json=settings, headers=headers)
    assert put.json()["calendar"] == "office"
    kept = await api.client.delete("/v1/calendars/office", headers=headers)
    assert kept.status_code == 409
    assert "queue genel" in kept.json()["detail"]
    await api.client.put(f"/v1/queues/{queue['id']}", json=settings | {"calendar": None}, headers=headers)
    renamed = await api.client.put("/v1/calendars/office", json={**OFFICE, "name": "buro"}, headers=headers)
    assert (renamed.status_code, "service level default" in renamed.json()["detail"]) == (409, True)
    assert (await api.client.delete("/v1/slas/default", headers=headers)).status_code == 204
    assert (await api.client.delete("/v1/calendars/office", headers=headers)).status_code == 204


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("calendars", {**OFFICE, "time_zone": "Mars/Base"}, "time_zone"),
    ("calendars", {**OFFICE, "name": "always"}, "name"),
    ("calendars", {**OFFICE, "hours": {}, "overrides": {}}, "hours"),
    ("calendars", {**OFFICE, "hours": {"mon": [["09:00", "13:00"], ["12:00", "14:00"]]}}, "hours.mon"),
    ("calendars", {**OFFICE, "hours": {"mon": [["9", "13:00"]]}}, "body.hours.mon.0.0"),
    ("calendars", {**OFFICE, "holidays": {"country": "DE", "subdivision": "TR"}}, "holidays.subdivision"),
    ("calendars", {**OFFICE, "overrides": {"2026-02-30": []}}, "overrides.2026-02-30"),
    ("slas", {**SLA, "calendar": "nobody"}, "calendar"),
    ("slas", {**SLA, "escalate_to": "nobody"}, "escalate_to"),
    ("slas", {**SLA, "targets": [{"channel": "email"}]}, "targets.0"),
    ("slas", {**SLA, "targets": [{"first_response_s": 1}, {"resolution_s": 1}]}, "targets.1"),
    ("slas", {**SLA, "targets": [{"first_response_s": 1, "queue": "nobody"}]}, "targets.0.queue"),
    ("slas", {**SLA, "targets": []}, "body.targets"),
    ("slas", {**SLA, "warn_share": 1.0}, "body.warn_share"),
    ("queues", {"name": "x", "calendar": "nobody"}, "calendar"),
    ("calendars/deadline", {"calendar": "default", "start": "2026-03-28", "target": "4 hours"}, "target"),
    ("calendars/deadline", {"calendar": "default", "start": "tomorrow", "target": "4h"}, "start"),
    ("calendars/deadline", {"calendar": "default", "start": "2026-03-28"}, "target_s"),
    ("calendars/deadline", {"calendar": "default", "start": "2026-03-28", "target_s": -1}, "body.target_s"),
    ("calendars/deadline", {"calendar": {"hours": {}}, "start": "2026-03-28", "target": "4h"}, "target_s"),
    ("calendars/deadline", {"calendar": {"time_zone": "Nowhere"}, "start": "2026-03-28", "target": "4h"}, "calendar.time_zone"),
    ("calendars/deadline", {"calendar": {"opens": 9}, "start": "2026-03-28", "target": "4h"}, "body.calendar.document.opens"),
    ("calendars/deadline", {"calendar": "default", "start": "9999-12-31", "target": "4h"}, "start"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "field"), BAD)
async def test_what_cannot_be_is_refused_with_field_and_remedy(
    api: Api, workspace: Workspace, path: str, body: dict[str, Any], field: str
) -> None:
    headers = await api.key(workspace.id)
    if path == "slas":
        assert (await api.client.post("/v1/calendars", json=OFFICE, headers=headers)).status_code == 201
    answer = await api.client.post(f"/v1/{path}", json=body, headers=headers)
    assert (answer.status_code, answer.json().get("field")) == (422, field), answer.text
    assert answer.json()["remedy"]


async def test_deadlines_of_stored_and_given_calendars(api: Api, workspace: Workspace) -> None:
    headers = await api.key(workspace.id)
    await api.client.post("/v1/calendars", json=OFFICE, headers=headers)

    async def due(calendar: Any, start: str, **target: Any) -> dict[str, Any]:
        answer = await api.client.post(
            "/v1/calendars/deadline", json={"calendar": calendar, "start": start, **target}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    eve = await due("office", "2026-12-31T11:00", target="4h")
    assert eve["due_at"] == "2027-01-04T12:00:00+01:00"
    assert [(span["starts_at"], span["counted_s"]) for span in eve["spans"]] == [
        ("2026-12-31T11:00:00+01:00", 3600), ("2027-01-04T09:00:00+01:00", 10800),
    ]  # fmt: skip
    assert eve["unusual_days"] == [{"date": "2026-12-31", "holiday": ""}, {"date": "2027-01-01", "holiday": "New Year's Day"}]
    night = {"time_zone": "Europe/Berlin", "hours": {"sat": [["22:00", "06:00"]]}}
    assert (await due(night, "2026-03-28T22:00", target_s=4 * 3600))["due_at"] == "2026-03-29T03:00:00+02:00"
    assert (await due("always", "2026-03-28T22:00+01:00", target="90"))["due_at"] == "2026-03-28T21:01:30Z"
    assert (await due("default", "2026-03-28T22:00", target="1h"))["due_at"] == "2026-03-28T23:00:00+03:00"  # of the settings
    assert (await due("default", "2026-03-28T22:00", target="0s"))["due_at"] == "2026-03-28T22:00:00+03:00"
    missing = await api.client.post(
        "/v1/calendars/deadline", json={"calendar": "x", "start": "2026-03-28", "target": "1h"}, headers=headers
    )
    assert missing.status_code == 404
    reader = await api.key(workspace.id, "config:read")
    assert (await api.client.post("/v1/calendars", json=OFFICE, headers=reader)).status_code == 403


FILE = """
calendars:
  - name: default
    time_zone: Europe/Istanbul
    hours:
      mon: [[09:00, 12:30], [13:30, 18:00]]
      sat: [[10:00, 14:00]]
    holidays: {country: TR, categories: [public, half_day]}
    overrides:
      2026-12-31: [[09:00, 13:00]]
      2027-01-02: []
queues:
  - {name: genel, mode: both, calendar: default}
slas:
  - name: default
    escalate_to: genel
    targets:
      - {channel: email, first_response_s: 14400}
"""


async def test_a_workspace_file_carries_calendars_both_ways(api: Api, workspace: Workspace, tmp_path: Path) -> None:
    key = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
    async with listening(api) as address:
        url = address.replace("ws://", "http://")
        found = parse_workspace_file(FILE, source="workspace.yaml")
        assert found.document["calendars"][0]["hours"]["mon"] == [["09:00", "12:30"], ["13:30", "18:00"]]
        done = await apply_file(found, url=url, api_key=key, take_over=True)
        assert [(step.section, step.action) for step in done.steps] == [
            ("calendars", "create"), ("queues", "adopt"), ("slas", "create"),
        ]  # fmt: skip
        again = await apply_file(found, url=url, api_key=key)
        assert {step.action for step in again.steps} == {"same"}
        exported = tmp_path / "export.yaml"
        exported.write_text(await export_workspace(url=url, api_key=key), encoding="utf-8")
        back = read_workspace_file(exported)
        assert back.document["calendars"][0]["overrides"] == found.document["calendars"][0]["overrides"]
        unchanged = await apply_file(back, url=url, api_key=key, dry_run=True)
        assert {step.action for step in unchanged.steps if step.section in ("calendars", "slas")} == {"same"}
        broken = parse_workspace_file(FILE.replace("Europe/Istanbul", "Mars/Base"), source="workspace.yaml")
        with pytest.raises(Unprocessable) as refused:
            await apply_file(broken, url=url, api_key=key)
        assert refused.value.field == "workspace.yaml:4"

        file = tmp_path / "workspace.yaml"
        file.write_text(FILE, encoding="utf-8")
        asked = ("--start", "2026-10-26T17:00", "--target", "2h", "--json")
        status, here = await said_by("deadline", "--calendar", str(file), *asked)
        assert status == 0, here
        status, there = await said_by("deadline", "--calendar", "default", *asked, "--url", url, "--api-key", key)
        assert status == 0, there
    assert json.loads(here)["due_at"] == "2026-10-31T11:00:00+03:00"
    assert json.loads(there) == json.loads(here)

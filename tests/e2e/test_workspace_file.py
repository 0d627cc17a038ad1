"""A workspace kept in a file: dry run, idempotence, changes by hand, pruning, secrets, clear errors, and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from services.api.workspaces import make_workspace
from shared.database import Database
from tests.support.counter import Counter
from tests.support.serving import said_by

NAME = f"q{uuid4().hex[:6]}"
FILE = f"""\
queues:
  - {{name: {NAME}, title: Deneme, mode: both}}
  - {{name: {NAME}-two, title: İkinci}}
connections:
  - name: {NAME}-meta
    provider: meta
    secrets: {{app_secret: {{env: TEST_APP_SECRET}}}}
"""


@pytest.fixture(scope="module")
async def own_key(running: Counter) -> str:
    """An admin key of a workspace that nobody else uses."""
    db = await Database.open(running.facts["postgres"], name="test", pool_size=1)
    try:
        return (await make_workspace(db, name=f"file-{uuid4().hex[:8]}")).key
    finally:
        await db.close()


async def apply(counter: Counter, own_key: str, file: Path, *more: str) -> tuple[int, str]:
    words = ["apply", str(file), "--url", counter.facts["http"], "--api-key", own_key, *more]
    return await said_by(*words, environment={"TEST_APP_SECRET": "very secret"})


async def test_the_life_of_a_file(counter: Counter, own_key: str, tmp_path: Path) -> None:
    file = tmp_path / "workspace.yaml"
    file.write_text(FILE)
    status, said = await apply(counter, own_key, file, "--dry-run")
    assert (status, f"+ queues/{NAME}" in said, "would change 3" in said) == (0, True, True), said
    assert (await apply(counter, own_key, file))[0] == 0
    status, said = await apply(counter, own_key, file)
    assert (status, "changed 0, unchanged 3" in said) == (0, True), said

    headers = {"authorization": f"Bearer {own_key}"}
    listed = (await counter.admin.get("/v1/queues?limit=200", headers=headers)).json()["items"]
    found = {one["name"]: one for one in listed}[NAME]
    body = {key: value for key, value in found.items() if key not in ("id", "version", "warnings")}
    changed = await counter.admin.put(f"/v1/queues/{found['id']}", json={**body, "title": "Elle"}, headers=headers)
    assert changed.status_code == 200, changed.text
    status, said = await apply(counter, own_key, file)
    assert (status, "changed by hand" in said, f"queues/{NAME}" in said) == (1, True, True), said
    assert (await apply(counter, own_key, file, "--take-over"))[0] == 0

    file.write_text(FILE.replace(f"  - {{name: {NAME}-two, title: İkinci}}\n", ""))
    status, said = await apply(counter, own_key, file, "--dry-run")
    assert f"? queues/{NAME}-two" in said, said
    status, said = await apply(counter, own_key, file, "--prune")
    assert (status, f"- queues/{NAME}-two" in said) == (0, True), said


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("queues:\n  - {name: x, mode: sideways}\n", 2, "push"),
        ("queues:\n  - {name: x}\n  - {name: x}\n", 3, "twice"),
        ("connections:\n  - name: y\n    provider: meta\n    secrets: {app_secret: plain}\n", 4, "env"),
        ("connections:\n  - name: y\n    provider: meta\n    secrets: {app_secret: {env: NOT_THERE}}\n", 4, "NOT_THERE"),
        ("agents:\n  - name: z\n    queues: [{queue: nowhere}]\n", 3, "nowhere"),
        ("queue:\n  - {name: x}\n", 1, "no such section"),
        ("queues: [\n", 2, "not YAML"),
        (
            "queues:\n  - {name: g}\npolicy:\n  rules:\n    - {name: r, when_cel: 'message.colour == 1', queue: g}\n  default_queue: g\n",
            3,
            "colour",
        ),
    ],
)
async def test_errors_name_the_line_and_the_remedy(
    counter: Counter, own_key: str, tmp_path: Path, text: str, line: int, words: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    status, said = await apply(counter, own_key, file)
    assert status == 1, said
    assert words in said
    assert f"bad.yaml:{line}" in said or "policy" in text, said
    assert "Traceback" not in said


async def test_an_export_applies_to_nothing_but_itself(counter: Counter, own_key: str, tmp_path: Path) -> None:
    status, said = await said_by("export", "--url", counter.facts["http"], "--api-key", counter.facts["api_key"])
    assert status == 0, said
    document = yaml.safe_load(said)
    assert document["workspace"]["title"] == "Yayla Kahve"
    assert {one["name"] for one in document["inboxes"]} >= {"shop-chat", "support-mail", "switchboard", "api"}
    document.pop("connections", None)
    file = tmp_path / "export.yaml"
    file.write_text(yaml.safe_dump({"queues": document["queues"], "skills": document["skills"]}, allow_unicode=True))
    status, said = await apply(counter, counter.facts["api_key"], file, "--dry-run", "--json")
    steps = json.loads(said)
    assert {step["action"] for step in steps} <= {"same", "adopt", "change"}
    assert not any(step["differences"] for step in steps), said


async def test_the_doctor_finds_it_well(counter: Counter) -> None:
    status, said = await said_by("doctor", "--data", str(counter.served.folder))
    assert "FAIL" not in said, said
    assert status == 0, said

"""`santral policy` and `santral decisions` as an operator runs them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.database import Database
from tests.support.api import listening, running_api
from tests.support.intake_line import Line, member_of, message_to, rows
from tests.support.serving import said_by
from tests.support.workspaces import Workspace

DRAFT = """\
rules:
  - name: mail
    when: {field: message.channel, op: is, value: email}
    queue: genel
    boost_s: 60
default_queue: genel
"""
BAD = """\
policy:
  rules:
    - name: typo
      when_cel: |
        now.open &&
        message.chanel == "x"
      queue: genle
  default_queue: genel
"""


@pytest.fixture
async def environment(api_db: Database, worker_db: Database, workspace: Workspace) -> AsyncIterator[dict[str, str]]:
    """The variables of a console that reaches the API, after three messages were routed."""
    line = Line()
    line.add(*(message_to(workspace, "smtp", f"m{n}", who=f"p{n}@ornek.com") for n in range(3)))
    await (await member_of(worker_db)).take(line)
    async with running_api(api_db, worker_db) as api, listening(api) as address:
        yield {
            "SANTRAL_API_URL": address.replace("ws://", "http://"),
            "SANTRAL_API_KEY": (await api.key(workspace.id))["authorization"].removeprefix("Bearer "),
        }


async def test_versions_are_listed_shown_activated_and_rolled_back(environment: dict[str, str], worker_db: Database) -> None:
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.policy (workspace_id, version, document, note)"
            " select workspace_id, 2, document, 'spring' from santral.policy"
        )
    status, said = await said_by("policy", "list", environment=environment)
    assert status == 0
    assert [line.split()[:2] for line in said.splitlines()[1:]] == [["2", "0"], ["1", "active"]]
    assert await said_by("policy", "show", environment=environment) == (0, "rules: []\ndefault_queue: genel")
    assert await said_by("policy", "activate", "2", environment=environment) == (0, "version 2 is active")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.policy set activated_at = now() where version = 1")
    assert await said_by("policy", "rollback", environment=environment) == (0, "version 1 is active again")
    status, said = await said_by("policy", "activate", "7", environment=environment)
    assert (status, said) == (1, "santral: version: no such version")


async def test_a_file_is_checked_with_its_lines(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(BAD, encoding="utf-8")
    status, said = await said_by("policy", "check", str(file), environment=environment)
    assert status == 1
    assert f"{file}:6, character 9: error: rules[0] 'typo'.when_cel: unknown name message.chanel" in said
    assert f"{file}:7: error: rules[0] 'typo'.queue: unknown queue 'genle' (did you mean genel?" in said
    # Without a key names are not known, the rest is.
    alone = {**environment, "SANTRAL_API_KEY": ""}
    status, said = await said_by("policy", "check", str(file), "--json", environment=alone)
    assert (status, [one["line"] for one in json.loads(said)["problems"]]) == (1, [2])
    file.write_text(DRAFT, encoding="utf-8")
    status, said = await said_by("policy", "check", str(file), environment=environment)
    assert (status, said) == (0, f"{file}: nothing is wrong with it")


async def test_what_a_draft_would_do(environment: dict[str, str], worker_db: Database, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text(DRAFT, encoding="utf-8")
    status, said = await said_by("policy", "evaluate", "--draft", str(file), "--since", "1h", environment=environment)
    assert status == 0, said
    assert said.startswith("3 messages, 3 would change\n")
    assert "boosts: 3 raised, 0 lowered" in said
    status, said = await said_by("policy", "evaluate", "--draft", str(file), "--since", "1h", "--json", environment=environment)
    assert json.loads(said)["report"]["rules"] == [{"name": "mail", "place": 0, "matched": 3, "decided": 3}]
    (message, *_) = await rows(worker_db, "select id from santral.message")
    status, said = await said_by("policy", "evaluate", "--message", str(message["id"]), environment=environment)
    assert (status, said.splitlines()[-1]) == (0, "what happened: queue genel; the same")
    facts = tmp_path / "facts.yaml"
    facts.write_text("message: {channel: chat}", encoding="utf-8")
    status, said = await said_by("policy", "evaluate", "--draft", str(file), "--facts", str(facts), environment=environment)
    assert status == 0
    assert 'no      message.channel="chat"' in said
    status, said = await said_by("policy", "evaluate", environment=environment)
    assert (status, said) == (1, "santral: --message: which messages? (give --message ID, --facts FILE, or --since 24h)")
    status, said = await said_by("policy", "evaluate", "--since", "yesterday", environment=environment)
    assert (status, said) == (1, "santral: --since: not a time (like 2026-03-01T09:00, 24h or 7d)")


async def test_decisions_are_shown_and_asked_again(environment: dict[str, str], worker_db: Database) -> None:
    assert await said_by("decisions", "check", environment=environment) == (
        0, "3 checked, 3 equal, 0 differ, 0 cannot be asked again",
    )  # fmt: skip
    (one, *_) = await rows(worker_db, "select id, message_id from santral.decision order by id")
    status, said = await said_by("decisions", "show", "--message", str(one["message_id"]), environment=environment)
    assert status == 0
    assert "no rule matched, so the default queue was taken" in said
    async with worker_db.batch() as connection:
        await connection.execute('update santral.decision set record = record || \'{"tags": ["x"]}\' where id = $1', one["id"])
    status, said = await said_by("decisions", "check", "--since", "1h", environment=environment)
    assert status == 1
    assert said.splitlines()[0] == f"{one['id']}  routing  tags: recorded ['x'], now []"
    status, said = await said_by("decisions", "check", str(one["id"]), environment=environment)
    assert (status, said.splitlines()[-1]) == (1, "1 checked, 0 equal, 1 differ, 0 cannot be asked again")


async def test_a_workspace_file_names_the_line_of_its_policy(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "workspace.yaml"
    file.write_text(BAD.replace("message.chanel", "message.channel"), encoding="utf-8")
    status, said = await said_by("apply", str(file), "--take-over", environment=environment)
    assert status == 1
    assert f"{file}:7: policy/policy: unknown queue 'genle' (did you mean genel? one of genel)" in said

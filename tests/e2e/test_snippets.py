"""The snippets that are programs, run whole against a running Santral, as somebody would who copied them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from services.client.workspace_file import NAMED
from tests.support.counter import Counter
from tests.support.serving import said_by
from tests.support.snippets import Snippet, call_of, snippets
from tests.support.waiting import eventually

ALL = snippets()
PROGRAMS = [one for one in ALL if one.kind in ("bash", "python")]
FILES = [one for one in ALL if one.kind == "yaml" and yaml.safe_load(one.text).keys() <= set(NAMED)]
CALLS = [one for one in ALL if one.kind == "http" and one.page == "docs/integrate/rest.md"]


async def ran(words: list[str], folder: Path, **variables: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env={**environment, **variables}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return await process.wait(), said.decode()


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
async def test_a_program_posts_and_its_message_is_there(running: Counter, program: Snippet, tmp_path: Path) -> None:
    assert program.page == "docs/integrate/signing.md", "what this program needs is not prepared here"
    name, person = f"crm-{uuid4().hex[:8]}", f"ayse-{uuid4().hex[:8]}@ornek.com"
    made = (await running.admin.post("/v1/inboxes", json={"name": name, "provider": "api"})).json()
    text = program.text.replace('"inbox": "crm"', f'"inbox": "{name}"').replace("ayse@ornek.com", person)
    address, secret = running.facts["webhooks"] + made["webhook_path"], made["secrets_made"]["signing_secret"]
    body = {"inbox": name, "external_id": "43", "from": {"kind": "email", "value": person}, "text": "Merhaba"}
    (tmp_path / "body.json").write_text(json.dumps(body), encoding="utf-8")
    given = "import os\naddress, secret = os.environ['address'], os.environ['secret']\n" if program.kind == "python" else "set -e\n"
    words = [sys.executable, "-c", given + text] if program.kind == "python" else ["bash", "-c", given + text]
    said: list[str] = []

    async def posted() -> bool:
        status, output = await ran(words, tmp_path, address=address, secret=secret)
        said.append(output)
        return status == 0

    await eventually(posted, 15, "the gateway knows the inbox")
    assert [one["text"] for one in (await running.conversation_of(person))["messages"]] == ["Merhaba"], said[-1]


@pytest.mark.parametrize("file", FILES, ids=str)
async def test_a_workspace_file_is_taken_by_a_dry_run(running: Counter, file: Snippet, tmp_path: Path) -> None:
    path = tmp_path / "workspace.yaml"
    path.write_text(file.text, encoding="utf-8")
    key = str(running.admin.headers["authorization"]).removeprefix("Bearer ")
    words = ["apply", str(path), "--dry-run", "--take-over", "--url", running.facts["http"], "--api-key", key]
    status, said = await said_by(*words)
    assert status == 0, said
    assert "would change" in said


async def test_the_five_calls_are_made_in_their_order(running: Counter) -> None:
    """Each with the ids that the ones before answered."""
    ids: dict[str, Any] = {}
    for number, snippet in enumerate(CALLS):
        method, path, body = call_of(snippet.text)
        if number == 0:
            body = {**body, "external_id": str(uuid4()), "from": {**body["from"], "value": f"ayse-{uuid4().hex[:8]}@ornek.com"}}
        answer = await running.admin.request(method, path.format(**ids), json=body)
        assert answer.is_success, (path, answer.text)
        given = answer.json()
        if number == 0:
            routed = await running.routed(given["id"])
            ids = {
                "message_id": given["id"],
                "decision_id": routed["decision_id"],
                "conversation_id": routed["conversation_id"],
            }
        elif method == "POST":
            ids["reply_id"] = given["id"]
    assert len(CALLS) == 5
    assert "reply_id" in ids

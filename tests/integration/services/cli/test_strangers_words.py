"""What a stranger wrote comes to an operator's terminal as words: nothing in it moves the cursor, colours, or sets a title."""

from __future__ import annotations

import asyncio

import pytest

from services.cli.quarantine import _show
from shared.database import Database
from shared.ids import new_id
from tests.support.api import listening, running_api
from tests.support.workspaces import Workspace

TITLE = "\x1b]0;owned\x07"


async def test_a_mail_in_quarantine_is_shown_as_words(
    api_db: Database, worker_db: Database, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = new_id()
    async with running_api(api_db, worker_db) as api, listening(api) as url:
        async with worker_db.batch() as connection:
            await connection.execute(
                "insert into santral.quarantine (workspace_id, id, message_id, reason, error, record, accepted_at)"
                " values ($1, $2, $2, 'undecodable', $3, $4, now())",
                workspace.id, entry, f"no mail: {TITLE}", f"X-A: {TITLE}".encode(),
            )  # fmt: skip
        key = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
        await asyncio.to_thread(_show, str(entry), url.replace("ws://", "http://"), key)
    out = capsys.readouterr().out
    assert out.count(r"\u001b]0;owned\u0007") == 2, "why, and its bytes"
    assert "\x1b" not in out
    assert "\x07" not in out

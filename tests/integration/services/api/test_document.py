"""The whole document against the running API, with every check of schemathesis: a few calls of each operation, or (`make test-long`) many."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import pytest

from services.frame.rates import RATES, Rates
from shared.database import Database
from shared.ids import new_id
from tests.support.api import listening, running_api
from tests.support.contract import LONG, SHORT, Effort, Findings, all_checks, examine, strict
from tests.support.contract_exclusions import EXCLUSIONS
from tests.support.operations import operations, seeded
from tests.support.workspaces import Workspace, add_agent

BY_AGENTS = ("list_offers", "accept_offer", "decline_offer", "claim_item", "finish_item", "park_item", "transfer_item")
ONLY = os.environ.get("ONLY")
"""A pattern of operation ids, for who mends one of them: ``ONLY='^create_' pytest …``."""


async def examined(
    api_db: Database, worker_db: Database, workspace: Workspace, effort: Effort, told: Callable[[str], None] = lambda line: None
) -> Findings:
    """What a run finds, over one object of each kind. Fails when it called some operation never, or the administrator's key ended."""
    ids = await seeded(worker_db, workspace)
    bot = await add_agent(worker_db, workspace, new_id(), "Bot", kind="bot")
    lifted = Rates(dict.fromkeys(RATES, 1_000_000))
    async with running_api(api_db, worker_db, rates=lifted) as api, listening(api, timeout_keep_alive=600) as address:
        admin, agent = await api.key(workspace.id), await api.agent(workspace.id, workspace.agent_id)
        tokens = {
            "": admin, **dict.fromkeys(BY_AGENTS, agent), "handover": await api.agent(workspace.id, bot),
            "sign_out": await api.agent(workspace.id, workspace.agent_id),
        }  # fmt: skip
        async with worker_db.batch() as connection:
            key = await connection.fetchval(
                "select id from santral.api_key where workspace_id = $1 and name = 'test'", workspace.id
            )
        found = await asyncio.to_thread(
            examine, strict(api.app.openapi()), address=address.replace("ws:", "http:"), effort=effort, ids=ids, only=ONLY, told=told,
            tokens={name: header["authorization"] for name, header in tokens.items()},
            own={"key_id": [str(key)], "key": [str(workspace.agent_id), str(bot), "agent"]},
        )  # fmt: skip
        assert ONLY or len(found.answers) == len(list(operations(api)))
        assert (await api.client.get("/v1/workspace", headers=admin)).status_code == 200
    return found


@pytest.mark.timeout(900)
async def test_the_api_does_what_its_document_says(api_db: Database, worker_db: Database, workspace: Workspace) -> None:
    found = await examined(api_db, worker_db, workspace, SHORT)
    assert not found.wrong, found.told()
    assert all_checks() == set(found.checks)
    assert ONLY or sum(any(200 <= status < 300 for status in statuses) for statuses in found.answers.values()) > 90


@pytest.mark.long
@pytest.mark.timeout(4 * 3600)
async def test_the_api_does_what_its_document_says_at_length(api_db: Database, worker_db: Database, workspace: Workspace) -> None:
    began = time.monotonic()
    found = await examined(
        api_db, worker_db, workspace, LONG, told=lambda line: print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)
    )
    assert not found.wrong, found.told()
    assert ONLY or set(found.excluded) == {one.name for one in EXCLUSIONS}, "an exclusion that nothing needs"

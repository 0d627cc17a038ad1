"""The statement that takes capacity, at the edges of every limit: the same table that `router/item/admission.py` is held to."""

from __future__ import annotations

import pytest

from router.moves.capacity import Claim, hold
from shared.database import Database
from tests.support.edges import EDGES, Edge
from tests.support.workspaces import Workspace


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
async def test_at_the_edge(worker_db: Database, workspace: Workspace, edge: Edge) -> None:
    def claim(channel: str, *, override: bool = False) -> list[Claim]:
        return [
            Claim(
                workspace_id=workspace.id, agent_id=workspace.agent_id, channel=channel, queue_id=workspace.queue_id, override=override
            )
        ]  # fmt: skip

    async with worker_db.batch(workspace.id) as connection:
        await connection.execute(
            "update santral.agent set budget = $3 where workspace_id = $1 and id = $2",
            workspace.id,
            workspace.agent_id,
            edge.budget,
        )
        for channel in edge.holds:
            assert await hold(connection, claim(channel, override=True))
        assert (workspace.agent_id in await hold(connection, claim(edge.wants))) is edge.fits

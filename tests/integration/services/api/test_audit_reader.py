"""The audit read: filters, pages, a spreadsheet's file without formulas; and its reading is in it."""

from __future__ import annotations

import csv
import io

from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.workspaces import Workspace


async def test_who_did_what_is_read_in_pages_and_by_filter(api: Api, workspace: Workspace, worker_db: Database) -> None:
    admin = await api.key(workspace.id)
    for name in ("bir", "iki", "üç"):
        assert (
            await api.client.post("/v1/skills", json={"name": name if name.isascii() else "uc"}, headers=admin)
        ).status_code == 201
    auditor = await api.key(workspace.id, "audit:read")
    found: list[str] = []
    cursor = None
    while True:
        asked: dict[str, str] = {"limit": "2", "action": "skill", **({"cursor": cursor} if cursor else {})}
        page = (await api.client.get("/v1/audit", params=asked, headers=auditor)).json()
        found += [row["target_id"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["uc", "iki", "bir"]
    (row,) = (await api.client.get("/v1/audit", params={"target": "iki"}, headers=auditor)).json()["items"]
    assert (row["action"], row["actor"].partition(":")[0]) == ("skill.created", "key")
    assert all(row[name] for name in ("address", "software", "request_id"))
    reads = (await api.client.get("/v1/audit", params={"action": "audit.read"}, headers=auditor)).json()["items"]
    assert len(reads) == 3, "two pages and one filter before this one"
    later = (await api.client.get("/v1/audit", params={"from": "2200-01-01T00:00:00Z"}, headers=auditor)).json()
    assert later["items"] == []


async def test_a_spreadsheet_reckons_nothing(api: Api, workspace: Workspace, worker_db: Database) -> None:
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.audit (workspace_id, id, actor, action, target_id, software) values ($1, $2, 'x', 'odd', $3, $4)",
            workspace.id, new_id(), "=1+1", "@SUM(A1)",
        )  # fmt: skip
    auditor = await api.key(workspace.id, "audit:read")
    answer = await api.client.get("/v1/audit", params={"format": "csv", "action": "odd"}, headers=auditor)
    assert answer.headers["content-type"].startswith("text/csv")
    head, row = csv.reader(io.StringIO(answer.text))
    shown = dict(zip(head, row, strict=True))
    assert (shown["target_id"], shown["software"]) == ("'=1+1", "'@SUM(A1)")


async def test_it_is_for_who_may_and_of_ones_own_workspace(api: Api, workspace: Workspace) -> None:
    assert (await api.client.get("/v1/audit", headers=await api.key(workspace.id, "config:read"))).status_code == 403

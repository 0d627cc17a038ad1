"""A workspace file over an upgrade: what the new release wrote down by itself is nobody's change by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.client.apply import apply_file
from services.client.workspace_file import read_workspace_file
from shared.database import Database
from shared.errors import Unprocessable
from tests.support.api import listening, running_api
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace

FILE = """
workspace:
  settings: {region: TR, languages: [tr, en], time_zone: Europe/Istanbul}
queues:
  - {name: iade, mode: both}
"""


async def test_a_file_applies_as_before_after_the_migration_wrote_down_what_is_so(
    api_db: Database, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "workspace.yaml"
    path.write_text(FILE, encoding="utf-8")
    found = read_workspace_file(path)
    async with running_api(api_db, worker_db) as api, listening(api) as address:
        url = address.replace("ws:", "http:")
        token = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
        assert (await apply_file(found, url=url, api_key=token)).changes == 2
        async with worker_db.batch() as connection:
            await connection.execute(
                "update santral.workspace set settings = settings || jsonb_build_object('marked_mail', 'aside'), version = version + 1"
            )
        again = await apply_file(found, url=url, api_key=token)
        assert {(step.section, step.name, step.action) for step in again.steps} >= {("queues", "iade", "same")}
        assert [step.action for step in again.steps if step.section == "workspace"] == ["same"]
        path.write_text(FILE.replace("TR,", "DE,"), encoding="utf-8")
        await apply_file(read_workspace_file(path), url=url, api_key=token)
    (row,) = await rows(worker_db, "select settings from santral.workspace where id = $1", workspace.id)
    assert (row["settings"]["region"], row["settings"]["marked_mail"]) == ("DE", "aside")


async def test_a_file_that_says_nothing_of_cards_leaves_them_masked(
    api_db: Database, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "workspace.yaml"
    path.write_text(FILE, encoding="utf-8")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.workspace set settings = settings || jsonb_build_object('mask_numbers', 'cards')")
    async with running_api(api_db, worker_db) as api, listening(api) as address:
        token = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
        for action in ("adopt", "same"):
            done = await apply_file(read_workspace_file(path), url=address.replace("ws:", "http:"), api_key=token)
            assert [step.action for step in done.steps if step.section == "workspace"] == [action]
    (row,) = await rows(worker_db, "select settings from santral.workspace where id = $1", workspace.id)
    assert (row["settings"]["region"], row["settings"]["mask_numbers"]) == ("TR", "cards")


async def test_a_setting_that_cannot_be_used_is_refused_with_its_place(
    api_db: Database, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "workspace.yaml"
    path.write_text('inboxes:\n  - {name: pbx, provider: asterisk, settings: {extensions: "("}}\n', encoding="utf-8")
    async with running_api(api_db, worker_db) as api, listening(api) as address:
        token = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
        with pytest.raises(Unprocessable) as refused:
            await apply_file(read_workspace_file(path), url=address.replace("ws:", "http:"), api_key=token)
    assert (refused.value.field or "").endswith("workspace.yaml:2")
    assert "inboxes/pbx: not a pattern" in str(refused.value)
    assert "RE2" in (refused.value.remedy or "")

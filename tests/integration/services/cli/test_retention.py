"""`santral retention` as an operator runs it: presets read, counted, and taken over only when somebody says so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import get_args

import pytest

from services.privacy.retention import RetentionClass
from services.privacy.retention_presets import PRESETS, Preset
from shared.database import Database
from tests.support.api import listening, running_api
from tests.support.serving import said_by
from tests.support.workspaces import Workspace


@pytest.fixture
async def environment(api_db: Database, worker_db: Database, workspace: Workspace) -> AsyncIterator[dict[str, str]]:
    async with running_api(api_db, worker_db) as api, listening(api) as address:
        headers = await api.key(workspace.id)
        yield {
            "SANTRAL_API_URL": address.replace("ws://", "http://"),
            "SANTRAL_API_KEY": headers["authorization"].removeprefix("Bearer "),
        }


async def test_a_preset_is_shown_counted_and_taken_over(environment: dict[str, str]) -> None:
    status, said = await said_by("retention", "presets", environment=environment)
    assert status == 0
    assert "tr: Türkiye, as of 2026-11-29" in said
    assert "Turkish Commercial Code (6102)" in said
    status, said = await said_by("retention", "plan", "--json", environment=environment)
    assert (status, json.loads(said)) == (0, {"items": []}), "nothing applies itself"
    status, said = await said_by("retention", "plan", "--preset", "eu", "--json", environment=environment)
    assert status == 0
    assert {one["class"]: one["days"] for one in json.loads(said)["items"]} == PRESETS["eu"].days()
    status, said = await said_by("retention", "use", "tr", "--yes", environment=environment)
    assert status == 0, said
    status, said = await said_by("retention", "plan", "--json", environment=environment)
    assert {one["class"]: one["days"] for one in json.loads(said)["items"]} == PRESETS["tr"].days()


async def test_a_place_nobody_knows_is_told_which_there_are(environment: dict[str, str]) -> None:
    status, said = await said_by("retention", "use", "mars", "--yes", environment=environment)
    assert status != 0
    assert "one of tr, eu" in said


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_class_has_a_period_a_reason_and_a_source(preset: Preset) -> None:
    assert set(preset.periods) == set(get_args(RetentionClass))
    assert all(period.why and period.source and 1 <= period.days <= 36_500 for period in preset.periods.values())
    assert preset.periods["conversations"].days >= preset.periods["messages"].days

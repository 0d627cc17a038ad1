"""Personal data is complete by construction: every column that could hold some is covered, or says why it never does."""

from __future__ import annotations

import ingest.tables
import profiles.tables
import router.placement_tables
import router.sla_tables
import router.tables
import services.privacy_tables
import services.tables
from services.erasure_registry import CONFIGURATION, COVERS, NEVER, STAFF
from shared.personal import covered_columns, personal_columns, unmarked_columns
from shared.tables import metadata

ROOMS = (
    ingest.tables,
    profiles.tables,
    router.placement_tables,
    router.sla_tables,
    router.tables,
    services.privacy_tables,
    services.tables,
)


def test_every_column_that_could_hold_personal_data_is_marked_or_says_why_it_never_does() -> None:
    unmarked = {f"{table}.{column}" for table, column in unmarked_columns(metadata) if table not in CONFIGURATION}
    assert unmarked - set(NEVER) == set(), "mark them info={'pii': True} and cover them, or say why in services/erasure_registry.py"
    assert set(NEVER) - unmarked == set(), "stale reasons"


def test_every_personal_column_is_erased_and_exported() -> None:
    assert personal_columns(metadata) - set(STAFF) == covered_columns(COVERS)


def test_a_cover_erases_every_column_it_names_and_names_only_columns_there_are() -> None:
    for cover in COVERS:
        table = metadata.tables[f"santral.{cover.table}"]
        assert {*cover.columns, *cover.also, *(cover.erase or {})} <= set(table.columns.keys())
        assert cover.erase is None or set(cover.columns) <= set(cover.erase)

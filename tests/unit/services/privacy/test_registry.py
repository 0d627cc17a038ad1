"""Personal data is complete by construction: every column that could hold some is covered, or says why it never does."""

from __future__ import annotations

from services.privacy.registry import CONFIGURATION, COVERS, NEVER, STAFF
from shared.personal import covered_columns, personal_columns, unmarked_columns
from tests.support.tables import all_tables

METADATA = all_tables()


def test_every_column_that_could_hold_personal_data_is_marked_or_says_why_it_never_does() -> None:
    unmarked = {f"{table}.{column}" for table, column in unmarked_columns(METADATA) if table not in CONFIGURATION}
    assert unmarked - set(NEVER) == set(), "mark them info={'pii': True} and cover them, or say why in services/privacy/registry.py"
    assert set(NEVER) - unmarked == set(), "stale reasons"


def test_every_personal_column_is_erased_and_exported() -> None:
    assert personal_columns(METADATA) - set(STAFF) == covered_columns(COVERS)


def test_a_cover_erases_every_column_it_names_and_names_only_columns_there_are() -> None:
    for cover in COVERS:
        table = METADATA.tables[f"santral.{cover.table}"]
        assert {*cover.columns, *cover.also, *(cover.erase or {})} <= set(table.columns.keys())
        assert cover.erase is None or set(cover.columns) <= set(cover.erase)

"""Profiles: consent and preferences, suggestions, imports, erasure, retention."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements, secure

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WORKS_WITH = "0003"

_NEW: tuple[str, ...] = (
    "note",
    "profile_change",
    "tombstone",
    "erasure",
    "blob_orphan",
    "blob_removal",
    "person_export",
    "profile_view",
    "retention_run",
    "import_job",
    "import_row",
    "rules_pass",
    "suggestion",
    "suggestion_key",
    "suggestion_place",
    "placement_operation",
)
_APPEND_ONLY: tuple[str, ...] = ()


def upgrade() -> None:
    run_statements(Path(__file__))
    secure(_NEW, append_only=_APPEND_ONLY)

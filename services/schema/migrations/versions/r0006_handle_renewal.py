"""Handles read again: how far the walk over handles of earlier releases is, and the first of what it found."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements, secure

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))
    secure(("handle_renewal",))

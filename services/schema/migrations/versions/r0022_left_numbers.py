"""Accounts at which ids were seen; tombstones of numbers that an erased person had left; one-time tokens found by their age."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

WORKS_WITH = "0018"


def upgrade() -> None:
    run_statements(Path(__file__))

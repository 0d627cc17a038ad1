"""What was read last of a partition: offset, time and digest of the record before the position."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))

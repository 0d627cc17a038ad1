"""Who kept a file that waits for its answer, so that each has a share of the room."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

WORKS_WITH = "0018"


def upgrade() -> None:
    run_statements(Path(__file__))

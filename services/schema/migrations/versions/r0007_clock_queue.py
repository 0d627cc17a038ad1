"""Which queue's target a clock of a service level counts, so that clocks follow an item to another queue."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))

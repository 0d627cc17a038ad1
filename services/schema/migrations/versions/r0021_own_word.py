"""Work that stands where it does by an agent's own word, and work whose agent was named."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

WORKS_WITH = "0018"


def upgrade() -> None:
    run_statements(Path(__file__))

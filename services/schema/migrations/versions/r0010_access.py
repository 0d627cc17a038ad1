"""Who may do what: agents that never had a user keep the role they have, written down; sessions end when nobody uses them."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))

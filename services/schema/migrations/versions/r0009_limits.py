"""Limits of work: how many items of a queue one agent may have, how many new ones in a time; whose turn it is in each queue."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))

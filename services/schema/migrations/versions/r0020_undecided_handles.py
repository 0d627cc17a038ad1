"""Handles whose people are decided later, so that no message waits until somebody else has decided, or for a crowd that hangs together."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements, secure

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WORKS_WITH = "0018"


def upgrade() -> None:
    run_statements(Path(__file__))
    secure(["undecided_handle"])

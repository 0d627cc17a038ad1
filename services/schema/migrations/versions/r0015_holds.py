"""Legal holds on people and conversations; what they reach, asked of the database by whatever would remove something."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements, secure

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))
    secure(["hold"])

"""Whose words an export holds, so that it ends when one of them is erased, whoever they are one person with by then.

An archive from before is everybody's who was ever joined to the person it was asked for: links stay, also those that were taken back.
"""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

WORKS_WITH = "0018"


def upgrade() -> None:
    run_statements(Path(__file__))

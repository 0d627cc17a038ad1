"""Which queue's target a clock counts, so that clocks follow an item to another queue; and what an erasure may take out of the audit.

The audit stays append-only for every role: the function takes nothing but the reasons of canceled and assigned work, which 0.1.0 wrote there.
"""

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

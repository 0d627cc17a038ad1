"""Accounts at which ids were seen; tombstones of numbers that an erased person had left; one-time tokens found by their age.

No release before took a token away, so the index is built beside running writers, outside the revision's transaction.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from services.schema.migrations.schema import run_statements

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

WORKS_WITH = "0018"


def upgrade() -> None:
    # First, so that a try which breaks off leaves no more than an index, and the next one begins with nothing done.
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists santral.signature_use_used_at_ix")
        op.execute("create index concurrently signature_use_used_at_ix on santral.signature_use (used_at)")
    run_statements(Path(__file__))

"""Compatibility: beside its revision the database says which releases' processes may go on running on it.

Release 0.1.0 asks for exactly 0003 and reads no such word, so its processes are stopped before this revision comes.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    # In Alembic's own table: read as of one moment with the revision, by whoever may read that, and written by the owner only.
    op.execute(f"alter table santral.revision add column oldest_head text not null default '{WORKS_WITH}'")
    op.execute("alter table santral.revision alter column oldest_head drop default")

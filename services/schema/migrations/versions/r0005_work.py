"""What is work: mail that is only marked, by a setting that says what each workspace does; queues of a kind of their own; what is kept out.

Every workspace there is keeps marked mail out of work, as all did before there was a choice; it is written down, so that a later rule
changes nothing silently. The index is built beside running writers, outside the revision's transaction.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from services.schema.migrations.schema import run_statements, secure

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    # First, so that a try which breaks off leaves no more than an index, and the next one begins with nothing done.
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists santral.message_aside_ix")
        op.execute(
            "create index concurrently message_aside_ix on santral.message (workspace_id, accepted_at, id)"
            " where body ? 'automatic' or body ? 'bulk'"
        )
    run_statements(Path(__file__))
    secure(["bulk_digest"])

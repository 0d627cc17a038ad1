"""${message}"""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None

WORKS_WITH = ${repr(down_revision)}  # the oldest HEAD whose processes may go on running on it


def upgrade() -> None:
    ${upgrades if upgrades else "op.execute('select 1')"}

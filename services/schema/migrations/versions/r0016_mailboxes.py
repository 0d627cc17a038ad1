"""Whose a mail address is: of one inbox in all workspaces. Of those that have one address twice it is the oldest one's."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from ingest.mailboxes import mailbox_of
from services.schema.migrations.schema import run_statements

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))
    connection, named = op.get_bind(), set()
    rows = connection.exec_driver_sql(
        "select id, address, created_at from santral.inbox where provider = 'smtp' and address > '' order by created_at, id"
    )
    for row in rows.all():
        mailbox = mailbox_of(row.address)
        if mailbox not in named:
            named.add(mailbox)
            statement = sa.text("update santral.inbox set mailbox = :mailbox, mailbox_at = :at where id = :id")
            connection.execute(statement, {"mailbox": mailbox, "at": row.created_at, "id": row.id})
    op.execute("create unique index inbox_mailbox_ix on santral.inbox (mailbox)")

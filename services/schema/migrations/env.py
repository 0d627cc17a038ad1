"""Alembic's entry: runs on the connection that `services/schema/migrate.py` opened and locked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy.engine import Connection

_FIRST = "0004"  # the revision that brought the column

connection: Connection = context.config.attributes["connection"]


def state_oldest_head(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:
    """Writes what a revision works with beside it, in the revision's own transaction."""
    script: Any = step.revision_map.get_revision(step.up_revision_id)
    if script.revision >= _FIRST:
        statement = sa.text("update santral.revision set oldest_head = :oldest_head")
        connection.execute(statement, {"oldest_head": script.module.WORKS_WITH})


context.configure(
    connection=connection,
    version_table="revision",
    version_table_schema="santral",
    transaction_per_migration=True,
    on_version_apply=state_oldest_head,
)
with context.begin_transaction():
    context.run_migrations()

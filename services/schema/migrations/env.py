"""Alembic's entry: runs on the connection that `services/schema/migrate.py` opened and locked."""

from __future__ import annotations

from alembic import context
from sqlalchemy.engine import Connection

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="revision", version_table_schema="santral", transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()

"""The tables every room leans on, and the column words all tables use.

Every table but those marked *no workspace* carries ``workspace_id`` first in its key; row-level security is enabled and forced
on each by the migration. Times are ``timestamptz``, suffix ``_at``. Columns with personal data carry ``info={"pii": True}``.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

SCHEMA = "santral"
metadata = sa.MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    },
)

Uuid = pg.UUID(as_uuid=True)
Json = pg.JSONB(none_as_null=True)
Time = sa.TIMESTAMP(timezone=True)


def workspace_id() -> sa.Column[Any]:
    """The first column of a table that belongs to workspaces."""
    return sa.Column("workspace_id", Uuid, nullable=False)


def required(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    """A column that is never null."""
    return sa.Column(name, kind, nullable=False, **options)


def at(name: str, *, null: bool = False, now: bool = False) -> sa.Column[Any]:
    """A point in time; ``now`` lets the database's clock fill it."""
    return sa.Column(name, Time, nullable=null, server_default=sa.text("now()") if now else None)


def reference(table: str, *columns: str, on: tuple[str, ...] = ("workspace_id", "id"), **options: Any) -> sa.ForeignKeyConstraint:
    """A composite foreign key ``(workspace_id, …)`` into another table."""
    return sa.ForeignKeyConstraint(["workspace_id", *columns], [f"{SCHEMA}.{table}.{name}" for name in on], **options)


deployment = sa.Table(  # no workspace: one row, what this database belongs to
    "deployment",
    metadata,
    sa.Column("one", sa.Boolean, primary_key=True, server_default=sa.true()),
    required("incarnation", Uuid),
    sa.Column("kafka_cluster_id", sa.Text),
    at("started_at", now=True),
)

host = sa.Table(  # no workspace: processes that are or were here
    "host",
    metadata,
    sa.Column("id", Uuid, primary_key=True),
    required("process", sa.Text),
    required("machine", sa.Text),
    required("pid", sa.Integer),
    required("version", sa.Text),
    sa.Column("health_url", sa.Text),
    required("facts", Json, server_default=sa.text("'{}'")),
    at("started_at", now=True),
    at("seen_at", now=True),
)

lease = sa.Table(  # no workspace: who does what alone (outbox buckets, dispatch slots, followers)
    "lease",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", Uuid),
    required("epoch", sa.BigInteger, server_default="0"),
    at("until", null=True),
)

partition_lease = sa.Table(  # no workspace: who reads a partition, and how far the effects are
    "partition_lease",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    required("owner", Uuid),
    required("epoch", sa.BigInteger),
    required("next_offset", sa.BigInteger),
    at("updated_at", now=True),
    sa.Column("last_offset", sa.BigInteger),
    at("last_at", null=True),
    sa.Column("last_digest", sa.LargeBinary),
)

receipt = sa.Table(
    "receipt",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("state", sa.Text),
    sa.Column("conversation_id", Uuid),
    sa.Column("seq", sa.BigInteger),
    at("taken_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.CheckConstraint("state in ('taken', 'quarantined', 'erased')", name="state"),
)

event = sa.Table(
    "event",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("type", sa.Text),
    at("at"),
    sa.Column("conversation_id", Uuid),
    sa.Column("seq", sa.BigInteger),
    sa.Column("agent_id", Uuid),
    sa.Column("agent_seq", sa.BigInteger),
    sa.Column("profile_id", Uuid),
    required("data", Json, server_default=sa.text("'{}'"), info={"pii": True}),  # what people gave as a reason or an outcome
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.Index(
        "event_conversation_seq_ix", "workspace_id", "conversation_id", "seq", unique=True,
        postgresql_where=sa.text("conversation_id is not null"),
    ),
    sa.Index(
        "event_agent_seq_ix", "workspace_id", "agent_id", "agent_seq", unique=True,
        postgresql_where=sa.text("agent_id is not null"),
    ),
)  # fmt: skip

outbox = sa.Table(  # what is still to be published; `event` holds the data, deleted after the broker's ack
    "outbox",
    metadata,
    workspace_id(),
    required("event_id", Uuid),
    required("bucket", sa.SmallInteger),
    required("position", sa.BigInteger, server_default=sa.text("nextval('santral.outbox_position')")),
    sa.PrimaryKeyConstraint("workspace_id", "event_id"),
    sa.Index("outbox_bucket_position_ix", "bucket", "position"),
)

"""What a workspace configures of routing: queues and their members, skills, plans, filters, policies."""

from __future__ import annotations

import sqlalchemy as sa

from shared.tables import Json, Uuid, at, metadata, reference, required, workspace_id

skill = sa.Table(
    "skill",
    metadata,
    workspace_id(),
    required("name", sa.Text),
    required("title", sa.Text, server_default=""),
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "name"),
)

queue = sa.Table(
    "queue",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("name", sa.Text),
    required("title", sa.Text, server_default=""),
    required("mode", sa.Text, server_default="push"),  # push, pull, both
    required("comparator", sa.Text, server_default="load"),
    required("goals_s", Json, server_default=sa.text("'{}'")),  # channel → goal in seconds (orders)
    required("targets_s", Json, server_default=sa.text("'{}'")),  # channel → target in seconds (alarms)
    required("offer_s", sa.Integer, server_default="30"),
    required("overflow", sa.Text, server_default=""),
    required("plan", Json, server_default=sa.text("'[]'")),
    required("enabled", sa.Boolean, server_default=sa.true()),
    sa.Column("calendar", sa.Text),  # a calendar's name; null: the workspace's default
    sa.Column("routing", Json),  # the plan as configured: a name or a document; `plan` is what it becomes
    sa.Column("wrap_s", sa.Integer),  # null: as the channel's terms say
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "name"),
    sa.CheckConstraint("mode in ('push', 'pull', 'both')", name="mode"),
)

queue_member = sa.Table(
    "queue_member",
    metadata,
    workspace_id(),
    required("queue_id", Uuid),
    required("agent_id", Uuid),
    required("priority", sa.Integer, server_default="0"),
    required("delay_s", sa.Integer, server_default="0"),
    sa.PrimaryKeyConstraint("workspace_id", "queue_id", "agent_id"),
    reference("queue", "queue_id", ondelete="CASCADE"),
    reference("agent", "agent_id", ondelete="CASCADE"),
    sa.Index("queue_member_agent_ix", "agent_id", "workspace_id"),
)

plan = sa.Table(  # named plans; `steps` is the document as dispatch reads it, with queues by id
    "plan",
    metadata,
    workspace_id(),
    required("name", sa.Text),
    required("title", sa.Text, server_default=""),
    required("document", Json),
    required("steps", Json, server_default=sa.text("'[]'")),
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "name"),
)

agent_filter = sa.Table(  # filters that plans name; kept, because items in flight carry the plan they were given
    "agent_filter",
    metadata,
    workspace_id(),
    required("name", sa.Text),  # the skill it stands for
    required("source", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "name"),
)

policy = sa.Table(  # one row per version; the workspace's active one has `active`
    "policy",
    metadata,
    workspace_id(),
    required("version", sa.BigInteger),
    required("document", Json),
    required("active", sa.Boolean, server_default=sa.false()),
    sa.Column("managed_digest", sa.Text),
    sa.Column("actor", sa.Text),
    at("created_at", now=True),
    required("note", sa.Text, server_default=""),
    at("activated_at", null=True),  # the last time; null: a draft
    sa.Column("activated_by", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "version"),
    sa.Index("policy_active_ix", "workspace_id", unique=True, postgresql_where=sa.text("active")),
)

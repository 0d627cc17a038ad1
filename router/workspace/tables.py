"""What a workspace configures of routing: queues, agents, who serves which queue, skills, plans, filters, policies.

What an agent holds now stands in their row too; `router/moves/capacity.py` keeps it.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

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
    sa.Column("items_max", sa.Integer),  # of this queue at one agent at once; null: any number
    required(
        "purpose", sa.Text, server_default="customers"
    ),  # customers, bulk (nobody's turn: no target, no figures, after everybody)
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "name"),
    sa.CheckConstraint("mode in ('push', 'pull', 'both')", name="mode"),
    sa.CheckConstraint("purpose in ('customers', 'bulk')", name="purpose"),
)

agent = sa.Table(
    "agent",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("name", sa.Text, info={"pii": True}),
    required("kind", sa.Text, server_default="human"),
    sa.Column("user_id", Uuid),
    sa.Column("role", sa.Text, server_default="agent"),  # of an agent without a user; whoever has one has theirs
    required("languages", pg.ARRAY(sa.Text), server_default="{}"),
    required("skills", Json, server_default=sa.text("'{}'")),  # name → level 1..5
    required("budget", sa.Integer, server_default="100"),
    required("used", sa.Integer, server_default="0"),  # assigned + offered + wrapping
    required("interruptible_used", sa.Integer, server_default="0"),
    required("exclusive_held", sa.Integer, server_default="0"),
    required("channels", Json, server_default=sa.text("'{}'")),  # channel → {cost, cap, exclusive, interruptible, enabled}
    required("counts", Json, server_default=sa.text("'{}'")),  # channel → items held
    required("presence", sa.Text, server_default="offline"),
    required("presence_reason", sa.Text, server_default=""),
    at("presence_at", now=True),
    at("lease_until", null=True),  # the socket's ping keeps it
    at("idle_since", now=True),
    required("seq", sa.BigInteger, server_default="0"),
    required("version", sa.BigInteger, server_default="1"),  # of the whole row: dispatch applies the highest
    required("config_version", sa.BigInteger, server_default="1"),  # of what an administrator sets
    required("title", sa.Text, server_default=""),
    required("enabled", sa.Boolean, server_default=sa.true()),
    sa.Column("managed_digest", sa.Text),
    required("attributes", Json, server_default=sa.text("'{}'")),  # what filters of plans ask for
    required("presences", Json, server_default=sa.text("'{}'")),  # channel → away, busy or offline there, while online elsewhere
    at("online_since", null=True),  # the ramp begins here
    at("last_offer_at", null=True),  # when capacity was taken last
    required("turns", Json, server_default=sa.text("'{}'")),  # queue → epoch second at which it last asked in turn
    sa.Column("new_items", Json),  # {items, window_s}: so many new items in such a time; null: the workspace's
    required(
        "recent", Json, server_default=sa.text("'[]'")
    ),  # epoch seconds at which the last new items came, where that is limited
    sa.Column("hours", Json),  # the week's shifts as a calendar's document; null: none
    required("off_shift", sa.Boolean, server_default=sa.false()),  # outside a shift, or on leave
    at("shift_next_at", null=True),  # when off_shift may change
    sa.Index("agent_shift_ix", "shift_next_at", postgresql_where=sa.text("shift_next_at is not null")),
    sa.Index("agent_off_shift_ix", "id", "workspace_id", postgresql_where=sa.text("off_shift")),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("name", "workspace_id"),
    sa.CheckConstraint("presence in ('online', 'busy', 'away', 'not_responding', 'offline')", name="presence"),
    sa.CheckConstraint("used >= 0", name="used"),
)

queue_member = sa.Table(
    "queue_member",
    metadata,
    workspace_id(),
    required("queue_id", Uuid),
    required("agent_id", Uuid),
    required("priority", sa.Integer, server_default="0"),
    required("delay_s", sa.Integer, server_default="0"),
    sa.Column("items_max", sa.Integer),  # null: the queue's
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

agent_filter = sa.Table(  # filters that plans name; kept while items in flight carry the plan they were given
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

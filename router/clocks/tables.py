"""What time keeps up to date: each queue's pace, and agents' dated shifts."""

from __future__ import annotations

import sqlalchemy as sa

from shared.tables import Uuid, at, metadata, reference, required, workspace_id

queue_pace = sa.Table(  # each queue as it was measured last: how long its line is, how fast it moves
    "queue_pace",
    metadata,
    workspace_id(),
    required("queue_id", Uuid),
    required("waiting", sa.Integer),
    required("oldest_s", sa.Double),
    required("online", sa.Integer),
    required("finished", sa.Integer),  # in the window measured
    sa.Column("handling_s", sa.Double),
    sa.Column("per_s", sa.Double),  # departures a second; null while nobody knows
    at("measured_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "queue_id"),
    reference("queue", "queue_id", ondelete="CASCADE"),
)

shift = sa.Table(  # dated shifts and leave of agents; the week's own shifts stand with the agent
    "shift",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("agent_id", Uuid),
    required("kind", sa.Text),  # shift, leave
    at("starts_at"),
    at("ends_at"),
    required("reason", sa.Text, server_default="", info={"pii": True}),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("agent", "agent_id", ondelete="CASCADE"),
    sa.Index("shift_agent_ix", "agent_id", "workspace_id", "ends_at"),
    sa.CheckConstraint("kind in ('shift', 'leave')", name="kind"),
)

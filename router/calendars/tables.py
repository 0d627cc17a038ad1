"""Calendars, service levels and the clocks that run by them."""

from __future__ import annotations

import sqlalchemy as sa

from shared.tables import Json, Uuid, at, metadata, reference, required, workspace_id

calendar = sa.Table(
    "calendar",
    metadata,
    workspace_id(),
    required("name", sa.Text),
    required("title", sa.Text, server_default=""),
    required("time_zone", sa.Text, server_default="UTC"),
    sa.Column("hours", Json),  # day → spans; null: round the clock
    sa.Column("holidays", Json),  # {country, subdivision, categories, half_day_until}
    required("overrides", Json, server_default=sa.text("'{}'")),  # date → spans
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "name"),
)

sla = sa.Table(
    "sla",
    metadata,
    workspace_id(),
    required("name", sa.Text),
    required("title", sa.Text, server_default=""),
    sa.Column("calendar", sa.Text),  # null: the queue's
    sa.Column("escalate_to", sa.Text),  # a queue's name
    required("warn_share", sa.Double, server_default="0.8"),
    required(
        "targets", Json, server_default=sa.text("'[]'")
    ),  # {channel, tier, first_response_s, resolution_s, calendar, escalate_to}
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "name"),
)

sla_clock = sa.Table(  # one per item and kind of target; ended by met_at or stopped_at
    "sla_clock",
    metadata,
    workspace_id(),
    required("item_id", Uuid),
    required("kind", sa.Text),  # first_response, resolution
    required("sla", sa.Text, server_default=""),
    sa.Column("queue_id", Uuid),  # whose target it counts; null in rows of an older release: the item's queue
    required("target_s", sa.BigInteger),
    required("warn_s", sa.BigInteger),
    required("calendar", sa.Text),
    sa.Column("escalate_to", sa.Text),
    at("started_at"),
    at("resumed_at", null=True),  # since when it runs; null while it is paused
    at("paused_at", null=True),
    required("elapsed_s", sa.Double, server_default="0"),  # counted before resumed_at
    at("due_at", null=True),
    at("warn_at", null=True),
    at("next_at", null=True),  # when something happens by itself
    at("warned_at", null=True),
    at("breached_at", null=True),
    at("escalated_at", null=True),
    at("met_at", null=True),
    at("stopped_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "item_id", "kind"),
    reference("work_item", "item_id", ondelete="CASCADE"),
    sa.Index("sla_clock_running_ix", "item_id", "workspace_id", postgresql_where=sa.text("met_at is null and stopped_at is null")),
    sa.CheckConstraint("kind in ('first_response', 'resolution')", name="kind"),
)

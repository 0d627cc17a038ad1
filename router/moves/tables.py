"""Work items, offers, the agents whose capacity they take, and dispatch's feed."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.tables import Json, Uuid, at, metadata, reference, required, workspace_id

agent = sa.Table(
    "agent",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("name", sa.Text, info={"pii": True}),
    required("kind", sa.Text, server_default="human"),
    sa.Column("user_id", Uuid),
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

work_item = sa.Table(
    "work_item",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("conversation_id", Uuid),
    required("queue_id", Uuid),
    required("channel", sa.Text),
    required("kind", sa.Text, server_default="conversation"),  # conversation, callback, call
    required("state", sa.Text),
    required("version", sa.BigInteger, server_default="1"),
    required("due_class", sa.SmallInteger, server_default="1"),
    at("due_at"),  # the key: (due_class, due_at), smaller first, computed once per enqueue
    at("enqueued_at"),  # the customer's first wait; counts from accepted_at
    at("queued_at"),  # since when in this state
    required("plan", Json, server_default=sa.text("'[]'")),
    required("step", sa.SmallInteger, server_default="0"),
    at("step_at"),
    required("skills", Json, server_default=sa.text("'{}'")),
    required("held", Json, server_default=sa.text("'{}'")),  # agent → {cost, interruptible, exclusive} that it uses now
    sa.Column("agent_id", Uuid),  # who holds it: offered, assigned, wrapping
    sa.Column("offer_id", Uuid),
    sa.Column("sticky_agent_id", Uuid),
    at("sticky_until", null=True),
    sa.Column("last_agent_id", Uuid),
    required("excluded", Json, server_default=sa.text("'{}'")),  # agent → {count, until}
    sa.Column("target_agent_id", Uuid),  # a direct offer, by transfer
    sa.Column("giver_agent_id", Uuid),
    sa.Column("reopened_from", Uuid),
    sa.Column("policy_version", sa.BigInteger),
    sa.Column("profile_version", sa.BigInteger),
    sa.Column("decision_id", Uuid),
    required("external", sa.Boolean, server_default=sa.false()),
    required("reopen_count", sa.Integer, server_default="0"),
    sa.Column("last_offered_agent_id", Uuid),
    at("hold_until", null=True),
    at("expires_at", null=True),  # its time to live
    required("overflowed", sa.Boolean, server_default=sa.false()),
    at("assigned_at", null=True),
    at("first_reply_at", null=True),
    at("parked_at", null=True),
    at("timer_at", null=True),  # the next thing that happens by itself: an offer ends, it parks, wakes, completes
    at("closed_at", null=True),
    required("outcome", Json, server_default=sa.text("'{}'"), info={"pii": True}),
    sa.Column("predicted_s", sa.Double),  # the wait foretold when it was queued: half wait at most this
    sa.Column("predicted_p90_s", sa.Double),  # … and nine of ten at most this
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("conversation", "conversation_id"),
    reference("queue", "queue_id"),
    sa.Index(
        "work_item_open_ix", "workspace_id", "conversation_id", unique=True,
        postgresql_where=sa.text("state not in ('completed', 'abandoned', 'canceled')"),
    ),
    sa.Index("work_item_conversation_ix", "conversation_id", "workspace_id"),
    sa.Index(
        "work_item_queued_ix", "workspace_id", "queue_id", "due_class", "due_at", postgresql_where=sa.text("state = 'queued'"),
    ),
    sa.Index(
        "work_item_agent_ix", "workspace_id", "agent_id",
        postgresql_where=sa.text("state in ('offered', 'assigned', 'wrapping')"),
    ),
    sa.Index("work_item_closed_ix", "closed_at", postgresql_where=sa.text("closed_at is not null")),
    sa.Index(
        "work_item_giver_ix", "workspace_id", "giver_agent_id",
        postgresql_where=sa.text("giver_agent_id is not null and state in ('queued', 'offered')"),
    ),
    sa.Index("work_item_timer_ix", "timer_at", postgresql_where=sa.text("timer_at is not null")),
    sa.CheckConstraint(
        "state in ('queued', 'offered', 'assigned', 'parked', 'wrapping', 'completed', 'abandoned', 'canceled')", name="state"
    ),
)  # fmt: skip

offer = sa.Table(
    "offer",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("item_id", Uuid),
    required("agent_id", Uuid),
    required("decision_id", Uuid),
    required("state", sa.Text),  # open, accepted, declined, expired, rescinded, revoked
    required("reason", sa.Text, server_default=""),
    at("made_at", now=True),
    at("until"),
    at("closed_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("work_item", "item_id"),
    reference("agent", "agent_id"),
    sa.Index("offer_open_ix", "until", postgresql_where=sa.text("state = 'open'")),
    sa.Index("offer_agent_ix", "workspace_id", "agent_id", postgresql_where=sa.text("state = 'open'")),
)

dispatch_change = sa.Table(  # dispatch's feed: no order, no key; duplicates fold in memory
    "dispatch_change",
    metadata,
    workspace_id(),
    required("slot", sa.SmallInteger),
    required("kind", sa.Text),  # item, agent, queue
    required("id", Uuid),
    sa.Index("dispatch_change_slot_ix", "slot"),
)

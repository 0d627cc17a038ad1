"""Work items, their offers, and dispatch's feed."""

from __future__ import annotations

import sqlalchemy as sa

from shared.tables import Json, Uuid, at, metadata, reference, required, workspace_id

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
    sa.Column("begun_by", Uuid),  # the agent who began it by their own word, with a customer whom they did not see
    at("own_word_at", null=True),  # since when it stands where it does by the word of an agent who sees less, not the customer's
    required("by_name", sa.Boolean, server_default=sa.false()),  # who has it was named: by a supervisor, or by who gave it away
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
    required("reason", sa.Text, server_default="", info={"pii": True}),  # the agent's own words for declining
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

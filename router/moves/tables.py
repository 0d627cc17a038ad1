"""Conversations and messages, work items and offers, agents, queues, policies, decisions, quarantine."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.tables import Json, Uuid, at, metadata, reference, required, workspace_id

conversation = sa.Table(
    "conversation",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("handle_id", Uuid),  # whose conversation: the person is the component of this handle
    required("inbox_id", Uuid),  # where it began; a reply goes to the last inbox the customer used
    required("last_inbox_id", Uuid),
    required("last_handle_id", Uuid),
    required("channel", sa.Text),
    required("channels", pg.ARRAY(sa.Text), server_default="{}"),
    required("visibility", sa.Text, server_default="private"),
    required("subject", sa.Text, server_default="", info={"pii": True}),
    required("language", sa.Text, server_default=""),
    required("state", sa.Text, server_default="open"),  # open, closed
    required("seq", sa.BigInteger, server_default="0"),  # the last number given: messages and events share it
    required("thread_key", sa.Text, server_default=""),  # post:… where a channel separates threads of one person
    sa.Column("last_agent_id", Uuid),
    at("opened_at"),
    at("last_in_at", null=True),
    at("last_out_at", null=True),
    at("window_expires_at", null=True),
    at("closed_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("handle", "handle_id"),
    sa.Column("merged_into", Uuid),  # where its messages are now, and what is said next goes
    reference("inbox", "inbox_id"),
    sa.Index("conversation_handle_ix", "handle_id", "workspace_id", "opened_at"),
    sa.Index("conversation_last_handle_ix", "last_handle_id", "workspace_id", "opened_at"),
    sa.Index("conversation_merged_ix", "merged_into", "workspace_id", postgresql_where=sa.text("merged_into is not null")),
    sa.Index("conversation_gone_ix", "handle_id", "workspace_id", postgresql_where=sa.text("merged_into is not null")),
    sa.Index("conversation_last_gone_ix", "last_handle_id", "workspace_id", postgresql_where=sa.text("merged_into is not null")),
    sa.CheckConstraint("state in ('open', 'closed')", name="state"),
)

message = sa.Table(
    "message",
    metadata,
    workspace_id(),
    required("conversation_id", Uuid),
    required("seq", sa.BigInteger),
    required("id", Uuid),
    required("direction", sa.Text),
    required("kind", sa.Text),
    required("channel", sa.Text),
    required("provider", sa.Text),
    required("inbox_id", Uuid),
    sa.Column("handle_id", Uuid),
    sa.Column("agent_id", Uuid),  # who wrote, of direction out
    required("visibility", sa.Text),
    required("external_id", sa.Text, info={"pii": True}),
    required("subject", sa.Text, server_default="", info={"pii": True}),
    required("text", sa.Text, server_default="", info={"pii": True}),
    required("body", Json, server_default=sa.text("'{}'"), info={"pii": True}),
    # body: text_stripped, parts, participants, call, automatic, in_reply_to, authenticated, content (of replies), traits
    # measures and words of closed lists, but for the labels of an operator's model
    required("signals", Json, server_default=sa.text("'{}'"), info={"pii": True}),
    at("accepted_at"),
    at("sent_at", null=True),
    at("stored_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "conversation_id", "seq"),
    reference("conversation", "conversation_id"),
)

thread_ref = sa.Table(  # what a later message may answer: mid:<rfc id>, post:<id>, ext:<inbox>:<provider id> …
    "thread_ref",
    metadata,
    workspace_id(),
    required("ref", sa.Text, info={"pii": True}),
    required("conversation_id", Uuid),
    sa.Column("message_id", Uuid),
    sa.PrimaryKeyConstraint("workspace_id", "ref"),
    reference("conversation", "conversation_id"),
    sa.Index("thread_ref_conversation_ix", "conversation_id", "workspace_id"),
)

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

decision = sa.Table(
    "decision",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("kind", sa.Text),  # routing (intake), dispatch
    required("conversation_id", Uuid),
    sa.Column("item_id", Uuid),
    sa.Column("message_id", Uuid),
    required("record", Json, info={"pii": True}),
    at("decided_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.Index("decision_conversation_ix", "conversation_id", "workspace_id"),
    sa.Index("decision_errors_ix", "workspace_id", "id", postgresql_where=sa.text("record ? 'errors'")),
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

quarantine = sa.Table(
    "quarantine",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("message_id", Uuid),
    sa.Column("inbox_id", Uuid),
    required("reason", sa.Text),
    required("error", sa.Text, server_default="", info={"pii": True}),
    required("error_hash", sa.Text, server_default=""),
    required("record", sa.LargeBinary, info={"pii": True}),  # the bytes as they came
    required("headers", Json, server_default=sa.text("'{}'"), info={"pii": True}),
    required("source", Json, server_default=sa.text("'{}'")),  # topic, partition, offset
    required("attempts", sa.Integer, server_default="1"),
    required("state", sa.Text, server_default="open"),  # open, replayed, discarded
    at("accepted_at"),
    at("quarantined_at", now=True),
    at("resolved_at", null=True),
    sa.Column("resolved_by", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "message_id"),
    sa.Index("quarantine_open_ix", "workspace_id", "quarantined_at", postgresql_where=sa.text("state = 'open'")),
)

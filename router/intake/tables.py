"""Conversations with their messages and references, decisions, quarantine."""

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
    # body: text_stripped, parts, participants, call, in_reply_to, authenticated, content (of replies), traits, contents, about, filtered;
    # aside (it moved nothing of who is answered, where and how), bulk (from nobody we know, to many), made_work;
    # automatic (a machine wrote it) or marks (a person's, which no machine of ours may answer)
    # measures and words of closed lists, but for the labels of an operator's model
    required("signals", Json, server_default=sa.text("'{}'"), info={"pii": True}),
    at("accepted_at"),
    at("sent_at", null=True),
    at("stored_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "conversation_id", "seq"),
    reference("conversation", "conversation_id"),
    # what is kept out of work, and mail of strangers to many: the newest first, and a day's
    sa.Index(
        "message_aside_ix", "workspace_id", "accepted_at", "id", postgresql_where=sa.text("body ? 'automatic' or body ? 'bulk'")
    ),
)

bulk_digest = (
    sa.Table(  # what came in a day (by the workspace's own clock) in bulk from nobody we know; the words stay in the messages
        "bulk_digest",
        metadata,
        workspace_id(),
        required("day", sa.Date),
        required("mails", sa.Integer),
        required("senders", sa.Integer),
        required("message_ids", pg.ARRAY(Uuid)),  # the newest of them
        at("made_at", now=True),
        sa.PrimaryKeyConstraint("workspace_id", "day"),
    )
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
    required("state", sa.Text, server_default="open"),  # open, replaying, replayed, discarded
    at("accepted_at"),
    at("quarantined_at", now=True),
    at("resolved_at", null=True),
    sa.Column("resolved_by", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "message_id"),
    sa.Index("quarantine_open_ix", "workspace_id", "quarantined_at", postgresql_where=sa.text("state = 'open'")),
    sa.Index("quarantine_replaying_ix", "workspace_id", "id", postgresql_where=sa.text("state = 'replaying'")),
)

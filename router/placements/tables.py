"""Where people moved messages: each merge, split or move is an operation, each message's way in it a placement.

A message's conversation is a column of the message; what is here is the record, and what an undo needs.
"""

from __future__ import annotations

import sqlalchemy as sa

from shared.tables import Json, Uuid, at, metadata, required, workspace_id

placement_operation = sa.Table(
    "placement_operation",
    metadata,
    workspace_id(),
    required("id", Uuid),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),  # the order in which they were done
    required("kind", sa.Text),  # merge, split, move
    required("from_conversation_id", Uuid),
    required("to_conversation_id", Uuid),
    sa.Column("reason", sa.Text, info={"pii": True}),
    required("actor", sa.Text),
    required("prior", Json),  # what the conversations and their work were before: ids, words of lists, times
    at("done_at", now=True),
    at("undone_at", null=True),
    sa.Column("undone_by", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.Index("placement_operation_from_ix", "from_conversation_id", "workspace_id", "number"),
    sa.Index("placement_operation_to_ix", "to_conversation_id", "workspace_id", "number"),
    sa.CheckConstraint("kind in ('merge', 'split', 'move')", name="kind"),
)

placement = sa.Table(  # append-only; an undo is a placement too
    "placement",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("message_id", Uuid),
    required("from_conversation_id", Uuid),
    required("to_conversation_id", Uuid),
    required("actor", sa.Text),
    at("placed_at", now=True),
    required("operation_id", Uuid),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),  # the message's last is where it is now
    required("from_seq", sa.BigInteger),
    required("to_seq", sa.BigInteger),
    required("undo", sa.Boolean, server_default=sa.false()),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.Index("placement_message_ix", "message_id", "workspace_id", "number"),
    sa.Index("placement_operation_ix", "operation_id", "workspace_id", "number"),
)

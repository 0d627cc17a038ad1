"""Files that are kept for answers."""

from __future__ import annotations

import sqlalchemy as sa

from shared.tables import Uuid, at, metadata, required, workspace_id

kept_file = sa.Table(  # one answer's, or waiting for it; what they are called stands in the answer
    "kept_file",
    metadata,
    workspace_id(),
    required("blob", sa.Text),  # the key in the blob store
    required(
        "number", sa.Integer, server_default="0"
    ),  # others than 0 only where an earlier release let several answers name one file
    sa.Column("message_id", Uuid),  # the answer that took it
    sa.Column("size_bytes", sa.BigInteger),  # not known of what an earlier release kept
    at("kept_at", now=True),
    sa.Column("kept_by", sa.Text),  # not known of what an earlier release kept
    sa.PrimaryKeyConstraint("workspace_id", "blob", "number"),
    sa.Index("kept_file_message_ix", "workspace_id", "message_id", postgresql_where=sa.text("message_id is not null")),
    sa.Index("kept_file_unsent_ix", "workspace_id", "kept_at", postgresql_where=sa.text("message_id is null")),
)

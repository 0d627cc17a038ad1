"""Connections, inboxes and the places followers have reached."""

from __future__ import annotations

import sqlalchemy as sa

from shared.tables import Json, Uuid, at, metadata, reference, required, workspace_id

connection = sa.Table(
    "connection",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("name", sa.Text),
    required("provider", sa.Text),
    required("path_token", sa.Text, unique=True),  # /in/{path_token}: unguessable
    required("settings", Json, server_default=sa.text("'{}'")),
    sa.Column("secrets", sa.LargeBinary),  # sealed, see shared/sealing.py
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    at("created_at", now=True),
    at("updated_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "name"),
)

inbox = sa.Table(
    "inbox",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("name", sa.Text),
    required("channel", sa.Text),
    required("provider", sa.Text),
    sa.Column("connection_id", Uuid),
    sa.Column("address", sa.Text),  # mailbox address, phone_number_id, page id …: how a provider names this inbox
    required(
        "grace", sa.Boolean, server_default=sa.false()
    ),  # from before every inbox got a secret: open until the operator's date
    sa.Column("mailbox", sa.Text),  # the address in one form, where it is this inbox's and no other's (`ingest/mailboxes.py`)
    at("mailbox_at", null=True),
    required("path_token", sa.Text, unique=True),
    required("settings", Json, server_default=sa.text("'{}'")),
    sa.Column("secrets", sa.LargeBinary),
    required("enabled", sa.Boolean, server_default=sa.true()),
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    at("created_at", now=True),
    at("updated_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "name"),
    reference("connection", "connection_id"),
    sa.Index("inbox_connection_address_ix", "workspace_id", "connection_id", "address", unique=True),
    sa.Index("inbox_provider_address_ix", "provider", "address"),
    sa.Index("inbox_mailbox_ix", "mailbox", unique=True),
)

follower_place = sa.Table(  # where a follower is in what it follows, by its own words
    "poll",
    metadata,
    workspace_id(),
    required("inbox_id", Uuid),
    required("source", sa.Text),
    required("place", Json),
    at("updated_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "inbox_id", "source"),
    reference("inbox", "inbox_id", ondelete="CASCADE"),
)

signature_use = sa.Table(  # one-time signature tokens, remembered with the message they were good for
    "signature_use",
    metadata,
    workspace_id(),
    required("connection_or_inbox_id", Uuid),
    required("token", sa.Text),
    required("body_digest", sa.LargeBinary),
    at("used_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "connection_or_inbox_id", "token"),
    sa.Index("signature_use_used_at_ix", "used_at"),
)

"""Workspaces, people who sign in, keys, sessions, idempotency, deliveries, the audit and its chain."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.tables import Json, Uuid, at, metadata, reference, required, workspace_id

workspace = sa.Table(
    "workspace",
    metadata,
    required("workspace_id", Uuid, unique=True),
    required("id", Uuid),
    required("name", sa.Text, unique=True),
    required("title", sa.Text, server_default=""),
    required("settings", Json, server_default=sa.text("'{}'")),
    # settings: region, languages, time_zone, continue_within_s, reopen_within_s, park_chat_after_s, keywords, authserv_id …
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    at("created_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.CheckConstraint("workspace_id = id", name="self"),
)

role = sa.Table(
    "role",
    metadata,
    workspace_id(),
    required("name", sa.Text),
    required("scopes", pg.ARRAY(sa.Text)),
    required("visibility", sa.Text),  # own, team, queue, workspace
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "name"),
    sa.CheckConstraint("visibility in ('own', 'team', 'queue', 'workspace')", name="visibility"),
)

user = sa.Table(
    "user",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("name", sa.Text, info={"pii": True}),
    sa.Column("email", sa.Text, info={"pii": True}),
    required("role", sa.Text),
    required("enabled", sa.Boolean, server_default=sa.true()),
    required("version", sa.BigInteger, server_default="1"),
    sa.Column("managed_digest", sa.Text),
    at("created_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "name"),
    reference("role", "role", on=("workspace_id", "name")),
)

api_key = sa.Table(
    "api_key",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("public_id", sa.Text, unique=True),
    required("secret_hash", sa.LargeBinary),
    required("name", sa.Text),
    required("scopes", pg.ARRAY(sa.Text)),
    at("created_at", now=True),
    at("expires_at", null=True),
    at("revoked_at", null=True),
    at("used_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
)

session = sa.Table(  # agents' and visitors' tokens; the secret itself is never stored
    "session",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("kind", sa.Text),  # agent, visitor, code (a page's first code, good once)
    required("public_id", sa.Text, unique=True),
    required("secret_hash", sa.LargeBinary),
    sa.Column("user_id", Uuid),
    sa.Column("agent_id", Uuid),
    sa.Column("inbox_id", Uuid),
    sa.Column("visitor_id", Uuid),
    required("claims", Json, server_default=sa.text("'{}'"), info={"pii": True}),
    at("created_at", now=True),
    at("expires_at"),
    at("revoked_at", null=True),
    at("used_at", now=True),  # to the minute; an agent's session ends half an hour after it
    at("wrote_at", null=True),  # a visitor's first word in it
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.Index("session_agent_ix", "workspace_id", "agent_id"),
    sa.Index("session_visitor_ix", "workspace_id", "visitor_id", postgresql_where=sa.text("visitor_id is not null")),
)

visitor_join = sa.Table(  # an anonymous visitor whose chat became a customer's, for good and for one only
    "visitor_join",
    metadata,
    workspace_id(),
    required("inbox_id", Uuid),
    required("visitor_id", Uuid),
    required("customer_id", Uuid),  # the visitor's id that the customer has in this inbox
    at("joined_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "inbox_id", "visitor_id"),
    sa.Index("visitor_join_customer_ix", "workspace_id", "inbox_id", "customer_id"),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    workspace_id(),
    required("key", sa.Text, info={"pii": True}),  # the caller's word
    required("body_hash", sa.LargeBinary),
    required("message_id", Uuid),
    at("created_at", now=True),
    at("published_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "key"),
    sa.Index("idempotency_message_ix", "workspace_id", "message_id"),
)

delivery = sa.Table(  # one reply on its way to a provider
    "delivery",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("conversation_id", Uuid),
    required("message_id", Uuid),  # the reply: a message of direction out
    required("inbox_id", Uuid),
    required("handle_id", Uuid),
    sa.Column("item_id", Uuid),
    sa.Column("agent_id", Uuid),
    required("state", sa.Text, server_default="queued"),  # queued, sent, delivered, read, failed
    required("reason", sa.Text, server_default="", info={"pii": True}),  # the provider's answer may name the recipient
    sa.Column("provider_id", sa.Text),
    required("request", Json, info={"pii": True}),  # what to send: content, to, cc, bcc, refs
    required("attempts", sa.Integer, server_default="0"),
    sa.Column("owner", Uuid),
    at("due_at", now=True),  # the next try; a courier that takes it pushes this ahead as its lease
    at("created_at", now=True),
    at("sent_at", null=True),
    at("closed_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "message_id"),
    sa.Index("delivery_due_ix", "due_at", postgresql_where=sa.text("state = 'queued'")),
    sa.Index("delivery_provider_ix", "workspace_id", "inbox_id", "provider_id"),
    sa.CheckConstraint("state in ('queued', 'sent', 'delivered', 'read', 'failed')", name="state"),
)

audit = sa.Table(  # append-only: no runtime role may update or delete
    "audit",
    metadata,
    workspace_id(),
    required("id", Uuid),
    at("at", now=True),
    required("actor", sa.Text),
    required("action", sa.Text),
    sa.Column("target_kind", sa.Text),
    sa.Column("target_id", sa.Text),
    required("details", Json, server_default=sa.text("'{}'")),
    sa.Column("address", sa.Text, info={"pii": True}),  # of the caller; null where nobody called
    sa.Column("software", sa.Text, info={"pii": True}),  # what the caller's program says it is
    sa.Column("request_id", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.Index("audit_at_ix", "workspace_id", "at", "id"),
)

audit_link = sa.Table(  # the chain over the audit, written after the rows' transactions; append-only, and for the worker alone
    "audit_link",
    metadata,
    workspace_id(),
    required("number", sa.BigInteger),  # from 1 without a gap
    required("audit_id", Uuid),
    at("happened_at"),  # the row's time, kept when the row has expired
    required("row_digest", sa.LargeBinary),
    required("digest", sa.LargeBinary),  # of the link before and this one
    sa.PrimaryKeyConstraint("workspace_id", "number"),
    sa.UniqueConstraint("workspace_id", "happened_at", "audit_id", name="audit_link_row_key"),
    sa.CheckConstraint("number > 0", name="number"),
)

audit_anchor = sa.Table(  # where the chain begins since links expired; written by the owner's functions only
    "audit_anchor",
    metadata,
    workspace_id(),
    required("number", sa.BigInteger, server_default="0"),  # of the last link that expired
    sa.Column("digest", sa.LargeBinary),
    at("expired_before"),  # how far retention has come: no row from then on may be gone
    sa.PrimaryKeyConstraint("workspace_id"),
)

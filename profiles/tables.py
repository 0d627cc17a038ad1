"""Handles, the link ledger, and facts about people.

``handle.profile_id`` is the materialized partition: the id of the component's oldest handle, so every handle's own id is the
id of a profile it once was or may be again, and a merge moves no message and no conversation.
"""

from __future__ import annotations

import sqlalchemy as sa

from shared.tables import Json, Uuid, at, metadata, reference, required, workspace_id

handle = sa.Table(
    "handle",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("kind", sa.Text),
    required("scope", sa.Text, server_default=""),
    required("value", sa.Text, info={"pii": True}),
    required("raw", sa.Text, server_default="", info={"pii": True}),
    required("name", sa.Text, server_default="", info={"pii": True}),
    required("profile_id", Uuid),
    required("assurance", sa.Text, server_default="asserted"),  # the best the channel ever vouched for
    required("shared", sa.Boolean, server_default=sa.false()),  # belongs to no single person: merges nobody
    required("shared_by", sa.Text, server_default=""),  # why: placeholder, withheld, role_mailbox, own, fan_out, agent
    at("first_seen_at", now=True),
    at("last_seen_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    # The telling column first: before a table has statistics the planner picks among indexes that start alike by chance, and a
    # look-up by key must not walk through a whole workspace.
    sa.UniqueConstraint("value", "kind", "scope", "workspace_id"),
    sa.Index("handle_profile_ix", "profile_id", "workspace_id"),
)

profile = sa.Table(  # one row per component that is or was; found again after an un-merge
    "profile",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("version", sa.BigInteger, server_default="1"),
    required("merged_into", Uuid, server_default=sa.text("'00000000-0000-0000-0000-000000000000'")),
    sa.Column("last_agent_id", Uuid),
    required("effective", Json, server_default=sa.text("'{}'"), info={"pii": True}),
    at("created_at", now=True),
    at("changed_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("handle", "id"),
)

link = sa.Table(  # append-only: evidence that two handles are one person; `a` sorts before `b`
    "link",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("a", Uuid),
    required("b", Uuid),
    required("kind", sa.Text),  # same_message, identify, import, agent, authenticated_session
    required("assurance", sa.Text),
    required("source", sa.Text),  # message:<id>, user:<id>, key:<id>, import:<id>
    required("evidence", Json, server_default=sa.text("'{}'")),
    sa.Column("actor", sa.Text),
    at("first_seen_at"),
    at("last_seen_at"),
    at("verified_at", null=True),
    at("expires_at", null=True),
    at("retracted_at", null=True),
    sa.Column("retracted_by", sa.Text),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "source", "a", "b", "kind"),
    reference("handle", "a"),
    reference("handle", "b"),
    sa.Index("link_a_ix", "workspace_id", "a", "b"),
    sa.Index("link_b_ix", "workspace_id", "b"),
    sa.CheckConstraint("a < b", name="order"),
)

cannot_link = sa.Table(  # two handles that are never one person, and who said so
    "cannot_link",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("a", Uuid),
    required("b", Uuid),
    required("reason", sa.Text),
    sa.Column("actor", sa.Text),
    at("stated_at", now=True),
    at("retracted_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("handle", "a"),
    reference("handle", "b"),
    sa.Index("cannot_link_a_ix", "workspace_id", "a"),
    sa.Index("cannot_link_b_ix", "workspace_id", "b"),
    sa.CheckConstraint("a < b", name="order"),
)

fact = sa.Table(  # attribute values with their provenance; the effective one is chosen by survivorship
    "fact",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("handle_id", Uuid),
    required("name", sa.Text),
    required("value", Json, info={"pii": True}),
    required("source", sa.Text),
    required("assurance", sa.Text),
    at("observed_at"),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "handle_id", "name", "source"),
    reference("handle", "handle_id"),
)

consent = sa.Table(  # statements per purpose and channel, never overwritten
    "consent",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("handle_id", Uuid),
    required("purpose", sa.Text),
    required("channel", sa.Text),
    required("granted", sa.Boolean),
    required("source", sa.Text),
    at("stated_at"),
    at("expires_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("handle", "handle_id"),
    sa.Index("consent_handle_ix", "workspace_id", "handle_id"),
)

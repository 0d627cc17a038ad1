"""What the promises about personal data leave behind: erasures, exports, views, files to remove, runs of retention, legal holds.

None of these holds personal data but a hold's reason: hashes under the deployment's secret, ids, closed words, counts and times.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.tables import Json, Uuid, at, metadata, required, workspace_id

erasure = sa.Table(  # an erasure asked for, its progress, and what it did, kept for ever
    "erasure",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("profile_id", Uuid),
    required("reason", sa.Text),  # a closed word: free text would be a place for what must go
    required("actor", sa.Text),
    required("state", sa.Text, server_default="asked"),  # asked, running, held (waits for the end of a legal hold), done
    required("step", sa.Text, server_default="quarantine"),
    required("place", Json, server_default=sa.text("'{}'")),  # where the step is: the last id it has seen
    required("counts", Json, server_default=sa.text("'{}'")),  # rows per table
    at("due_at", now=True),  # the next try; a courier that takes it pushes this ahead as its lease
    at("asked_at", now=True),
    at("erased_at", null=True),  # what was observed before is refused
    at("log_ends_at", null=True),  # when the last record on the messages topic has run out
    at("done_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.CheckConstraint("state in ('asked', 'running', 'held', 'done')", name="state"),
    sa.Index("erasure_open_ix", "workspace_id", "profile_id", unique=True, postgresql_where=sa.text("state <> 'done'")),
    sa.Index("erasure_due_ix", "due_at", postgresql_where=sa.text("state <> 'done'")),
)

blob_removal = sa.Table(  # files whose rows are gone already; a key that ends with a slash is a message's whole folder
    "blob_removal",
    metadata,
    workspace_id(),
    required("key", sa.Text),
    required("cause", Uuid),  # the erasure, redaction or run of retention
    at("asked_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "key"),
    sa.Index("blob_removal_cause_ix", "cause", "workspace_id"),
)

blob_orphan = sa.Table(  # folders of incoming messages that nobody has a record of, and since when that is known
    "blob_orphan",
    metadata,
    workspace_id(),
    required("message_id", Uuid),
    at("seen_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "message_id"),
)

person_export = sa.Table(  # an export of one person's data, and where its archive is until it expires
    "person_export",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("profile_id", Uuid),
    required("handles", pg.ARRAY(Uuid), server_default="{}"),  # whose words it holds: the person's, and those who wrote to them
    required("actor", sa.Text),
    required("state", sa.Text, server_default="asked"),  # asked, running, done, failed, expired
    required("done", sa.Integer, server_default="0"),
    required("parts", sa.Integer, server_default="0"),
    sa.Column("blob", sa.Text),
    sa.Column("size_bytes", sa.BigInteger),
    required("attempts", sa.Integer, server_default="0"),
    at("due_at", now=True),  # the next try, and once it is done the time at which it expires
    at("asked_at", now=True),
    at("done_at", null=True),
    at("expires_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.CheckConstraint("state in ('asked', 'running', 'done', 'failed', 'expired')", name="state"),
    sa.Index("person_export_due_ix", "due_at", postgresql_where=sa.text("state in ('asked', 'running', 'done')")),
)

profile_view = sa.Table(  # who looked at whom, never at what
    "profile_view",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("profile_id", Uuid),
    required("actor", sa.Text),
    at("at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.Index("profile_view_profile_ix", "profile_id", "workspace_id", "id"),
)

retention_run = sa.Table(  # what retention removed, by class
    "retention_run",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("class", sa.Text),
    required("days", sa.Integer),
    required("removed", sa.BigInteger, server_default="0"),
    at("at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
)

hold = sa.Table(  # a person or a conversation of whom nothing may be removed until it ends; ended ones stay
    "hold",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("kind", sa.Text),  # person, case
    required("subject_id", Uuid),  # a profile, or a conversation
    required(
        "handles", pg.ARRAY(Uuid), server_default="{}"
    ),  # the person's when it was placed, so that an un-merge frees none of them
    required("reason", sa.Text, info={"pii": True}),
    required("placed_by", sa.Text),
    at("placed_at", now=True),
    at("until", null=True),  # ends by itself then
    sa.Column("lifted_by", sa.Text),
    at("lifted_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.CheckConstraint("kind in ('person', 'case')", name="kind"),
    sa.Index("hold_open_ix", "workspace_id", postgresql_where=sa.text("lifted_at is null")),
)

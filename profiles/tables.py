"""Handles, the link ledger, and facts about people.

``handle.profile_id`` is the materialized partition: the id of the component's oldest handle, so every handle's own id is the
id of a profile it once was or may be again, and a merge moves no message and no conversation.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

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
    # Of an id that one business alone knows somebody by: that business's accounts with the provider which it was seen at.
    required("accounts", pg.ARRAY(sa.Text), server_default="{}"),
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
    required("search", sa.Text, server_default="", info={"pii": True}),  # folded words of names, handles and values
    at("created_at", now=True),
    at("changed_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("handle", "id"),
    sa.Index("profile_changed_ix", "workspace_id", "changed_at", "id"),
    sa.Index("profile_search_ix", sa.text("array_to_tsvector(string_to_array(search, ' '))"), postgresql_using="gin"),
)

profile_change = sa.Table(  # every version after the first: what changed and by which evidence; ids and words only
    "profile_change",
    metadata,
    workspace_id(),
    required("profile_id", Uuid),
    required("version", sa.BigInteger),
    required("what", Json),
    required("cause", Json, server_default=sa.text("'{}'")),
    at("at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "profile_id", "version"),
    reference("profile", "profile_id"),
)

note = sa.Table(  # what people of the workspace write down about a person; it stays with the handle it was written at
    "note",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("handle_id", Uuid),
    required("text", sa.Text, info={"pii": True}),
    required("actor", sa.Text),
    at("written_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("handle", "handle_id"),
    sa.Index("note_handle_ix", "handle_id", "workspace_id"),
    sa.Index("note_text_ix", sa.text("to_tsvector('turkish', text)"), postgresql_using="gin"),
)

link = sa.Table(  # append-only: evidence that two handles are one person; `a` sorts before `b`
    "link",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("a", Uuid),
    required("b", Uuid),
    required("kind", sa.Text),  # same_message, identify, import, agent, authenticated_session, renewed
    required("assurance", sa.Text),
    required("source", sa.Text),  # message:<id>, user:<id>, key:<id>, import:<id>
    required("evidence", Json, server_default=sa.text("'{}'"), info={"pii": True}),
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
    required("reason", sa.Text, info={"pii": True}),
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
    required("explicit", sa.Boolean, server_default=sa.true()),  # the person said so; else it was carried over or assumed
    required("source", sa.Text),
    sa.Column("actor", sa.Text),
    at("stated_at"),
    at("expires_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    reference("handle", "handle_id"),
    sa.Index("consent_handle_ix", "workspace_id", "handle_id"),
)

tombstone = sa.Table(  # an erased handle: its keyed hash refuses what was observed before, its id stays
    "tombstone",
    metadata,
    workspace_id(),
    required("handle_id", Uuid),
    required("erasure_id", Uuid),
    required("hash", sa.LargeBinary),  # keyed with the deployment's secret: nobody can try addresses against it
    at("erased_at"),  # what was observed before; of a number that the person had left already, until then
    sa.PrimaryKeyConstraint("workspace_id", "handle_id", "hash"),
    sa.Index("tombstone_hash_ix", "hash", "workspace_id"),
    sa.Index("tombstone_erasure_ix", "erasure_id", "workspace_id"),
)

import_job = sa.Table(  # a customer list that is being or was taken in; counts and a place, no content
    "import_job",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("source", sa.Text),
    required("digest", sa.Text),  # of the file's bytes and its mapping
    required("assurance", sa.Text),
    at("observed_at"),
    required("actor", sa.Text),
    required("state", sa.Text, server_default="open"),
    required("next_row", sa.BigInteger, server_default="1"),
    required("created", sa.BigInteger, server_default="0"),
    required("changed", sa.BigInteger, server_default="0"),
    required("unchanged", sa.BigInteger, server_default="0"),
    required("rejected", sa.BigInteger, server_default="0"),
    at("started_at", now=True),
    at("updated_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "source", "digest"),
    sa.CheckConstraint("state in ('open', 'finished')", name="state"),
)

import_row = sa.Table(  # while an import runs: which row named a customer first, by a keyed hash
    "import_row",
    metadata,
    workspace_id(),
    required("import_id", Uuid),
    required("hub", Uuid),
    required("number", sa.BigInteger),
    sa.PrimaryKeyConstraint("workspace_id", "import_id", "hub"),
)

suggestion = sa.Table(  # two people who may be one; `a` sorts before `b`; what was decided is remembered
    "suggestion",
    metadata,
    workspace_id(),
    required("id", Uuid),
    required("a", Uuid),
    required("b", Uuid),
    required("weight", sa.Float),
    required("probability", sa.Float),
    required("evidence", Json),  # fields and levels with their weights, never a value
    required("state", sa.Text, server_default="open"),
    sa.Column("actor", sa.Text),
    at("made_at", now=True),
    at("decided_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id", "id"),
    sa.UniqueConstraint("workspace_id", "a", "b"),
    reference("handle", "a"),
    reference("handle", "b"),
    sa.Index("suggestion_b_ix", "b", "workspace_id"),
    sa.Index("suggestion_state_ix", "workspace_id", "state", "made_at", "id"),
    sa.CheckConstraint("a < b", name="order"),
    sa.CheckConstraint("state in ('open', 'confirmed', 'rejected')", name="state"),
)

suggestion_place = sa.Table(  # how far looking for duplicates has come
    "suggestion_place",
    metadata,
    workspace_id(),
    at("changed_at"),
    required("profile_id", Uuid),
    sa.PrimaryKeyConstraint("workspace_id"),
)

rules_pass = sa.Table(  # how far rules of identity that changed have come to people known before
    "rules_pass",
    metadata,
    workspace_id(),
    required("digest", sa.Text),  # of the rules that are carried out
    required("state", sa.Text, server_default="running"),
    required("place", Uuid, server_default=sa.text("'00000000-0000-0000-0000-000000000000'")),
    required("looked", sa.BigInteger, server_default="0"),
    required("changed", sa.BigInteger, server_default="0"),
    at("began_at", now=True),
    at("ended_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id"),
    sa.CheckConstraint("state in ('running', 'done')", name="state"),
)

undecided_handle = sa.Table(  # whose people are to be decided, where a message could not wait for it
    "undecided_handle",
    metadata,
    workspace_id(),
    required("handle_id", Uuid),
    at("put_off_at"),
    at("due_at", now=True),
    sa.PrimaryKeyConstraint("workspace_id", "handle_id"),
    reference("handle", "handle_id"),
    sa.Index("undecided_handle_due_ix", "workspace_id", "due_at"),
)

handle_renewal = sa.Table(  # how far handles of earlier releases have been read again
    "handle_renewal",
    metadata,
    workspace_id(),
    required("normalization", sa.Integer),  # the rules that are carried out
    required("state", sa.Text, server_default="running"),
    required("place", Uuid, server_default=sa.text("'00000000-0000-0000-0000-000000000000'")),
    required("looked", sa.BigInteger, server_default="0"),
    required("renewed", sa.BigInteger, server_default="0"),
    required("clashed", sa.BigInteger, server_default="0"),
    required("unreadable", sa.BigInteger, server_default="0"),
    required("findings", Json, server_default=sa.text("'[]'")),  # the first of them: what, and ids of handles
    at("began_at", now=True),
    at("ended_at", null=True),
    sa.PrimaryKeyConstraint("workspace_id"),
    sa.CheckConstraint("state in ('running', 'done')", name="state"),
)

suggestion_key = sa.Table(  # hashed keys by which people meet whose every word is written otherwise
    "suggestion_key",
    metadata,
    workspace_id(),
    required("key", sa.BigInteger),
    required("profile_id", Uuid),
    sa.PrimaryKeyConstraint("workspace_id", "key", "profile_id"),
    sa.Index("suggestion_key_profile_ix", "profile_id", "workspace_id"),
)

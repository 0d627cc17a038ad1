"""Every table that holds personal data, and every column that could but never does, with the reason.

A test walks the schema: a new column of text, JSON or bytes must be marked personal and covered, or stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from profiles import erasure_covers as people
from router.erasure import covers as work
from shared.personal import Cover

OWN: Final = (
    Cover(
        table="session", rows="x.kind = 'visitor' and x.visitor_id = any({visitors})", columns=("claims",), kind="sessions",
        also=("id", "created_at", "expires_at"),
    ),
    Cover(
        table="visitor_join", rows="x.visitor_id = any({visitors}) or x.customer_id = any({visitors})", columns=(), kind="signed_in_chats",
        also=("visitor_id", "customer_id", "joined_at"),
    ),
    Cover(
        table="idempotency", columns=("key",), kind="retry_keys", also=("message_id", "created_at"),
        rows="x.message_id in (select m.id from santral.message m where m.workspace_id = $1 and m.conversation_id = any({conversations}))"
        " or x.message_id = any({messages})",
    ),
    Cover(
        table="delivery", rows="x.conversation_id = any({conversations}) or x.message_id = any({messages})",
        columns=("request", "reason"), kind="deliveries",
        erase={"request": "'{}'", "reason": "''", "state": "case when x.state = 'queued' then 'failed' else x.state end",
               "closed_at": "coalesce(x.closed_at, now())"},
        also=("id", "message_id", "state", "created_at", "sent_at"),
    ),
    Cover(
        table="hold", rows="x.handles && {handles} or x.subject_id = any({conversations})", columns=("reason",), kind=None,
        erase={"reason": "''"},
    ),
)  # fmt: skip

COVERS: Final[tuple[Cover, ...]] = (*OWN, *work.COVERS, *people.COVERS, *people.STATEMENTS)
"""In the order in which erasure runs them: what is found through other rows first."""

STAFF: Final[Mapping[tuple[str, str], str]] = {
    ("shift", "reason"): "why somebody who works here is away",
    ("user", "name"): "people of the workspace, not customers; removed with the configuration",
    ("user", "email"): "people of the workspace, not customers; removed with the configuration",
    ("agent", "name"): "people of the workspace, not customers; removed with the configuration",
    ("audit", "address"): "where somebody who works here acted from; a visitor's is never written; runs out with the audit",
    ("audit", "software"): "what somebody who works here acted with; a visitor's is never written; runs out with the audit",
}
"""Personal columns of those who work here: no customer's erasure or export reaches them."""

CONFIGURATION: Final = frozenset(
    {"agent_filter", "calendar", "plan", "policy", "queue", "role", "skill", "sla", "sla_clock", "workspace"}
)
"""Tables that only administrators write, or that copy from such: names, rules and hours, never a customer."""

_CONFIGURED: Final = "configuration, written by administrators"
_WORD: Final = "a word of a closed list"
_OURS: Final = "made by us: an id, a hash or a key"
_ACTOR: Final = "who of the workspace did it, by id"

NEVER: Final[Mapping[str, str]] = {
    "deployment.kafka_cluster_id": _OURS, "host.process": _WORD, "host.machine": "our own machines", "host.version": _OURS,
    "host.health_url": "our own machines", "host.facts": "our own processes", "lease.kind": _WORD, "partition_lease.topic": _OURS,
    "partition_lease.last_digest": "a digest, until the next record is taken; runs out with the log",
    "receipt.state": _WORD, "event.type": _WORD,
            "user.role": _CONFIGURED, "user.managed_digest": _OURS, "api_key.public_id": _OURS,
    "api_key.secret_hash": _OURS, "api_key.name": _CONFIGURED, "api_key.scopes": _WORD, "session.kind": _WORD,
    "session.public_id": _OURS, "session.secret_hash": _OURS, "idempotency.body_hash": _OURS, "delivery.state": _WORD,
    "delivery.provider_id": "the provider's id of our own message", "audit.actor": _ACTOR, "audit.action": _WORD,
    "audit.target_kind": _WORD, "audit.target_id": "an id of ours", "audit.request_id": _OURS,
    "audit_link.row_digest": _OURS, "audit_link.digest": _OURS, "audit_anchor.digest": _OURS,
    "audit.details": "ids and names of fields, never a customer's value",
    "connection.name": _CONFIGURED, "connection.provider": _WORD, "connection.path_token": _OURS, "connection.settings": _CONFIGURED,
    "connection.secrets": _CONFIGURED, "connection.managed_digest": _OURS, "inbox.name": _CONFIGURED, "inbox.channel": _WORD,
    "inbox.provider": _WORD, "inbox.address": "the workspace's own", "inbox.mailbox": "the workspace's own",
    "inbox.path_token": _OURS, "inbox.settings": _CONFIGURED,
    "inbox.secrets": _CONFIGURED, "inbox.managed_digest": _OURS, "poll.source": _CONFIGURED,
    "poll.place": "how far a file was read, and ids of calls", "signature_use.token": "the provider's one-time word",
    "signature_use.body_digest": _OURS, "handle.kind": _WORD, "handle.scope": "the workspace's own account",
    "handle.accounts": "the workspace's own accounts",
    "handle.assurance": _WORD, "handle.shared_by": _WORD, "profile_change.what": "ids, words and names of attributes",
    "profile_change.cause": "ids and words", "note.actor": _ACTOR, "link.kind": _WORD, "link.assurance": _WORD,
    "link.source": "a word and an id", "link.actor": _ACTOR, "link.retracted_by": _ACTOR, "cannot_link.actor": _ACTOR,
    "fact.name": "the name of an attribute", "fact.source": "the name of a system", "fact.assurance": _WORD,
    "consent.purpose": "a purpose's name", "consent.channel": _WORD, "consent.source": "the name of a system", "consent.actor": _ACTOR,
    "import_job.source": "the name of a system", "import_job.digest": _OURS, "import_job.assurance": _WORD, "import_job.actor": _ACTOR,
    "import_job.state": _WORD, "rules_pass.digest": _OURS, "handle_renewal.state": _WORD, "handle_renewal.findings": _OURS, "rules_pass.state": _WORD,
    "suggestion.evidence": "names of fields with their weights", "suggestion.state": _WORD,
    "suggestion.actor": _ACTOR,
    "tombstone.hash": "keyed with the deployment's secret, so that addresses cannot be tried against it",
        "bulk_digest.message_ids": _OURS,
    "conversation.channel": _WORD, "conversation.channels": _WORD, "conversation.visibility": _WORD, "conversation.language": _WORD,
    "conversation.state": _WORD, "conversation.thread_key": "the provider's id of a post; emptied with the conversation",
    "message.direction": _WORD, "message.kind": _WORD, "message.channel": _WORD, "message.provider": _WORD,
    "message.visibility": _WORD, "placement.actor": _ACTOR,
    "placement_operation.kind": _WORD, "placement_operation.actor": _ACTOR, "placement_operation.undone_by": _ACTOR,
    "placement_operation.prior": "ids, words of closed lists, numbers and times",
                "agent.kind": _WORD, "agent.role": _CONFIGURED, "agent.languages": _WORD, "agent.skills": _CONFIGURED,
    "agent.channels": _CONFIGURED, "agent.counts": "measures", "agent.presence": _WORD, "agent.presence_reason": _WORD,
    "agent.title": _CONFIGURED, "agent.attributes": _CONFIGURED, "agent.hours": _CONFIGURED, "agent.presences": _CONFIGURED, "shift.kind": _WORD,
    "agent.new_items": _CONFIGURED, "agent.recent": "measures", "agent.turns": "measures", "agent.managed_digest": _OURS, "work_item.channel": _WORD,
    "work_item.kind": _WORD, "work_item.state": _WORD, "work_item.plan": _CONFIGURED, "work_item.skills": _CONFIGURED,
    "work_item.held": "measures by agent", "work_item.excluded": "measures by agent", "offer.state": _WORD,
    "decision.kind": _WORD, "dispatch_change.kind": _WORD, "quarantine.reason": _WORD,
    "quarantine.error_hash": _OURS, "quarantine.source": "topic, partition, offset, ids", "quarantine.state": _WORD,
    "quarantine.resolved_by": _ACTOR, "erasure.reason": _WORD, "erasure.actor": _ACTOR, "erasure.state": _WORD, "erasure.step": _WORD,
    "erasure.place": "an id", "erasure.counts": "measures", "blob_removal.key": _OURS, "kept_file.blob": _OURS,
    "kept_file.kept_by": _ACTOR, "person_export.actor": _ACTOR,
    "person_export.state": _WORD, "person_export.blob": _OURS, "profile_view.actor": _ACTOR, "retention_run.class": _WORD,
    "person_export.handles": _OURS, "hold.kind": _WORD, "hold.handles": _OURS, "hold.placed_by": _ACTOR, "hold.lifted_by": _ACTOR,
}  # fmt: skip

"""Personal data in conversations, work and quarantine: where a person's rows are and what erasure leaves of them.

Quarantine is found by reading its records (`services/privacy/erasures.py`); its cover stands for what was found.
"""

from __future__ import annotations

from typing import Final

from router.moves.vouched import LEFT
from shared.personal import Cover

_STRAY: Final = (
    "(x.conversation_id, x.seq) in (select r.conversation_id, r.seq from santral.receipt r"
    " where r.workspace_id = $1 and r.id = any({messages}))"
)

_PLACES: Final = (
    "(select r.conversation_id, r.id as message_id from santral.receipt r where r.workspace_id = $1 and r.id = any({messages})"
    " union select p.from_conversation_id, p.message_id from santral.placement p"
    " where p.workspace_id = $1 and p.message_id = any({messages})) w"
)
"""Every conversation in which a message stands or stood: what was written there about it is theirs who wrote the message."""
_DECIDED: Final = (
    f"select d.id from {_PLACES} join santral.decision d"
    " on d.workspace_id = $1 and d.conversation_id = w.conversation_id and d.message_id = w.message_id"
)

UNLABELLED: Final = "signals - '{label,labels}'::text[]"
"""A message's signals without what an operator's model said of its words."""

WORDLESS: Final = "x.data - 'reason' #- '{outcome,reason}' #- '{outcome,note}' #- '{outcome,failed}'"
"""An event's data without what people wrote into it: why, and what came of the work."""

UNLABELLED_DECISIONS: Final = (
    "update santral.decision x set record = x.record #- '{facts,signals,label}' #- '{facts,signals,labels}'"
    f" where x.workspace_id = $1 and x.id in ({_DECIDED.replace('{messages}', '$2::uuid[]')})"
)
"""The same of the decisions about these messages."""

ABOUT: Final = (
    Cover(
        table="event", columns=("data",), kind=None, erase={"data": WORDLESS},
        rows=f"x.id in (select e.id from {_PLACES} join santral.event e"
        " on e.workspace_id = $1 and e.conversation_id = w.conversation_id and e.data->>'message_id' = w.message_id::text)",
    ),
    Cover(
        table="work_item", columns=("outcome",), kind=None, erase={"outcome": "x.outcome - 'failed'"},
        rows=f"x.id in (select i.id from {_PLACES} join santral.work_item i on i.workspace_id = $1"
        " and i.conversation_id = w.conversation_id and i.outcome->'failed'->>'message_id' = w.message_id::text)",
    ),
)  # fmt: skip
"""What is told of a message beside it, in whosever conversation: a provider's word on an answer names its recipient and may quote it."""

COVERS: Final = (
    Cover(
        table="conversation", rows="x.id = any({conversations})", columns=("subject",), kind="conversations",
        erase={"subject": "''", "thread_key": "''", "state": "'closed'", "closed_at": "coalesce(x.closed_at, now())"},
        also=("id", "channel", "channels", "language", "state", "opened_at", "closed_at"),
    ),
    Cover(
        table="message", rows=f"x.conversation_id = any({{conversations}}) or {_STRAY}",
        columns=("external_id", "subject", "text", "body", "signals"), kind="messages",
        erase={"external_id": "'erased:' || x.id", "subject": "''", "text": "''",
               "body": f"'{{\"erased\": true}}'::jsonb || {LEFT.format(message='x')}",
               "signals": UNLABELLED},
        also=("id", "conversation_id", "seq", "direction", "kind", "channel", "accepted_at", "sent_at"),
    ),
    Cover(
        table="thread_ref", rows="x.conversation_id = any({conversations}) or x.message_id = any({messages})", columns=("ref",),
        kind="thread_references", also=("conversation_id", "message_id"),
    ),
    Cover(
        table="work_item", rows="x.conversation_id = any({conversations})", columns=("outcome",), kind="work_items",
        erase={"outcome": "'{\"erased\": true}'"}, also=("id", "conversation_id", "channel", "state", "enqueued_at", "closed_at"),
    ),
    Cover(
        table="offer", columns=("reason",), kind="offers", erase={"reason": "''"}, also=("id", "item_id", "state", "made_at"),
        rows="x.item_id in (select i.id from santral.work_item i where i.workspace_id = $1 and i.conversation_id = any({conversations}))",
    ),
    Cover(
        table="event", rows="x.conversation_id = any({conversations})", columns=("data",), kind="events", erase={"data": WORDLESS},
        also=("id", "conversation_id", "seq", "type", "at"),
    ),
    Cover(
        table="decision",
        rows="x.id in (select d.id from santral.decision d where d.workspace_id = $1 and d.conversation_id = any({conversations})"
        f" union all {_DECIDED})",
        columns=("record",), kind="decisions",
        erase={"record": "x.record - 'facts' - 'errors' - 'candidates'"}, also=("id", "conversation_id", "kind", "decided_at"),
    ),
    Cover(
        table="placement_operation", columns=("reason",), kind="placements", erase={"reason": "null"},
        rows="x.id in (select o.id from santral.placement_operation o where o.workspace_id = $1"
        " and (o.from_conversation_id = any({conversations}) or o.to_conversation_id = any({conversations}))"
        " union all select p.operation_id from santral.placement p where p.workspace_id = $1 and p.message_id = any({messages}))",
        also=("id", "kind", "from_conversation_id", "to_conversation_id", "done_at"),
    ),
    Cover(
        table="quarantine", rows="x.message_id = any({messages})", columns=("error", "record", "headers"), kind="quarantine",
        erase={"error": "''", "record": "''", "headers": "'{}'", "state": "'discarded'", "resolved_by": "'erasure'",
               "resolved_at": "coalesce(x.resolved_at, now())"},
        also=("id", "message_id", "reason", "accepted_at"),
    ),
    *ABOUT,
)  # fmt: skip

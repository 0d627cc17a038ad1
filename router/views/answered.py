"""What an answer answers: the last words of the person it goes to, never a machine's, an edit or a reaction.

Words of others in the conversation stand in where this person has none. A machine's count only where it began the conversation and no
person has written: a form on a site says that its mail was generated, and names the customer in Reply-To.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ANSWERED: Final = """
left join lateral (
    select m.id, m.handle_id, m.external_id, m.body, m.subject from santral.message m
    where m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.direction = 'in' and m.kind in ('text', 'comment', 'review')
      and (not m.body ? 'automatic' or not exists (select 1 from santral.message before
           where before.workspace_id = m.workspace_id and before.conversation_id = m.conversation_id and before.seq < m.seq))
    order by m.body ? 'automatic', m.handle_id is distinct from h.id, m.accepted_at desc, m.seq desc limit 1
) answered on true
"""
"""A join for statements that call the conversation ``c`` and the handle that is answered ``h``; its row is ``answered``."""

NUMBER: Final = """
left join lateral (
    select n.value from santral.link l
    join santral.handle n on n.workspace_id = l.workspace_id and n.id = case when l.a = h.id then l.b else l.a end and n.kind = 'wa_id'
    where h.kind = 'bsuid' and l.workspace_id = h.workspace_id and (l.a = h.id or l.b = h.id) and l.retracted_at is null
      and (l.expires_at is null or l.expires_at > now())
    order by l.last_seen_at desc limit 1
) number on true
"""
"""A join beside `ANSWERED`: the telephone number that was last seen in one message with the business-scoped id ``h``, if any.

A provider writes to a number where it is known, whatever handle the person's messages come under.
"""


def reply_to_of(body: Mapping[str, Any] | None, *, own: bool) -> str | None:
    """The address a message asks to be answered at; only where who is answered wrote it (``own``)."""
    return ((body or {}).get("traits") or {}).get("reply_to") or None if own else None

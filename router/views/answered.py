"""What an answer answers: the last words of the person it goes to, never a machine's, an edit or a reaction.

Words that moved nothing of who is answered (`router/intake/threads.py`) count only where there are no others, and words of others in the
conversation stand in where this person has none. A machine's count only where it began the conversation and no
person has written: a form on a site says that its mail was generated, and names the customer in Reply-To.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.database import Connection
from shared.errors import InputRejected
from shared.handle import PHONE_KINDS, Handle, is_left, normalized
from shared.handle_forms import renewed
from shared.telephone import as_given

ANSWERED: Final = """
left join lateral (
    select m.id, m.handle_id, m.external_id, m.body, m.subject from santral.message m
    where m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.direction = 'in' and m.kind in ('text', 'comment', 'review')
      and (not m.body ? 'automatic' or not exists (select 1 from santral.message before
           where before.workspace_id = m.workspace_id and before.conversation_id = m.conversation_id and before.seq < m.seq))
    order by m.body ? 'automatic', m.body ? 'aside', m.handle_id is distinct from h.id, m.accepted_at desc, m.seq desc limit 1
) answered on true
"""
"""A join for statements that call the conversation ``c`` and the handle that is answered ``h``; its row is ``answered``."""

NUMBER: Final = """
left join lateral (
    select n.value from santral.link l
    join santral.handle n on n.workspace_id = l.workspace_id and n.id = case when l.a = h.id then l.b else l.a end and n.kind = 'wa_id'
      and n.scope = ''
    where h.kind = 'bsuid' and l.workspace_id = h.workspace_id and (l.a = h.id or l.b = h.id) and l.kind = 'same_message'
      and l.assurance <> 'asserted' and l.retracted_at is null and (l.expires_at is null or l.expires_at > now())
    order by l.last_seen_at desc limit 1
) number on true
"""
"""A join beside `ANSWERED`: the telephone number that was last seen in one message with the business-scoped id ``h``, if any.

A provider writes to a number where it is known, whatever handle the person's messages come under. Only the provider's own word for it
counts: what an import, a claim or an agent linked says who somebody is, not where WhatsApp reaches them.
"""


_RECIPIENT: Final = f"""
select h.kind, h.scope, h.value, h.raw, h.name, i.provider, answered.body, answered.handle_id = h.id as own
from santral.conversation c join santral.inbox i on i.workspace_id = c.workspace_id and i.id = c.last_inbox_id
join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.last_handle_id
{ANSWERED}
where c.workspace_id = $1 and c.id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who an answer goes to. ``asked``: a Reply-To named this address; ``differs``: and it is at another domain than the writer's own."""

    kind: str
    value: str
    name: str
    asked: bool = False
    differs: bool = False


async def recipient_of(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> Recipient | None:
    """Who would be answered in a conversation now; None where nobody can be, or there is no such conversation."""
    row = await connection.fetchrow(_RECIPIENT, workspace_id, conversation_id)
    return None if row is None else recipient_in(dict(row))


def recipient_in(row: Mapping[str, Any]) -> Recipient | None:
    """The recipient by a row with the handle's kind, scope, value, raw and name, the inbox's provider, and body and own of `ANSWERED`."""
    if row["kind"] == "erased" or is_left(Handle(kind=row["kind"], scope=row["scope"], value=row["value"])):
        return None
    if row["provider"] == "smtp" and row["kind"] != "email":
        return None
    asked = reply_to_of(row["body"], own=bool(row["own"]))
    address = address_of(row)
    if asked is None or asked.lower() == address:
        return Recipient(kind=row["kind"], value=address, name=row["name"])
    differs = _domain(asked) != _domain(address)
    return Recipient(kind="email", value=asked, name=row["name"], asked=True, differs=differs)


def address_of(person: Mapping[str, Any]) -> str:
    """Where the row of a handle (kind, scope, value, raw) is written to: by its present name, also where an earlier release named it.

    A number that has two forms is written to in the one it was given in.
    """
    handle = renewed(Handle(kind=person["kind"], scope=person["scope"], value=person["value"]), person["raw"])
    return as_given(handle.value, person["raw"]) if handle.kind in PHONE_KINDS else handle.value


def _domain(address: str) -> str:
    """As A-labels where it has them: the same domain is written in two ways."""
    try:
        return normalized("email", address).value.rpartition("@")[2]
    except InputRejected:
        return address.rpartition("@")[2].lower()


def reply_to_of(body: Mapping[str, Any] | None, *, own: bool) -> str | None:
    """The address a message asks to be answered at; only where who is answered wrote it (``own``)."""
    return ((body or {}).get("traits") or {}).get("reply_to") or None if own else None

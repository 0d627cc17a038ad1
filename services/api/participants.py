"""Who takes part in a conversation: the customer, others who were written or copied to or sent something on, and agents who answered.

Read from the messages as they are stored, so what is erased there is gone here. A person stands once for each handle, in the strongest
part it ever had; every handle of the customer's own profile is the customer. **Identity** of a participant: the handle, an agent's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from profiles.store import lookup
from services.api.principal import Principal
from services.api.visibility import seen_of
from shared.database import Connection
from shared.errors import InputRejected
from shared.handle import Handle, normalized
from shared.ids import WorkspaceId
from shared.text import fold_turkish

Role: TypeAlias = Literal["customer", "forwarder", "sender", "to", "cc", "agent"]
ROLES: Final[tuple[Role, ...]] = ("customer", "forwarder", "sender", "to", "cc", "agent")
"""The strongest first. ``sender``: somebody else who wrote in the conversation."""
PARTICIPANTS_MAX: Final = 200
MESSAGES_LOOKED_AT: Final = 200
"""The newest of a conversation: whoever writes to it can name a crowd in each mail."""
_FORWARDED: Final = re.compile(r"\s*(?:fwd?|ilt|iletilen|wg|rv)\s*:")
_CUSTOMER: Final = """
select h.kind, h.scope, h.value, h.name, h.profile_id from santral.conversation c
join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.handle_id where c.workspace_id = $1 and c.id = $2
"""
_MESSAGES: Final = f"""(
    select * from santral.message where workspace_id = $1 and conversation_id = $2 order by seq desc limit {MESSAGES_LOOKED_AT}
) m"""
_WRITERS: Final = f"""
select h.kind, h.scope, h.value, h.name, array_agg(distinct left(m.subject, 20)) as subjects,
       coalesce((array_agg(m.body->'sender'->>'name' order by m.seq desc) filter (where m.body->'sender'->>'name' > ''))[1], '') as said_name
from {_MESSAGES} join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id
where m.direction = 'in' and h.kind <> 'erased'
group by h.id, h.kind, h.scope, h.value, h.name order by min(m.seq)
"""
_NAMED: Final = f"""
select p->>'kind' as kind, coalesce(p->>'scope', '') as scope, p->>'value' as value, coalesce(p->>'role', 'cc') as role,
       coalesce(max(p->>'name'), '') as name
from {_MESSAGES} cross join lateral jsonb_array_elements(
    case when jsonb_typeof(m.body->'participants') = 'array' then m.body->'participants' else '[]' end) p
group by 1, 2, 3, 4 order by min(m.seq) limit {PARTICIPANTS_MAX}
"""
_WRITTEN_TO: Final = f"""
select 'to' as role, d.request->>'to' as address
from {_MESSAGES} join santral.delivery d on d.workspace_id = m.workspace_id and d.message_id = m.id
where m.direction = 'out' and d.request->>'to' > ''
union
select 'cc', copied.address from {_MESSAGES} cross join lateral jsonb_array_elements_text(
    case when jsonb_typeof(m.body->'copies'->'cc') = 'array' then m.body->'copies'->'cc' else '[]' end) copied(address)
where m.direction = 'out' limit {PARTICIPANTS_MAX}
"""
_AGENTS: Final = f"""
select a.id, a.name from {_MESSAGES} join santral.agent a on a.workspace_id = m.workspace_id and a.id = m.agent_id
where m.direction = 'out' group by a.id, a.name order by min(m.seq) limit {PARTICIPANTS_MAX}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """``handle``: {kind, value}; an agent's kind is ``agent`` and the value their id. ``profile_id``: whose handle it is, where known."""

    role: Role
    handle: Mapping[str, str]
    name: str
    profile_id: UUID | None


async def participants_of(connection: Connection, principal: Principal, conversation_id: UUID) -> list[Participant]:
    """Everybody in a conversation's newest messages, the customer first, agents last; at most `PARTICIPANTS_MAX`. Blind copies are not told.

    Empty for a conversation that is not there. Whose handle it is, and under which name they are known, stands only where the caller
    sees them; else the name that the messages say.
    """
    workspace_id = WorkspaceId(principal.workspace_id)
    customer = await connection.fetchrow(_CUSTOMER, workspace_id, conversation_id)
    if customer is None:
        return []
    parts: dict[Handle, tuple[Role, str]] = {}
    stored = {_handle(customer): customer["name"]}
    _add(parts, _handle(customer), "customer", "")
    for row in await connection.fetch(_WRITERS, workspace_id, conversation_id):
        stored[_handle(row)] = row["name"]
        _add(parts, _handle(row), "forwarder" if was_forwarded(row["subjects"]) else "sender", row["said_name"])
    for row in await connection.fetch(_NAMED, workspace_id, conversation_id):
        _add(parts, _handle(row), row["role"], row["name"])
    for row in await connection.fetch(_WRITTEN_TO, workspace_id, conversation_id):
        try:
            _add(parts, normalized("email", row["address"]), row["role"], "")
        except InputRejected:
            continue  # an address that only the agent's mail program could read
    known = await lookup(connection, workspace_id, list(parts))
    seen = await seen_of(connection, principal, [handle_id for handle_id, _ in known.values()])
    found = []
    for handle, (role, name) in parts.items():
        handle_id, profile_id = known.get(handle, (None, None))
        sees = handle_id in seen
        own = profile_id is not None and profile_id == customer["profile_id"] and (sees or handle == _handle(customer))
        shown = {"kind": handle.kind, "value": handle.value}
        called, whose = (stored.get(handle) or name, profile_id) if sees else (name, None)
        found.append(Participant(role="customer" if own else role, handle=shown, name=called, profile_id=whose))
    for row in await connection.fetch(_AGENTS, workspace_id, conversation_id):
        shown = {"kind": "agent", "value": str(row["id"])}
        found.append(Participant(role="agent", handle=shown, name=row["name"], profile_id=None))
    return sorted(found, key=lambda one: ROLES.index(one.role))[:PARTICIPANTS_MAX]


def was_forwarded(subjects: Iterable[str]) -> bool:
    """Whether one of these subjects says that the mail was sent on."""
    return any(_FORWARDED.match(fold_turkish(subject)) for subject in subjects)


def _handle(row: Any) -> Handle:
    return Handle(kind=row["kind"], scope=row["scope"], value=row["value"])


def _add(parts: dict[Handle, tuple[Role, str]], handle: Handle, role: Role, name: str) -> None:
    """Keeps the stronger part, and a name once one is known."""
    role_before, name_before = parts.get(handle, (role, ""))
    parts[handle] = (min(role_before, role, key=ROLES.index), name_before or name)

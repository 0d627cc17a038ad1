"""What is shown of a customer whom the reader of their conversation does not see: what the messages there say, nothing that others know.

A conversation may be seen and not open its customer (`visibility.py`): begun by an agent's own word, or made of words that nobody vouches
for. Its handle stands in it; whose it is, how they are called, how far they were vouched for and what rules knew of them does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from router.policy.expression_errors import without_words
from services.api.principal import Principal
from services.api.unseen import unseen_people
from services.api.visibility import seen_of, sight_of
from shared.database import Connection

_SAID: Final = """
select distinct on (c.id) c.id, m.body->'sender'->>'name' as name from santral.conversation c
join santral.message m on m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.handle_id = c.handle_id
where c.workspace_id = $1 and c.id = any($2::uuid[]) and m.direction = 'in' and m.body->'sender'->>'name' > ''
order by c.id, m.seq desc
"""
_WRITERS: Final = """
select m.id, m.handle_id, coalesce(m.body->'sender'->>'name', '') as name from unnest($2::uuid[], $3::bigint[]) as g(conversation_id, seq)
join santral.message m on m.workspace_id = $1 and m.conversation_id = g.conversation_id and m.seq = g.seq
where m.direction = 'in' and m.handle_id is not null
"""
_CUSTOMER: Final = "select handle_id from santral.conversation where workspace_id = $1 and id = $2"


async def hide_customers(
    connection: Connection, principal: Principal, views: Iterable[dict[str, Any]], *, named: str = "conversation_id"
) -> None:
    """In these conversations or items, whose conversation's id is ``named``: whom the caller does not see, as the messages say them.

    `profile_id` is null, `name` the one their newest message brought, `assurance` asserted; ``why`` loses what it knew of them.
    """
    rows = list(views)
    unseen = await unseen_people(connection, principal, [row["customer"]["profile_id"] for row in rows])
    hidden = [row for row in rows if row["customer"]["profile_id"] in unseen]
    if not hidden:
        return
    found = await connection.fetch(_SAID, principal.workspace_id, [row[named] for row in hidden])
    said = {row["id"]: row["name"] for row in found}
    for row in hidden:
        row["customer"] = {**row["customer"], "profile_id": None, "name": said.get(row[named], ""), "assurance": "asserted"}
        if "why" in row:
            row["why"] = _without_profile(row["why"])


async def hide_writers(
    connection: Connection, principal: Principal, conversation_id: UUID | None, messages: Sequence[dict[str, Any]]
) -> None:
    """In these messages of a conversation: who wrote them under the name the message brought, where the caller does not see them.

    Without a conversation each message says its own.
    """
    if sight_of(principal).seer is None or not messages:
        return
    places = [conversation_id or one["conversation_id"] for one in messages]
    writers = await connection.fetch(_WRITERS, principal.workspace_id, places, [one["seq"] for one in messages])
    handles = {row["handle_id"] for row in writers}
    unseen = handles - await seen_of(connection, principal, list(handles))
    said = {row["id"]: row["name"] for row in writers if row["handle_id"] in unseen}
    for one in messages:
        if one["id"] in said and one["sender"] is not None:
            one["sender"] = {**one["sender"], "name": said[one["id"]]}


async def shown_records(connection: Connection, principal: Principal, conversation_id: UUID, records: Sequence[Any]) -> list[Any]:
    """Records of decisions about a conversation, without what they knew of a customer whom the caller does not see."""
    records = [{**one, "errors": without_words(one["errors"])} if (one or {}).get("errors") else one for one in records]
    if await sees_customer(connection, principal, conversation_id):
        return records
    return [_without_profile(record) for record in records]


async def sees_customer(connection: Connection, principal: Principal, conversation_id: UUID) -> bool:
    """Whether the caller sees the customer of a conversation."""
    handle_id = await connection.fetchval(_CUSTOMER, principal.workspace_id, conversation_id)
    return handle_id in await seen_of(connection, principal, [handle_id])


def _without_profile(record: Any) -> Any:
    """The record with ``facts.profile`` saying only whether the profile was known."""
    facts: Mapping[str, Any] = (record or {}).get("facts") or {}
    if "profile" not in facts:
        return record
    known = {name: value for name, value in facts["profile"].items() if name == "known"}
    return {**record, "facts": {**facts, "profile": known}}

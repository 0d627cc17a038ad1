"""Ids of people and conversations that the reader does not see, in what is shown to them of those they see: taken out, or null.

Who sees a person or a conversation is shown what it had to do with others; whoever these are is `visibility.py`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from services.api.principal import Principal
from services.api.visibility import conversations_seen, seen_of, sight_of
from shared.database import Connection
from shared.errors import Conflict

_MET: Final = """
select h.id from santral.handle h where h.workspace_id = $1 and h.id = any($2::uuid[]) and exists (
    select 1 from santral.handle own join santral.conversation c on c.workspace_id = own.workspace_id and c.handle_id = own.id
    where own.workspace_id = h.workspace_id and own.profile_id = h.profile_id)
"""
_MERGED_INTO: Final = "select merged_into from santral.conversation where workspace_id = $1 and id = any($2::uuid[])"
_ONE: Final = ("a", "b", "into", "shared", "no_longer_shared")
_ENDS: Final = ("from_conversation_id", "to_conversation_id")
_MANY: Final = "from"


async def unseen_people(connection: Connection, principal: Principal, ids: Iterable[UUID | None]) -> frozenset[UUID]:
    """Of these ids of handles and profiles, those of people whom the caller does not see."""
    asked = {one for one in ids if one is not None}
    return frozenset(asked - await seen_of(connection, principal, list(asked))) if asked else frozenset()


async def hidden_people(connection: Connection, principal: Principal, ids: Iterable[UUID | None]) -> frozenset[UUID]:
    """The same without those whom nobody met: a handle that was this person's until a moment ago is nobody else's customer."""
    unseen = await unseen_people(connection, principal, ids)
    if not unseen:
        return unseen
    rows = await connection.fetch(_MET, principal.workspace_id, list(unseen))
    return frozenset(row["id"] for row in rows)


async def unseen_conversations(connection: Connection, principal: Principal, ids: Iterable[UUID | None]) -> frozenset[UUID]:
    """Of these conversations, those that the caller does not see."""
    asked = {one for one in ids if one is not None}
    return frozenset(asked - await conversations_seen(connection, principal, list(asked))) if asked else frozenset()


async def require_merged_seen(connection: Connection, principal: Principal, conversations: Iterable[UUID]) -> None:
    """Raises `Conflict` that names nothing, where one of these was merged into one that the caller does not see."""
    if sight_of(principal).seer is None:
        return
    rows = await connection.fetch(_MERGED_INTO, principal.workspace_id, list(conversations))
    if await unseen_conversations(connection, principal, [row["merged_into"] for row in rows]):
        raise Conflict(
            "this conversation was merged into one outside the role's visibility",
            field="conversation_id",
            remedy="ask a supervisor",
        )


async def hide_merged_into(connection: Connection, principal: Principal, conversations: Iterable[dict[str, Any]]) -> None:
    """Makes null in these conversations what they were merged into where the caller does not see that."""
    rows = list(conversations)
    unseen = await unseen_conversations(connection, principal, [row["merged_into"] for row in rows])
    for row in rows:
        if row["merged_into"] in unseen:
            row["merged_into"] = None


async def hide_ends(connection: Connection, principal: Principal, events: Iterable[dict[str, Any]]) -> None:
    """Makes null in these events the conversations from and to which messages went, where the caller does not see them."""
    moved = [one for one in events if not set(_ENDS).isdisjoint(one["data"])]
    named = [UUID(one["data"][end]) for one in moved for end in _ENDS if one["data"].get(end)]
    unseen = {str(one) for one in await unseen_conversations(connection, principal, named)}
    for one in moved:
        one["data"] = {name: None if name in _ENDS and value in unseen else value for name, value in one["data"].items()}


def people_in(data: Mapping[str, Any]) -> set[UUID]:
    """The ids of people in what a history tells: the ends of a link, whence and whereto handles went."""
    many = data.get(_MANY) or ()
    return {UUID(str(one)) for one in (*(data.get(name) for name in _ONE), *many) if one is not None}


def without_people(data: Mapping[str, Any], unseen: frozenset[UUID]) -> dict[str, Any]:
    """The same with null where one of these stood alone, and without it where it stood among others."""
    if unseen.isdisjoint(people_in(data)):
        return dict(data)
    kept = {
        name: None if name in _ONE and value is not None and UUID(str(value)) in unseen else value for name, value in data.items()
    }
    many = kept.get(_MANY)
    if many is not None:
        kept[_MANY] = [one for one in many if UUID(str(one)) not in unseen]
    return kept

"""Who sees what of customers, in one place: for lists, for one conversation, for a person, for a queue's line; REST and sockets.

| visibility | conversations and their work | people |
|---|---|---|
| own | whose work the agent has, had, or is waited for; and the history of the customer in front of them | who wrote in those |
| queue, team | those, and the ones of queues they are a member of | who wrote in those |
| workspace | all | all |

The customer in front of an agent is one whose work they hold now, because the customer's words brought it to them, or who may decide over
it did. By their own word no agent has it: work that stands where it does because one of them merged, moved or split messages, made work
of what was kept out, wrote to an address that fails, called or wrote first, opens nothing else of its customer until the customer is heard
after that. Parked work counts while its owner belongs to its queue or was named for it.

What an agent begins by their own word (a call they report, a first message) opens nothing of somebody whom others met but the conversation
itself, until the customer was heard in it, in words for which the channel vouches; whom nobody met yet, such as people of an imported
list, is met by it, and who sees all conversations of somebody is kept from nothing. Such a conversation shows of its customer what the
agent said and what the messages bring, no name or profile that others know. Words for which their channel does not vouch open as little,
where their handle was vouched for before, until the customer is heard after them; mail without a border is taken as it comes. Who joins
two people has to see every conversation of both. A team is its queues until a workspace can name teams.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from fastapi import Depends

from router.views.seen import IN_FRONT, OPENS, SEEN
from services.api.principal import Principal, Visibility, needs
from shared.database import Connection
from shared.errors import Forbidden, NotFound

_SUPERVISOR: Final = "ask a supervisor"
_VISIBLE: Final = f"""
select given.id from unnest($2::uuid[]) as given(id) where exists (
    -- Who sees the one it was merged into sees it.
    select 1 from santral.conversation c
    join santral.work_item i on i.workspace_id = c.workspace_id and i.conversation_id in (c.id, c.merged_into)
    where c.workspace_id = $1 and c.id = given.id and {SEEN.format(seer="$3", in_queues="$4")}
) or exists (
    -- The history of the customer in front of them, on whichever channel and with whichever handle.
    select 1 from santral.conversation c
    join santral.handle own on own.workspace_id = c.workspace_id and own.id = c.handle_id
    join santral.handle other on other.workspace_id = own.workspace_id and other.profile_id = own.profile_id
    join santral.conversation o on o.workspace_id = other.workspace_id and o.handle_id = other.id
    join santral.work_item i on i.workspace_id = o.workspace_id and i.conversation_id = o.id
    where c.workspace_id = $1 and c.id = given.id and {IN_FRONT.format(conversation="o", seer="$3")}
)
"""
_PERSON: Final = f"""
select exists (
    select 1 from santral.conversation c
    join santral.work_item i on i.workspace_id = c.workspace_id and i.conversation_id in (c.id, c.merged_into)
    where c.workspace_id = $1 and c.handle_id = any($2::uuid[]) and {OPENS.format(conversation="c")}
      and {SEEN.format(seer="$3", in_queues="$4")}
)
"""
_PEOPLE: Final = f"""
select h.id from unnest($2::uuid[]) as given(id)
join santral.handle h on h.workspace_id = $1 and h.id = given.id
where exists (
    select 1 from santral.handle own
    join santral.conversation c on c.workspace_id = own.workspace_id and c.handle_id = own.id
    join santral.work_item i on i.workspace_id = c.workspace_id and i.conversation_id in (c.id, c.merged_into)
    where own.workspace_id = h.workspace_id and own.profile_id = h.profile_id and {OPENS.format(conversation="c")}
      and {SEEN.format(seer="$3", in_queues="$4")}
)
"""
_HANDLES: Final = "select handle_id from santral.conversation where workspace_id = $1 and id = any($2::uuid[])"
_PROFILES: Final = """
select distinct c.handle_id, h.profile_id from santral.conversation c
join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.handle_id where c.workspace_id = $1 and c.id = any($2::uuid[])
"""
_CONVERSATIONS: Final = """
select id from santral.conversation where workspace_id = $1 and handle_id = any($2::uuid[])
union select merged_into from santral.conversation where workspace_id = $1 and handle_id = any($2::uuid[]) and merged_into is not null
"""
_ALL_OF: Final = """
select distinct c.id from santral.handle own
join santral.handle other on other.workspace_id = own.workspace_id and other.profile_id = own.profile_id
join santral.conversation c on c.workspace_id = other.workspace_id and c.handle_id = other.id
where own.workspace_id = $1 and own.id = any($2::uuid[])
"""
_REACHED: Final = f"""
with seen as (
    select c.id, c.handle_id, {IN_FRONT.format(conversation="c", seer="seer.id")} as in_front
    from unnest($2::uuid[]) as seer(id)
    join santral.work_item i on i.workspace_id = $1 and {SEEN.format(seer="seer.id", in_queues="$3")}
    join santral.conversation c on c.workspace_id = $1 and c.id = i.conversation_id
    where c.opened_at < $4
    union all
    select c.id, c.handle_id, false
    from unnest($2::uuid[]) as seer(id)
    join santral.work_item i on i.workspace_id = $1 and {SEEN.format(seer="seer.id", in_queues="$3")}
    join santral.conversation c on c.workspace_id = $1 and c.merged_into = i.conversation_id
    where c.opened_at < $4
), reached as (
    select h.profile_id, s.id from seen s join santral.handle h on h.workspace_id = $1 and h.id = s.handle_id
    union all
    select h.profile_id, c.id from (select distinct handle_id from seen where in_front) held
    join santral.handle own on own.workspace_id = $1 and own.id = held.handle_id
    join santral.handle h on h.workspace_id = $1 and h.profile_id = own.profile_id
    join santral.conversation c on c.workspace_id = $1 and c.handle_id = h.id and c.opened_at < $4
)
select profile_id, array_agg(distinct id) as conversations from reached
where $5::uuid is null or profile_id > $5 group by profile_id order by profile_id limit $6
"""
_EVERYBODY: Final = """
select profile_id from santral.handle where workspace_id = $1 and ($3::uuid is null or profile_id > $3)
group by profile_id having min(first_seen_at) < $2 order by profile_id limit $4
"""
_MEMBER: Final = """
select exists (select from santral.queue_member m where m.workspace_id = q.workspace_id and m.queue_id = q.id and m.agent_id = $3)
from santral.queue q where q.workspace_id = $1 and q.name = $2
"""
_HOLDS: Final = """
select exists (select 1 from santral.work_item i where i.workspace_id = $1 and i.conversation_id = any($2::uuid[])
               and i.agent_id = $3 and i.state in ('assigned', 'wrapping', 'parked'))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a list keeps to. ``seer`` None: everything; else what this agent sees, with ``in_queues`` their queues' too."""

    seer: UUID | None
    in_queues: bool


def sight_of(principal: Principal) -> Sight:
    """How far a caller sees. A narrow credential that is no agent's sees nothing, because nothing is an id that nobody has."""
    if principal.visibility == "workspace":
        return Sight(seer=None, in_queues=False)
    return Sight(seer=principal.agent_id or principal.id, in_queues=principal.visibility in ("queue", "team"))


def require_everything(principal: Principal, message: str, *, field: str = "Authorization", remedy: str = _SUPERVISOR) -> None:
    """Raises `Forbidden` with ``message`` unless the caller sees the whole workspace."""
    if principal.visibility != "workspace":
        raise Forbidden(message, field=field, remedy=remedy)


def needs_everything(scope: str, message: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency: the caller, who has this scope and sees the whole workspace."""

    async def checked(principal: Principal = Depends(needs(scope))) -> Principal:  # noqa: B008  read by FastAPI
        require_everything(principal, message)
        return principal

    return checked


async def require_conversation(connection: Connection, principal: Principal, conversation_id: UUID) -> None:
    """Raises `Forbidden` when the caller's visibility does not reach the conversation."""
    if not await conversations_seen(connection, principal, [conversation_id]):
        raise Forbidden("this conversation is outside the role's visibility", field="conversation_id", remedy=_SUPERVISOR)


async def conversations_seen(connection: Connection, principal: Principal, conversations: Sequence[UUID]) -> frozenset[UUID]:
    """Of these conversations, those that the caller's visibility reaches."""
    sight = sight_of(principal)
    if sight.seer is None:
        return frozenset(conversations)
    rows = await connection.fetch(_VISIBLE, principal.workspace_id, list(conversations), sight.seer, sight.in_queues)
    return frozenset(row["id"] for row in rows)


async def conversations_seen_with(connection: Connection, principal: Principal, handle_ids: Sequence[UUID]) -> list[UUID] | None:
    """The conversations with these handles that the caller's visibility reaches, and those they were merged into; None: all there are."""
    if sight_of(principal).seer is None:
        return None
    rows = await connection.fetch(_CONVERSATIONS, principal.workspace_id, list(handle_ids))
    return sorted(await conversations_seen(connection, principal, [row["id"] for row in rows]))


async def require_person(
    connection: Connection, principal: Principal, handle_ids: Sequence[UUID], *, field: str = "profile_id"
) -> None:
    """Raises `Forbidden` naming the field unless the caller sees some conversation with who has these handles."""
    sight = sight_of(principal)
    if sight.seer is None:
        return
    if not await connection.fetchval(_PERSON, principal.workspace_id, list(handle_ids), sight.seer, sight.in_queues):
        raise Forbidden("this person is outside the role's visibility", field=field, remedy=_SUPERVISOR)


async def seen_of(connection: Connection, principal: Principal, handle_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Of these handles, those of people whom the caller sees."""
    sight = sight_of(principal)
    if sight.seer is None:
        return frozenset(handle_ids)
    rows = await connection.fetch(_PEOPLE, principal.workspace_id, list(handle_ids), sight.seer, sight.in_queues)
    return frozenset(row["id"] for row in rows)


async def require_known(connection: Connection, principal: Principal, conversations: Sequence[UUID]) -> None:
    """Raises `Forbidden` unless the caller sees the customers of all of these, whose messages would make each other's history seen."""
    handles = {row["handle_id"] for row in await connection.fetch(_HANDLES, principal.workspace_id, list(conversations))}
    if handles - await seen_of(connection, principal, list(handles)):
        raise Forbidden(
            "this customer was not heard here yet", field="conversation_id", remedy="wait for their answer, or ask a supervisor"
        )


async def require_joinable(connection: Connection, principal: Principal, conversations: Sequence[UUID]) -> None:
    """Raises `Forbidden` where these are conversations of two people, unless the caller sees every conversation of both.

    The messages of one would stand among the other's, as where two people are joined.
    """
    if sight_of(principal).seer is None:
        return
    rows = await connection.fetch(_PROFILES, principal.workspace_id, list(conversations))
    if len({row["profile_id"] for row in rows}) > 1:
        await require_all_of(connection, principal, [row["handle_id"] for row in rows], field="conversation_id")


async def began_unseen(connection: Connection, principal: Principal, handle_id: UUID) -> UUID | None:
    """The agent who is about to begin work with a customer of whom others know what they do not see; None where nothing is kept from them."""
    if principal.agent_id is None or await _sees_all_of(connection, principal, [handle_id]):
        return None
    return principal.agent_id


async def require_all_of(connection: Connection, principal: Principal, people: Sequence[UUID], *, field: str) -> None:
    """Raises `Forbidden` naming the field unless the caller sees these people, by a handle of each, and every conversation of theirs.

    Who joins two people shows all of both to whoever has work of either.
    """
    unseen = set(people) - await seen_of(connection, principal, people)
    if unseen or not await _sees_all_of(connection, principal, people):
        raise Forbidden("this would join what is outside the role's visibility", field=field, remedy=_SUPERVISOR)


async def _sees_all_of(connection: Connection, principal: Principal, people: Sequence[UUID]) -> bool:
    if sight_of(principal).seer is None:
        return True
    theirs = [row["id"] for row in await connection.fetch(_ALL_OF, principal.workspace_id, list(people))]
    return (await conversations_seen(connection, principal, theirs)).issuperset(theirs)


async def reached_people(
    connection: Connection, workspace_id: UUID, visibility: Visibility, agents: Sequence[UUID], *, before: datetime, after: UUID | None,
    limit: int,
) -> dict[UUID, list[UUID] | None]:  # fmt: skip
    """Whom these agents see with this visibility, by profile's id from ``after`` on: the conversations they see, None for all.

    As work and queues are now; conversations and people from ``before`` that time. The table above is what it goes by.
    """
    if visibility == "workspace":
        rows = await connection.fetch(_EVERYBODY, workspace_id, before, after, limit)
        return {row["profile_id"]: None for row in rows}
    in_queues = visibility in ("queue", "team")
    rows = await connection.fetch(_REACHED, workspace_id, list(agents), in_queues, before, after, limit)
    return {row["profile_id"]: sorted(row["conversations"]) for row in rows}


async def require_queue(connection: Connection, principal: Principal, queue: str) -> None:
    """Raises `NotFound` for a queue that is not there, `Forbidden` for one the caller's visibility does not reach."""
    member = await connection.fetchval(_MEMBER, principal.workspace_id, queue, principal.agent_id)
    if member is None:
        raise NotFound("no such queue", field="queue")
    sight = sight_of(principal)
    if sight.seer is not None and not (member and sight.in_queues):
        raise Forbidden("this queue is outside the role's visibility", field="queue", remedy=_SUPERVISOR)


async def require_holder(connection: Connection, principal: Principal, conversations: Sequence[UUID]) -> None:
    """Raises `Forbidden` unless the caller sees the whole workspace or is the agent who has the work of one of these.

    Whose work it is moves its messages and takes them away; who only sees a conversation, as a colleague of the queue or with the
    customer's history, does not.
    """
    if principal.visibility == "workspace":
        return
    if not await connection.fetchval(_HOLDS, principal.workspace_id, list(conversations), principal.agent_id):
        raise Forbidden(
            "only the agent who has the work decides over its messages",
            field="conversation_id",
            remedy="take it, or ask a supervisor",
        )


def require_agent(principal: Principal, agent: str) -> UUID:
    """The agent named in a path: ``me``, or an id that is the caller's own; another's for who sees everything and may configure."""
    if agent == "me":
        if principal.agent_id is None:
            raise Forbidden("this credential is no agent's", field="agent_id", remedy="name the agent's id")
        return principal.agent_id
    try:
        named = UUID(agent)
    except ValueError as error:
        raise Forbidden("no such agent", field="agent_id", remedy="an agent's id, or me") from error
    if named != principal.agent_id:
        principal.require("config:write")
    return named

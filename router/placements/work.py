"""What becomes of open work when messages change their conversation: one item stays, one ends as merged, one begins.

A conversation has at most one open item. Of two that meet, the one that is further on stays: with an agent, offered, waiting, parked,
wrapping up; of two that wait, the one whose turn is first. The other is canceled by the transition everybody uses, so its
capacity and its offer come back. Conversations are locked by the caller; items and agents are locked here.
**Units**: times aware UTC. ``by``: the agent by whose own word it is done; None where who does it may decide over others' work. What comes
to stand before an agent by such a word opens nothing of its customer (`router/views/seen.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from router.item.calls import kind_of_work
from router.item.goals import due_key
from router.item.item import OPEN, holders
from router.item.terms import terms_for
from router.item.transition import Change, transition
from router.moves.item_store import StoredItem, lock_items
from router.moves.marks import carry_item, mark_own_word
from router.moves.moves import Move, feed, write_moves
from router.moves.new_items import NewItem, begin_item, item_again
from router.moves.plan_again import PLAN_AGAIN
from router.placements.placements import Said
from shared.database import Connection
from shared.errors import Conflict, Forbidden

_HANDLE_KIND: Final = "select kind from santral.handle where workspace_id = $1 and id = $2"
_RANK: Final = ("wrapping", "parked", "queued", "offered", "assigned")
_OPEN_IDS: Final = """
select id from santral.work_item where workspace_id = $1 and conversation_id = any($2::uuid[]) and state = any($3)
"""
_OWN_WORD_AT: Final = "select own_word_at from santral.work_item where workspace_id = $1 and id = $2"
_ONE_PERSON: Final = """
select count(distinct h.profile_id) = 1 from santral.conversation c
join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.handle_id where c.workspace_id = $1 and c.id = any($2::uuid[])
"""
_STATE: Final = """
update santral.conversation c set state = case when o.open then 'open' else 'closed' end,
    closed_at = case when o.open then null
        when $4::timestamptz >= coalesce(greatest(c.last_in_at, c.last_out_at), c.opened_at) then $4
        else coalesce(c.closed_at, clock_timestamp()) end
from (select exists (select 1 from santral.work_item i where i.workspace_id = $1 and i.conversation_id = $2 and i.state = any($3)) as open) o
where c.workspace_id = $1 and c.id = $2
"""
_LIKE: Final = f"""
select i.queue_id, {PLAN_AGAIN} as plan, i.skills, i.policy_version, i.profile_version, i.decision_id,
       coalesce(i.agent_id, i.last_agent_id) as agent_id,
       q.goals_s, w.settings
from santral.work_item i
join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id and q.enabled
join santral.workspace w on w.workspace_id = i.workspace_id
where i.workspace_id = $1 and i.conversation_id = any($2::uuid[])
order by i.conversation_id = $3 desc, i.closed_at desc nulls first, i.id desc limit 1
"""
_ANY_QUEUE: Final = """
select q.id as queue_id, q.plan, '{}'::jsonb as skills, null::bigint as policy_version, null::bigint as profile_version,
       null::uuid as decision_id, null::uuid as agent_id, q.goals_s, w.settings
from santral.queue q join santral.workspace w on w.workspace_id = q.workspace_id
where q.workspace_id = $1 and q.enabled order by q.name limit 1
"""


async def open_items(connection: Connection, workspace_id: UUID, conversations: Collection[UUID]) -> dict[UUID, StoredItem]:
    """The open item of each of these conversations, by conversation; locked."""
    rows = await connection.fetch(_OPEN_IDS, workspace_id, list(conversations), list(OPEN))
    if not rows:
        return {}
    locked = await lock_items(connection, [(workspace_id, row["id"]) for row in rows])
    return {one.conversation_id: one for one in locked if one.state.state in OPEN}


def agents_of(items: Mapping[UUID, StoredItem], conversation_id: UUID) -> UUID | None:
    """Who has the conversation's open item, or to whom it is offered."""
    item = items.get(conversation_id)
    return None if item is None else next(iter(holders(item.state)), None)


def require_own(items: Mapping[UUID, StoredItem], by: UUID | None) -> None:
    """Raises `Forbidden` where somebody else has one of these items: it is given away by who has it, or by who may decide over all."""
    owners = {one.state.agent for one in items.values() if one.state.state == "parked"}
    if by is not None and owners.union(*(holders(one.state) for one in items.values())) - {by, None}:
        raise Forbidden(
            "somebody else has this work", field="conversation_id", remedy="ask them to hand it over, or ask a supervisor"
        )


def goes_on(one: StoredItem, other: StoredItem) -> StoredItem:
    """Which of two open items stays when their conversations become one; where nothing tells them apart, ``other``."""

    def place(item: StoredItem) -> tuple[int, int, float]:
        waits = item.state.state in ("queued", "offered")
        return (_RANK.index(item.state.state), -item.state.urgency if waits else 0, -item.state.due if waits else 0.0)

    return one if place(one) > place(other) else other


async def join(
    connection: Connection, *, workspace_id: UUID, source_id: UUID, target_id: UUID, items: Mapping[UUID, StoredItem], actor: str,
    at: datetime, by: UUID | None, keep_target: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Leaves one open item in the target and none in the source; what an undo needs to know of it.

    Raises `Conflict` while a call is on in either of them, `Forbidden` where somebody else has the work of one.
    """
    source, target = items.get(source_id), items.get(target_id)
    require_own({one: item for one, item in items.items() if one in (source_id, target_id)}, by)
    if any(one is not None and one.external for one in (source, target)):
        raise Conflict("a call is on in one of them", field="conversation", remedy="wait until it has ended")
    prior: dict[str, Any] = {}
    if source is not None and target is not None:
        kept = target if keep_target else goes_on(source, target)
        ended = source if kept is target else target
        prior["canceled"] = {
            "id": ended.state.id, "conversation_id": ended.conversation_id, "state": ended.state.state,
            "agent_id": next(iter(holders(ended.state)), None) or ended.state.preferred, "timer": ended.state.deadline,
        }  # fmt: skip
        await end(connection, ended, actor, at)
        source = source if kept is source else None
    if source is not None:
        await carry(connection, workspace_id, source.state.id, target_id)
        prior["carried"] = source.state.id
        if by is not None and not await connection.fetchval(_ONE_PERSON, workspace_id, [source_id, target_id]):
            before = await connection.fetchval(_OWN_WORD_AT, workspace_id, source.state.id)
            prior["own_word_at"] = {"before": None if before is None else before.isoformat()}
            await mark_own_word(connection, workspace_id, source.state.id, at)
    for conversation_id in (source_id, target_id):
        await settle(connection, workspace_id, conversation_id)
    return prior


async def settle(connection: Connection, workspace_id: UUID, conversation_id: UUID, closed_at: datetime | None = None) -> None:
    """A conversation is open while it has an open item; else closed, since ``closed_at`` unless something was said later."""
    await connection.execute(_STATE, workspace_id, conversation_id, list(OPEN), closed_at)


async def end(connection: Connection, item: StoredItem, actor: str, at: datetime, why: str = "merged") -> None:
    """Cancels an item because its conversation, or what it was opened for, is part of another one."""
    after = transition(item.state, Change(trigger="cancel"), at.timestamp())
    move = Move(stored=item, after=after, trigger="cancel", actor=actor, reason=why, outcome={why: True})
    await write_moves(connection, [move], at)


async def carry(connection: Connection, workspace_id: UUID, item_id: UUID, conversation_id: UUID) -> None:
    """Takes an item, as it is, into another conversation, which has no open one."""
    await carry_item(connection, workspace_id, item_id, conversation_id)
    await feed(connection, [(workspace_id, "item", item_id)])


async def part(
    connection: Connection, *, workspace_id: UUID, prior: Mapping[str, Any], source_id: UUID, target_id: UUID, actor: str, at: datetime,
    by: UUID | None, closed_at: datetime | None,
) -> None:  # fmt: skip
    """Undoes :func:`join`: what was carried goes back as it is now, what was canceled begins again with the key it had."""
    if prior.get("carried"):
        await carry(connection, workspace_id, UUID(prior["carried"]), source_id)
        if prior.get("own_word_at"):
            before = prior["own_word_at"]["before"]
            own_word_at = None if before is None else datetime.fromisoformat(before)
            await mark_own_word(connection, workspace_id, UUID(prior["carried"]), own_word_at)
    canceled = prior.get("canceled")
    if canceled and canceled["state"] != "wrapping":
        home = UUID(canceled["conversation_id"])
        if home not in await open_items(connection, workspace_id, [home]):
            await _again(connection, workspace_id, home, canceled, actor, at, by)
    await settle(connection, workspace_id, source_id)
    await settle(connection, workspace_id, target_id, closed_at)


async def _again(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, canceled: Mapping[str, Any], actor: str, at: datetime,
    by: UUID | None,
) -> None:  # fmt: skip
    """A new item in place of the canceled one: parked for its agent as before, else waiting in its place, for its agent first."""
    parked = canceled["state"] == "parked"
    agent = canceled["agent_id"] and UUID(canceled["agent_id"])
    before = await item_again(connection, workspace_id, UUID(canceled["id"]))
    settings = await connection.fetchval("select settings from santral.workspace where id = $1", workspace_id)
    common = replace(before, queued_at=at, own_word_at=at if by is not None else before.own_word_at)
    if parked:
        timer = canceled["timer"]
        item = replace(common, state="parked", timer_at=None if timer is None else datetime.fromtimestamp(timer, tz=at.tzinfo))
    else:
        sticky_until = None if agent is None else at + timedelta(seconds=terms_for(before.channel, settings).sticky_s)
        item = replace(common, agent_id=None, sticky_agent_id=agent, sticky_until=sticky_until, parked_at=None, hold_until=None)
    await begin_item(connection, item, kind="item.parked" if parked else "item.queued", trigger="undo", actor=actor, at=at)


async def begin(
    connection: Connection, *, workspace_id: UUID, conversation_id: UUID, like: Sequence[UUID], said: Said, actor: str, at: datetime,
    by: UUID | None,
) -> UUID | None:  # fmt: skip
    """Opens an item for the customer's words that wait in a conversation without open work; None where no queue is enabled.

    Queue, plan and skills are those of the last item of the conversation or else of ``like``; its agent is asked first. The wait
    counts from when the customer wrote.
    """
    given = [conversation_id, *like]
    row = await connection.fetchrow(_LIKE, workspace_id, given, conversation_id) or await connection.fetchrow(
        _ANY_QUEUE, workspace_id
    )
    if row is None:
        return None
    key = due_key(said.at, channel=said.channel, goals=row["goals_s"])
    agent = row["agent_id"]
    item = NewItem(
        workspace_id=workspace_id, conversation_id=conversation_id, queue_id=row["queue_id"], channel=said.channel,
        kind=kind_of_work(said.kind, await connection.fetchval(_HANDLE_KIND, workspace_id, said.handle_id)),
        due_class=key.due_class, due_at=key.due_at, enqueued_at=said.at, queued_at=at, plan=row["plan"], skills=row["skills"],
        sticky_agent_id=agent, sticky_until=None if agent is None else at + timedelta(seconds=terms_for(said.channel, row["settings"]).sticky_s),
        last_agent_id=agent, policy_version=row["policy_version"], profile_version=row["profile_version"],
        decision_id=row["decision_id"], own_word_at=at if by is not None else None,
    )  # fmt: skip
    await begin_item(connection, item, trigger="placed", actor=actor, at=at)
    await settle(connection, workspace_id, conversation_id)
    return item.id


async def wake(connection: Connection, item: StoredItem, said: Said, actor: str, at: datetime, by: UUID | None) -> None:
    """Parked work queues again for its agent: the customer's words have come to its conversation."""
    goals = await connection.fetchval(
        "select goals_s from santral.queue where workspace_id = $1 and id = $2", item.workspace_id, item.state.queue
    )
    key = due_key(said.at, channel=item.state.terms.channel, goals=goals or {})
    change = Change(trigger="customer_wrote", due=key.due_at.timestamp(), urgency=key.due_class)
    after = transition(item.state, change, at.timestamp())
    await write_moves(connection, [Move(stored=item, after=after, trigger="customer_wrote", actor=actor)], at)
    if by is not None:
        await mark_own_word(connection, item.workspace_id, item.state.id, at)

"""Call-backs that end because the customer was reached: they called again and were answered, or answered a call of ours.

Told by the calls of the same number, whichever conversations they stand in and in whichever order they came: a call-back ends once an
answered call began after the last missed one, or late rows say that this very call was answered. What waits, is offered or parked ends;
what an agent has is the agent's to finish. Written words that wait in the conversation keep its item.

An agent's own word that they are on a call ends what they see when they say it, and nothing that is told later: a call that never was would
end anybody's. Of a telephone system's live calls those count in which somebody talked, or which are still on.

**Identity**: the item; saying the same twice changes nothing. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from router.item.calls import CALLS, MISSED
from router.item.transition import Change, transition
from router.moves.item_store import lock_items
from router.moves.moves import Move, write_moves
from shared.database import Connection

SeenOf: TypeAlias = Callable[[Sequence[UUID]], Awaitable[Collection[UUID]]]
"""Of these conversations, those that somebody sees."""
REASON: Final = "reached"
_ENDS: Final = ("queued", "offered", "parked")
_CONVERSATIONS_MAX: Final = 50
# A person's newest conversations, under whichever handle they began and wherever they were merged into.
_THEIRS: Final = f"""
select distinct c.workspace_id, c.id, c.state, c.handle_id, c.closed_at, c.last_out_at
from santral.handle own
join santral.handle p on p.workspace_id = own.workspace_id and p.profile_id = own.profile_id
cross join lateral (
    select f.id, f.merged_into from santral.conversation f where f.workspace_id = p.workspace_id and f.handle_id = p.id
    order by f.opened_at desc limit {_CONVERSATIONS_MAX}
) n
join santral.conversation c on c.workspace_id = p.workspace_id and c.id = coalesce(n.merged_into, n.id)
where own.workspace_id = g.w and own.id = g.h
"""
_WAITING: Final = f"""
select g.w as workspace_id, g.h as handle_id, c.id as conversation_id, i.id as item_id, h.profile_id
from unnest($1::uuid[], $2::uuid[]) as g(w, h)
cross join lateral ({_THEIRS}) c
join santral.work_item i on i.workspace_id = c.workspace_id and i.conversation_id = c.id and i.kind = 'callback' and i.state = any($3)
join santral.handle h on h.workspace_id = c.workspace_id and h.id = c.handle_id
where c.state = 'open'
"""
_REACHED: Final = f"""
select distinct on (i.id) g.w, i.id as item_id, reached.call_id
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) as g(w, h, c, i)
join santral.conversation c on c.workspace_id = g.w and c.id = g.c
join santral.work_item i on i.workspace_id = g.w and i.id = g.i
cross join lateral (
    select (array_agg(m.body->'call'->>'call_id' order by m.body->'call'->>'started_at' desc))[1] as call_id,
           max((m.body->'call'->>'started_at')::timestamptz) as at, bool_or(m.handle_id = g.h) as own
    from santral.message m
    where m.workspace_id = c.workspace_id and m.conversation_id = c.id and m.kind = any($5) and m.body ? 'call'
) missed
cross join lateral (
    select $7::text as call_id where $8::timestamptz > missed.at
    union all
    select a.body->'call'->>'call_id' from ({_THEIRS}) t
    join santral.message a on a.workspace_id = t.workspace_id and a.conversation_id = t.id and a.handle_id = g.h
    where (t.closed_at is null or t.closed_at >= missed.at) and a.kind in ('call', 'edit') and a.body->'call'->>'answered' = 'true'
      and ((a.body->'call'->>'started_at')::timestamptz > missed.at or a.body->'call'->>'call_id' = missed.call_id)
    union all
    select null from ({_THEIRS}) t
    join santral.work_item x on x.workspace_id = t.workspace_id and x.conversation_id = t.id
    where t.handle_id = g.h and x.external and x.kind = 'call' and x.enqueued_at > missed.at
      and x.outcome->'call'->>'talk_s' is distinct from '0' and not exists (
          select 1 from santral.event said where said.workspace_id = x.workspace_id and said.conversation_id = x.conversation_id
            and said.type = 'item.assigned' and said.data->>'item_id' = x.id::text and said.data->>'actor' like 'agent:%')
    limit 1
) reached
where missed.own and not exists (
    select 1 from santral.message s
    where s.workspace_id = c.workspace_id and s.conversation_id = c.id and s.direction = 'in'
      and s.kind <> all($6) and s.kind not in ('system', 'reaction', 'edit', 'delete') and not s.body ? 'automatic'
      and s.accepted_at > coalesce(c.last_out_at, '-infinity')
      and s.accepted_at > coalesce((select max(b.closed_at) from santral.work_item b
          where b.workspace_id = c.workspace_id and b.conversation_id = c.id), '-infinity'))
order by i.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An open call-back of the person of a handle. ``profile_id``: of whom its conversation is."""

    workspace_id: UUID
    handle_id: UUID
    conversation_id: UUID
    item_id: UUID
    profile_id: UUID


async def waiting_callbacks(connection: Connection, people: Iterable[tuple[UUID, UUID]]) -> list[Waiting]:
    """Call-backs that could end, by (workspace, handle) of who called or was called; unlocked."""
    given = sorted(people)
    rows = [] if not given else await connection.fetch(_WAITING, [one[0] for one in given], [one[1] for one in given], list(_ENDS))
    return [Waiting(**dict(row)) for row in rows]


async def end_callbacks(
    connection: Connection,
    people: Collection[tuple[UUID, UUID]],
    at: datetime,
    *,
    actor: str,
    call_id: str | None = None,
    connected_at: datetime | None = None,
    seen_of: SeenOf | None = None,
) -> list[UUID]:
    """Cancels the call-backs of these (workspace, handle) whose number was reached since; returns the items.

    ``connected_at``: a call with this number, ``call_id``, was answered then. ``seen_of`` says which of some conversations who says so sees,
    the others' call-backs stay; None: all. The caller holds the handles' locks.
    """
    waiting = await waiting_callbacks(connection, people)
    if seen_of is not None and waiting:
        seen = await seen_of([one.conversation_id for one in waiting])
        waiting = [one for one in waiting if one.conversation_id in seen]
    if not waiting:
        return []
    columns = [[getattr(one, name) for one in waiting] for name in ("workspace_id", "handle_id", "conversation_id", "item_id")]
    rows = await connection.fetch(_REACHED, *columns, list(MISSED), list(CALLS), call_id, connected_at)
    reached = {row["item_id"]: row["call_id"] for row in rows}
    ended = []
    for stored in await lock_items(connection, [(row["w"], row["item_id"]) for row in rows]):
        if stored.state.state not in _ENDS:
            continue
        outcome: dict[str, Any] = {"canceled": REASON}
        if reached[stored.state.id] is not None:
            outcome["reached"] = {"call_id": reached[stored.state.id]}
        after = transition(stored.state, Change(trigger="cancel"), at.timestamp())
        await write_moves(
            connection, [Move(stored=stored, after=after, trigger="cancel", actor=actor, reason=REASON, outcome=outcome)], at
        )
        ended.append(stored.state.id)
    return ended

"""Capacity in the store: the one guarded statement that takes it, and the one that gives it back.

Says in SQL over the agent's row what `router/item/admission.py` says in Python; whoever changes one changes the other. All or nothing
per agent, no version equality: a presence change between decision and reservation must not lose the reservation.
How many items of a queue one agent may have is such a limit; those that are being transferred count for whom they are offered to.
The ramp, the pace of new items and shifts are dispatch's manners, not limits: an agent who claims sets their own pace, so the statement does not ask.
Callers lock conversations and items before they come here; agents are locked here, in id order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from router.item.limits import DEFAULTS
from shared.database import Connection

_LOCK: Final = """
select a.workspace_id, a.id from santral.agent a
join (select distinct (w->>'w')::uuid as workspace_id, (w->>'a')::uuid as id from jsonb_array_elements($1::jsonb) w) given
  on given.workspace_id = a.workspace_id and given.id = a.id
order by a.workspace_id, a.id for no key update of a
"""
_THERE: Final = """
select a.workspace_id, a.id from santral.agent a
join (select distinct (w->>'w')::uuid as workspace_id, (w->>'a')::uuid as id from jsonb_array_elements($1::jsonb) w) given
  on given.workspace_id = a.workspace_id and given.id = a.id
"""

_HOLD: Final = """
with wanted as (
    select (w->>'w')::uuid as workspace_id, (w->>'a')::uuid as agent_id, w->>'c' as channel, count(*)::int as n,
           bool_or((w->>'o')::boolean) as override
    from jsonb_array_elements($1::jsonb) w group by 1, 2, 3
), per_queue as (
    select (w->>'w')::uuid as workspace_id, (w->>'a')::uuid as agent_id, (w->>'q')::uuid as queue_id, count(*)::int as n,
           (count(*) filter (where (w->>'new')::boolean))::int as new
    from jsonb_array_elements($1::jsonb) w group by 1, 2, 3
), paced as (
    select p.workspace_id, p.agent_id, sum(p.new)::int as new, bool_and(case
        when coalesce(m.items_max, q.items_max) is null then true
        else p.n + (select count(*) from santral.work_item i where i.workspace_id = p.workspace_id and i.agent_id = p.agent_id
                    and i.queue_id = p.queue_id and i.state in ('offered', 'assigned', 'wrapping')) <= coalesce(m.items_max, q.items_max)
        end) as within
    from per_queue p join santral.queue q on q.workspace_id = p.workspace_id and q.id = p.queue_id
    left join santral.queue_member m on m.workspace_id = p.workspace_id and m.queue_id = p.queue_id and m.agent_id = p.agent_id
    group by 1, 2
), turned as (
    select t.workspace_id, t.agent_id, jsonb_object_agg(t.queue_id, extract(epoch from clock_timestamp())) as turns
    from (select distinct (w->>'w')::uuid as workspace_id, (w->>'a')::uuid as agent_id, met::uuid as queue_id
          from jsonb_array_elements($1::jsonb) w, jsonb_array_elements_text(w->'met') met) t
    join santral.queue q on q.workspace_id = t.workspace_id and q.id = t.queue_id and q.comparator = 'round_robin'
    group by 1, 2
), ruled as (
    select wanted.*, coalesce($2::jsonb->channel, '{"cost": 100, "cap": 0}') || jsonb_strip_nulls(
               coalesce(w.settings->'channels'->channel, '{}') || jsonb_strip_nulls(coalesce(a.channels->channel, '{}'))) as rule,
           coalesce((a.counts->>channel)::int, 0) as held, coalesce(a.presences->>channel, 'online') = 'online' as there
    from wanted join santral.agent a on a.workspace_id = wanted.workspace_id and a.id = wanted.agent_id
    join santral.workspace w on w.id = wanted.workspace_id
), priced as (
    select *, (rule->>'cost')::int as cost, coalesce((rule->>'interruptible')::boolean, false) as interruptible,
           coalesce((rule->>'exclusive')::boolean, false) as exclusive,
           there and coalesce((rule->>'enabled')::boolean, true) and held + n <= (rule->>'cap')::int as fits
    from ruled
), sums as (
    select workspace_id, agent_id, sum(n * cost)::int as cost, sum(n)::int as n, bool_or(override) as override,
           coalesce(sum(n * cost) filter (where interruptible), 0)::int as interruptible_cost,
           coalesce(sum(n) filter (where exclusive), 0)::int as exclusive_n, bool_and(fits) as fits, bool_or(interruptible) as waits,
           jsonb_object_agg(channel, held + n) as counts,
           jsonb_object_agg(
               channel, jsonb_build_object('cost', cost, 'interruptible', interruptible, 'exclusive', exclusive)) as held
    from priced group by 1, 2
)
update santral.agent a
set used = a.used + s.cost, interruptible_used = a.interruptible_used + s.interruptible_cost,
    exclusive_held = a.exclusive_held + s.exclusive_n, counts = a.counts || s.counts, version = a.version + 1,
    last_offer_at = clock_timestamp(), turns = a.turns || coalesce(t.turns, '{}'),
    recent = case when p.new = 0 or p.most is null then a.recent else (
        select coalesce(jsonb_agg(kept.at order by kept.at), '[]') from (
            select at::double precision as at from jsonb_array_elements_text(a.recent) at
            union all select extract(epoch from clock_timestamp())::double precision from generate_series(1, p.new)
            order by at desc limit p.most
        ) kept) end
from sums s
join (
    select p.*, (coalesce(nullif(o.new_items, 'null'), w.settings->'new_items')->>'items')::int as most
    from paced p join santral.agent o on o.workspace_id = p.workspace_id and o.id = p.agent_id
    join santral.workspace w on w.id = p.workspace_id
) p on p.workspace_id = s.workspace_id and p.agent_id = s.agent_id
left join turned t on t.workspace_id = s.workspace_id and t.agent_id = s.agent_id
where a.workspace_id = s.workspace_id and a.id = s.agent_id and (
    s.override or (
        p.within and
        a.enabled and a.presence = 'online' and (a.kind = 'bot' or a.lease_until > now())
        and s.fits and a.exclusive_held = 0 and (s.exclusive_n = 0 or s.n = 1)
        and (a.used + s.cost <= a.budget
             or (not s.waits and a.used + s.cost - a.budget <= a.interruptible_used))
    )
)
returning a.id, s.held, a.used > a.budget as over
"""

_RELEASE: Final = """
with given as (
    select (w->>'w')::uuid as workspace_id, (w->>'a')::uuid as agent_id, w->>'c' as channel, (w->>'cost')::int as cost,
           (w->>'interruptible')::boolean as interruptible, (w->>'exclusive')::boolean as exclusive
    from jsonb_array_elements($1::jsonb) w
), per_channel as (
    select workspace_id, agent_id, channel, count(*)::int as n, sum(cost)::int as cost,
           coalesce(sum(cost) filter (where interruptible), 0)::int as interruptible_cost,
           (count(*) filter (where exclusive))::int as exclusive_n
    from given group by 1, 2, 3
), sums as (
    select p.workspace_id, p.agent_id, sum(p.cost)::int as cost, sum(p.interruptible_cost)::int as interruptible_cost,
           sum(p.exclusive_n)::int as exclusive_n,
           jsonb_object_agg(p.channel, greatest(0, coalesce((a.counts->>p.channel)::int, 0) - p.n)) as counts
    from per_channel p join santral.agent a on a.workspace_id = p.workspace_id and a.id = p.agent_id group by 1, 2
)
update santral.agent a
set used = greatest(0, a.used - s.cost), interruptible_used = greatest(0, a.interruptible_used - s.interruptible_cost),
    exclusive_held = greatest(0, a.exclusive_held - s.exclusive_n), counts = a.counts || s.counts,
    idle_since = now(), version = a.version + 1
from sums s where a.workspace_id = s.workspace_id and a.id = s.agent_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One item of a queue that wants an agent's capacity. ``override`` exceeds it, and an event says so.

    ``new``: it counts for the pace of new items; ``met``: the queues through which it came, whose turn this was.
    """

    workspace_id: UUID
    agent_id: UUID
    channel: str
    queue_id: UUID
    new: bool = True
    met: tuple[UUID, ...] = ()
    override: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one item uses of one agent: the price at which it was taken, so that exactly this is given back."""

    workspace_id: UUID
    agent_id: UUID
    channel: str
    cost: int
    interruptible: bool
    exclusive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An agent's answer: the price per channel, and whether the budget is exceeded now (override only)."""

    prices: Mapping[str, Mapping[str, Any]]
    over: bool


def _wanted(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    return [
        {"w": str(c.workspace_id), "a": str(c.agent_id), "c": c.channel, "o": c.override, "q": str(c.queue_id), "new": c.new,
         "met": [str(one) for one in {c.queue_id, *c.met}]}
        for c in claims
    ]  # fmt: skip


async def lock_agents(connection: Connection, agents: Sequence[tuple[UUID, UUID]]) -> None:
    """Locks the rows of (workspace, agent) pairs in id order; the last class of rows in the lock order."""
    if agents:
        await connection.execute(_LOCK, [{"w": str(workspace), "a": str(agent)} for workspace, agent in agents])


async def lock_free_agents(connection: Connection, agents: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Locks the rows of those agents that nobody else holds; returns those that somebody does. Never waits."""
    given = [{"w": str(workspace), "a": str(agent)} for workspace, agent in agents]
    if not given:
        return set()
    locked = {(row["workspace_id"], row["id"]) for row in await connection.fetch(_LOCK + " skip locked", given)}
    if len(locked) == len(set(agents)):
        return set()
    return {(row["workspace_id"], row["id"]) for row in await connection.fetch(_THERE, given)} - locked


async def hold(connection: Connection, claims: Sequence[Claim]) -> dict[UUID, Granted]:
    """Takes capacity for all of an agent's claims or for none; returns the agents that granted. Their rows are locked already."""
    if not claims:
        return {}
    rows = await connection.fetch(_HOLD, _wanted(claims), DEFAULTS)
    return {row["id"]: Granted(prices=row["held"], over=row["over"]) for row in rows}


async def release(connection: Connection, held: Sequence[Held]) -> None:
    """Gives back what was taken. Not idempotent: the item's row says whether it still holds. Rows are locked already."""
    if held:
        rows = [
            {
                "w": str(one.workspace_id), "a": str(one.agent_id), "c": one.channel, "cost": one.cost,
                "interruptible": one.interruptible, "exclusive": one.exclusive,
            }
            for one in held
        ]  # fmt: skip
        await connection.execute(_RELEASE, rows)

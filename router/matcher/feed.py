"""What dispatch reads: its feed of changes, and the rows they point at as the core's absolute states.

Agents are handed over as rows: whom filters of plans let through is worked out when the transaction is over (`states`), as it may take a while.

The feed has no order and no key: rows are deleted as they are read, duplicates fold in memory, and what they point at is read in
a later statement of the same transaction, so it is never older than the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.dispatch.agents import AgentState, Pull
from router.dispatch.vocabulary import AgentRemoved, ItemRemoved, QueueState, Told
from router.item.admission import Presence
from router.item.limits import channel_rules, ramp_of
from router.moves.item_store import epoch, read_items, read_open_items
from router.moves.moves import slot_of
from router.policy.agent_filter import Filters, skills_with_filters
from shared.database import Connection

FEW: Final = 50
_PREFETCH: Final = 1000
_TAKE: Final = "delete from santral.dispatch_change where slot = any($1::smallint[]) returning workspace_id, kind, id"
# One probe of the index per slot: a distinct over the feed would read all of it.
_CHANGED: Final = """
select clock_timestamp() as now, array(
    select s from unnest($1::smallint[]) as s where exists (select from santral.dispatch_change c where c.slot = s)) as slots
"""
_WORKSPACES: Final = "select id from santral.workspace"
_AGENTS: Final = """
select a.*, coalesce(m.queues, '{}') as queues, coalesce(m.names, '{}') as queue_names,
       w.settings->'channels' as workspace_channels, w.settings->'ramp' as ramp,
       w.settings->'new_items' as workspace_new_items, l.items_max
from santral.agent a
join santral.workspace w on w.id = a.workspace_id
left join lateral (
    -- Bulk mail comes after all else that an agent may take, whatever their own order of queues is.
    select jsonb_object_agg(m.queue_id, jsonb_build_array(m.priority + case q.purpose when 'bulk' then 1000 else 0 end, m.delay_s))
               filter (where q.mode <> 'pull' and q.enabled) as queues, array_agg(q.name) as names
    from santral.queue_member m join santral.queue q on q.workspace_id = m.workspace_id and q.id = m.queue_id
    where m.workspace_id = a.workspace_id and m.agent_id = a.id
) m on true
left join lateral (
    select jsonb_object_agg(q.id, coalesce(m.items_max, q.items_max)) as items_max
    from santral.queue q
    left join santral.queue_member m on m.workspace_id = q.workspace_id and m.queue_id = q.id and m.agent_id = a.id
    where q.workspace_id = a.workspace_id and coalesce(m.items_max, q.items_max) is not null
) l on true
"""
_AGENTS_BY_ID: Final = (
    _AGENTS
    + """
join (select (g->>'w')::uuid as workspace_id, (g->>'i')::uuid as id from jsonb_array_elements($1::jsonb) g) given
  on given.workspace_id = a.workspace_id and given.id = a.id
"""
)
_QUEUES: Final = "select workspace_id, id, comparator, enabled and mode = 'pull' as pulled from santral.queue where workspace_id = any($1::uuid[])"
_MEMBERS: Final = """
select m.workspace_id, m.agent_id from santral.queue_member m
join (select (g->>'w')::uuid as workspace_id, (g->>'i')::uuid as id from jsonb_array_elements($1::jsonb) g) given
  on given.workspace_id = m.workspace_id and given.id = m.queue_id
"""


Seen = Told | dict[str, Any]
"""What the core is told, or the row of an agent of whom it will be."""


@dataclass(slots=True)
class Changes:
    """(workspace, id) by kind."""

    items: set[tuple[UUID, UUID]] = field(default_factory=set)
    agents: set[tuple[UUID, UUID]] = field(default_factory=set)
    queues: set[tuple[UUID, UUID]] = field(default_factory=set)

    @classmethod
    def of(cls, rows: Iterable[tuple[UUID, str, UUID]]) -> Changes:
        """From (workspace, kind, id); a kind this release does not know is ignored."""
        found = cls()
        kinds = {"item": found.items, "agent": found.agents, "queue": found.queues}
        for workspace, kind, one in rows:
            if kind in kinds:
                kinds[kind].add((workspace, one))
        return found

    def named(self, wanted: Callable[[UUID], bool]) -> set[tuple[UUID, str, UUID]]:
        """Those of wanted workspaces as (workspace, kind, id)."""
        kinds = {"item": self.items, "agent": self.agents, "queue": self.queues}
        return {(workspace, kind, one) for kind, pairs in kinds.items() for workspace, one in pairs if wanted(workspace)}

    def merge(self, other: Changes) -> None:
        """Adds another's changes."""
        self.items |= other.items
        self.agents |= other.agents
        self.queues |= other.queues

    def only(self, wanted: Callable[[UUID], bool]) -> Changes:
        """Those of wanted workspaces."""
        return Changes(
            items={pair for pair in self.items if wanted(pair[0])},
            agents={pair for pair in self.agents if wanted(pair[0])},
            queues={pair for pair in self.queues if wanted(pair[0])},
        )


async def changed_slots(connection: Connection, slots: Iterable[int]) -> tuple[datetime, set[int]]:
    """The database's clock, and which of these slots have something in the feed."""
    row = await connection.fetchrow(_CHANGED, list(slots))
    assert row is not None
    return row["now"], set(row["slots"])


async def take_changes(connection: Connection, slots: Iterable[int]) -> Changes:
    """Takes the feed of these slots; it is gone when the transaction commits."""
    rows = await connection.fetch(_TAKE, list(slots))
    return Changes.of((row["workspace_id"], row["kind"], row["id"]) for row in rows)


async def read_changes(connection: Connection, changes: Changes) -> dict[UUID, list[Seen]]:
    """The absolute states of what changed, by workspace."""
    told: dict[UUID, list[Seen]] = {}
    if changes.queues:
        rows = await connection.fetch(_QUEUES, list({workspace for workspace, _ in changes.queues}))
        for row in rows:
            told.setdefault(row["workspace_id"], []).append(_queue_state(row))
        members = await connection.fetch(_MEMBERS, _given(changes.queues))
        changes.agents |= {(row["workspace_id"], row["agent_id"]) for row in members}
    if changes.agents:
        found = {(row["workspace_id"], row["id"]): row for row in await connection.fetch(_AGENTS_BY_ID, _given(changes.agents))}
        for workspace, agent in changes.agents:
            seen = found.get((workspace, agent))
            told.setdefault(workspace, []).append(dict(seen) if seen is not None else AgentRemoved(id=agent, version=_GONE))
    if changes.items:
        stored = {(one.workspace_id, one.state.id): one.state for one in await read_items(connection, list(changes.items))}
        for pair in changes.items:
            told.setdefault(pair[0], []).append(stored.get(pair) or ItemRemoved(id=pair[1], version=_GONE))
    return told


async def workspaces_in(connection: Connection, slots: Iterable[int]) -> list[UUID]:
    """The workspaces of these slots."""
    wanted = set(slots)
    return [row["id"] for row in await connection.fetch(_WORKSPACES) if slot_of(row["id"]) in wanted]


async def read_everything(connection: Connection, workspaces: Sequence[UUID]) -> dict[UUID, list[Seen]]:
    """All open items, agents and queues of these workspaces: what a new core is told."""
    told: dict[UUID, list[Seen]] = {workspace: [] for workspace in workspaces}
    for row in await connection.fetch(_QUEUES, workspaces):
        told[row["workspace_id"]].append(_queue_state(row))
    async for row in connection.cursor(_AGENTS + "where a.workspace_id = any($1::uuid[])", workspaces, prefetch=_PREFETCH):
        told[row["workspace_id"]].append(dict(row))
    async for one in read_open_items(connection, workspaces):
        told[one.workspace_id].append(one.state)
    return told


_GONE: Final = 2**62


def _queue_state(row: Any) -> QueueState:
    return QueueState(id=row["id"], comparator=row["comparator"], pulled=row["pulled"])


def of_agents(seen: Mapping[UUID, Sequence[Seen]]) -> list[UUID]:
    """The workspaces of whose agents something was read."""
    return [workspace for workspace, some in seen.items() if any(isinstance(one, dict | AgentRemoved) for one in some)]


def is_known(seen: Sequence[Seen], filters: Filters) -> bool:
    """Whether what was read can be told at once: few agents, of whom no filter is still to be asked."""
    agents = [one for one in seen if isinstance(one, dict)]
    return not filters.sources or (len(agents) <= FEW and all(filters.knows(one, one["queue_names"]) for one in agents))


def states(seen: Sequence[Seen], filters: Filters) -> list[Told]:
    """What was read, in order, as the core is told it. Asks filters of agents of whom they are not known: in a thread then."""
    told: list[Told] = []
    for one in seen:
        if isinstance(one, AgentRemoved):
            filters.forget(one.id)
        told.append(agent_state(one, filters) if isinstance(one, dict) else one)
    return told


def agent_state(row: Mapping[str, Any], filters: Filters) -> AgentState:
    """An agent's row as the core reads it. A bot has no socket and needs no lease; a person without one is not there.

    Outside their shift somebody who is online counts as away: nothing new comes, what they have stays.
    """
    rules = channel_rules(row["channels"], row["workspace_channels"], row["presences"])
    lease = None if row["kind"] == "bot" else (epoch(row["lease_until"]) or 0.0)
    last_offer_at = epoch(row["last_offer_at"])
    ramp = ramp_of(row["ramp"], epoch(row["online_since"]), last_offer_at)
    new_items = row["new_items"] or row["workspace_new_items"]
    presence: Presence = "away" if row["off_shift"] and row["presence"] in ("online", "busy") else row["presence"]
    return AgentState(
        id=row["id"],
        version=row["version"],
        queues={UUID(queue): Pull(priority, delay_s) for queue, (priority, delay_s) in row["queues"].items()},
        channels=rules,
        enabled=row["enabled"],
        presence=presence if row["enabled"] else "offline",
        lease_until=lease,
        budget=row["budget"],
        used=row["used"],
        interruptible_used=row["interruptible_used"],
        exclusive_held=row["exclusive_held"],
        counts=row["counts"],
        skills=skills_with_filters(row, row["queue_names"], filters),
        idle_since=row["idle_since"].timestamp(),
        turns={UUID(queue): at for queue, at in row["turns"].items()},
        items_max={UUID(queue): most for queue, most in (row["items_max"] or {}).items()},
        recent=tuple(row["recent"]),
        new_items_max=int(new_items["items"]) if new_items else 0,
        new_items_s=float(new_items["window_s"]) if new_items else 0.0,
        not_before=ramp.not_before,
        ramp_until=ramp.until,
        ramp_s=ramp.every_s,
    )


def _given(pairs: Iterable[tuple[UUID, UUID]]) -> list[dict[str, str]]:
    return [{"w": str(workspace), "i": str(one)} for workspace, one in pairs]

"""The partition written down: who a component's handles belong to, read, decided by the pure function and stored.

Whatever may change who belongs together (a new merging link, a retraction, a cannot-link) takes the workspace's identity lock
(`profiles/identity_lock.py`) before it looks. The order is always: insert handles and links, lock the identity, :func:`reach`, lock the
handles, :func:`rebuild`.

**Identity**: a profile's id is its oldest handle's. **Units**: times aware UTC from the database's clock.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from profiles.handles import lock_handles
from profiles.partition import Link, Node, Partition, partition
from profiles.profile import Change, Standing, changes
from profiles.rules import ProfileRules, profile_rules
from profiles.search_words import Named, search_text
from profiles.survivorship import Observation, effective, materialized
from shared.database import Connection
from shared.event import Event
from shared.ids import HandleId, WorkspaceId, new_id

HandleRef: TypeAlias = tuple[WorkspaceId, HandleId]
CAUSES_MAX: Final = 20
NEAR_MAX: Final = 5000
"""Handles that are decided with a batch of messages without a look at whose they are."""
OF_ONE_MAX: Final = 50
"""Handles around each that a message touched, where a batch reaches more: what one person has at most, and some of their neighbours'."""
DECIDED_AT_ONCE_MAX: Final = 500
"""Handles; who is who among more of them is decided beside the loop."""
_NOT_MERGED: Final = UUID(int=0)

_REACH: Final = """
with recursive reach(workspace_id, id) as (
    select workspace_id, id from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id)
    union
    select r.workspace_id, n.id from reach r
    cross join lateral (
        select l.b as id from santral.link l
        where l.workspace_id = r.workspace_id and l.a = r.id and l.retracted_at is null and l.assurance <> 'asserted'
        union all
        select l.a from santral.link l
        where l.workspace_id = r.workspace_id and l.b = r.id and l.retracted_at is null and l.assurance <> 'asserted'
    ) n
    where r.id = any($3::uuid[]) or not exists (
        select 1 from santral.handle h where h.workspace_id = r.workspace_id and h.id = r.id and h.shared
    )
)
select workspace_id, id from reach limit $4
"""
# A walk stops where its limit is: PostgreSQL takes a recursive query's rows as they come.
# LATERAL with a LIMIT keeps every look-up on its index, whatever the tables' sizes.
_HANDLES: Final = """
select g.workspace_id, g.id, h.kind, h.scope, h.value, h.name, h.first_seen_at, h.shared, h.shared_by, h.profile_id,
       now() as as_of
from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id)
cross join lateral (select f.* from santral.handle f where f.workspace_id = g.workspace_id and f.id = g.id limit 1) h
"""
_PROFILES: Final = """
select g.workspace_id, g.id, p.version, p.merged_into, p.effective, p.search
from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id)
cross join lateral (select f.* from santral.profile f where f.workspace_id = g.workspace_id and f.id = g.id limit 1) p
"""
_LINKS: Final = """
select g.workspace_id, l.id, l.a, l.b, l.kind, l.assurance, l.first_seen_at, l.expires_at
from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id)
cross join lateral (
    select f.* from santral.link f
    where f.workspace_id = g.workspace_id and f.a = g.id and f.retracted_at is null and f.assurance <> 'asserted' offset 0
) l
"""
_CANNOT: Final = """
select g.workspace_id, c.a, c.b from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id)
cross join lateral (
    select f.a, f.b from santral.cannot_link f
    where f.workspace_id = g.workspace_id and f.a = g.id and f.retracted_at is null offset 0
) c
"""
FACTS: Final = """
select g.workspace_id, f.handle_id, f.name, f.value, f.source, f.assurance, f.observed_at
from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id)
cross join lateral (
    select c.* from santral.fact c where c.workspace_id = g.workspace_id and c.handle_id = g.id offset 0
) f
"""
_AWAITED: Final = """
select h.workspace_id, h.profile_id from santral.erasure e
join santral.handle h on h.workspace_id = e.workspace_id and h.id = e.profile_id
where e.workspace_id = any($1::uuid[]) and e.state <> 'done' and h.profile_id = any($2::uuid[])
"""
_MOVE: Final = """
update santral.handle h set profile_id = g.profile_id, shared = g.shared_by <> '', shared_by = g.shared_by
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as g(workspace_id, id, profile_id, shared_by)
where h.workspace_id = g.workspace_id and h.id = g.id
"""
# A version after the first is written down with what changed; the first one is its profile's beginning.
_STORE: Final = """
with given as (select g, place from jsonb_array_elements($1::jsonb) with ordinality as given(g, place)), stored as (
    insert into santral.profile (workspace_id, id, version, merged_into, effective, search)
    select (g->>'w')::uuid, (g->>'i')::uuid, (g->>'v')::bigint, (g->>'m')::uuid, g->'e', g->>'s' from given order by place
    on conflict (workspace_id, id) do update
    set version = excluded.version, merged_into = excluded.merged_into, effective = excluded.effective,
        search = excluded.search, changed_at = now()
)
insert into santral.profile_change (workspace_id, profile_id, version, what, cause)
select (g->>'w')::uuid, (g->>'i')::uuid, (g->>'v')::bigint, g->'x', g->'c' from given where (g->>'v')::bigint > 1 order by place
"""
_RULES: Final = "select now() as as_of, (select settings->'profile' from santral.workspace where id = $1) as profile"
SETTINGS: Final = "select workspace_id, settings->'profile' as profile from santral.workspace where workspace_id = any($1::uuid[])"


async def reach(
    connection: Connection, seeds: Collection[HandleRef], *, reconsider: Collection[HandleRef] = (), most: int | None = None
) -> set[HandleRef]:
    """Every handle whose profile may change with the seeds', themselves included; the first ``most`` of them where that is given.

    A shared handle is a wall: nobody merges through it, so it is not looked behind, unless it stands in ``reconsider``.
    """
    if not seeds:
        return set()
    pairs = sorted(seeds)
    rows = await connection.fetch(
        _REACH, [w for w, _ in pairs], [handle_id for _, handle_id in pairs], [handle_id for _, handle_id in reconsider], most
    )
    return {(row["workspace_id"], row["id"]) for row in rows}


async def reach_near(connection: Connection, seeds: Collection[HandleRef]) -> tuple[set[HandleRef], set[WorkspaceId]]:
    """The same while it is not far; and the workspaces left out, where a crowd hangs together that nobody should wait for."""
    near = await reach(connection, seeds, most=NEAR_MAX + 1)
    if len(near) <= NEAR_MAX:
        return near, set()
    near, far = set(), set()
    for workspace_id in sorted({one for one, _ in seeds}):
        own = [seed for seed in seeds if seed[0] == workspace_id]
        found = await reach(connection, own, most=len(own) * OF_ONE_MAX + 1)
        if len(found) > len(own) * OF_ONE_MAX:
            far.add(workspace_id)
        else:
            near |= found
    return near, far


async def rebuild(
    connection: Connection,
    places: Collection[HandleRef],
    *,
    reconsider: Collection[HandleRef] = (),
    cause: Mapping[str, Any] | None = None,
) -> list[Event]:
    """Decides and stores the partition of handles that are locked and, with :func:`reach`, complete.

    ``cause`` says why, for the versions that begin: ids and words only. Returns the events to record in the same transaction;
    nothing when all is as it was, so calling it twice is safe.
    """
    if not places:
        return []
    asked = {handle_id for _, handle_id in reconsider}
    return await _decide(connection, await _known(connection, places, asked), asked, cause)


async def rebuild_unseen(
    connection: Connection,
    workspace_id: WorkspaceId,
    handles: Sequence[Mapping[str, Any]],
    links: Sequence[Mapping[str, Any]],
    facts: Sequence[Mapping[str, Any]],
    *,
    cause: Mapping[str, Any],
) -> tuple[Partition, list[Event]]:
    """The same for handles that this transaction began, with all there is about them: rows nobody else can have seen.

    So nothing is read but the rules, and nothing needs a lock. ``handles``, ``links`` and ``facts`` are rows as the tables have them.
    """
    row = await connection.fetchrow(_RULES, workspace_id)
    assert row is not None, "a select of two values has a row"
    known = _Known(
        handles={workspace_id: [{**handle, "as_of": row["as_of"]} for handle in handles]},
        profiles={workspace_id: []},
        links={workspace_id: list(links)},
        cannot_links={workspace_id: []},
        facts={workspace_id: list(facts)},
        rules={workspace_id: profile_rules(row["profile"])},
    )
    return known.partition(workspace_id, ()), await _decide(connection, known, (), cause)


async def _decide(connection: Connection, known: _Known, asked: Collection[UUID], cause: Mapping[str, Any] | None) -> list[Event]:
    large = sum(len(handles) for handles in known.handles.values()) > DECIDED_AT_ONCE_MAX
    decided = await asyncio.to_thread(_decided, known, asked, cause) if large else _decided(known, asked, cause)
    if decided.moved:
        await connection.execute(_MOVE, *(list(column) for column in zip(*decided.moved, strict=True)))
    if decided.stored:
        await connection.execute(_STORE, decided.stored)
    return decided.events


@dataclass(slots=True)
class _Decided:
    """What is to be written: handles that move, profiles as they are to be, and what is told of it."""

    moved: list[tuple[UUID, UUID, UUID, str]] = field(default_factory=list)
    stored: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def _decided(known: _Known, asked: Collection[UUID], cause: Mapping[str, Any] | None) -> _Decided:
    decided = _Decided()
    for workspace_id, handles in sorted(known.handles.items()):
        as_of: datetime = handles[0]["as_of"]
        found = known.partition(workspace_id, asked)
        decided.moved += [(workspace_id, *move) for move in _moves(handles, found, asked)]
        before = {row["id"]: row["profile_id"] for row in handles}
        joining = _joining(found, before)
        shown = _effective(found, known.facts[workspace_id], known.rules[workspace_id])
        for change in changes(
            found.components,
            before=before,
            rows={row["id"]: _standing(row) for row in known.profiles[workspace_id]},
            effective=shown,
            search=_search(found, handles, shown),
        ):
            why = {**(cause or {}), **({"links": joining[change.id]} if change.id in joining else {})}
            decided.stored.append(_stored(workspace_id, change, why))
            decided.events += _events(workspace_id, change, as_of)
    return decided


async def recompute(
    connection: Connection,
    seeds: Collection[HandleRef],
    *,
    reconsider: Collection[HandleRef] = (),
    cause: Mapping[str, Any] | None = None,
) -> list[Event]:
    """Reach, lock, rebuild: for commands that hold the identity lock and no other handle's row."""
    places = await reach(connection, seeds, reconsider=reconsider)
    await lock_handles(connection, places)
    return await rebuild(connection, places, reconsider=reconsider, cause=cause)


async def partition_around(connection: Connection, workspace_id: WorkspaceId, handle_ids: Collection[HandleId]) -> Partition:
    """The partition of everything these handles reach, as the ledger says now; writes and locks nothing."""
    places = await reach(connection, [(workspace_id, handle_id) for handle_id in handle_ids])
    return (await _known(connection, places, ())).partition(workspace_id, ())


async def rules_of(connection: Connection, workspace_ids: Collection[WorkspaceId]) -> dict[WorkspaceId, ProfileRules]:
    """What each workspace settled; the defaults for one that is not there."""
    rows = await connection.fetch(SETTINGS, list(workspace_ids))
    found = {row["workspace_id"]: profile_rules(row["profile"]) for row in rows}
    return {workspace_id: found.get(workspace_id) or profile_rules(None) for workspace_id in workspace_ids}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The rows a decision needs, by workspace."""

    handles: Mapping[WorkspaceId, list[Any]]
    profiles: Mapping[WorkspaceId, list[Any]]
    links: Mapping[WorkspaceId, list[Any]]
    cannot_links: Mapping[WorkspaceId, list[Any]]
    facts: Mapping[WorkspaceId, list[Any]]
    rules: Mapping[WorkspaceId, ProfileRules]
    awaited: Collection[tuple[UUID, UUID]] = ()
    """People who are to be erased, by (workspace, profile)."""

    def partition(self, workspace_id: WorkspaceId, asked: Collection[UUID]) -> Partition:
        """Who is one person, by the pure function."""
        handles = self.handles[workspace_id]
        return partition(
            [_node(row, asked) for row in handles],
            [_link(row) for row in self.links[workspace_id]],
            [(row["a"], row["b"]) for row in self.cannot_links[workspace_id]],
            as_of=handles[0]["as_of"],
            rules=self.rules[workspace_id].identity,
            awaited={row["id"]: row["profile_id"] for row in handles if (workspace_id, row["profile_id"]) in self.awaited},
        )


async def _known(connection: Connection, places: Collection[HandleRef], asked: Collection[UUID]) -> _Known:
    handles = await _rows(connection, _HANDLES, places)
    each = [(workspace_id, row) for workspace_id, rows in handles.items() for row in rows]
    # A wall's links never merge and may be very many; those between other handles start at one that is no wall.
    open_places = [(workspace_id, row["id"]) for workspace_id, row in each if not _declared(row, asked)]
    return _Known(
        handles=handles,
        profiles=await _rows(connection, _PROFILES, {*places, *((workspace_id, row["profile_id"]) for workspace_id, row in each)}),
        links=await _rows(connection, _LINKS, open_places),
        cannot_links=await _rows(connection, _CANNOT, places),
        facts=await _rows(connection, FACTS, places),
        rules=await rules_of(connection, handles),
        awaited={
            (row["workspace_id"], row["profile_id"])
            for row in await connection.fetch(_AWAITED, list(handles), list({row["profile_id"] for _, row in each}))
        },
    )


async def _rows(connection: Connection, query: str, places: Collection[HandleRef]) -> Mapping[WorkspaceId, list[Any]]:
    found: dict[WorkspaceId, list[Any]] = defaultdict(list)
    for row in await connection.fetch(query, [w for w, _ in places], [handle_id for _, handle_id in places]):
        found[row["workspace_id"]].append(row)
    return found


def _declared(row: Any, asked: Collection[UUID]) -> bool:
    # What fan-out decided is decided anew for a handle that is reconsidered; what a person or our own address says stays.
    return bool(row["shared"]) and not (row["shared_by"] == "fan_out" and row["id"] in asked)


def _node(row: Any, asked: Collection[UUID]) -> Node:
    return Node(
        id=row["id"], kind=row["kind"], scope=row["scope"], value=row["value"], first_seen_at=row["first_seen_at"],
        shared=_declared(row, asked),
    )  # fmt: skip


def _link(row: Any) -> Link:
    return Link(
        id=row["id"], a=row["a"], b=row["b"], kind=row["kind"], assurance=row["assurance"], first_seen_at=row["first_seen_at"],
        expires_at=row["expires_at"],
    )  # fmt: skip


def _moves(rows: Iterable[Any], found: Partition, asked: Collection[UUID]) -> Iterable[tuple[UUID, UUID, str]]:
    for row in rows:
        shared_by = row["shared_by"] if _declared(row, asked) else "fan_out" if row["id"] in found.shared else ""
        profile_id = found.head_of[row["id"]]
        if (profile_id, shared_by) != (row["profile_id"], row["shared_by"]):
            yield (row["id"], profile_id, shared_by)


def _standing(row: Any) -> Standing:
    merged_into = row["merged_into"] if row["merged_into"] != _NOT_MERGED else None
    return Standing(id=row["id"], version=row["version"], merged_into=merged_into, effective=row["effective"], search=row["search"])


def _effective(found: Partition, facts: Iterable[Any], rules: ProfileRules) -> Mapping[UUID, Mapping[str, Any]]:
    observed: dict[UUID, list[Observation]] = defaultdict(list)
    for row in facts:
        observed[found.head_of[row["handle_id"]]].append(observation(row))
    return {head: materialized(effective(seen, strategies=rules.strategies)) for head, seen in observed.items()}


def _search(found: Partition, handles: Iterable[Any], shown: Mapping[UUID, Mapping[str, Any]]) -> Mapping[UUID, str]:
    named: dict[UUID, list[Named]] = defaultdict(list)
    for row in handles:
        named[found.head_of[row["id"]]].append(Named(row["kind"], row["value"], row["name"]))
    return {head: search_text(members, shown.get(head, {})) for head, members in named.items()}


def _joining(found: Partition, before: Mapping[UUID, UUID]) -> dict[UUID, list[str]]:
    """For each profile that got handles that were another's before, the links by which it got them: the first `CAUSES_MAX`."""
    links: defaultdict[UUID, list[str]] = defaultdict(list)
    for link in found.joined:
        into = links[found.head_of[link.a]]
        if before[link.a] != before[link.b] and len(into) < CAUSES_MAX:
            into.append(str(link.id))
    grown = (head for head, members in found.components.items() if len({before[member] for member in members}) > 1)
    return {head: links[head] for head in grown}


def observation(row: Any) -> Observation:
    """A row of ``fact`` as survivorship reads it."""
    return Observation(
        name=row["name"], value=row["value"], source=row["source"], assurance=row["assurance"], observed_at=row["observed_at"]
    )


def _stored(workspace_id: WorkspaceId, change: Change, cause: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "w": str(workspace_id), "i": str(change.id), "v": change.version, "m": str(change.merged_into or _NOT_MERGED),
        "e": dict(change.effective), "s": change.search, "x": dict(change.what), "c": dict(cause),
    }  # fmt: skip


def _events(workspace_id: WorkspaceId, change: Change, at: datetime) -> Iterable[Event]:
    for happening in change.happenings:
        yield Event(
            id=new_id(), workspace_id=workspace_id, type=happening.type, at=at, profile_id=change.id, data=dict(happening.data)
        )

"""A chunk of imported people written in one transaction, set-based, with a number of statements that does not grow with it.

A row whose handles nobody knows begins a person of its own; nothing can join it, so it is written straight down. Every other row takes
the way of all evidence: links of kind ``import``, the identity's lock, and the partition decided anew. What says nothing new writes
nothing: handles that are one person already, values that are shown already or were said by the same source, statements that hold.

**Identity** of what is written: that of handles, links and facts; the source is ``import:<name>``. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from profiles.consent_store import changed_by
from profiles.evidence import Evidence
from profiles.handles import KnownHandle, known_by_key, known_handles, lock_handles, touch_handles
from profiles.identity_lock import lock_identity
from profiles.imports.begin import insert_handles, write_begun
from profiles.imports.known_people import Stored, news_of, stored_of
from profiles.imports.rows import Person
from profiles.ledger import record_links
from profiles.recompute import reach, rebuild
from profiles.rules import ProfileRules
from profiles.sighting import Key, WantedHandle
from shared import outbox
from shared.database import Connection
from shared.handle import Handle
from shared.ids import HandleId, ProfileId, WorkspaceId, new_id

_FACTS: Final = """
insert into santral.fact (workspace_id, id, handle_id, name, value, source, assurance, observed_at)
select $1, id, handle_id, name, value::jsonb, $2, $3, $4
from unnest($5::uuid[], $6::uuid[], $7::text[], $8::text[]) as g(id, handle_id, name, value)
on conflict (workspace_id, handle_id, name, source) do update
set value = excluded.value, assurance = excluded.assurance, observed_at = excluded.observed_at
where excluded.observed_at > fact.observed_at
"""
_CONSENTS: Final = """
insert into santral.consent (workspace_id, id, handle_id, purpose, channel, granted, explicit, source, actor, stated_at)
select $1, id, handle_id, purpose, channel, granted, false, $2, $3, $4
from unnest($5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::bool[]) as g(id, handle_id, purpose, channel, granted)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which an import writes. ``assurance``: how far the source is believed; ``asserted`` joins nobody."""

    workspace_id: WorkspaceId
    source: str
    assurance: str
    observed_at: datetime
    actor: str
    rules: ProfileRules = field(default_factory=ProfileRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Rows by what became of them."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0


async def write_people(connection: Connection, people: Sequence[Person], terms: Terms) -> Written:
    """Writes what is new of the rows. Twice writes nothing the second time. Raises `Contended` when somebody was first."""
    if not people:
        return Written()
    keys = [(terms.workspace_id, handle) for handle in dict.fromkeys(handle for person in people for handle in person.handles)]
    known = await known_by_key(connection, keys)
    alone, others = _sorted(people, known, terms)
    if others:
        stored = await stored_of(connection, terms.workspace_id, known, terms.source)
        others = [person for person in others if _anything_new(person, known, stored, terms)]
    ids = await _begin(connection, alone, others, known, terms)
    if alone:
        await write_begun(connection, alone, ids, terms, _source(terms), terms.rules.strategies)
        await _write_consents(connection, [(ids[person.hub], person) for person in alone], terms)
    if others:
        await _write_others(connection, others, _wanted_of(others, terms), frozenset(ids.values()), terms)
    return Written(created=len(alone), changed=len(others), unchanged=len(people) - len(alone) - len(others))


def _wanted_of(people: Sequence[Person], terms: Terms) -> dict[Handle, WantedHandle]:
    return {
        handle: _wanted(handle, raw, person, terms)
        for person in people
        for handle, raw in zip(person.handles, person.raws, strict=True)
    }


def _wanted(handle: Handle, raw: str, person: Person, terms: Terms) -> WantedHandle:
    return WantedHandle(
        key=(terms.workspace_id, handle), raw=raw, name=person.name if handle == person.hub else "", assurance=terms.assurance,
        first_seen_at=terms.observed_at, last_seen_at=terms.observed_at,
        present=handle == person.hub or terms.assurance != "asserted", kept_apart="",
    )  # fmt: skip


def _sorted(people: Sequence[Person], known: Mapping[Key, KnownHandle], terms: Terms) -> tuple[list[Person], list[Person]]:
    """Those who begin a person of their own, and the others: somebody knows one of their handles, or another row names it too."""
    if terms.assurance == "asserted":
        return [], list(people)
    rows: dict[Handle, int] = {}
    common = {handle for person in people for handle in person.handles if rows.setdefault(handle, person.row) != person.row}
    common.update(handle for _, handle in known)
    alone: list[Person] = []
    others: list[Person] = []
    for person in people:
        (alone if common.isdisjoint(person.handles) and _in_limits(person, terms) else others).append(person)
    return alone, others


def _in_limits(person: Person, terms: Terms) -> bool:
    rules = terms.rules.identity
    kinds = Counter(handle.kind for handle in person.handles)
    return all(count <= rules.limits.get(kind, rules.limit) for kind, count in kinds.items())


def _anything_new(person: Person, known: Mapping[Key, KnownHandle], stored: Stored, terms: Terms) -> bool:
    rows = [known.get((terms.workspace_id, handle)) for handle in person.handles]
    hub = known.get((terms.workspace_id, person.hub))
    if hub is None or any(row is None for row in rows):
        return True
    return news_of(
        person, hub, [row for row in rows if row is not None], stored, assurance=terms.assurance, observed_at=terms.observed_at
    )


async def _begin(
    connection: Connection, alone: Sequence[Person], others: Sequence[Person], known: Mapping[Key, KnownHandle], terms: Terms
) -> dict[Handle, HandleId]:
    """Inserts the handles nobody has, each row's hub with the smallest id: it is the oldest, so the profile is named by it."""
    ids: dict[Handle, HandleId] = {}
    profiles: dict[Handle, HandleId] = {}
    fresh: list[tuple[Handle, str, str]] = []
    for person in alone:
        ids[person.hub] = hub_id = HandleId(new_id())
        for handle, raw in zip(person.handles, person.raws, strict=True):
            if handle != person.hub:
                ids[handle] = HandleId(new_id())
            profiles[handle] = hub_id
            fresh.append((handle, raw, person.name if handle == person.hub else ""))
    wanted = _wanted_of(others, terms)
    for handle in (handle for person in others for handle in (person.hub, *person.handles)):
        if handle not in ids and (terms.workspace_id, handle) not in known:
            ids[handle] = profiles[handle] = HandleId(new_id())
            fresh.append((handle, wanted[handle].raw, wanted[handle].name))
    if fresh:
        await insert_handles(connection, fresh, ids, profiles, terms)
    return ids


async def _write_others(
    connection: Connection,
    people: Sequence[Person],
    wanted: Mapping[Handle, WantedHandle],
    fresh: Collection[UUID],
    terms: Terms,
) -> None:
    workspace_id = terms.workspace_id
    await lock_identity(connection, [workspace_id])
    asked = [wanted[handle] for handle in sorted({handle for person in people for handle in person.handles})]
    known = await known_handles(connection, asked)
    links = {}
    for person in people:
        hub = known[workspace_id, person.hub]
        for handle in person.handles:
            row = known[workspace_id, handle]
            if handle == person.hub or (row.profile_id == hub.profile_id and row.id not in fresh):
                continue
            a, b = sorted((hub.id, row.id))
            links[a, b] = Evidence(
                workspace_id=workspace_id, a=a, b=b, kind="import", assurance=terms.assurance, source=_source(terms),
                seen_at=terms.observed_at,
            )  # fmt: skip
    await record_links(connection, [links[pair] for pair in sorted(links)], actor=terms.actor)
    joining = terms.assurance != "asserted"
    seeds = {
        (workspace_id, known[workspace_id, handle].id)
        for person in people
        for handle in (person.handles if joining else (person.hub,))
    }
    places = await reach(connection, seeds)
    touched = [one for one in asked if joining and known[one.key].id not in fresh and _touches(known[one.key], one)]
    await lock_handles(connection, places | {(workspace_id, known[one.key].id) for one in touched})
    await touch_handles(connection, touched, known)
    hubs = [(known[workspace_id, person.hub].id, person) for person in people]
    believed = [pair for pair in hubs if joining or pair[0] in fresh]
    await _write_facts(connection, believed, terms)
    statements = await stored_of(connection, workspace_id, known, terms.source)
    said = await _write_consents(connection, believed, terms, statements, {row.id: row.profile_id for row in known.values()})
    cause = {"actor": terms.actor, "source": _source(terms)}
    events = await rebuild(connection, places, cause=cause)
    begun = [ProfileId(event.profile_id) for event in events if event.type == "profile.created" and event.profile_id is not None]
    events += await changed_by(connection, workspace_id, said, cause=cause, begun=begun)
    await outbox.record(connection, events)


async def _write_facts(connection: Connection, people: Sequence[tuple[HandleId, Person]], terms: Terms) -> None:
    facts = {(hub_id, name): value for hub_id, person in people for name, value in person.traits.items()}
    if facts:
        await connection.execute(
            _FACTS, terms.workspace_id, _source(terms), terms.assurance, terms.observed_at, [new_id() for _ in facts],
            [hub_id for hub_id, _ in facts], [name for _, name in facts], [_json(value) for value in facts.values()],
        )  # fmt: skip


async def _write_consents(
    connection: Connection,
    people: Sequence[tuple[HandleId, Person]],
    terms: Terms,
    stored: Stored | None = None,
    profile_of: Mapping[HandleId, UUID] | None = None,
) -> list[UUID]:
    """The ids of the statements that are new."""
    rows = {
        (hub_id, said.purpose, said.channel): said.granted
        for hub_id, person in people
        for said in person.consents
        if stored is None or profile_of is None or stored.states_otherwise(profile_of[hub_id], said, terms.observed_at)
    }
    keys = list(rows)
    ids = [new_id() for _ in keys]
    if keys:
        await connection.execute(
            _CONSENTS, terms.workspace_id, _source(terms), terms.actor, terms.observed_at, ids,
            [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys], list(rows.values()),
        )  # fmt: skip
    return ids


def _touches(row: KnownHandle, one: WantedHandle) -> bool:
    renamed = one.name not in ("", row.name) and one.last_seen_at > row.last_seen_at
    return row.needs(one) or renamed or row.profile_version is None


def _json(value: Any) -> str:
    # Arrays of jsonb are not for the driver's codecs; arrays of text are.
    return msgspec.json.encode(value).decode()


def _source(terms: Terms) -> str:
    return f"import:{terms.source}"

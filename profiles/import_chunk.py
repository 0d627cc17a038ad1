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

from profiles.evidence import Evidence
from profiles.handles import KnownHandle, known_handles, lock_handles, touch_handles
from profiles.import_rows import Person
from profiles.import_state import Stored, news_of, stored_of
from profiles.ledger import record_links
from profiles.recompute import lock_identity, reach, rebuild
from profiles.rules import ProfileRules
from profiles.search_words import Named, search_text
from profiles.sighting import Key, WantedHandle
from profiles.survivorship import Observation, effective, materialized
from shared import outbox
from shared.database import Connection, Contended
from shared.event import Event
from shared.handle import Handle
from shared.ids import HandleId, WorkspaceId, new_id

_BEGIN: Final = """
insert into santral.handle (workspace_id, id, kind, scope, value, raw, name, profile_id, assurance, first_seen_at, last_seen_at)
select $1, id, kind, scope, value, raw, name, profile_id, $2, $3, $3
from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::uuid[])
     with ordinality as g(id, kind, scope, value, raw, name, profile_id, place) order by place
on conflict (workspace_id, kind, scope, value) do nothing
"""
_PROFILES: Final = """
insert into santral.profile (workspace_id, id, effective, search)
select $1, id, effective::jsonb, search from unnest($2::uuid[], $3::text[], $4::text[]) as g(id, effective, search)
"""
_LINKS: Final = """
insert into santral.link (workspace_id, id, a, b, kind, assurance, source, actor, first_seen_at, last_seen_at, verified_at)
select $1, id, a, b, 'import', $2, $3, $4, $5, $5, $5 from unnest($6::uuid[], $7::uuid[], $8::uuid[]) as g(id, a, b)
"""
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
    wanted = {handle: _wanted(handle, raw, person, terms) for person in people for handle, raw in _named(person)}
    ordered = sorted(wanted.values(), key=lambda one: one.sort_key)
    known = await known_handles(connection, ordered)
    uses = Counter(handle for person in people for handle in person.handles)
    alone = [person for person in people if terms.assurance != "asserted" and _stands_alone(person, known, uses, terms)]
    standing = {person.row for person in alone}
    others = [person for person in people if person.row not in standing]
    if others:
        stored = await stored_of(connection, terms.workspace_id, known, terms.source)
        others = [person for person in others if _anything_new(person, known, stored, terms)]
    ids = await _begin(connection, ordered, alone, others, known, terms)
    if alone:
        await _write_alone(connection, alone, ids, terms)
    if others:
        await _write_others(connection, others, wanted, {ids[handle] for handle in wanted if handle in ids}, terms)
    return Written(created=len(alone), changed=len(others), unchanged=len(people) - len(alone) - len(others))


def _named(person: Person) -> list[tuple[Handle, str]]:
    return list(zip(person.handles, person.raws, strict=True))


def _wanted(handle: Handle, raw: str, person: Person, terms: Terms) -> WantedHandle:
    return WantedHandle(
        key=(terms.workspace_id, handle), raw=raw, name=person.name if handle == person.hub else "", assurance=terms.assurance,
        first_seen_at=terms.observed_at, last_seen_at=terms.observed_at,
        present=handle == person.hub or terms.assurance != "asserted", kept_apart="",
    )  # fmt: skip


def _stands_alone(person: Person, known: Mapping[Key, KnownHandle], uses: Mapping[Handle, int], terms: Terms) -> bool:
    kinds = Counter(handle.kind for handle in person.handles)
    rules = terms.rules.identity
    return all((terms.workspace_id, handle) not in known and uses[handle] == 1 for handle in person.handles) and all(
        count <= rules.limits.get(kind, rules.limit) for kind, count in kinds.items()
    )


def _anything_new(person: Person, known: Mapping[Key, KnownHandle], stored: Stored, terms: Terms) -> bool:
    rows = [known.get((terms.workspace_id, handle)) for handle in person.handles]
    hub = known.get((terms.workspace_id, person.hub))
    if hub is None or any(row is None for row in rows):
        return True
    return news_of(
        person, hub, [row for row in rows if row is not None], stored, assurance=terms.assurance, observed_at=terms.observed_at
    )


async def _begin(
    connection: Connection,
    ordered: Sequence[WantedHandle],
    alone: Sequence[Person],
    others: Sequence[Person],
    known: Mapping[Key, KnownHandle],
    terms: Terms,
) -> dict[Handle, HandleId]:
    """Inserts the handles nobody has, each row's hub with the smallest id: it is the oldest, so the profile is named by it."""
    ids: dict[Handle, HandleId] = {}
    profile: dict[Handle, HandleId] = {}
    for person in alone:
        ids[person.hub] = hub_id = HandleId(new_id())
        profile[person.hub] = hub_id
        for handle in person.handles:
            if handle != person.hub:
                ids[handle], profile[handle] = HandleId(new_id()), hub_id
    for person in others:
        for handle in (person.hub, *person.handles):
            if handle not in ids and (terms.workspace_id, handle) not in known:
                ids[handle] = profile[handle] = HandleId(new_id())
    fresh = [one for one in ordered if one.key[1] in ids]
    if not fresh:
        return ids
    done = await connection.execute(
        _BEGIN, terms.workspace_id, terms.assurance, terms.observed_at,
        [ids[one.key[1]] for one in fresh], [one.key[1].kind for one in fresh], [one.key[1].scope for one in fresh],
        [one.key[1].value for one in fresh], [one.raw for one in fresh], [one.name for one in fresh],
        [profile[one.key[1]] for one in fresh],
    )  # fmt: skip
    if done != f"INSERT 0 {len(fresh)}":
        raise Contended("somebody else began one of these people; the chunk is written again", retry_after_s=1)
    return ids


async def _write_alone(connection: Connection, people: Sequence[Person], ids: Mapping[Handle, HandleId], terms: Terms) -> None:
    heads = [ids[person.hub] for person in people]
    shown = [_shown(person, terms) for person in people]
    words = [
        search_text([Named(h.kind, h.value, person.name if h == person.hub else "") for h in person.handles], kept)
        for person, kept in zip(people, shown, strict=True)
    ]
    await connection.execute(_PROFILES, terms.workspace_id, heads, [_json(kept) for kept in shown], words)
    pairs = [(ids[person.hub], ids[handle]) for person in people for handle in person.handles if handle != person.hub]
    if pairs:
        await connection.execute(
            _LINKS, terms.workspace_id, terms.assurance, _source(terms), terms.actor, terms.observed_at,
            [new_id() for _ in pairs], [min(pair) for pair in pairs], [max(pair) for pair in pairs],
        )  # fmt: skip
    await _write_facts(connection, [(ids[person.hub], person) for person in people], terms)
    await _write_consents(connection, [(ids[person.hub], person) for person in people], terms)
    events = [
        Event(
            id=new_id(), workspace_id=terms.workspace_id, type="profile.created", at=terms.observed_at, profile_id=head,
            data={"version": 1, "handles": len(person.handles)},
        )
        for head, person in zip(heads, people, strict=True)
    ]  # fmt: skip
    await outbox.record(connection, events)


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
    await _write_consents(connection, believed, terms, statements, {row.id: row.profile_id for row in known.values()})
    await outbox.record(connection, await rebuild(connection, places, cause={"actor": terms.actor, "source": _source(terms)}))


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
) -> None:
    rows = {
        (hub_id, said.purpose, said.channel): said.granted
        for hub_id, person in people
        for said in person.consents
        if stored is None or profile_of is None or stored.states_otherwise(profile_of[hub_id], said, terms.observed_at)
    }
    if rows:
        keys = list(rows)
        await connection.execute(
            _CONSENTS, terms.workspace_id, _source(terms), terms.actor, terms.observed_at, [new_id() for _ in keys],
            [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys], list(rows.values()),
        )  # fmt: skip


def _touches(row: KnownHandle, one: WantedHandle) -> bool:
    renamed = one.name not in ("", row.name) and one.last_seen_at > row.last_seen_at
    return row.needs(one) or renamed or row.profile_version is None


def _json(value: Any) -> str:
    # Arrays of jsonb are not for the driver's codecs; arrays of text are.
    return msgspec.json.encode(value).decode()


def _shown(person: Person, terms: Terms) -> dict[str, Any]:
    seen = [
        Observation(name=name, value=value, source=_source(terms), assurance=terms.assurance, observed_at=terms.observed_at)
        for name, value in person.traits.items()
    ]
    return materialized(effective(seen, strategies=terms.rules.strategies)) if seen else {}


def _source(terms: Terms) -> str:
    return f"import:{terms.source}"

"""Who is one person: the partition of handles into components, a pure function of the set of links as of one moment.

Links are tried in a canonical order (assurance, kind of link, first seen, value); each is added unless the component it would make
breaks a rule. So the result depends on which links there are, never on the order they arrived in, and taking a link away gives
back exactly what was there without it.

**Identity**: a component is named by its oldest handle (first seen, id). **Units**: times aware UTC.
Source: Kruskal's algorithm (1956) for the shape of the loop: sort the edges once, join unless a rule forbids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from profiles.blocked import blocked_reason
from shared.handle import assurance_rank

MERGING_RANK: Final = assurance_rank("channel_verified")
RENEWED: Final = "renewed"
"""One handle under two names: what an earlier release called it, and what this one does. Counts as one of its kind."""
LINK_KINDS: Final = (RENEWED, "agent", "authenticated_session", "identify", "import", "same_message")
_PRIORITY: Final = {kind: place for place, kind in enumerate(LINK_KINDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A handle. ``shared`` says it is declared (by a person, or as our own address) to belong to no single person."""

    id: UUID
    kind: str
    scope: str = ""
    value: str
    first_seen_at: datetime
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One piece of evidence that two handles are one person; the same pair may have many. ``id`` is its row's, where there is one."""

    id: UUID | None = None
    a: UUID
    b: UUID
    kind: str
    assurance: str
    first_seen_at: datetime
    expires_at: datetime | None = None
    retracted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """``limits``: values of a kind one person may hold. ``fan_out``: verified persons a handle may meet before it is shared.

    ``immutable_unique`` kinds have one value for a person's whole life; two values (in one scope) are two persons.
    """

    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"external_id": 1}))
    limit: int = 5
    immutable_unique: frozenset[str] = frozenset({"external_id"})
    # A browser in which two customers signed in is nobody's; an address or a number may be a family's.
    fan_out: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"visitor": 1}))
    fan_out_limit: int = 3


DEFAULT_RULES: Final = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """``components``: head → members, oldest first. ``shared``: handles that met too many persons.

    ``joined``: the links that hold the components together, a tree each. ``dropped``: links a rule refused, and which rule.
    """

    components: Mapping[UUID, tuple[UUID, ...]]
    head_of: Mapping[UUID, UUID]
    shared: frozenset[UUID]
    dropped: tuple[tuple[Link, str], ...]
    joined: tuple[Link, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Group:
    members: set[UUID]
    counts: dict[str, int]
    unique: dict[tuple[str, str], str]
    enemies: set[UUID]


def partition(
    nodes: Iterable[Node],
    links: Iterable[Link],
    cannot_links: Iterable[tuple[UUID, UUID]] = (),
    *,
    as_of: datetime,
    rules: Rules = DEFAULT_RULES,
    awaited: Mapping[UUID, UUID] = MappingProxyType({}),
) -> Partition:
    """The components of ``nodes``; links to handles that are not given are ignored.

    ``awaited``: the handles of people who are to be erased, each with its person: nobody is joined to them, who would be erased with them.
    Asserted, retracted and expired links never join; neither do links of blocked or shared handles.
    """
    known = {node.id: node for node in nodes}
    live = [link for link in links if _live(link, known, as_of)]
    shared = _met_too_many(live, known, rules)
    groups = {node.id: _alone(node, rules) for node in known.values()}
    for a, b in cannot_links:
        if a in groups and b in groups:
            groups[a].enemies.add(b)
            groups[b].enemies.add(a)
    dropped: list[tuple[Link, str]] = []
    joined: list[Link] = []
    for link in sorted(live, key=lambda link: _canonical(link, known)):
        if link.a in shared or link.b in shared:
            continue
        one, other = groups[link.a], groups[link.b]
        if one is other:
            continue
        if awaited.get(link.a) != awaited.get(link.b):
            dropped.append((link, "awaits_erasure"))
            continue
        broken = _broken_rule(one, other, rules, twice=link.kind == RENEWED)
        if broken is not None:
            dropped.append((link, broken))
            continue
        _join(one, other, groups)
        if link.kind == RENEWED:
            groups[link.a].counts[known[link.a].kind] -= 1
        joined.append(link)
    return replace(_named(groups, known, shared), dropped=tuple(dropped), joined=tuple(joined))


def _live(link: Link, known: Mapping[UUID, Node], as_of: datetime) -> bool:
    if link.retracted_at is not None or (link.expires_at is not None and link.expires_at <= as_of):
        return False
    if link.a == link.b or link.a not in known or link.b not in known or assurance_rank(link.assurance) < MERGING_RANK:
        return False
    return not any(
        node.shared or blocked_reason(node.kind, node.value, node.scope) is not None for node in (known[link.a], known[link.b])
    )


def _met_too_many(live: Iterable[Link], known: Mapping[UUID, Node], rules: Rules) -> frozenset[UUID]:
    met: dict[UUID, set[tuple[str, str, str]]] = {}
    for link in live:
        for here, there in ((link.a, link.b), (link.b, link.a)):
            node = known[there]
            if node.kind in rules.immutable_unique and known[here].kind not in rules.immutable_unique:
                met.setdefault(here, set()).add((node.kind, node.scope, node.value))
    return frozenset(
        handle_id
        for handle_id, persons in met.items()
        if len(persons) > rules.fan_out.get(known[handle_id].kind, rules.fan_out_limit)
    )


def _canonical(link: Link, known: Mapping[UUID, Node]) -> tuple[object, ...]:
    ends = sorted((node.kind, node.scope, node.value) for node in (known[link.a], known[link.b]))
    # The row's id comes last: it only says which of two equal pieces of evidence is named, never who is one person.
    row = link.id.int if link.id is not None else 0
    return (-assurance_rank(link.assurance), _PRIORITY.get(link.kind, len(_PRIORITY)), link.first_seen_at, ends, link.kind, row)


def _alone(node: Node, rules: Rules) -> _Group:
    unique = {(node.kind, node.scope): node.value} if node.kind in rules.immutable_unique else {}
    return _Group(members={node.id}, counts={node.kind: 1}, unique=unique, enemies=set())


def _broken_rule(one: _Group, other: _Group, rules: Rules, *, twice: bool) -> str | None:
    if one.enemies & other.members:
        return "cannot_link"
    if any(other.unique.get(key, value) != value for key, value in one.unique.items()):
        return "immutable_unique"
    for kind, count in one.counts.items():
        if count + other.counts.get(kind, 0) - twice > rules.limits.get(kind, rules.limit) and kind in other.counts:
            return "limit"
    return None


def _join(one: _Group, other: _Group, groups: dict[UUID, _Group]) -> None:
    if len(one.members) < len(other.members):
        one, other = other, one
    one.members |= other.members
    one.enemies |= other.enemies
    one.unique.update(other.unique)
    for kind, count in other.counts.items():
        one.counts[kind] = one.counts.get(kind, 0) + count
    for member in other.members:
        groups[member] = one


def _named(groups: Mapping[UUID, _Group], known: Mapping[UUID, Node], shared: frozenset[UUID]) -> Partition:
    components: dict[UUID, tuple[UUID, ...]] = {}
    head_of: dict[UUID, UUID] = {}
    for handle_id in sorted(groups):
        if handle_id in head_of:
            continue
        members = tuple(sorted(groups[handle_id].members, key=lambda member: (known[member].first_seen_at, member)))
        components[members[0]] = members
        head_of.update(dict.fromkeys(members, members[0]))
    return Partition(components=MappingProxyType(components), head_of=MappingProxyType(head_of), shared=shared, dropped=())

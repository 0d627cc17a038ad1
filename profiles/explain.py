"""Why two handles are one person, link by link; or why they are two, rule by rule.

The path is the one the partition itself was built with: its links form a tree, so between two handles of one person there is
exactly one. **Identity** of a step: the ledger's link. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from profiles.partition import Link, Partition
from profiles.recompute import partition_around
from profiles.store import LinkView
from shared.database import Connection
from shared.errors import NotFound
from shared.ids import HandleId, ProfileId, WorkspaceId

_ENDS: Final = "select id, profile_id, shared, shared_by from santral.handle where workspace_id = $1 and id = any($2::uuid[])"
_LINKS: Final = "select * from santral.link where workspace_id = $1 and id = any($2::uuid[])"
_BETWEEN: Final = """
select l.* from santral.handle h join santral.link l on l.workspace_id = h.workspace_id and l.a = h.id
join santral.handle o on o.workspace_id = l.workspace_id and o.id = l.b
where h.workspace_id = $1 and (h.profile_id, o.profile_id) in (($2, $3), ($3, $2)) order by l.first_seen_at, l.id limit 50
"""
_CANNOT: Final = """
select c.id, c.a, c.b, c.reason, c.actor, c.stated_at from santral.handle h
join santral.cannot_link c on c.workspace_id = h.workspace_id and c.a = h.id and c.retracted_at is null
join santral.handle o on o.workspace_id = c.workspace_id and o.id = c.b
where h.workspace_id = $1 and (h.profile_id, o.profile_id) in (($2, $3), ($3, $2)) order by c.stated_at, c.id limit 50
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One link of the path, walked from ``from_handle`` to ``to_handle``."""

    from_handle: HandleId
    to_handle: HandleId
    link: LinkView


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A link between the two people that joins nothing, and the rule that says so."""

    rule: str
    link: LinkView


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptApart:
    """Somebody's word that two handles are never one person."""

    id: UUID
    a: HandleId
    b: HandleId
    reason: str
    actor: str | None
    stated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``path`` when they are one person (empty for one handle twice); else what speaks for it and what forbids it."""

    together: bool
    profile_ids: tuple[ProfileId, ProfileId]
    path: tuple[Step, ...] = ()
    refused: tuple[Refused, ...] = ()
    kept_apart: tuple[KeptApart, ...] = ()


def path_between(links: Iterable[Link], one: UUID, other: UUID) -> list[Link]:
    """The links that lead from one handle to the other, fewest first; empty when none do."""
    ways: dict[UUID, list[tuple[UUID, Link]]] = {}
    for link in links:
        ways.setdefault(link.a, []).append((link.b, link))
        ways.setdefault(link.b, []).append((link.a, link))
    came_by: dict[UUID, tuple[UUID, Link]] = {}
    waiting = deque([one])
    while waiting and other not in came_by:
        here = waiting.popleft()
        for there, link in ways.get(here, ()):
            if there != one and there not in came_by:
                came_by[there] = (here, link)
                waiting.append(there)
    found: list[Link] = []
    at = other
    while at != one:
        if at not in came_by:
            return []
        at, link = came_by[at]
        found.append(link)
    return found[::-1]


async def explain(connection: Connection, workspace_id: WorkspaceId, one: HandleId, other: HandleId) -> Explanation:
    """Why these two handles are one person, or two. Raises `NotFound` for a handle that is not there."""
    ends = {row["id"]: row for row in await connection.fetch(_ENDS, workspace_id, [one, other])}
    for field, handle_id in (("a", one), ("b", other)):
        if handle_id not in ends:
            raise NotFound("no such handle", field=field, remedy="a handle's id in this workspace")
    profile_ids = (ends[one]["profile_id"], ends[other]["profile_id"])
    found = await partition_around(connection, workspace_id, [one, other])
    if profile_ids[0] == profile_ids[1]:
        steps = path_between(found.joined, one, other)
        rows = await _rows(connection, workspace_id, steps)
        return Explanation(together=True, profile_ids=profile_ids, path=tuple(_steps(steps, rows, one)))
    between = [_view(row) for row in await connection.fetch(_BETWEEN, workspace_id, *profile_ids)]
    rules = {link.id: rule for link, rule in found.dropped}
    return Explanation(
        together=False,
        profile_ids=profile_ids,
        refused=tuple(Refused(rule=_rule(link, rules, found, ends), link=link) for link in between),
        kept_apart=tuple(KeptApart(**dict(row)) for row in await connection.fetch(_CANNOT, workspace_id, *profile_ids)),
    )


def _rule(link: LinkView, rules: Mapping[UUID | None, str], found: Partition, ends: Mapping[UUID, Any]) -> str:
    if link.retracted_at is not None:
        return "retracted"
    if link.assurance == "asserted":
        return "not_verified"
    if link.id in rules:
        return rules[link.id]
    shared = any(end in found.shared or (end in ends and ends[end]["shared"]) for end in (link.a, link.b))
    return "shared" if shared else "expired" if link.expires_at is not None else "blocked"


def _steps(links: Sequence[Link], rows: Mapping[UUID, LinkView], start: HandleId) -> Iterable[Step]:
    here = start
    for link in links:
        there = HandleId(link.b if link.a == here else link.a)
        assert link.id is not None, "read from the ledger"
        yield Step(from_handle=here, to_handle=there, link=rows[link.id])
        here = there


async def _rows(connection: Connection, workspace_id: WorkspaceId, links: Sequence[Link]) -> dict[UUID, LinkView]:
    rows = await connection.fetch(_LINKS, workspace_id, [link.id for link in links])
    return {row["id"]: _view(row) for row in rows}


def _view(row: Any) -> LinkView:
    return LinkView(**{name: value for name, value in row.items() if name != "workspace_id"})

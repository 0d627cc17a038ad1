"""Rows of the link ledger written from messages: one statement to see what is known, one to add what is not.

A message adds a row only when it says something the ledger does not: a pair's first link, a better assurance, an earlier time.
Leaving out what an older, equally good row says changes no partition. A retracted row counts as not there.
**Identity**: source, pair, kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from profiles.handles import KnownHandle
from profiles.partition import MERGING_RANK
from profiles.sighting import Key, WantedLink
from shared.database import Connection
from shared.handle import assurance_rank
from shared.ids import HandleId, WorkspaceId, new_id

_KNOWN: Final = """
select g.place, l.id, l.kind, l.assurance, l.first_seen_at, l.last_seen_at
from unnest($1::uuid[], $2::uuid[], $3::uuid[]) with ordinality as g(workspace_id, a, b, place)
cross join lateral (
    select f.id, f.kind, f.assurance, f.first_seen_at, f.last_seen_at from santral.link f
    where f.workspace_id = g.workspace_id and f.a = g.a and f.b = g.b and f.retracted_at is null
      and (f.expires_at is null or f.expires_at > now())
) l
"""
_RECORD: Final = """
insert into santral.link (workspace_id, id, a, b, kind, assurance, source, first_seen_at, last_seen_at, verified_at)
select workspace_id, id, a, b, kind, assurance, source, seen_at, seen_at, case when verified then seen_at end
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::bool[])
     with ordinality as g(workspace_id, id, a, b, kind, assurance, source, seen_at, verified, place)
order by place
on conflict (workspace_id, source, a, b, kind) do nothing
returning workspace_id, a, b, assurance
"""
_TOUCH: Final = """
with due as (
    select f.workspace_id, f.id from santral.link f
    join unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id) on f.workspace_id = g.workspace_id and f.id = g.id
    order by f.workspace_id, f.id for no key update of f
)
update santral.link l set last_seen_at = greatest(l.last_seen_at, g.seen_at)
from due join unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as g(workspace_id, id, seen_at) using (workspace_id, id)
where l.workspace_id = due.workspace_id and l.id = due.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A wanted link with its handles' ids, ``a`` before ``b``."""

    workspace_id: WorkspaceId
    a: HandleId
    b: HandleId
    kind: str
    assurance: str
    source: str
    seen_at: datetime

    @property
    def merges(self) -> bool:
        return assurance_rank(self.assurance) >= MERGING_RANK


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """``new``: what the ledger does not say yet. ``seen_again``: rows (workspace, id, time) not touched today."""

    new: tuple[Evidence, ...]
    seen_again: tuple[tuple[WorkspaceId, HandleId, datetime], ...]


def evidence_of(links: Sequence[WantedLink], known: Mapping[Key, KnownHandle]) -> list[Evidence]:
    """The links with ids, in the order in which rows of links are inserted everywhere."""
    found = []
    for link in links:
        a, b = sorted((known[link.one].id, known[link.other].id))
        found.append(
            Evidence(
                workspace_id=link.one[0], a=a, b=b, kind=link.kind, assurance=link.assurance, source=link.source,
                seen_at=link.seen_at,
            )
        )  # fmt: skip
    return sorted(found, key=lambda e: (e.workspace_id, e.source, e.a, e.b, e.kind))


async def weighed(connection: Connection, evidence: Sequence[Evidence]) -> Weighed:
    """Which of it is new; one SELECT, none without evidence."""
    if not evidence:
        return Weighed(new=(), seen_again=())
    rows = await connection.fetch(_KNOWN, [e.workspace_id for e in evidence], [e.a for e in evidence], [e.b for e in evidence])
    said: dict[int, bool] = {}
    again: dict[tuple[WorkspaceId, HandleId], datetime] = {}
    for row in rows:
        offered = evidence[row["place"] - 1]
        if (
            row["kind"] == offered.kind
            and assurance_rank(row["assurance"]) >= assurance_rank(offered.assurance)
            and row["first_seen_at"] <= offered.seen_at
        ):
            said[row["place"] - 1] = True
            if offered.seen_at.date() > row["last_seen_at"].date():
                place = (offered.workspace_id, row["id"])
                again[place] = max(again.get(place, offered.seen_at), offered.seen_at)
    return Weighed(
        new=tuple(e for place, e in enumerate(evidence) if place not in said),
        seen_again=tuple((workspace_id, handle_id, at) for (workspace_id, handle_id), at in sorted(again.items())),
    )


async def record(connection: Connection, new: Sequence[Evidence]) -> list[tuple[WorkspaceId, HandleId, HandleId]]:
    """Writes the rows; the pairs of those that may join people. The same message twice writes nothing."""
    if not new:
        return []
    rows = await connection.fetch(
        _RECORD,
        [e.workspace_id for e in new],
        [new_id() for _ in new],
        [e.a for e in new],
        [e.b for e in new],
        [e.kind for e in new],
        [e.assurance for e in new],
        [e.source for e in new],
        [e.seen_at for e in new],
        [e.merges for e in new],
    )
    return [(row["workspace_id"], row["a"], row["b"]) for row in rows if assurance_rank(row["assurance"]) >= MERGING_RANK]


async def touch(connection: Connection, seen_again: Sequence[tuple[WorkspaceId, HandleId, datetime]]) -> None:
    """Moves ``last_seen_at`` ahead, at most daily per row."""
    if seen_again:
        workspace_ids, ids, times = zip(*seen_again, strict=True)
        await connection.execute(_TOUCH, list(workspace_ids), list(ids), list(times))

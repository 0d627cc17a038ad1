"""Two people who may be one: found as profiles change, kept with their evidence, decided by a person, and never asked again.

A profile that changed is compared with the few that share a name, an address or a number with it, that sound like it and share
something exact, or whose word somebody claimed: an address given in a chat form without proof is a suggestion, never a merge. Rounds are
bounded and take each workspace alone, by the lock of its place. Evidence names fields and levels with their weights, never a value.

**Identity** of a suggestion: the two people, whatever handle they are named by. **Units**: weights in bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from profiles.identity_lock import lock_identity
from profiles.ledger import add_cannot_link
from profiles.matching.matching import Evidence, Model, Weighed, probability
from profiles.merge import merge
from profiles.search_words import search_query
from profiles.suggestions.keys import keep_keys, meeting
from profiles.suggestions.model import model_of
from profiles.suggestions.people import Known, known_of, weighed_pair
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.ids import HandleId, WorkspaceId, new_id

WEIGHT_MIN: Final = 2.0
ROUND: Final = 100
_NEIGHBOURS: Final = 40
_LAG: Final = "interval '10 s'"  # transactions that began before it have ended
# Only where there is none: an insert would wait for whoever is moving the place, conflict or not.
_BEGIN: Final = """
insert into santral.suggestion_place (workspace_id, changed_at, profile_id)
select $1, '-infinity', '00000000-0000-0000-0000-000000000000'
where not exists (select 1 from santral.suggestion_place where workspace_id = $1) on conflict do nothing
"""
_PLACE: Final = "select changed_at, profile_id from santral.suggestion_place where workspace_id = $1 for update skip locked"
_NEXT: Final = f"""
select id, changed_at, merged_into from santral.profile
where workspace_id = $1 and (changed_at, id) > ($2, $3) and changed_at < now() - {_LAG}
order by changed_at, id limit $4
"""
_MODEL: Final = "select settings->'profile'->'matching' from santral.workspace where id = $1"
_MOVE: Final = "update santral.suggestion_place set changed_at = $2, profile_id = $3 where workspace_id = $1"
_AGAIN: Final = """
update santral.suggestion_place set changed_at = '-infinity', profile_id = '00000000-0000-0000-0000-000000000000' where workspace_id = $1
"""
_PROGRESS: Final = """
with place as (
    select coalesce(max(s.changed_at), '-infinity') as at, max(s.profile_id::text)::uuid as id
    from santral.suggestion_place s where s.workspace_id = $1
)
select (select count(*) from santral.profile p where p.workspace_id = $1) as people,
       (select count(*) from santral.profile p, place where p.workspace_id = $1
          and (p.changed_at, p.id) > (place.at, coalesce(place.id, '00000000-0000-0000-0000-000000000000'))) as left,
       (select count(*) from santral.suggestion s where s.workspace_id = $1 and s.state = 'open') as open
"""
_SIMILAR: Final = """
select g.place, p.id from unnest($2::text[]) with ordinality as g(words, place)
cross join lateral (
    select f.id from santral.profile f
    where f.workspace_id = $1 and array_to_tsvector(string_to_array(f.search, ' ')) @@ g.words::tsquery limit $3
) p
"""
_DECIDED: Final = """
select x.profile_id as one, y.profile_id as other from santral.suggestion s
join santral.handle x on x.workspace_id = s.workspace_id and x.id = s.a
join santral.handle y on y.workspace_id = s.workspace_id and y.id = s.b
where s.workspace_id = $1 and (x.profile_id = any($2::uuid[]) or y.profile_id = any($2::uuid[]))
union
select x.profile_id, y.profile_id from santral.cannot_link c
join santral.handle x on x.workspace_id = c.workspace_id and x.id = c.a
join santral.handle y on y.workspace_id = c.workspace_id and y.id = c.b
where c.workspace_id = $1 and c.retracted_at is null and (x.profile_id = any($2::uuid[]) or y.profile_id = any($2::uuid[]))
"""
_SUGGEST: Final = """
insert into santral.suggestion (workspace_id, id, a, b, weight, probability, evidence)
values ($1, $2, $3, $4, $5, $6, $7) on conflict (workspace_id, a, b) do nothing
"""
_COLUMNS: Final = """s.id, x.profile_id as one_id, y.profile_id as other_id, s.weight, s.probability, s.evidence, s.state, s.actor,
    s.made_at, s.decided_at"""
_LIST: Final = f"""
select {_COLUMNS} from santral.suggestion s
join santral.handle x on x.workspace_id = s.workspace_id and x.id = s.a
join santral.handle y on y.workspace_id = s.workspace_id and y.id = s.b
where s.workspace_id = $1 and ($2::text is null or s.state = $2) and ($3::uuid is null or s.id < $3)
  and ($4::uuid is null or x.profile_id = $4 or y.profile_id = $4)
  and (s.state <> 'open' or (x.profile_id <> y.profile_id and not exists (
      select 1 from santral.handle m
      join santral.cannot_link c on c.workspace_id = m.workspace_id and m.id in (c.a, c.b) and c.retracted_at is null
      join santral.handle n on n.workspace_id = c.workspace_id and n.id = case m.id when c.a then c.b else c.a end
      where m.workspace_id = $1 and m.profile_id = x.profile_id and n.profile_id = y.profile_id)))
order by s.id desc limit $5
"""
_ONE: Final = "select id, a, b, state from santral.suggestion where workspace_id = $1 and id = $2 for no key update"
_DECIDE: Final = """
update santral.suggestion set state = $3, actor = $4, decided_at = now() where workspace_id = $1 and id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A pair to suggest."""

    one: UUID
    other: UUID
    weight: float
    evidence: tuple[Evidence, ...]


async def look_for_duplicates(connection: Connection, workspace_id: WorkspaceId, *, limit: int = ROUND) -> int:
    """One bounded round over profiles that changed; how many were looked at, 0 when there is none or another process is at it."""
    await connection.execute(_BEGIN, workspace_id)
    place = await connection.fetchrow(_PLACE, workspace_id)
    if place is None:
        return 0
    rows = await connection.fetch(_NEXT, workspace_id, place["changed_at"], place["profile_id"], limit)
    if not rows:
        return 0
    heads = [row["id"] for row in rows if row["merged_into"].int == 0]
    known = await known_of(connection, workspace_id, heads)
    await keep_keys(connection, workspace_id, [row["id"] for row in rows], known)
    model = model_of(await connection.fetchval(_MODEL, workspace_id))
    for found in await _found(connection, workspace_id, heads, known, model):
        a, b = sorted((found.one, found.other))
        await connection.execute(
            _SUGGEST, workspace_id, new_id(), a, b, round(found.weight, 3), round(probability(found.weight), 6),
            [part._asdict() for part in found.evidence],
        )  # fmt: skip
    await connection.execute(_MOVE, workspace_id, rows[-1]["changed_at"], rows[-1]["id"])
    return len(rows)


async def look_again(connection: Connection, workspace_id: WorkspaceId) -> None:
    """Lets the rounds begin with the first person again; what was decided stays decided. Twice is once."""
    await connection.execute(_AGAIN, workspace_id)


async def progress_of(connection: Connection, workspace_id: WorkspaceId) -> dict[str, int]:
    """``people`` there are and were, how many are ``left`` to look at, and ``open`` suggestions."""
    return dict(await connection.fetchrow(_PROGRESS, workspace_id) or {})


async def _found(
    connection: Connection, workspace_id: WorkspaceId, heads: Sequence[UUID], known: dict[UUID, Known], model: Model
) -> list[Found]:
    if not heads:
        return []
    asked = [(head, words) for head in heads if head in known and (words := _words(known[head]))]
    rows = await connection.fetch(_SIMILAR, workspace_id, [words for _, words in asked], _NEIGHBOURS)
    pairs = {_pair(asked[row["place"] - 1][0], row["id"]) for row in rows if row["id"] != asked[row["place"] - 1][0]}
    pairs |= {_pair(head, owner) for head in heads if head in known for owner in known[head].claims if owner != head}
    pairs |= await meeting(connection, workspace_id, heads, known)
    others = {profile_id for pair in pairs for profile_id in pair} - set(known)
    known |= await known_of(connection, workspace_id, sorted(others))
    decided = {_pair(row["one"], row["other"]) for row in await connection.fetch(_DECIDED, workspace_id, list(known))}
    return list(_weighed(known, sorted(pairs - decided), model))


def _weighed(known: Mapping[UUID, Known], pairs: Iterable[tuple[UUID, UUID]], model: Model) -> Iterable[Found]:
    for one, other in pairs:
        if one not in known or other not in known or known[one].differs_for_ever(known[other]):
            continue
        said: Weighed = weighed_pair(known[one], known[other], model)
        claimed = other in known[one].claims or one in known[other].claims
        if claimed or said.weight >= WEIGHT_MIN:
            yield Found(one=one, other=other, weight=said.weight, evidence=said.evidence)


def _words(person: Known) -> str:
    asked = [search_query(text) for text in person.looked_for()]
    return " | ".join(f"({words})" for words in asked if words)


def _pair(one: UUID, other: UUID) -> tuple[UUID, UUID]:
    return (one, other) if one < other else (other, one)


async def list_suggestions(
    connection: Connection,
    workspace_id: WorkspaceId,
    *,
    state: str | None = "open",
    profile_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Suggestions, newest first; open ones only while the two are two and nobody keeps them apart. ``profile_id``: the present one."""
    return [dict(row) for row in await connection.fetch(_LIST, workspace_id, state, before, profile_id, limit)]


async def people_of(connection: Connection, workspace_id: WorkspaceId, suggestion_id: UUID) -> tuple[HandleId, HandleId]:
    """The handles a suggestion is about. Raises `NotFound`."""
    row = await _open(connection, workspace_id, suggestion_id)
    return HandleId(row["a"]), HandleId(row["b"])


async def decide(
    connection: Connection, workspace_id: WorkspaceId, suggestion_id: UUID, *, same: bool, actor: str
) -> dict[str, Any]:
    """Confirms (an `agent` link) or rejects (a remembered cannot-link). The same decision twice changes nothing.

    Raises `NotFound`, `Conflict` when it was decided otherwise or the rules of identity forbid it.
    """
    await lock_identity(connection, [workspace_id])
    row = await _open(connection, workspace_id, suggestion_id)
    wanted = "confirmed" if same else "rejected"
    if row["state"] == wanted:
        return {"state": wanted, "changed": False}
    if row["state"] != "open":
        raise Conflict(f"this was {row['state']} before", field="id", remedy="merge or un-merge the two people instead")
    answer: dict[str, Any] = {"state": wanted, "changed": True}
    if same:
        answer["merged"] = asdict(
            await merge(connection, workspace_id, row["a"], row["b"], actor=actor, reason=f"suggestion {suggestion_id}")
        )
    else:
        await add_cannot_link(connection, workspace_id, row["a"], row["b"], reason=f"suggestion {suggestion_id}", actor=actor)
    await connection.execute(_DECIDE, workspace_id, suggestion_id, wanted, actor)
    return answer


async def _open(connection: Connection, workspace_id: WorkspaceId, suggestion_id: UUID) -> Any:
    row = await connection.fetchrow(_ONE, workspace_id, suggestion_id)
    if row is None:
        raise NotFound("no such suggestion", field="id")
    return row

"""Keys by which people meet although every word of theirs is written otherwise: kept per profile, looked up as profiles change.

A key is a hash of a name's sound with something exact (a birth date, a number's end, a postcode), so a slip in the name and another in
the address still meet. A key that many people share says nothing and is passed over. What is kept goes with the profile's erasure.

**Identity**: workspace, key, profile; writing the same keys twice changes nothing. **Units**: keys are 64 bits.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from profiles.matching.blocking import kept_keys
from profiles.suggestions.people import FIELDS, Known, record_values
from shared.database import Connection
from shared.ids import WorkspaceId

PEOPLE_OF_A_KEY_MAX: Final = 40
_KEEP: Final = """
with given as (
    select profile_id, key from unnest($3::uuid[], $4::bigint[]) as g(profile_id, key)
), gone as (
    delete from santral.suggestion_key k where k.workspace_id = $1 and k.profile_id = any($2::uuid[])
      and not exists (select 1 from given where given.profile_id = k.profile_id and given.key = k.key)
)
insert into santral.suggestion_key (workspace_id, key, profile_id) select $1, key, profile_id from given order by key, profile_id
on conflict do nothing
"""
_MEET: Final = """
select g.key, k.profile_id from unnest($2::bigint[]) as g(key)
cross join lateral (
    select f.profile_id from santral.suggestion_key f where f.workspace_id = $1 and f.key = g.key limit $3
) k
"""


async def keep_keys(
    connection: Connection, workspace_id: WorkspaceId, looked_at: Sequence[UUID], known: Mapping[UUID, Known]
) -> None:
    """Writes the keys of these people; those of ``looked_at`` who are nobody any more have none."""
    rows = [(profile_id, key) for profile_id in looked_at if profile_id in known for key in _keys(known[profile_id])]
    await connection.execute(_KEEP, workspace_id, list(looked_at), [row[0] for row in rows], [row[1] for row in rows])


async def meeting(
    connection: Connection, workspace_id: WorkspaceId, heads: Collection[UUID], known: Mapping[UUID, Known]
) -> set[tuple[UUID, UUID]]:
    """The pairs of these people with whoever shares a telling key, the smaller id first."""
    of_key: dict[int, list[UUID]] = defaultdict(list)
    for head in heads:
        if head in known:
            for key in _keys(known[head]):
                of_key[key].append(head)
    met: dict[int, list[UUID]] = defaultdict(list)
    for row in await connection.fetch(_MEET, workspace_id, sorted(of_key), PEOPLE_OF_A_KEY_MAX + 1):
        met[row["key"]].append(row["profile_id"])
    return {
        (min(one, other), max(one, other))
        for key, others in met.items()
        if len(others) <= PEOPLE_OF_A_KEY_MAX
        for one in of_key[key]
        for other in others
        if one != other
    }


def _keys(person: Known) -> set[int]:
    return {_hash(key) for values in record_values(person) for key in kept_keys(FIELDS, values)}


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8, person=b"santral.similar").digest(), signed=True)

"""Tombstones: keyed hashes of erased handles, which refuse what was observed before the erasure, from wherever it comes again.

Replay of the log, late redelivery, quarantine and import all ask here. What the same person says later is a new contact, of a new
profile. A number that the person had left already is buried until then: what came after is its next owner's.
**Identity**: workspace and hash; a handle erased twice has two rows, and the later one counts. **Units**: times aware UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from shared.database import Connection
from shared.errors import InputRejected
from shared.handle import Handle, left_at, normalized
from shared.handle_forms import earlier_forms
from shared.ids import WorkspaceId
from shared.turns import let_others

ScopedHandle: TypeAlias = tuple[UUID, Handle]

_ERASED: Final = """
select g.place, max(t.erased_at) as erased_at from unnest($1::uuid[], $2::bytea[]) with ordinality as g(w, hash, place)
join santral.tombstone t on t.hash = g.hash and t.workspace_id = g.w group by g.place
"""


def tombstone_hash(secret: bytes, workspace_id: UUID, handle: Handle) -> bytes:
    """16 bytes; without the deployment's secret no address can be tried against it."""
    return hashlib.blake2b(
        workspace_id.bytes + str(handle).encode("utf-8", "surrogatepass"), key=secret[:64], digest_size=16, person=b"santral.erased"
    ).digest()


def tombstones(secret: bytes, workspace_id: UUID, handle: Handle, at: datetime) -> dict[bytes, datetime]:
    """The tombstones of a handle erased at ``at``: until when what was observed of each is refused; its own first."""
    found = {tombstone_hash(secret, workspace_id, handle): at}
    if (gone := left_at(handle)) is not None:
        found[tombstone_hash(secret, workspace_id, replace(handle, scope=""))] = min(gone, at)
    return found


async def erased_at(connection: Connection, secret: bytes, handles: Collection[ScopedHandle]) -> dict[ScopedHandle, datetime]:
    """When each of these handles was erased last, under whatever name; those that never were are left out. One statement."""
    asked: list[tuple[ScopedHandle, Handle]] = []
    for place, one in enumerate(dict.fromkeys(handles)):
        await let_others(place)
        asked += ((one, form) for form in (one[1], *earlier_forms(one[1])))
    if not asked:
        return {}
    hashes = [tombstone_hash(secret, one[0], form) for one, form in asked]
    found: dict[ScopedHandle, datetime] = {}
    for row in await connection.fetch(_ERASED, [one[0] for one, _ in asked], hashes):
        one, at = asked[row["place"] - 1][0], row["erased_at"]
        found[one] = max(found.get(one, at), at)
    return found


async def erased_handles(
    connection: Connection, secret: bytes, workspace_id: WorkspaceId, handles: Collection[Handle], observed_at: datetime
) -> set[Handle]:
    """Which of these may not be written down, because they were erased after ``observed_at``: imports and calls that look back ask it."""
    found = await erased_at(connection, secret, [(workspace_id, handle) for handle in handles])
    return {handle for (_, handle), at in found.items() if observed_at < at}


def is_one_of(address: str, hashes: Collection[bytes], secret: bytes, workspace_id: UUID) -> bool:
    """Whether an address as an agent wrote it is an erased person's."""
    try:
        handle = normalized("email", address)
    except InputRejected:
        return False
    return is_buried(handle, hashes, secret, workspace_id)


def is_buried(handle: Handle, hashes: Collection[bytes], secret: bytes, workspace_id: UUID) -> bool:
    """Whether one of these tombstones is the handle's, also one from when it was called otherwise."""
    return any(tombstone_hash(secret, workspace_id, form) in hashes for form in (handle, *earlier_forms(handle)))


def is_buried_at(handle: Handle, observed_at: datetime, until: Mapping[bytes, datetime], secret: bytes, workspace_id: UUID) -> bool:
    """Whether one of these tombstones refuses the handle in what was observed then."""
    hashes = (tombstone_hash(secret, workspace_id, form) for form in (handle, *earlier_forms(handle)))
    return any((at := until.get(one)) is not None and observed_at < at for one in hashes)


def names_one_of(participant: Mapping[str, Any], hashes: Collection[bytes], secret: bytes, workspace_id: UUID) -> bool:
    """Whether somebody on a stored message is an erased person."""
    handle = Handle(kind=participant.get("kind", ""), scope=participant.get("scope", ""), value=participant.get("value", ""))
    return is_buried(handle, hashes, secret, workspace_id)

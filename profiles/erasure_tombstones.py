"""Tombstones: keyed hashes of erased handles, which refuse what was observed before the erasure, from wherever it comes again.

Replay of the log, late redelivery, quarantine and import all ask here. What the same person says later is a new contact, of a new
profile. **Identity**: workspace and hash; a handle erased twice has two rows, and the later one counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from shared.database import Connection
from shared.errors import InputRejected
from shared.handle import Handle, normalized
from shared.ids import WorkspaceId

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


async def erased_at(connection: Connection, secret: bytes, handles: Collection[ScopedHandle]) -> dict[ScopedHandle, datetime]:
    """When each of these handles was erased last; those that never were are left out. One statement."""
    asked = list(dict.fromkeys(handles))
    if not asked:
        return {}
    hashes = [tombstone_hash(secret, workspace_id, handle) for workspace_id, handle in asked]
    rows = await connection.fetch(_ERASED, [workspace_id for workspace_id, _ in asked], hashes)
    return {asked[row["place"] - 1]: row["erased_at"] for row in rows}


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
    return tombstone_hash(secret, workspace_id, handle) in hashes


def hash_of(participant: Mapping[str, Any], secret: bytes, workspace_id: UUID) -> bytes:
    handle = Handle(kind=participant.get("kind", ""), scope=participant.get("scope", ""), value=participant.get("value", ""))
    return tombstone_hash(secret, workspace_id, handle)

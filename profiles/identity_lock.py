"""The identity lock: one transaction at a time decides who is who in a workspace, so that none decides on half of what another wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import asyncpg

from shared.database import Connection
from shared.ids import WorkspaceId

WAIT_MS: Final = 300
_LOCK: Final = "select pg_advisory_xact_lock(key) from unnest($1::bigint[]) as g(key)"
_TRY: Final = "select key, pg_try_advisory_xact_lock(key) as free from unnest($1::bigint[]) as g(key)"


async def lock_identity(connection: Connection, workspace_ids: Iterable[WorkspaceId]) -> None:
    """Waits until nobody else is deciding who is who in these workspaces; held until the transaction ends."""
    keys = sorted(map(_key, set(workspace_ids)))
    if keys:
        await connection.execute(_LOCK, keys)


async def lock_free_identities(connection: Connection, workspace_ids: Iterable[WorkspaceId]) -> set[WorkspaceId]:
    """The same for those where it takes `WAIT_MS` at most, which are answered; somebody else decides in the others."""
    asked = {_key(one): one for one in workspace_ids}
    if not asked:
        return set()
    keys = sorted(asked)
    free = {row["key"] for row in await connection.fetch(_TRY, keys) if row["free"]}
    if busy := [key for key in keys if key not in free]:
        wait = await connection.fetchval("select current_setting('lock_timeout')")
        await connection.execute(f"savepoint identity; set local lock_timeout = {WAIT_MS}")
        try:
            await connection.execute(_LOCK, busy)
        except asyncpg.LockNotAvailableError:
            await connection.execute("rollback to identity")
            free |= {row["key"] for row in await connection.fetch(_TRY, busy) if row["free"]}
        else:
            free |= set(busy)
        await connection.execute(f"release identity; set local lock_timeout = '{wait}'")
    return {asked[key] for key in free}


def _key(workspace_id: WorkspaceId) -> int:
    return int.from_bytes(hashlib.blake2b(workspace_id.bytes, digest_size=8, person=b"santral.identity").digest(), signed=True)

"""Rules of identity that a workspace changed, carried to its people in the background: page by page, each workspace in turn.

What a workspace owns is read and made once a change of it, beside the event loop; who is through with their rules has no turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from profiles.own import own_handles
from profiles.rules_pass import pass_on, read_done, rules_digest
from services.chores.every_workspace import follow_all, step_of_each
from shared.database import Connection, Database
from shared.handle import Handle
from shared.ids import WorkspaceId
from shared.own_addresses import OWN_ADDRESSES, OWN_ADDRESSES_MAX
from shared.workspace_parts import Raw, WorkspaceParts, changes_of

LOOK_EVERY_S: Final = 5.0
PAGE_EVERY_S: Final = 0.05
_SETTINGS: Final = f"""
select w.id, w.settings->>'region' as region, w.settings->'profile' as profile, {OWN_ADDRESSES} as own
from santral.workspace w where w.id = any($1::uuid[])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    id: UUID
    digest: str
    own: frozenset[Handle]


async def follow(db: Database) -> None:
    """Runs for ever."""
    rules = IdentityRules(db)
    await follow_all(rules.page_of_all, again_s=PAGE_EVERY_S, look_s=LOOK_EVERY_S, waits="changed rules of identity wait")


class IdentityRules:
    """Every workspace's rules as they were read last."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._parts = WorkspaceParts(db, changes=changes_of("workspace", "inbox"), read=_read, made=_made)

    async def page_of_all(self) -> bool:
        """One page for every workspace that has one to do; whether any has more."""
        await self._parts.refresh()
        async with self._db.session() as connection:
            done = await read_done(connection)
        waiting = [rules for one, rules in sorted(self._parts.parts.items()) if done.get(one) != rules.digest]
        return any(await step_of_each(self._db, waiting, _page))


async def _read(connection: Connection, wanted: Sequence[UUID]) -> Raw:
    return {row["id"]: row for row in await connection.fetch(_SETTINGS, wanted)}


def _made(workspace_id: UUID, row: Any, _: _Rules | None) -> _Rules:
    own = own_handles(row["own"][:OWN_ADDRESSES_MAX], region=row["region"])
    return _Rules(id=workspace_id, digest=rules_digest(row["profile"], own), own=own)


async def _page(db: Database, rules: _Rules) -> bool:
    async with db.batch() as connection:
        return await pass_on(connection, WorkspaceId(rules.id), rules.digest, rules.own)

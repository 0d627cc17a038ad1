"""Links that have come to their end: past the date they were given, or to a number that nobody used for the workspace's window.

A number that was given to somebody else must not keep two people one. The end is written down as a retraction by ``expiry``, the
people are decided anew, and evidence that arrives later counts again. What a person of the workspace said does not end by itself, nor
what joins somebody under a legal hold while it stands.

**Units**: seconds; times from the database's clock. **Identity**: the ledger's link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from profiles.identity_lock import lock_identity
from profiles.recompute import recompute, rules_of
from shared import outbox
from shared.database import Contended, Database, concerns_all, retried
from shared.errors import Unavailable
from shared.ids import WorkspaceId
from shared.logs import get_log

log = get_log(__name__)
PAGE: Final = 5000
EVERY_S: Final = 3600.0
_BREATH_S: Final = 0.05
_FIRST: Final = UUID(int=0)
_WORKSPACES: Final = "select id from santral.workspace order by id"
# A page of the ledger in the order of its key, so no run ever holds a statement longer than a page takes.
_PAGE: Final = """
with page as (
    select id, a, b, kind, expires_at, last_seen_at, retracted_at from santral.link
    where workspace_id = $1 and id > $2 order by id limit $3
)
select (select id from page order by id desc limit 1) as last,
       (select jsonb_agg(p.id) from page p
        join santral.handle x on x.workspace_id = $1 and x.id = p.a
        join santral.handle y on y.workspace_id = $1 and y.id = p.b
        where p.retracted_at is null and (p.expires_at <= now() or (p.kind <> 'agent' and exists (
            select 1 from unnest($4::text[], $5::interval[]) as w(kind, wait)
            where w.kind in (x.kind, y.kind) and p.last_seen_at < now() - w.wait)))) as due
"""
_END: Final = """
update santral.link set retracted_at = now(), retracted_by = 'expiry'
where workspace_id = $1 and id = any($2::uuid[]) and retracted_at is null
  and a not in (select santral.held_handles($1)) and b not in (select santral.held_handles($1)) returning a, b
"""
LINKS_MAX: Final = 200


async def expire_links(db: Database, workspace_id: WorkspaceId) -> int:
    """Ends what is due in one workspace; how many links. Several at once are harmless: each link ends once."""
    async with db.batch() as connection:
        rules = (await rules_of(connection, [workspace_id]))[workspace_id]
    ended, after = 0, _FIRST
    while True:
        async with db.batch() as connection:
            row = await connection.fetchrow(
                _PAGE, workspace_id, after, PAGE, list(rules.expire_after), list(rules.expire_after.values())
            )
        assert row is not None, "a select of two values has a row"
        due = [UUID(one) for one in row["due"] or ()]
        for start in range(0, len(due), LINKS_MAX):
            ended += await _end(db, workspace_id, due[start : start + LINKS_MAX])
        if row["last"] is None:
            return ended
        after = row["last"]
        await asyncio.sleep(_BREATH_S)


async def _end(db: Database, workspace_id: WorkspaceId, links: Sequence[UUID]) -> int:
    async def work() -> int:
        async with db.batch() as connection:
            await lock_identity(connection, [workspace_id])
            rows: Sequence[Any] = await connection.fetch(_END, workspace_id, list(links))
            seeds = {(workspace_id, end) for row in rows for end in (row["a"], row["b"])}
            cause = {"actor": "expiry", "retracted": [str(one) for one in links[:20]]}
            await outbox.record(connection, await recompute(connection, seeds, reconsider=seeds, cause=cause))
            return len(rows)

    return await retried(work)


async def follow(db: Database) -> None:
    """Ends what is due in every workspace, once an hour for ever."""
    while True:
        try:
            async with db.session() as connection:
                workspaces = [WorkspaceId(row["id"]) for row in await connection.fetch(_WORKSPACES)]
            for workspace_id in workspaces:
                await _expire(db, workspace_id)
        except Unavailable as error:
            log.warning("links could not be looked through", action="dependency_down", error=str(error))
        await asyncio.sleep(EVERY_S)


async def _expire(db: Database, workspace_id: WorkspaceId) -> None:
    """One workspace by itself: what cannot be done there stops no other. Raises `Unavailable`, which is so for all."""
    try:
        ended = await expire_links(db, workspace_id)
    except Exception as error:
        if concerns_all(error) and not isinstance(error, Contended):
            raise
        log.error(  # noqa: TRY400  an exception's words and locals may be somebody's
            "links of a workspace could not be looked through", action="chore_waits", workspace=str(workspace_id),
            error=type(error).__name__,
        )  # fmt: skip
        return
    if ended:
        log.info("links came to their end", action="links_expired", workspace=str(workspace_id), count=ended)

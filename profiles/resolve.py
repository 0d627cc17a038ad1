"""Finding out who wrote, for a whole batch of messages in a constant number of statements.

When every handle is known and nothing new is said about it, that is one SELECT (two when messages carry several handles). Else one
transaction of its own, before the one that takes the messages in: it only adds facts, each unique, so running it again after a
failure, or for a message that is never taken in, does no harm.

Two writers at once: rows are inserted in natural order, then the workspace's identity is locked if a link touches people that
were there before, then handles are locked by id. What still collides is run again as a whole. Where somebody else holds a workspace's
identity, or a crowd hangs together, who is who is put off: the facts are written, the people are decided later (`profiles/undecided.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from profiles import evidence
from profiles.evidence import Evidence, Weighed, evidence_of, weighed
from profiles.handles import KnownHandle, begin_handles, known_before, known_handles, lock_handles, touch_handles
from profiles.identity_lock import lock_free_identities
from profiles.left_numbers import as_said, in_turns, leaving, let_go
from profiles.recompute import HandleRef, reach_near, rebuild
from profiles.search_words import Named, search_text
from profiles.sighting import Key, Resolved, Sighting, Wanted, WantedHandle, identity_of, renewal_link, wanted_of
from profiles.undecided import put_off
from shared import outbox
from shared.database import Connection, Database, retried
from shared.event import Event
from shared.ids import HandleId, MessageId, WorkspaceId, new_id

_BEGIN_PROFILES: Final = """
insert into santral.profile (workspace_id, id, search) select workspace_id, id, search
from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as g(workspace_id, id, search, place) order by place
on conflict (workspace_id, id) do nothing
returning workspace_id, id, created_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """What a batch's inserts left behind: rows as they are now, ids that are ours alone, pairs with a new merging link."""

    known: dict[Key, KnownHandle]
    fresh: Collection[HandleId]
    joined: Collection[tuple[WorkspaceId, HandleId, HandleId]]
    seen_again: Weighed


async def resolve(
    db: Database,
    sightings: Sequence[Sighting],
    *,
    own: Container[Key] = frozenset(),
    tries: int = 8,
    lock_ms: int | None = None,
) -> dict[tuple[WorkspaceId, MessageId], Resolved]:
    """Who wrote each message; sightings without senders are left out.

    ``own`` are the workspaces' own addresses and numbers (of their inboxes), which never link. Commits by itself and may be
    called again with the same messages. ``lock_ms``: how long a lock is waited for, where not as usual. Raises `Unavailable` (with
    `Contended` after the ``tries``); facts already committed stay.
    """
    found: dict[tuple[WorkspaceId, MessageId], Resolved] = {}
    for turn in in_turns([sighting for sighting in sightings if sighting.senders]):
        found |= await _resolve(db, turn, own, tries, lock_ms)
    return found


async def _resolve(
    db: Database, seen: Sequence[Sighting], own: Container[Key], tries: int, lock_ms: int | None
) -> dict[tuple[WorkspaceId, MessageId], Resolved]:
    async with db.session() as connection:
        seen = await as_said(connection, seen)
        wanted = wanted_of(seen, own)
        known = await known_handles(connection, wanted.handles)
        settled = all(handle.key in known and not _unsettled(known[handle.key], handle) for handle in wanted.handles)
        if settled and wanted.links:
            found = await weighed(connection, evidence_of(wanted.links, known))
            settled = not found.new and not found.seen_again
        gone = {} if settled else await leaving(connection, seen)
    if gone:
        await retried(lambda: let_go(db, gone, lock_ms=lock_ms), tries=tries)
        known = {key: row for key, row in known.items() if (key[0], row.id) not in gone}
    if not settled:
        known = await retried(lambda: _committed(db, wanted, known, lock_ms), tries=tries)
    return {(sighting.workspace_id, sighting.message_id): _resolved(sighting, known) for sighting in seen}


def _unsettled(known: KnownHandle, wanted: WantedHandle) -> bool:
    return known.needs(wanted) or known.moves(wanted)


async def resolve_within(connection: Connection, sighting: Sighting) -> Resolved:
    """Who wrote one message, in the caller's transaction, which decides whether anything said about them stays."""
    seen = await as_said(connection, [sighting])
    wanted = wanted_of(seen, ())
    return _resolved(seen[0], await _write(connection, wanted, await known_handles(connection, wanted.handles)))


async def _committed(db: Database, wanted: Wanted, seen: Mapping[Key, KnownHandle], lock_ms: int | None) -> dict[Key, KnownHandle]:
    async with db.batch(lock_ms=lock_ms) as connection:
        return await _write(connection, wanted, seen)


async def _write(connection: Connection, wanted: Wanted, seen: Mapping[Key, KnownHandle]) -> dict[Key, KnownHandle]:
    begun = await _begin(connection, wanted, seen)
    seeds = {(w, handle_id) for w, a, b in begun.joined for handle_id in (a, b)}
    seeds |= {
        (h.key[0], begun.known[h.key].id)
        for h in wanted.handles
        if begun.known[h.key].id not in begun.fresh and begun.known[h.key].moves(h)
    }
    # Handles inserted here are seen by nobody yet: people made of them alone need no lock.
    asked = {w for w, handle_id in seeds if handle_id not in begun.fresh}
    busy = asked - await lock_free_identities(connection, asked)
    places, far = await reach_near(connection, {seed for seed in seeds if seed[0] not in busy})
    # Who decides there holds rows of handles, too: what the next message would widen as well waits for it.
    widened = [
        h for h in wanted.handles
        if h.key[0] not in busy and begun.known[h.key].id not in begun.fresh and begun.known[h.key].needs(h)
    ]  # fmt: skip
    await lock_handles(connection, places | {(h.key[0], begun.known[h.key].id) for h in widened})
    await touch_handles(connection, widened, begun.known)
    await evidence.touch(connection, [link for link in begun.seen_again.seen_again if link[0] not in busy])
    events = await _begin_profiles(connection, wanted, begun, places)
    events += await rebuild(connection, places)
    await put_off(connection, {seed for seed in seeds if seed[0] in busy | far})
    await outbox.record(connection, events)
    if places:
        return await known_handles(connection, wanted.handles)
    return begun.known


async def _begin(connection: Connection, wanted: Wanted, seen: Mapping[Key, KnownHandle]) -> _Begun:
    missing = [handle for handle in wanted.handles if handle.key not in seen]
    before = await known_before(connection, [handle.key for handle in missing]) if missing else {}
    fresh = await begin_handles(connection, missing) if missing else set()
    known = await known_handles(connection, wanted.handles)
    renewals = [renewal_link(key, place, row.first_seen_at) for key, (place, row) in before.items()]
    rows = known | dict(before.values())
    offered: list[Evidence] = evidence_of([*wanted.links, *renewals], rows)
    found = await weighed(connection, offered)
    joined = await evidence.record(connection, found.new)
    return _Begun(known=known, fresh=fresh, joined=joined, seen_again=found)


async def _begin_profiles(connection: Connection, wanted: Wanted, begun: _Begun, places: Collection[HandleRef]) -> list[Event]:
    """Profiles of people seen for the first time under one handle, where the partition around it is not decided now."""
    single = [
        (h.key[0], known.profile_id, search_text([Named(h.key[1].kind, h.key[1].value, h.name)], {}))
        for h in wanted.handles
        if h.present and _begins(begun, known := begun.known[h.key]) and (h.key[0], known.id) not in places
    ]
    if not single:
        return []
    rows = await connection.fetch(_BEGIN_PROFILES, *(list(column) for column in zip(*single, strict=True)))
    return [
        Event(
            id=new_id(), workspace_id=row["workspace_id"], type="profile.created", at=row["created_at"], profile_id=row["id"],
            data={"version": 1, "handles": 1},
        )
        for row in rows
    ]  # fmt: skip


def _begins(begun: _Begun, known: KnownHandle) -> bool:
    """Whether somebody is seen for the first time under it: it is new, or was only named until now."""
    return known.id in begun.fresh or known.profile_version is None


def _resolved(sighting: Sighting, known: Mapping[Key, KnownHandle]) -> Resolved:
    rows = [known[(sighting.workspace_id, seen.handle)] for seen in sighting.senders]
    identity = known[(sighting.workspace_id, identity_of(sighting.senders).handle)]
    return Resolved(
        handle_id=rows[0].id,
        profile_id=identity.profile_id,
        profile_version=identity.profile_version or 1,
        other_handle_ids=tuple(row.id for row in rows[1:]),
        identity_handle_id=identity.id,
    )

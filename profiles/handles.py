"""Rows of handles: found, begun and touched for a whole batch, each in one statement.

New rows are inserted in the order of their natural key and existing ones locked in the order of their id, like everywhere; the
two together are why any number of writers get through. **Identity**: workspace, kind, scope, value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from profiles.sighting import Key, WantedHandle
from shared.database import Connection
from shared.handle import Handle, assurance_rank
from shared.handle_forms import NORMALIZATION, earlier_forms, is_readable, renewed
from shared.ids import HandleId, ProfileId, WorkspaceId, new_id

_KNOWN: Final = """
select g.place, h.id, h.assurance, h.shared, h.first_seen_at, h.last_seen_at, h.name, h.raw, h.accounts, h.profile_id, p.version
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) with ordinality as g(workspace_id, kind, scope, value, place)
cross join lateral (
    select f.* from santral.handle f
    where f.workspace_id = g.workspace_id and f.kind = g.kind and f.scope = g.scope and f.value = g.value limit 1
) h
left join lateral (
    select f.version from santral.profile f where f.workspace_id = g.workspace_id and f.id = h.profile_id limit 1
) p on true
"""
_BEGIN: Final = """
insert into santral.handle
    (workspace_id, id, kind, scope, value, raw, name, profile_id, assurance, shared, shared_by, first_seen_at, last_seen_at, accounts)
select workspace_id, id, kind, scope, value, raw, name, id, assurance, shared_by <> '', shared_by, first_seen_at, last_seen_at,
    array_remove(array[account], '')
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::timestamptz[], $11::timestamptz[], $12::text[]) with ordinality
     as g(workspace_id, id, kind, scope, value, raw, name, assurance, shared_by, first_seen_at, last_seen_at, account, place)
order by place
on conflict (workspace_id, kind, scope, value) do nothing
returning id
"""
# The nested loop goes through the ids in the order given; a join would be free to lock in another one.
_LOCK: Final = """
select l.id from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id)
cross join lateral (
    select f.id from santral.handle f where f.workspace_id = g.workspace_id and f.id = g.id limit 1 for no key update of f
) l
"""
# A scope is part of a key, so its change takes the whole row.
_LOCK_WHOLE: Final = """
select l.id from unnest($1::uuid[], $2::uuid[]) as g(workspace_id, id)
cross join lateral (select f.id from santral.handle f where f.workspace_id = g.workspace_id and f.id = g.id limit 1 for update of f) l
"""
_ASIDE: Final = """
update santral.handle h set scope = g.scope from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as g(workspace_id, id, was, scope)
where h.workspace_id = g.workspace_id and h.id = g.id and h.scope = g.was
"""
_RANK: Final = "array_position(array['asserted', 'channel_verified', 'authenticated'], h.assurance) - 1"
_TOUCH: Final = f"""
update santral.handle h set
    name = case when g.rank >= {_RANK} and g.name <> '' then g.name else h.name end,
    assurance = case when g.rank > {_RANK} then g.assurance else h.assurance end,
    shared = h.shared or g.shared_by <> '',
    shared_by = case when g.shared_by <> '' then g.shared_by else h.shared_by end,
    first_seen_at = least(h.first_seen_at, g.first_seen_at),
    last_seen_at = greatest(h.last_seen_at, g.last_seen_at),
    accounts = case when g.account = '' or g.account = any(h.accounts) then h.accounts else h.accounts || g.account end
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::text[])
     as g(workspace_id, id, name, assurance, rank, shared_by, first_seen_at, last_seen_at, account)
where h.workspace_id = g.workspace_id and h.id = g.id
"""


_BEFORE: Final = "before:"
_SET_ASIDE: Final = range(2, NORMALIZATION + 1)
"""The rules under which rows were set aside; the first ones had nobody before them."""


def set_aside(handle: Handle, normalization: int = NORMALIZATION) -> Handle:
    """How the row of a handle is kept whose name turned out to be another's under these rules: under a scope that no channel makes."""
    return Handle(kind=handle.kind, scope=f"{_BEFORE}{normalization}:{handle.scope}", value=handle.value)


def as_named(handle: Handle) -> Handle:
    """The handle of a row as the release that wrote it called it, also where it was set aside."""
    if not handle.scope.startswith(_BEFORE):
        return handle
    return Handle(kind=handle.kind, scope=handle.scope.split(":", 2)[2], value=handle.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHandle:
    """A handle's row with its profile; ``profile_version`` is None while nobody ever wrote with it."""

    id: HandleId
    assurance: str
    shared: bool
    first_seen_at: datetime
    last_seen_at: datetime
    name: str
    profile_id: ProfileId
    profile_version: int | None
    accounts: tuple[str, ...] = ()

    def needs(self, wanted: WantedHandle) -> bool:
        """Whether the row has to be written: better assurance, an earlier time, a first name, or a new day."""
        wanted_rank, rank = assurance_rank(wanted.assurance), assurance_rank(self.assurance)
        return (
            wanted_rank > rank
            or wanted.first_seen_at < self.first_seen_at
            or (wanted.name != "" and self.name == "" and wanted_rank == rank)
            or wanted.last_seen_at.date() > self.last_seen_at.date()
            or (wanted.kept_apart != "" and not self.shared)
            or wanted.account not in ("", *self.accounts)
        )

    def moves(self, wanted: WantedHandle) -> bool:
        """Whether what is new about it may change who belongs together, or what the profile is called."""
        return (
            wanted.first_seen_at < self.first_seen_at
            or (wanted.kept_apart != "" and not self.shared)
            or (wanted.present and self.profile_version is None)
            or self.renames(wanted)
        )

    def renames(self, wanted: WantedHandle) -> bool:
        """Whether writing the row changes its name, by which the person is shown and found."""
        better = assurance_rank(wanted.assurance) >= assurance_rank(self.assurance)
        return better and wanted.name not in ("", self.name) and self.needs(wanted)


async def known_handles(connection: Connection, wanted: Sequence[WantedHandle]) -> dict[Key, KnownHandle]:
    """The rows there are, one SELECT for the whole batch."""
    return await known_by_key(connection, [handle.key for handle in wanted])


async def known_by_key(connection: Connection, keys: Sequence[Key]) -> dict[Key, KnownHandle]:
    """The same for bare keys, each once. A row that an earlier release called so and that is another's handle is none of them."""
    return {key: known for key, known, raw in await _rows(connection, keys) if renewed(key[1], raw) == key[1]}


async def known_before(connection: Connection, keys: Sequence[Key]) -> dict[Key, tuple[Key, KnownHandle]]:
    """The rows of handles that an earlier release called otherwise: those whose raw value says that they are these very ones."""
    asked = ((one, form) for one in keys for form in earlier_forms(one[1]) if is_readable(form))
    forms = {(one[0], name): one for one, form in asked for name in (form, *(set_aside(form, rules) for rules in _SET_ASIDE))}
    rows = await _rows(connection, list(forms)) if forms else []
    return {forms[place]: (place, known) for place, known, raw in rows if renewed(as_named(place[1]), raw) == forms[place][1]}


async def _rows(connection: Connection, keys: Sequence[Key]) -> list[tuple[Key, KnownHandle, str]]:
    rows = await connection.fetch(
        _KNOWN,
        [workspace_id for workspace_id, _ in keys],
        [handle.kind for _, handle in keys],
        [handle.scope for _, handle in keys],
        [handle.value for _, handle in keys],
    )
    return [
        (keys[row["place"] - 1], KnownHandle(
            id=row["id"], assurance=row["assurance"], shared=row["shared"], first_seen_at=row["first_seen_at"],
            last_seen_at=row["last_seen_at"], name=row["name"], profile_id=row["profile_id"], profile_version=row["version"],
            accounts=tuple(row["accounts"]),
        ), row["raw"])
        for row in rows
    ]  # fmt: skip


async def make_room(connection: Connection, keys: Sequence[Key]) -> bool:
    """Sets those rows aside that have one of these keys and are another's handle; whether there were any. They keep all but their scope."""
    others = [(key, known) for key, known, raw in await _rows(connection, keys) if renewed(key[1], raw) != key[1]]
    await put_aside(connection, {(key[0], known.id): (key[1].scope, set_aside(key[1]).scope) for key, known in others})
    return bool(others)


async def put_aside(connection: Connection, scopes: Mapping[tuple[WorkspaceId, HandleId], tuple[str, str]]) -> None:
    """Gives rows the second scope where they have the first one still; locked in the order of their ids, before anything else is."""
    if not scopes:
        return
    pairs = sorted(scopes)
    columns = [workspace_id for workspace_id, _ in pairs], [handle_id for _, handle_id in pairs]
    await connection.execute(_LOCK_WHOLE, *columns)
    await connection.execute(_ASIDE, *columns, [scopes[one][0] for one in pairs], [scopes[one][1] for one in pairs])


async def begin_handles(connection: Connection, wanted: Sequence[WantedHandle]) -> set[HandleId]:
    """Inserts the handles, each a profile id of its own; the ids of those that nobody inserted before us."""
    begun = await _insert(connection, wanted)
    # What was there is there already, or it is a row of before under what is now another's address.
    if len(begun) < len(wanted) and await make_room(connection, [handle.key for handle in wanted]):
        begun |= await _insert(connection, wanted)
    return begun


async def _insert(connection: Connection, wanted: Sequence[WantedHandle]) -> set[HandleId]:
    ordered = sorted(wanted, key=lambda handle: handle.sort_key)
    rows = await connection.fetch(
        _BEGIN,
        [handle.key[0] for handle in ordered],
        [new_id() for _ in ordered],
        [handle.key[1].kind for handle in ordered],
        [handle.key[1].scope for handle in ordered],
        [handle.key[1].value for handle in ordered],
        [handle.raw for handle in ordered],
        [handle.name for handle in ordered],
        [handle.assurance for handle in ordered],
        [handle.kept_apart for handle in ordered],
        [handle.first_seen_at for handle in ordered],
        [handle.last_seen_at for handle in ordered],
        [handle.account for handle in ordered],
    )
    return {row["id"] for row in rows}


async def lock_handles(connection: Connection, ids: Iterable[tuple[WorkspaceId, HandleId]]) -> None:
    """Locks the rows in the order of their ids, as every writer does; one call per transaction."""
    pairs = sorted(set(ids))
    if pairs:
        await connection.execute(_LOCK, [workspace_id for workspace_id, _ in pairs], [handle_id for _, handle_id in pairs])


async def touch_handles(connection: Connection, wanted: Sequence[WantedHandle], known: Mapping[Key, KnownHandle]) -> None:
    """Writes what a batch adds to handles that are locked; only ever widens, so the order of batches does not matter."""
    if not wanted:
        return
    await connection.execute(
        _TOUCH,
        [handle.key[0] for handle in wanted],
        [known[handle.key].id for handle in wanted],
        [handle.name for handle in wanted],
        [handle.assurance for handle in wanted],
        [assurance_rank(handle.assurance) for handle in wanted],
        [handle.kept_apart for handle in wanted],
        [handle.first_seen_at for handle in wanted],
        [handle.last_seen_at for handle in wanted],
        [handle.account for handle in wanted],
    )

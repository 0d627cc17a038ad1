"""People nobody knew, written straight down: COPY into tables of the session, then one INSERT … SELECT for each table.

COPY reaches no table with row-level security, so the rows go by way of temporary ones, which are empty again after every commit. That
costs the client a third and the server nine tenths of what arrays of parameters do.

**Identity**: new ids, each row's hub with the smallest, so the profile is named by it. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from profiles.handles import make_room
from profiles.imports.rows import Person
from profiles.search_words import Named, Words, search_text
from profiles.survivorship import Observation, Strategy, effective, materialized
from shared import outbox
from shared.database import Connection, Contended
from shared.event import Event
from shared.handle import Handle
from shared.ids import HandleId, ProfileId, WorkspaceId, new_id

_TABLES: Final = """
create temporary table if not exists import_handle (
    place int, id uuid, kind text, scope text, value text, raw text, name text, profile_id uuid) on commit delete rows;
create temporary table if not exists import_profile (place int, id uuid, effective text, search text) on commit delete rows;
create temporary table if not exists import_link (place int, id uuid, a uuid, b uuid) on commit delete rows;
create temporary table if not exists import_fact (place int, id uuid, handle_id uuid, name text, value text) on commit delete rows
"""
_THERE: Final = "select to_regclass('pg_temp.import_fact') is not null"
_HANDLES: Final = """
insert into santral.handle (workspace_id, id, kind, scope, value, raw, name, profile_id, assurance, first_seen_at, last_seen_at)
select $1, id, kind, scope, value, raw, name, profile_id, $2, $3, $3 from pg_temp.import_handle order by place
on conflict (workspace_id, kind, scope, value) do nothing
"""
_PROFILES: Final = """
insert into santral.profile (workspace_id, id, effective, search)
select $1, id, effective::jsonb, search from pg_temp.import_profile order by place
"""
_LINKS: Final = """
insert into santral.link (workspace_id, id, a, b, kind, assurance, source, actor, first_seen_at, last_seen_at, verified_at)
select $1, id, a, b, 'import', $2, $3, $4, $5, $5, $5 from pg_temp.import_link order by place
"""
_FACTS: Final = """
insert into santral.fact (workspace_id, id, handle_id, name, value, source, assurance, observed_at)
select $1, id, handle_id, name, value::jsonb, $2, $3, $4 from pg_temp.import_fact order by place
"""


class Said(Protocol):
    """Under which terms the rows are written."""

    @property
    def workspace_id(self) -> WorkspaceId: ...
    @property
    def assurance(self) -> str: ...
    @property
    def observed_at(self) -> datetime: ...
    @property
    def actor(self) -> str: ...


async def insert_handles(
    connection: Connection,
    handles: Sequence[tuple[Handle, str, str]],
    ids: Mapping[Handle, HandleId],
    profiles: Mapping[Handle, HandleId],
    said: Said,
) -> None:
    """Inserts (handle, raw, name) in the order of the natural key, as everywhere. Raises `Contended` when somebody was first."""
    rows = sorted((one.kind, one.scope, one.value, raw, name, ids[one], profiles[one]) for one, raw, name in handles)
    await _staged(
        connection,
        "import_handle",
        (
            (place, handle_id, kind, scope, value, raw, name, profile_id)
            for place, (kind, scope, value, raw, name, handle_id, profile_id) in enumerate(rows)
        ),
    )
    done = _count(await connection.execute(_HANDLES, said.workspace_id, said.assurance, said.observed_at))
    if done < len(rows) and await make_room(connection, [(said.workspace_id, one) for one, _, _ in handles]):
        done += _count(await connection.execute(_HANDLES, said.workspace_id, said.assurance, said.observed_at))
    if done < len(rows):
        raise Contended("somebody else began one of these people; the chunk is written again", retry_after_s=1)


def _count(status: str) -> int:
    """How many rows the server says it inserted."""
    return int(status.rpartition(" ")[2])


async def write_begun(
    connection: Connection,
    people: Sequence[Person],
    ids: Mapping[Handle, HandleId],
    said: Said,
    source: str,
    strategies: Mapping[str, Strategy],
) -> None:
    """Profiles, links, facts and events of people whose handles were inserted in this transaction; ``source`` in full."""
    at = said.observed_at
    words = Words()
    profiles: list[tuple[HandleId, str, str]] = []
    links: list[tuple[UUID, HandleId, HandleId]] = []
    facts: list[tuple[UUID, HandleId, str, str]] = []
    events: list[Event] = []
    for person in people:
        hub_id = ids[person.hub]
        seen = [
            Observation(name=name, value=value, source=source, assurance=said.assurance, observed_at=at)
            for name, value in person.traits.items()
        ]
        shown = materialized(effective(seen, strategies=strategies)) if seen else {}
        named = [Named(one.kind, one.value, person.name if one == person.hub else "") for one in person.handles]
        profiles.append((hub_id, _json(shown), search_text(named, shown, words)))
        # The hub's id is the smallest of its row.
        links += [(new_id(), hub_id, ids[one]) for one in person.handles if one != person.hub]
        facts += [(new_id(), hub_id, name, _json(value)) for name, value in person.traits.items()]
        events.append(
            Event(
                id=new_id(), workspace_id=said.workspace_id, type="profile.created", at=at, profile_id=ProfileId(hub_id),
                data={"version": 1, "handles": len(person.handles)},
            )
        )  # fmt: skip
    await _staged(connection, "import_profile", ((place, *row) for place, row in enumerate(profiles)))
    await connection.execute(_PROFILES, said.workspace_id)
    if links:
        await _staged(connection, "import_link", ((place, *row) for place, row in enumerate(links)))
        await connection.execute(_LINKS, said.workspace_id, said.assurance, source, said.actor, at)
    if facts:
        await _staged(connection, "import_fact", ((place, *row) for place, row in enumerate(facts)))
        await connection.execute(_FACTS, said.workspace_id, source, said.assurance, at)
    await outbox.record(connection, events)


async def _staged(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    if not await connection.fetchval(_THERE):
        await connection.execute(_TABLES)
    await connection.execute(f"delete from pg_temp.{table}")
    await connection.copy_records_to_table(table, records=rows, schema_name="pg_temp")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

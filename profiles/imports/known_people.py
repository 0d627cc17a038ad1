"""What is known of the people that a chunk of an import names, and whether a row says anything beyond it. Four reads for all of them.

**Identity**: handle and profile ids. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from profiles.handles import KnownHandle
from profiles.imports.rows import GivenConsent, Person
from profiles.sighting import Key
from profiles.snapshot import shown_name
from shared.database import Connection
from shared.handle import assurance_rank
from shared.ids import WorkspaceId

_EFFECTIVE: Final = "select id, effective from santral.profile where workspace_id = $1 and id = any($2::uuid[])"
_NAMES: Final = """
select profile_id, assurance, name from santral.handle
where workspace_id = $1 and profile_id = any($2::uuid[]) and name <> '' order by first_seen_at, id
"""
_FACTS: Final = """
select handle_id, name, observed_at from santral.fact
where workspace_id = $1 and handle_id = any($2::uuid[]) and source = $3
"""
_LINKS: Final = """
select a, b, assurance from santral.link where workspace_id = $1 and a = any($2::uuid[]) and source = $3 and kind = 'import'
"""
_CONSENTS: Final = """
select distinct on (h.profile_id, c.purpose, c.channel) h.profile_id, c.purpose, c.channel, c.granted, c.stated_at
from santral.handle h join santral.consent c on c.workspace_id = h.workspace_id and c.handle_id = h.id
where h.workspace_id = $1 and h.profile_id = any($2::uuid[])
order by h.profile_id, c.purpose, c.channel, c.stated_at desc, c.id desc
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What there is: values shown, facts and links of the same source, statements that came last, names."""

    effective: Mapping[UUID, Mapping[str, Any]]
    facts: Mapping[tuple[UUID, str], datetime]
    links: Mapping[tuple[UUID, UUID], str]
    consents: Mapping[tuple[UUID, str, str], tuple[bool, datetime]]
    names: Mapping[UUID, str]

    def states_otherwise(self, profile_id: UUID, said: GivenConsent, at: datetime) -> bool:
        """Whether this statement is none yet, or newer than the contrary."""
        known = self.consents.get((profile_id, said.purpose, said.channel))
        return known is None or (known[0] is not said.granted and known[1] < at)


async def stored_of(connection: Connection, workspace_id: WorkspaceId, known: Mapping[Key, KnownHandle], source: str) -> Stored:
    """Reads it for the people these handles belong to."""
    profiles = sorted({row.profile_id for row in known.values()})
    ids = sorted({row.id for row in known.values()})
    named = f"import:{source}"
    shown = {row["id"]: row["effective"] for row in await connection.fetch(_EFFECTIVE, workspace_id, profiles)}
    names: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
    for row in await connection.fetch(_NAMES, workspace_id, profiles):
        names[row["profile_id"]].append((row["assurance"], row["name"]))
    facts = await connection.fetch(_FACTS, workspace_id, ids, named)
    links = await connection.fetch(_LINKS, workspace_id, ids, named)
    consents = await connection.fetch(_CONSENTS, workspace_id, profiles)
    return Stored(
        effective=shown,
        facts={(row["handle_id"], row["name"]): row["observed_at"] for row in facts},
        links={(row["a"], row["b"]): row["assurance"] for row in links},
        consents={(row["profile_id"], row["purpose"], row["channel"]): (row["granted"], row["stated_at"]) for row in consents},
        names={profile_id: shown_name(shown.get(profile_id, {}), said) for profile_id, said in names.items()},
    )


def news_of(
    person: Person, hub: KnownHandle, rows: Sequence[KnownHandle], stored: Stored, *, assurance: str, observed_at: datetime
) -> bool:
    """Whether the row says anything that is not there; its handles are all known."""
    rank = assurance_rank(assurance)
    if rank == 0:
        # A claim changes nothing about people who are known; it is evidence once, for a suggestion.
        return any(_unlinked(hub, row, stored, rank) for row in rows)
    if hub.profile_version is None or any(assurance_rank(row.assurance) < rank for row in rows):
        return True
    if person.name not in ("", hub.name, stored.names.get(hub.profile_id, "")) and hub.last_seen_at < observed_at:
        return True
    if any(_unlinked(hub, row, stored, rank) for row in rows):
        return True
    shown = stored.effective.get(hub.profile_id, {})
    for name, value in person.traits.items():
        said = stored.facts.get((hub.id, name))
        # Of two rows of one list the first counts, so that reading the list again changes nothing.
        if not (name in shown and shown[name]["value"] == value) and (said is None or said < observed_at):
            return True
    return any(stored.states_otherwise(hub.profile_id, said, observed_at) for said in person.consents)


def _unlinked(hub: KnownHandle, row: KnownHandle, stored: Stored, rank: int) -> bool:
    if row.id == hub.id or row.profile_id == hub.profile_id or row.shared or hub.shared:
        return False
    said = stored.links.get((min(hub.id, row.id), max(hub.id, row.id)))
    return said is None or assurance_rank(said) < rank

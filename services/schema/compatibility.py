"""Which revisions of the schema a release works on: a range, so that `santral migrate` of the next one stops nobody.

A release knows revisions up to its ``HEAD`` and works from ``NEEDS`` on. A database says at which revision it is, and the oldest HEAD
whose processes may go on running on it: what the newest revision states as ``WORKS_WITH``. That stands in Alembic's own row, so one
statement reads both as of one moment.

Identity: revisions are four digits, in one line; they compare as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import asyncpg

from services.schema.migrations import HEAD, NEEDS
from shared.database import Connection
from shared.errors import Conflict

# Through JSON, because the column came with revision 0004 and this release works without it.
READ: Final = "select r.version_num, to_jsonb(r)->>'oldest_head' as oldest_head from santral.revision r"
_FORM: Final = re.compile(r"[0-9]{4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """What a database says of itself. ``revision`` is None before the first migration, ``oldest_head`` before 0004."""

    revision: str | None = None
    oldest_head: str | None = None


async def read_state(connection: Connection) -> SchemaState:
    """One statement, for any role; not inside a transaction, which an unmigrated database would end."""
    try:
        row = await connection.fetchrow(READ)
    except asyncpg.UndefinedTableError:
        row = None
    return SchemaState() if row is None else SchemaState(revision=row["version_num"], oldest_head=row["oldest_head"])


def is_newer(found: SchemaState, *, head: str = HEAD) -> bool:
    """Whether a release that came later has migrated. Raises `Conflict` for a revision that no release names so."""
    if found.revision is None:
        return False
    if not _FORM.fullmatch(found.revision):
        raise Conflict(
            f"the schema is at {found.revision!r}, and revisions of Santral are four digits, up to {head} in this release",
            field="database", remedy="point at Santral's database, or restore it",
        )  # fmt: skip
    return found.revision > head


def require_range(found: SchemaState, *, head: str = HEAD, needs: str = NEEDS) -> None:
    """Returns when a release works on this schema. Raises `Conflict` with both sides and the remedy when it does not."""
    if is_newer(found, head=head):
        floor = found.oldest_head or ""
        if _FORM.fullmatch(floor) and floor <= head:
            return
        raise Conflict(
            f"the schema is at {found.revision} and works with releases that know {floor or found.revision}, this one knows {head}",
            field="database", remedy="start the release that migrated it, or a newer one",
        )  # fmt: skip
    if found.revision is None or found.revision < needs:
        raise Conflict(
            f"the schema is at {found.revision or 'nothing'}, this release works on {needs} to {head}",
            field="database", remedy="run: santral migrate",
        )  # fmt: skip

"""Which columns hold personal data, and how a person's rows in them are found, taken out and handed over.

Columns carry ``info={"pii": True}``. Every table with such a column has a `Cover`: the rows of a person, what they become when the
person is erased, what an export shows. Statements are made of covers, so a table has one place where this is said.

**Identity**: a person is the handles of one component, the conversations of these handles, and their words elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from shared.database import Connection, pages

FREE_KINDS: Final = (sa.Text, sa.String, sa.JSON, sa.LargeBinary, sa.ARRAY)
"""Column types that could hold a name or an address."""
AT_ONCE: Final = 20
"""Rows of an export in memory at once; each may hold a message."""
_NAMES: Final = re.compile(r"\{(handles|conversations|messages|visitors)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose data: their handles, conversations, ``messages`` in others' conversations, and visitors' ids of widgets."""

    workspace_id: UUID
    handles: tuple[UUID, ...] = ()
    conversations: tuple[UUID, ...] = ()
    messages: tuple[UUID, ...] = ()
    visitors: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """One table. ``rows``: an SQL condition on ``x`` that names {handles}, {conversations}, {messages} or {visitors}.

    ``erase``: column → SQL expression; None: the rows go altogether. ``kind``: the export's file; None: a record of the workspace's own,
    erased with the person and never handed over. ``also``: columns without personal data that an export shows beside the personal ones,
    so that they can be understood.
    """

    table: str
    rows: str
    columns: tuple[str, ...]
    kind: str | None
    erase: Mapping[str, str] | None = None
    also: tuple[str, ...] = field(default=("id",))

    def erasing(self) -> tuple[str, tuple[str, ...]]:
        """The statement that takes a person out, and the names of its parameters after the workspace."""
        where, names = self._where()
        if self.erase is None:
            return f'delete from santral."{self.table}" x where {where}', names
        changes = ", ".join(f"{column} = {value}" for column, value in self.erase.items())
        return f'update santral."{self.table}" x set {changes} where {where}', names

    def exporting(self) -> tuple[str, tuple[str, ...]]:
        """The statement that reads a person's rows, and the names of its parameters after the workspace."""
        where, names = self._where()
        shown = ", ".join(f"x.{column}" for column in dict.fromkeys((*self.also, *self.columns)))
        return f'select {shown} from santral."{self.table}" x where {where}', names

    def _where(self) -> tuple[str, tuple[str, ...]]:
        names = tuple(dict.fromkeys(_NAMES.findall(self.rows)))
        rows = _NAMES.sub(lambda found: f"${names.index(found[1]) + 2}::uuid[]", self.rows)
        return f"x.workspace_id = $1 and ({rows})", names


async def erase_rows(connection: Connection, cover: Cover, person: Person) -> int:
    """Takes a person out of one table; how many rows. Twice changes nothing more."""
    statement, names = cover.erasing()
    done = await connection.execute(statement, person.workspace_id, *(list(getattr(person, name)) for name in names))
    return int(done.rpartition(" ")[2])


def export_rows(connection: Connection, cover: Cover, person: Person) -> AsyncIterator[list[dict[str, Any]]]:
    """A person's rows in one table, a few at a time within a transaction, with their columns as the driver reads them."""
    statement, names = cover.exporting()
    return pages(connection, statement, person.workspace_id, *(list(getattr(person, name)) for name in names), rows=AT_ONCE)


def personal_columns(metadata: sa.MetaData) -> set[tuple[str, str]]:
    """(table, column) of everything marked as personal."""
    return {(table.name, column.name) for table, column in _columns(metadata) if column.info.get("pii")}


def unmarked_columns(metadata: sa.MetaData) -> set[tuple[str, str]]:
    """(table, column) of what could hold personal data by its type and is not marked."""
    return {
        (table.name, column.name)
        for table, column in _columns(metadata)
        if isinstance(column.type, FREE_KINDS) and not column.info.get("pii")
    }


def covered_columns(covers: Sequence[Cover]) -> set[tuple[str, str]]:
    """(table, column) of what covers take out and hand over."""
    return {(cover.table, column) for cover in covers for column in cover.columns}


def _columns(metadata: sa.MetaData) -> Iterable[tuple[sa.Table, sa.Column[Any]]]:
    return ((table, column) for table in metadata.sorted_tables for column in table.columns)

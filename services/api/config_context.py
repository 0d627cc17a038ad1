"""What the codecs of configuration work with, and the names in what they save.

Whoever saves and whoever takes a name away come one after the other at the end of their transactions, each with a look at what the other
did: nothing is saved that names what goes meanwhile. Until then nobody waits, however long a document takes to be checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from router.calendars.calendar import ALWAYS
from router.calendars.hours import DEFAULT
from router.calendars.tables import calendar
from router.moves.moves import slot_of
from router.moves.tables import dispatch_change
from router.policy.plan_document import PlanDocument
from router.workspace.tables import queue, skill
from services.api.principal import Principal
from services.frame.egress import Allowed
from services.schema.tables import workspace
from shared.errors import Unprocessable
from shared.sealing import Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a codec works with: the transaction, the caller, the sealer; ``warnings`` and secrets ``made`` go into the answer.

    ``named`` is what has to be there when it is saved: fields by table and name.
    """

    connection: AsyncConnection
    principal: Principal
    sealer: Sealer
    allowed: Allowed
    warnings: list[str] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    named: dict[tuple[sa.Table, str], str] = field(default_factory=dict)

    @property
    def workspace_id(self) -> UUID:
        """The caller's workspace, the only one there is here."""
        return self.principal.workspace_id

    async def id_of(self, table: sa.Table, name: str, field: str) -> UUID:
        """The id a name stands for. Raises `Unprocessable` naming the field."""
        self.names(table, name, field)
        found = await self.connection.scalar(
            sa.select(table.c.id).where(table.c.workspace_id == self.workspace_id, table.c.name == name)
        )
        if found is None:
            raise _nothing(table, name, field)
        return UUID(str(found))

    def names(self, table: sa.Table, name: str, field: str) -> None:
        """What is saved names this; that it is there is asked at the end, by `hold_names`."""
        self.named.setdefault((table, name), field)

    async def hold_names(self) -> None:
        """The last lock of whoever saves or takes away, held for a look and the rest of the transaction: they come in the order in which they ask.

        Raises `Unprocessable` naming the field that names what is not there, or not any more.
        """
        mine = sa.select(workspace.c.id).where(workspace.c.id == self.workspace_id)
        await self.connection.execute(mine.with_for_update(key_share=True))
        for table in {table for table, _ in self.named}:
            asked = {name: field for (of, name), field in self.named.items() if of is table}
            there = sa.select(table.c.name).where(table.c.workspace_id == self.workspace_id, table.c.name.in_(asked))
            gone = asked.keys() - set((await self.connection.scalars(there)).all())
            for name in sorted(gone):
                raise _nothing(table, name, asked[name])

    async def name_of(self, table: sa.Table, one: UUID | None) -> str | None:
        """The name of an id."""
        if one is None:
            return None
        name: str | None = await self.connection.scalar(
            sa.select(table.c.name).where(table.c.workspace_id == self.workspace_id, table.c.id == one)
        )
        return name

    async def tell_dispatch(self, kind: str, ids: Sequence[UUID]) -> None:
        """Dispatch reads these again."""
        if ids:
            rows = [{"workspace_id": self.workspace_id, "slot": slot_of(self.workspace_id), "kind": kind, "id": one} for one in ids]
            await self.connection.execute(sa.insert(dispatch_change), rows)


def _nothing(table: sa.Table, name: str, field: str) -> Unprocessable:
    return Unprocessable(f"there is no {table.name} {name!r}", field=field, remedy=f"create the {table.name} first")


def names_calendar(context: Context, name: str | None, field: str) -> None:
    """What is saved names this calendar; two of them every workspace has."""
    if name not in (None, ALWAYS, DEFAULT):
        context.names(calendar, name, field)


def names_of_plan(context: Context, document: PlanDocument, *, path: str = "") -> None:
    """What is saved names the queues and skills of this plan."""
    for place, step in enumerate(document.steps):
        for at, one in enumerate(step.queues):
            context.names(queue, one.queue, f"{path}steps.{place}.queues.{at}")
        for name in (*step.skills, *step.relax):
            context.names(skill, name, f"{path}steps.{place}.{'skills' if name in step.skills else 'relax'}")

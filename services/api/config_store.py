"""Configuration between models and rows: SQLAlchemy Core, one small codec per kind.

A codec says which table, how a model becomes columns and how a row becomes a model. References by name are resolved here; what names
nothing is an error that names the field.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.registry import adapter_for
from ingest.setting_formats import FORMATS, wrong_in
from ingest.tables import connection as connection_table
from ingest.tables import inbox as inbox_table
from router.calendars.calendar import ALWAYS
from router.calendars.hours import DEFAULT, checked_calendar
from router.calendars.tables import calendar
from router.moves.moves import slot_of
from router.moves.tables import dispatch_change
from router.workspace.tables import agent, queue, queue_member, skill
from services.api.config_models import (
    AgentIn,
    AgentOut,
    ConnectionIn,
    ConnectionOut,
    InboxIn,
    InboxOut,
    QueueIn,
    QueueOut,
    RoleIn,
    RoleOut,
    SkillIn,
    SkillOut,
    UserIn,
    UserOut,
)  # fmt: skip
from services.api.plan_store import kept_plan, known_names, overflow_circle, require_no_dead_names, require_unnamed, steps_of
from services.api.principal import SCOPES
from services.schema.tables import role, session, user
from shared.errors import Unprocessable
from shared.ids import new_id
from shared.sealing import Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a codec works with: the transaction, the workspace, the sealer; ``warnings`` go into the answer."""

    connection: AsyncConnection
    workspace_id: UUID
    sealer: Sealer
    warnings: list[str] = field(default_factory=list)

    async def id_of(self, table: sa.Table, name: str, field: str) -> UUID:
        """The id a name stands for. Raises `Unprocessable` naming the field."""
        found = await self.connection.scalar(
            sa.select(table.c.id).where(table.c.workspace_id == self.workspace_id, table.c.name == name)
        )
        if found is None:
            raise Unprocessable(f"there is no {table.name} {name!r}", field=field, remedy=f"create the {table.name} first")
        return UUID(str(found))

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


class Codec(Protocol):
    """One kind of configuration."""

    table: sa.Table
    model: type[Any]
    out: type[Any]

    async def columns(self, context: Context, given: Any, known: Mapping[str, Any] | None) -> dict[str, Any]: ...

    async def after(self, context: Context, one: Any, given: Any) -> None: ...

    async def removed(self, context: Context, one: Any) -> None: ...

    async def shown(self, context: Context, row: Mapping[str, Any]) -> Any: ...


class Plain:
    """A kind whose columns are its fields."""

    def __init__(self, table: sa.Table, model: type[Any], out: type[Any], *, dispatched: str = "") -> None:
        self.table, self.model, self.out, self._dispatched = table, model, out, dispatched

    async def columns(self, context: Context, given: Any, known: Mapping[str, Any] | None) -> dict[str, Any]:
        values: dict[str, Any] = given.model_dump(mode="json")
        return {name: value for name, value in values.items() if name in self.table.c}

    async def after(self, context: Context, one: Any, given: Any) -> None:
        if self._dispatched:
            await context.tell_dispatch(self._dispatched, [one])

    async def removed(self, context: Context, one: Any) -> None:
        if self._dispatched:
            await context.tell_dispatch(self._dispatched, [one])

    async def shown(self, context: Context, row: Mapping[str, Any]) -> Any:
        return self.out(**{name: row[name] for name in self.out.model_fields if name in row})


class Queues(Plain):
    """Queues; an overflow names another queue."""

    def __init__(self) -> None:
        super().__init__(queue, QueueIn, QueueOut, dispatched="queue")

    async def columns(self, context: Context, given: QueueIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        if known is not None and known["name"] != given.name:
            await require_unnamed(context.connection, context.workspace_id, "queue", known["name"])
        if given.overflow == given.name:
            raise Unprocessable("a queue cannot overflow into itself", field="overflow", remedy="name another queue")
        if given.overflow is not None:
            await context.id_of(queue, given.overflow, "overflow")
        await _require_apart(context, given)
        await _require_calendar(context, given.calendar)
        values = await super().columns(context, given, known) | {"overflow": given.overflow or ""}
        return values | await self._plan(context, given)

    async def _plan(self, context: Context, given: QueueIn) -> dict[str, Any]:
        """The plan as configured, and as items will carry it."""
        if given.plan is None:
            return {"routing": None, "plan": []}
        if isinstance(given.plan, str):
            steps = await steps_of(context.connection, context.workspace_id, given.plan)
            if steps is None:
                context.warnings.append(f"there is no plan {given.plan} yet: until there is, only the queue's own agents are asked")
            return {"routing": given.plan, "plan": steps or []}
        checked = await kept_plan(context.connection, context.workspace_id, given.plan, path="plan.")
        context.warnings.extend(f"plan.{one}" for one in checked.warnings)
        return {"routing": given.plan.model_dump(mode="json"), "plan": list(checked.steps)}

    async def after(self, context: Context, one: Any, given: QueueIn) -> None:
        known = await known_names(context.connection, context.workspace_id)
        if given.enabled and not known.agents.get(given.name):
            context.warnings.append("no agent is a member: what comes here waits until one is, or overflows")
        circle = await overflow_circle(context.connection, context.workspace_id, given.name, given.overflow)
        if circle:
            context.warnings.append(f"overflow goes in a circle: {' → '.join(circle)}; an item overflows once, then it is given up")
        await super().after(context, one, given)

    async def removed(self, context: Context, one: Any) -> None:
        await require_no_dead_names(context.connection, context.workspace_id)
        await super().removed(context, one)

    async def shown(self, context: Context, row: Mapping[str, Any]) -> QueueOut:
        return QueueOut(
            **{name: row[name] for name in QueueOut.model_fields if name in row and name not in ("overflow", "plan")},
            overflow=row["overflow"] or None, plan=row["routing"],
        )  # fmt: skip


async def _require_apart(context: Context, given: QueueIn) -> None:
    """Customers' work never overflows into bulk mail, nor bulk mail into a customers' queue, where it would be before somebody's turn."""
    if given.purpose == "bulk":
        for name in ("overflow", "plan", "targets_s"):
            if getattr(given, name):
                raise Unprocessable("a queue for bulk mail has none", field=name, remedy="leave it out")
    elif given.overflow is not None:
        named = sa.select(queue.c.purpose).where(queue.c.workspace_id == context.workspace_id, queue.c.name == given.overflow)
        if await context.connection.scalar(named) == "bulk":
            raise Unprocessable("nobody's turn comes in a queue for bulk mail", field="overflow", remedy="name another queue")


async def _require_calendar(context: Context, name: str | None) -> None:
    known = sa.select(calendar.c.name).where(calendar.c.workspace_id == context.workspace_id, calendar.c.name == name)
    if name not in (None, ALWAYS, DEFAULT) and await context.connection.scalar(known) is None:
        raise Unprocessable(f"there is no calendar {name!r}", field="calendar", remedy="create the calendar first")


class Roles(Plain):
    """Roles; scopes are from the list."""

    def __init__(self) -> None:
        super().__init__(role, RoleIn, RoleOut)

    async def columns(self, context: Context, given: RoleIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        unknown = sorted(set(given.scopes) - set(SCOPES))
        if unknown:
            raise Unprocessable(f"no such scope: {unknown[0]}", field="scopes", remedy=f"of {', '.join(SCOPES)}")
        return await super().columns(context, given, known)


class Agents(Plain):
    """Agents with their queues."""

    def __init__(self) -> None:
        super().__init__(agent, AgentIn, AgentOut, dispatched="agent")

    async def columns(self, context: Context, given: AgentIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        values = await super().columns(context, given, known)
        values["user_id"] = None if given.user is None else await context.id_of(user, given.user, "user")
        known_skills = set(
            (await context.connection.scalars(sa.select(skill.c.name).where(skill.c.workspace_id == context.workspace_id))).all()
        )
        for name in given.skills:
            if name not in known_skills:
                raise Unprocessable(f"there is no skill {name!r}", field=f"skills.{name}", remedy="create the skill first")
        if given.hours is not None:
            await asyncio.to_thread(checked_calendar, values["hours"], name="hours", now=datetime.now(UTC))
        if given.budget == 0 or (given.channels and all(rule.cap == 0 or not rule.enabled for rule in given.channels.values())):
            context.warnings.append("this agent has no room for anything: the budget, or every cap, is 0")
        return values

    async def after(self, context: Context, one: Any, given: AgentIn) -> None:
        await context.connection.execute(
            sa.delete(queue_member).where(queue_member.c.workspace_id == context.workspace_id, queue_member.c.agent_id == one)
        )
        for place, member in enumerate(given.queues):
            await context.connection.execute(
                sa.insert(queue_member).values(
                    workspace_id=context.workspace_id, agent_id=one, priority=member.priority, delay_s=member.delay_s,
                    items_max=member.items_max,
                    queue_id=await context.id_of(queue, member.queue, f"queues.{place}.queue"),
                )
            )  # fmt: skip
        if not given.queues:
            context.warnings.append("this agent is in no queue and is offered nothing")
        if not given.enabled:
            await self._sign_out(context, one)
        await context.connection.execute(
            sa.update(agent)
            .where(agent.c.workspace_id == context.workspace_id, agent.c.id == one)
            .values(shift_next_at=sa.func.clock_timestamp())
        )
        await super().after(context, one, given)

    async def removed(self, context: Context, one: Any) -> None:
        await self._sign_out(context, one)
        await super().removed(context, one)

    async def _sign_out(self, context: Context, one: Any) -> None:
        """Who may not work here any more is put out of every page at once."""
        mine = sa.and_(session.c.workspace_id == context.workspace_id, session.c.agent_id == one, session.c.revoked_at.is_(None))
        await context.connection.execute(sa.update(session).where(mine).values(revoked_at=sa.func.now()))

    async def shown(self, context: Context, row: Mapping[str, Any]) -> AgentOut:
        members = await context.connection.execute(
            sa.select(queue.c.name, queue_member.c.priority, queue_member.c.delay_s, queue_member.c.items_max)
            .join(queue, sa.and_(queue.c.workspace_id == queue_member.c.workspace_id, queue.c.id == queue_member.c.queue_id))
            .where(queue_member.c.workspace_id == context.workspace_id, queue_member.c.agent_id == row["id"])
            .order_by(queue_member.c.priority, queue.c.name)
        )
        queues = [
            {"queue": name, "priority": priority, "delay_s": delay_s, "items_max": most}
            for name, priority, delay_s, most in members
        ]
        known = {name: row[name] for name in AgentOut.model_fields if name in row} | {"version": row["config_version"]}
        return AgentOut(**known, queues=queues, user=await context.name_of(user, row["user_id"]))


class Users(Plain):
    """Users; the address is where they are written to."""

    def __init__(self) -> None:
        super().__init__(user, UserIn, UserOut)

    async def columns(self, context: Context, given: UserIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        _require("idn-email", given.email, "email")
        return await super().columns(context, given, known)


class Reached:
    """What connections and inboxes share: an adapter's settings, secrets that only go in, an unguessable address."""

    def __init__(self, table: sa.Table, part: str) -> None:
        self._table, self._part = table, part

    def check(self, provider: str, settings: Mapping[str, Any], secrets_given: Mapping[str, str]) -> None:
        """Validates against the adapter's schema. Raises `Unprocessable` naming ``settings.x`` or ``secrets.x``."""
        schema = adapter_for(provider).settings_schema().get(self._part)
        if schema is None:
            raise Unprocessable(f"{provider} has no {self._part}", field="provider", remedy="name another provider")
        for name, given in (("settings", settings), ("secrets", secrets_given)):
            for wrong in wrong_in(schema[name], given):
                where = f"{name}.{wrong.field}" if wrong.field else name
                raise Unprocessable(wrong.message, field=where, remedy=wrong.remedy or f"see the settings of {provider}")

    def sealed(self, context: Context, given: Mapping[str, str], known: Mapping[str, Any] | None) -> bytes | None:
        """Secrets given replace those of the same name; others stay."""
        before = context.sealer.open(known["secrets"]) if known is not None and known["secrets"] else {}
        return context.sealer.seal({**before, **given})

    def token(self, known: Mapping[str, Any] | None) -> str:
        """The unguessable address, kept for ever."""
        return str(known["path_token"]) if known is not None else secrets.token_urlsafe(24)

    def names(self, context: Context, row: Mapping[str, Any]) -> list[str]:
        """Which secrets are set."""
        return sorted(context.sealer.open(row["secrets"])) if row["secrets"] else []


class Connections(Plain):
    """Connections."""

    def __init__(self) -> None:
        super().__init__(connection_table, ConnectionIn, ConnectionOut)
        self._reached = Reached(connection_table, "connection")

    async def columns(self, context: Context, given: ConnectionIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        self._reached.check(given.provider, given.settings, given.secrets)
        return {
            **await super().columns(context, given, known),
            "secrets": self._reached.sealed(context, given.secrets, known),
            "path_token": self._reached.token(known),
            "updated_at": sa.func.clock_timestamp(),
        }

    async def shown(self, context: Context, row: Mapping[str, Any]) -> ConnectionOut:
        known = {name: row[name] for name in ConnectionOut.model_fields if name in row and name != "secrets"}
        return ConnectionOut(**known, secrets_set=self._reached.names(context, row), webhook_path=f"/in/{row['path_token']}")


class Inboxes(Plain):
    """Inboxes."""

    def __init__(self) -> None:
        super().__init__(inbox_table, InboxIn, InboxOut)
        self._reached = Reached(inbox_table, "inbox")

    async def columns(self, context: Context, given: InboxIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        adapter = adapter_for(given.provider)
        self._reached.check(given.provider, given.settings, given.secrets)
        channel = given.channel or adapter.channel
        if channel not in adapter.channels:
            raise Unprocessable(
                f"{given.provider} does not carry {channel}",
                field="channel",
                remedy=f"one of {', '.join(sorted(adapter.channels))}",
            )
        if channel == "email" and given.provider != "api":
            _require("idn-email", given.address, "address")
        shared = None if given.connection is None else await context.id_of(connection_table, given.connection, "connection")
        return {
            **await super().columns(context, given, known),
            "channel": channel,
            "connection_id": shared,
            "secrets": self._reached.sealed(context, given.secrets, known),
            "path_token": self._reached.token(known),
            "updated_at": sa.func.clock_timestamp(),
        }

    async def shown(self, context: Context, row: Mapping[str, Any]) -> InboxOut:
        known = {name: row[name] for name in InboxOut.model_fields if name in row and name != "secrets"}
        return InboxOut(
            **known, connection=await context.name_of(connection_table, row["connection_id"]),
            secrets_set=self._reached.names(context, row), webhook_path=f"/in/{row['path_token']}",
            widget_token=row["path_token"] if row["provider"] == "webchat" else None,
        )  # fmt: skip


def _require(name: str, value: str | None, field: str) -> None:
    """Raises `Unprocessable` where a value is not of its format; one that is left out or empty is none."""
    if value and not FORMATS[name].takes(value):
        raise Unprocessable(FORMATS[name].message, field=field, remedy=FORMATS[name].remedy)


def codecs() -> dict[str, Codec]:
    """Every kind of configuration by the path it stands under."""
    return {
        "connections": Connections(),
        "inboxes": Inboxes(),
        "queues": Queues(),
        "skills": Plain(skill, SkillIn, SkillOut),
        "roles": Roles(),
        "users": Users(),
        "agents": Agents(),
    }


def fresh_id(table: sa.Table) -> dict[str, Any]:
    """The id of a new row, where the kind has one."""
    return {"id": new_id()} if "id" in table.c else {}

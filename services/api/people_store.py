"""Who may come in and work, between models and rows: roles, users, agents with their queues.

What somebody may do is given only by who may do it (`giving.py`), and to nobody who is signed in already: whose role becomes another, or
comes to mean more, signs in anew. So a token never does more than it could when it was minted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from router.calendars.hours import checked_calendar
from router.workspace.tables import agent, queue, queue_member, skill
from services.api.bounds import require_few_memberships
from services.api.config_context import Context
from services.api.config_models import AgentIn, AgentOut, RoleIn, RoleOut, UserIn, UserOut
from services.api.config_store import Codec, Plain, require_format
from services.api.giving import is_more, lock_ending, require_named_role, require_scopes, role_of_user
from services.api.principal import DECIDING
from services.schema.tables import role, session, user
from shared.errors import Conflict, Unprocessable

USUAL_ROLE: Final = "agent"
"""Of an agent whom a program signs in, unless it says another."""


class Roles(Plain):
    """Roles; scopes are from the list, and the caller's to give."""

    def __init__(self) -> None:
        super().__init__(role, RoleIn, RoleOut)

    async def columns(self, context: Context, given: RoleIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        require_scopes(context.principal, given.scopes, field="scopes")
        if known is None or given.name != known["name"]:
            # An earlier release let a role go that agents had: what was minted for them is not the new one's.
            await _sign_out(context, _holders(context, given.name))
        if known is not None:
            require_scopes(context.principal, known["scopes"], field="name")
            if given.name != known["name"] or is_more(given.scopes, given.visibility, than=known):
                await _sign_out(context, _holders(context, known["name"]))
        idle = sorted(DECIDING & set(given.scopes)) if given.visibility != "workspace" else []
        if idle:
            context.warnings.append(f"{', '.join(idle)}: only with the visibility workspace")
        return await super().columns(context, given, known)

    async def removing(self, context: Context, known: Mapping[str, Any]) -> None:
        require_scopes(context.principal, known["scopes"], field="name")

    async def removed(self, context: Context, one: Any) -> None:
        """A role that agents without a user have stays: its name would be anybody's who makes the next one of it."""
        mine = sa.select(agent.c.name).where(agent.c.workspace_id == context.workspace_id, agent.c.role == one).limit(1)
        if (named := await context.connection.scalar(mine.where(agent.c.user_id.is_(None)))) is not None:
            raise Conflict(f"the agent {named} has this role", field="name", remedy="give the agent another role first")


class Agents(Plain):
    """Agents with their queues."""

    def __init__(self) -> None:
        super().__init__(agent, AgentIn, AgentOut, dispatched="agent")

    async def columns(self, context: Context, given: AgentIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        values = await super().columns(context, given, known)
        values |= await self._entry(context, given, known)
        for name in given.skills:
            context.names(skill, name, f"skills.{name}")
        if given.hours is not None:
            await asyncio.to_thread(checked_calendar, values["hours"], name="hours", now=datetime.now(UTC))
        if given.budget == 0 or (given.channels and all(rule.cap == 0 or not rule.enabled for rule in given.channels.values())):
            context.warnings.append("this agent has no room for anything: the budget, or every cap, is 0")
        return values

    async def _entry(self, context: Context, given: AgentIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        """By whom, or else with which role, the agent signs in. What changes there is the caller's to give, before and after."""
        if given.user is not None and given.role is not None:
            raise Unprocessable("the user has a role", field="role", remedy="name the user, or a role for an agent without one")
        user_id = None if given.user is None else await context.id_of(user, given.user, "user")
        named = given.role
        if user_id is None and named is None and (known is None or known["user_id"] is None):
            named = known["role"] if known is not None else USUAL_ROLE
        if given.role is not None and (known is None or known["role"] != given.role):
            context.names(role, given.role, "role")
        entry = {"user_id": user_id, "role": named}
        if known is not None and (known["user_id"], known["role"]) != (user_id, named):
            await _sign_out(context, [known["id"]])
        if known is not None and known["enabled"] and not given.enabled:
            await self.removing(context, known)
        if known is None or (known["user_id"], known["role"]) != (user_id, named):
            if known is not None:
                before = await role_of_user(context.connection, context.workspace_id, known["user_id"]) or known["role"]
                await require_named_role(context.connection, context.principal, before, field="user", known=True)
            after = await role_of_user(context.connection, context.workspace_id, user_id) or named
            usual = known is None and named == USUAL_ROLE and given.role is None
            await require_named_role(
                context.connection, context.principal, None if usual else after, field="user" if given.user else "role"
            )
        return entry

    async def removing(self, context: Context, known: Mapping[str, Any]) -> None:
        held = await role_of_user(context.connection, context.workspace_id, known["user_id"]) or known["role"]
        if held != USUAL_ROLE:
            await require_named_role(context.connection, context.principal, held, field="name", known=True)

    async def after(self, context: Context, one: Any, given: AgentIn) -> None:
        await require_few_memberships(context.connection, context.workspace_id, one, len(given.queues))
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
            await _sign_out(context, [one])
        await context.connection.execute(
            sa.update(agent)
            .where(agent.c.workspace_id == context.workspace_id, agent.c.id == one)
            .values(shift_next_at=sa.func.clock_timestamp())
        )
        await super().after(context, one, given)

    async def removed(self, context: Context, one: Any) -> None:
        await _sign_out(context, [one])
        await super().removed(context, one)

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

    async def removing(self, context: Context, known: Mapping[str, Any]) -> None:
        await require_named_role(context.connection, context.principal, known["role"], field="name", known=True)

    async def columns(self, context: Context, given: UserIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        require_format("idn-email", given.email, "email")
        if known is None or known["role"] != given.role:
            await require_named_role(context.connection, context.principal, given.role, field="role")
        if known is not None and (known["role"] != given.role or not given.enabled):
            await _sign_out(context, sa.select(agent.c.id).where(_is_of(context), agent.c.user_id == known["id"]))
        if known is not None:
            await require_named_role(context.connection, context.principal, known["role"], field="name", known=True)
        return await super().columns(context, given, known)


def _is_of(context: Context) -> sa.ColumnElement[bool]:
    return agent.c.workspace_id == context.workspace_id


def _holders(context: Context, name: str) -> sa.Select[tuple[UUID]]:
    """The agents with a role, of their own or by their user."""
    users = sa.select(user.c.id).where(user.c.workspace_id == context.workspace_id, user.c.role == name)
    own = sa.and_(agent.c.user_id.is_(None), agent.c.role == name)
    return sa.select(agent.c.id).where(_is_of(context), sa.or_(own, agent.c.user_id.in_(users)))


async def _sign_out(context: Context, agents: sa.Select[tuple[UUID]] | Sequence[UUID]) -> None:
    """Ends every token and code of these agents; their sockets close within seconds."""
    await lock_ending(context.connection, context.workspace_id)
    theirs = sa.and_(session.c.workspace_id == context.workspace_id, session.c.agent_id.in_(agents), session.c.revoked_at.is_(None))
    await context.connection.execute(sa.update(session).where(theirs).values(revoked_at=sa.func.now()))


def people_codecs() -> dict[str, Codec]:
    """Kinds by the path they stand under."""
    return {"roles": Roles(), "users": Users(), "agents": Agents()}

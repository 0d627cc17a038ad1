"""Plans in the store: what they may name, what they become, the filters they bring, and loops of overflow."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from router.moves.moves import slot_of
from router.moves.tables import dispatch_change
from router.policy.agent_filter import filter_skill, require_few
from router.policy.plan_document import CheckedPlan, Known, PlanDocument, checked_plan
from router.workspace.tables import agent, agent_filter, plan, queue, queue_member, skill
from shared.errors import Conflict


async def known_names(connection: AsyncConnection, workspace_id: UUID) -> Known:
    """Queues, how many enabled agents each has, and skills of a workspace."""
    queues = await connection.execute(
        sa.select(queue.c.name, queue.c.id, sa.func.count(agent.c.id))
        .outerjoin(
            queue_member, sa.and_(queue_member.c.workspace_id == queue.c.workspace_id, queue_member.c.queue_id == queue.c.id)
        )
        .outerjoin(
            agent,
            sa.and_(agent.c.workspace_id == queue_member.c.workspace_id, agent.c.id == queue_member.c.agent_id, agent.c.enabled),
        )
        .where(queue.c.workspace_id == workspace_id)
        .group_by(queue.c.name, queue.c.id)
    )
    rows = queues.all()
    skills = await connection.scalars(sa.select(skill.c.name).where(skill.c.workspace_id == workspace_id))
    return Known(
        queues={name: one for name, one, _ in rows}, agents={name: count for name, _, count in rows}, skills=set(skills.all())
    )


async def kept_plan(connection: AsyncConnection, workspace_id: UUID, document: PlanDocument, *, path: str = "") -> CheckedPlan:
    """Checks a plan and keeps the filters it names; dispatch works new ones out for every agent.

    Raises `Unprocessable`, and `Conflict` where the workspace has too many filters then.
    """
    names = await known_names(connection, workspace_id)
    checked = await asyncio.to_thread(checked_plan, document, names, path=path)
    if checked.filters:
        before = await _filters(connection, workspace_id)
        rows = [{"workspace_id": workspace_id, "name": name, "source": source} for name, source in sorted(checked.filters.items())]
        kept = pg.insert(agent_filter).values(rows)
        # Those that are kept already are written again too, so that none of them is removed as unused meanwhile.
        await connection.execute(
            kept.on_conflict_do_update(index_elements=["workspace_id", "name"], set_={"source": kept.excluded.source})
        )
        added = checked.filters.keys() - before.keys()
        if added:
            place = next(at for at, step in enumerate(document.steps) if step.filter and filter_skill(step.filter) in added)
            every = [*before.values(), *(checked.filters[name] for name in added)]
            await asyncio.to_thread(require_few, every, field=f"{path}steps.{place}.filter")
            await tell_agents(connection, workspace_id)
    return checked


async def _filters(connection: AsyncConnection, workspace_id: UUID) -> dict[str, str]:
    """The filters that are kept: sources by the skill each stands for."""
    rows = await connection.execute(
        sa.select(agent_filter.c.name, agent_filter.c.source).where(agent_filter.c.workspace_id == workspace_id)
    )
    return {row.name: row.source for row in rows}


async def tell_agents(connection: AsyncConnection, workspace_id: UUID) -> None:
    """Dispatch reads every agent of the workspace again."""
    every = sa.select(
        agent.c.workspace_id, sa.literal(slot_of(workspace_id), sa.SmallInteger), sa.literal("agent", sa.Text), agent.c.id
    ).where(agent.c.workspace_id == workspace_id)
    await connection.execute(sa.insert(dispatch_change).from_select(["workspace_id", "slot", "kind", "id"], every))


async def steps_of(connection: AsyncConnection, workspace_id: UUID, name: str) -> Any:
    """The steps of a named plan; None where there is none of this name yet. Plans name queues, so a queue may come first."""
    return await connection.scalar(sa.select(plan.c.steps).where(plan.c.workspace_id == workspace_id, plan.c.name == name))


async def overflow_circle(connection: AsyncConnection, workspace_id: UUID, name: str, overflow: str | None) -> list[str]:
    """The queues that overflow into each other, from ``name`` back to it; empty where nothing leads back."""
    rows = await connection.execute(sa.select(queue.c.name, queue.c.overflow).where(queue.c.workspace_id == workspace_id))
    to = {one: target for one, target in rows if target}
    way, at = [name], overflow
    while at and at not in way:
        way.append(at)
        at = to.get(at)
    return [*way, name] if at == name else []


async def require_unnamed(connection: AsyncConnection, workspace_id: UUID, name: str) -> None:
    """Raises `Conflict` when a plan names the queue, so that no plan is left with a name that means nothing."""
    rows = await connection.execute(sa.select(plan.c.name, plan.c.document).where(plan.c.workspace_id == workspace_id))
    named = [(f"the plan {one}", document) for one, document in rows]
    inline = await connection.execute(sa.select(queue.c.name, queue.c.routing).where(queue.c.workspace_id == workspace_id))
    named += [(f"the plan of the queue {one}", document) for one, document in inline if isinstance(document, dict)]
    for where, document in named:
        if any(one["queue"] == name for step in document.get("steps", ()) for one in step.get("queues", ())):
            raise Conflict(f"{where} names this queue", field="name", remedy="change the plan first")

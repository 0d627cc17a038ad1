"""Named plans: who may take an item and how that widens, for queues and for rules of the policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from router.policy.plan_document import PlanDocument
from router.workspace.tables import plan, policy, queue
from services.api.config_context import Context, names_of_plan
from services.api.config_models import PlanIn, PlanOut
from services.api.config_store import Codec, Plain
from services.api.plan_store import kept_plan
from shared.errors import Conflict


class Plans(Plain):
    """Plans. Items in flight keep the plan they were given; the next item gets the new one."""

    def __init__(self) -> None:
        super().__init__(plan, PlanIn, PlanOut)

    async def columns(self, context: Context, given: PlanIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        document = PlanDocument(steps=given.steps, preferred=given.preferred, live_s=given.live_s)
        checked = await kept_plan(context.connection, context.workspace_id, document)
        names_of_plan(context, document)
        context.warnings.extend(checked.warnings)
        return {
            "name": given.name, "title": given.title, "managed_digest": given.managed_digest, "steps": list(checked.steps),
            "document": document.model_dump(mode="json"),
        }  # fmt: skip

    async def after(self, context: Context, one: Any, given: PlanIn) -> None:
        steps = sa.select(plan.c.steps).where(plan.c.workspace_id == context.workspace_id, plan.c.name == given.name)
        await context.connection.execute(
            sa.update(queue)
            .where(queue.c.workspace_id == context.workspace_id, queue.c.routing == sa.cast(given.name, queue.c.routing.type))
            .values(plan=steps.scalar_subquery(), version=queue.c.version + 1)
        )

    async def unnamed(self, context: Context, name: str) -> None:
        mine = queue.c.workspace_id == context.workspace_id
        user = await context.connection.scalar(
            sa.select(queue.c.name).where(mine, queue.c.routing == sa.cast(name, queue.c.routing.type)).limit(1)
        )
        if user is not None:
            raise Conflict(f"the queue {user} names this plan", field="name", remedy="let the queue name another one first")
        active = await context.connection.scalar(
            sa.select(policy.c.document).where(policy.c.workspace_id == context.workspace_id, policy.c.active)
        )
        for rule in (active or {}).get("rules", ()):
            if rule.get("plan") == name:
                raise Conflict(f"the rule {rule['name']} names this plan", field="name", remedy="save a policy without it first")

    async def shown(self, context: Context, row: Mapping[str, Any]) -> PlanOut:
        return PlanOut(
            name=row["name"], title=row["title"], managed_digest=row["managed_digest"], version=row["version"], **row["document"]
        )


def plan_codecs() -> dict[str, Codec]:
    """Named plans by their path."""
    return {"plans": Plans()}

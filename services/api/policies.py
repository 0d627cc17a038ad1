"""Policies: versions that are validated when saved, made active at once, and rolled back by activating an older one."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from router.policy_check import Names, checked
from services.api.audit import audit
from services.api.lists import Limit, Page
from services.api.principal import ConfigReader, ConfigWriter
from shared.database import Connection
from shared.errors import NotFound

router = APIRouter(prefix="/v1/policies", tags=["configuration"])
_COLUMNS = "version, document, active, managed_digest, actor, created_at"


class PolicyIn(BaseModel):
    """A document to save and make active."""

    model_config = ConfigDict(extra="forbid")

    document: dict[str, Any]
    managed_digest: Annotated[str, Field(max_length=128)] | None = None


class PolicyOut(BaseModel):
    """A version of the policy."""

    version: int
    active: bool
    document: dict[str, Any]
    managed_digest: str | None
    actor: str | None
    created_at: datetime


@router.get("", summary="Versions, newest first")
async def list_policies(request: Request, principal: ConfigReader, limit: Limit = 50) -> Page[PolicyOut]:
    """Every version that was ever saved."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await connection.fetch(
            f"select {_COLUMNS} from santral.policy where workspace_id = $1 order by version desc limit $2",
            principal.workspace_id,
            limit,
        )
    return Page(items=[PolicyOut(**dict(row)) for row in rows])


@router.get("/active", summary="The active version")
async def active_policy(request: Request, principal: ConfigReader) -> PolicyOut | None:
    """Null before the first one."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        row = await connection.fetchrow(
            f"select {_COLUMNS} from santral.policy where workspace_id = $1 and active", principal.workspace_id
        )
    return None if row is None else PolicyOut(**dict(row))


@router.post("", status_code=201, summary="Save a policy and make it active")
async def save_policy(request: Request, principal: ConfigWriter, body: PolicyIn) -> PolicyOut:
    """Validated first: types, unknown names, limits. Effective everywhere within a second."""
    state = request.app.state
    async with state.db.batch(principal.workspace_id) as connection:
        queues = [row["name"] for row in await connection.fetch("select name from santral.queue where enabled")]
    # Compiling a large document takes tens of milliseconds, which the loop has not.
    await asyncio.to_thread(checked, body.document, Names(queues=queues))
    async with state.db.batch(principal.workspace_id) as connection:
        await connection.execute("select 1 from santral.workspace where id = $1 for no key update", principal.workspace_id)
        version = await connection.fetchval(
            "select coalesce(max(version), 0) + 1 from santral.policy where workspace_id = $1", principal.workspace_id
        )
        await connection.execute(
            "update santral.policy set active = false where workspace_id = $1 and active", principal.workspace_id
        )
        row = await connection.fetchrow(
            "insert into santral.policy (workspace_id, version, document, active, managed_digest, actor) values ($1, $2, $3, true, $4, $5)"
            f" returning {_COLUMNS}",
            principal.workspace_id, version, body.document, body.managed_digest, principal.actor,
        )  # fmt: skip
        await audit(connection, principal, "policy.saved", "policy", str(version))
    state.hints.wake("config")
    return PolicyOut(**dict(row))


@router.get("/{version}", summary="One version")
async def read_policy(request: Request, principal: ConfigReader, version: int) -> PolicyOut:
    """As it was saved."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return await _version(connection, principal.workspace_id, version)


async def _version(connection: Connection, workspace_id: Any, version: int) -> PolicyOut:
    row = await connection.fetchrow(
        f"select {_COLUMNS} from santral.policy where workspace_id = $1 and version = $2", workspace_id, version
    )
    if row is None:
        raise NotFound("no such version", field="version")
    return PolicyOut(**dict(row))


@router.post("/{version}/activate", summary="Make a version active")
async def activate_policy(request: Request, principal: ConfigWriter, version: int) -> PolicyOut:
    """Rolling back is activating an older version."""
    state = request.app.state
    async with state.db.batch(principal.workspace_id) as connection:
        await connection.execute("select 1 from santral.workspace where id = $1 for no key update", principal.workspace_id)
        await _version(connection, principal.workspace_id, version)
        await connection.execute(
            "update santral.policy set active = false where workspace_id = $1 and active", principal.workspace_id
        )
        await connection.execute(
            "update santral.policy set active = true where workspace_id = $1 and version = $2", principal.workspace_id, version
        )
        found = await _version(connection, principal.workspace_id, version)
        await audit(connection, principal, "policy.activated", "policy", str(version))
    state.hints.wake("config")
    return found

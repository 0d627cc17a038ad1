"""Agents at work: presence, their desk, and the tokens with which a host system signs them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from router.commands.presence import set_presence
from router.views.desk import desk_snapshot
from services.api.audit import audit
from services.api.config_models import Channel
from services.api.credentials import Kind, new_token, read_token
from services.api.principal import ConversationReader, ConversationWriter, Principal, needs, require_agent
from services.api.profile_seen import note_glances, people_on
from shared.database import Connection, retried
from shared.errors import NotFound, Unauthenticated
from shared.hosts import incarnation
from shared.ids import new_id

router = APIRouter(prefix="/v1", tags=["agents"])
TOKEN_S: Final = 12 * 3600
CODE_S: Final = 24 * 3600
Minter = Annotated[Principal, Depends(needs("agents:token"))]


class PresenceIn(BaseModel):
    """Whether new work may come, and why not. ``channels`` closes single ones, like ``{"phone": "away"}``; left out: as before."""

    model_config = ConfigDict(extra="forbid")

    presence: Literal["online", "busy", "away", "offline"]
    reason: Annotated[str, Field(max_length=100)] = ""
    channels: Annotated[dict[Channel, Literal["online", "busy", "away", "offline"]], Field(max_length=50)] | None = None


class AgentState(BaseModel):
    """An agent's presence and load."""

    id: UUID
    name: str
    presence: str
    reason: str
    used: int
    budget: int
    counts: dict[str, int]
    lease_until: datetime | None
    seq: int
    presences: dict[str, str]
    off_shift: bool


class TokenOut(BaseModel):
    """A token, shown once."""

    token: str
    agent_id: UUID
    expires_at: datetime


class CodeOut(BaseModel):
    """A page's first code, good once: put it in the fragment, ``/desk#code=…``."""

    code: str
    expires_at: datetime


class CodeIn(BaseModel):
    """A code to exchange."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(max_length=200)]


@router.put("/agents/{agent_id}/presence", summary="Set an agent's presence")
async def presence(request: Request, principal: ConversationWriter, agent_id: str, body: PresenceIn) -> AgentState:
    """``me`` for one's own. Only online agents are offered work."""
    state, agent = request.app.state, require_agent(principal, agent_id)

    async def work() -> Any:
        async with state.db.batch(principal.workspace_id) as connection:
            view = await set_presence(
                connection, workspace_id=principal.workspace_id, agent_id=agent, presence=body.presence, reason=body.reason,
                actor=principal.actor, channels=body.channels,
            )  # fmt: skip
            details = body.model_dump(include={"presence", "channels"}, exclude_none=True)
            await audit(connection, principal, "agent.presence", "agent", str(agent), details)
            return view

    view = await retried(work)
    state.hints.wake("dispatch")
    state.hints.wake("stream", str(principal.workspace_id))
    return AgentState(**asdict(view))


@router.get("/agents/{agent_id}/desk", summary="An agent's desk")
async def desk(request: Request, principal: ConversationReader, agent_id: str) -> dict[str, Any]:
    """Presence, load, offers, items and queues, with the sequence at which they are true."""
    agent = require_agent(principal, agent_id)
    async with request.app.state.db.batch(principal.workspace_id, isolation="repeatable_read") as connection:
        snapshot = await desk_snapshot(connection, principal.workspace_id, agent)
        await note_glances(connection, principal, people_on(snapshot))
    return {"incarnation": await incarnation(request.app.state.db), **snapshot}


@router.post("/agents/{agent_id}/tokens", status_code=201, summary="Sign an agent in")
async def token(request: Request, principal: Minter, agent_id: UUID) -> TokenOut:
    """A token for the host system to hand to the agent's page; it lasts half a day."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        text, expires_at = await _mint(connection, principal.workspace_id, agent_id, "agent", TOKEN_S)
        await audit(connection, principal, "agent.token", "agent", str(agent_id))
    return TokenOut(token=text, agent_id=agent_id, expires_at=expires_at)


@router.post("/agents/{agent_id}/codes", status_code=201, summary="A page's first code")
async def code(request: Request, principal: Minter, agent_id: UUID) -> CodeOut:
    """Good once and for a day; the page exchanges it for a token, so no token ever stands in an address."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        text, expires_at = await _mint(connection, principal.workspace_id, agent_id, "code", CODE_S)
        await audit(connection, principal, "agent.code", "agent", str(agent_id))
    return CodeOut(code=text, expires_at=expires_at)


async def _mint(connection: Connection, workspace_id: UUID, agent_id: UUID, kind: Kind, lasts_s: int) -> tuple[str, datetime]:
    known = await connection.fetchval(
        "select 1 from santral.agent where workspace_id = $1 and id = $2 and enabled", workspace_id, agent_id
    )
    if known is None:
        raise NotFound("no such agent", field="agent_id")
    made = new_token(kind)
    expires_at: datetime = await connection.fetchval(
        "insert into santral.session (workspace_id, id, kind, public_id, secret_hash, agent_id, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 s') returning expires_at",
        workspace_id, new_id(), kind, made.public_id, made.secret_hash, agent_id, lasts_s,
    )  # fmt: skip
    return made.text, expires_at


@router.post("/sessions/exchange", status_code=201, summary="Exchange a page's code for a token")
async def exchange(request: Request, body: CodeIn) -> TokenOut:
    """A code is good once; the second exchange is 401."""
    given = read_token(body.code)
    if given.kind != "code":
        raise Unauthenticated("not a page's code", field="code", remedy="open the link of the agent page again")
    state = request.app.state
    row: Mapping[str, Any] = await state.credentials.row("code", given.public_id, given.secret_hash)
    agent_id = UUID(row["subject"]["agent_id"])
    async with state.db.batch(row["workspace_id"]) as connection:
        used = await connection.fetchval(
            "update santral.session set revoked_at = now() where workspace_id = $1 and id = $2 and revoked_at is null returning 1",
            row["workspace_id"], row["id"],
        )  # fmt: skip
        if used is None:
            raise Unauthenticated("this code was used", field="code", remedy="ask for a new link")
        text, expires_at = await _mint(connection, row["workspace_id"], agent_id, "agent", TOKEN_S)
    return TokenOut(token=text, agent_id=agent_id, expires_at=expires_at)


@router.delete("/sessions/me", status_code=204, summary="Sign out")
async def sign_out(request: Request, principal: ConversationReader) -> None:
    """The token ends at once; its sockets close within seconds."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await connection.execute(
            "update santral.session set revoked_at = now() where workspace_id = $1 and id = $2",
            principal.workspace_id,
            principal.id,
        )

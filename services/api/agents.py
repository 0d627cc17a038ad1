"""Agents at work: presence, their desk, and the tokens with which a host system signs them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from router.commands.presence import set_presence
from router.views.desk import desk_snapshot
from services.api.audit import audit
from services.api.config_models import Channel
from services.api.credentials import Kind, new_token, read_token
from services.api.document import may_answer
from services.api.giving import lock_ending, lock_minting, require_minter
from services.api.principal import Caller, ConversationReader, ConversationWriter, Principal, needs, until_of
from services.api.profile_seen import note_glances, people_on
from services.api.unseen_customers import hide_customers
from services.api.visibility import require_agent
from services.api.work_models import DeskOut
from shared.database import Connection, retried
from shared.errors import Conflict, Forbidden, NotFound, Unauthenticated
from shared.given import Given
from shared.hosts import incarnation
from shared.ids import new_id

router = APIRouter(prefix="/v1", tags=["agents"])
TOKEN_S: Final = 12 * 3600
CODE_S: Final = 24 * 3600
Minter = Annotated[Principal, Depends(needs("agents:token"))]


class PresenceIn(Given):
    """Whether new work may come, and why not. ``channels`` closes single ones, like ``{"phone": "away"}``; left out: as before."""

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


class CodeIn(Given):
    """A code to exchange."""

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
async def desk(request: Request, principal: ConversationReader, agent_id: str) -> DeskOut:
    """Presence, load, offers, items and queues, with the sequence at which they are true."""
    agent = require_agent(principal, agent_id)
    async with request.app.state.db.batch(principal.workspace_id, isolation="repeatable_read") as connection:
        snapshot = await desk_snapshot(connection, principal.workspace_id, agent)
        await hide_customers(connection, principal, [*snapshot["items"], *snapshot["offers"]])
        await note_glances(connection, principal, people_on(snapshot))
    return DeskOut(incarnation=await incarnation(request.app.state.db), **snapshot)


@router.post("/agents/{agent_id}/tokens", status_code=201, summary="Sign an agent in")
async def token(request: Request, principal: Minter, agent_id: UUID) -> TokenOut:
    """A token for the host system to hand to the agent's page; it lasts half a day, and no longer than a key that mints it."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await _require_mintable(connection, principal, agent_id)
        text, expires_at = await _mint(connection, principal.workspace_id, agent_id, "agent", TOKEN_S, until=principal.until)
        await audit(connection, principal, "agent.token", "agent", str(agent_id))
    return TokenOut(token=text, agent_id=agent_id, expires_at=expires_at)


@router.post("/agents/{agent_id}/codes", status_code=201, summary="A page's first code")
async def code(request: Request, principal: Minter, agent_id: UUID) -> CodeOut:
    """Good once and for a day; the page exchanges it for a token, so no token ever stands in an address."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await _require_mintable(connection, principal, agent_id)
        text, expires_at = await _mint(connection, principal.workspace_id, agent_id, "code", CODE_S, until=principal.until)
        await audit(connection, principal, "agent.code", "agent", str(agent_id))
    return CodeOut(code=text, expires_at=expires_at)


_AGENT: Final = "select user_id, role from santral.agent where workspace_id = $1 and id = $2 and enabled"
_USER: Final = "select role from santral.user where workspace_id = $1 and id = $2 and enabled"
_ROLE: Final = "select scopes from santral.role where workspace_id = $1 and name = $2"


async def _require_mintable(connection: Connection, principal: Principal, agent_id: UUID) -> None:
    """Raises `NotFound`, `Conflict` for an agent who may not come in at all, `Forbidden` for one who may more than the caller gives."""
    require_minter(principal, await _scopes_of(connection, principal.workspace_id, agent_id))


async def _scopes_of(connection: Connection, workspace_id: UUID, agent_id: UUID) -> list[str]:
    """What an agent may: whoever gives them another role waits until the transaction's end, and ends this session too."""
    await lock_minting(connection, workspace_id)
    agent = await connection.fetchrow(_AGENT, workspace_id, agent_id)
    if agent is None:
        raise NotFound("no such agent", field="agent_id")
    named = agent["role"] if agent["user_id"] is None else await connection.fetchval(_USER, workspace_id, agent["user_id"])
    scopes: list[str] | None = await connection.fetchval(_ROLE, workspace_id, named)
    if scopes is None:
        raise Conflict("this agent has no entry", field="agent_id", remedy="enable the user, or give the agent a role")
    return scopes


async def _mint(
    connection: Connection, workspace_id: UUID, agent_id: UUID, kind: Kind, lasts_s: int, *, until: datetime | None
) -> tuple[str, datetime]:
    """A session, and what it was minted ``until``: a code's token, and a key that the token makes, end by then too."""
    made = new_token(kind)
    expires_at: datetime = await connection.fetchval(
        "insert into santral.session (workspace_id, id, kind, public_id, secret_hash, agent_id, claims, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, least(now() + $8 * interval '1 s', $9::timestamptz)) returning expires_at",
        workspace_id, new_id(), kind, made.public_id, made.secret_hash, agent_id,
        {} if until is None else {"until": until.isoformat()}, lasts_s, until,
    )  # fmt: skip
    return made.text, expires_at


@router.post("/sessions/exchange", status_code=201, summary="Exchange a page's code for a token", responses=may_answer(401))
async def exchange(request: Request, body: CodeIn) -> TokenOut:
    """A code is good once; the second exchange is 401."""
    given = read_token(body.code)
    if given.kind != "code":
        raise Unauthenticated("not a page's code", field="code", remedy="open the link of the agent page again")
    state = request.app.state
    row: Mapping[str, Any] = await state.credentials.row("code", given.public_id, given.secret_hash)
    agent_id = UUID(row["subject"]["agent_id"])
    async with state.db.batch(row["workspace_id"]) as connection:
        await _scopes_of(connection, row["workspace_id"], agent_id)
        used = await connection.fetchval(
            "update santral.session set revoked_at = now() where workspace_id = $1 and id = $2 and revoked_at is null returning 1",
            row["workspace_id"], row["id"],
        )  # fmt: skip
        if used is None:
            raise Unauthenticated("this code was used", field="code", remedy="ask for a new link")
        until = until_of(row["subject"])
        text, expires_at = await _mint(connection, row["workspace_id"], agent_id, "agent", TOKEN_S, until=until)
        who = Principal(workspace_id=row["workspace_id"], id=row["id"], kind="agent", agent_id=agent_id)
        await audit(connection, who, "session.begun", "agent", str(agent_id))
    return TokenOut(token=text, agent_id=agent_id, expires_at=expires_at)


@router.delete("/sessions/me", status_code=204, summary="Sign out")
async def sign_out(request: Request, principal: Caller) -> None:
    """The token ends at once, whatever its role may do; its sockets close within seconds."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await connection.execute(f"{_END} and id = $2", principal.workspace_id, _require_session(principal).id)
        await audit(connection, principal, "session.ended", "agent", str(principal.agent_id))


@router.delete("/sessions", status_code=204, summary="Sign out everywhere")
async def sign_out_everywhere(request: Request, principal: Caller) -> None:
    """Every token and code of the caller ends at once; their sockets close within seconds."""
    one = _require_session(principal)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await lock_ending(connection, principal.workspace_id)
        await connection.execute(f"{_END} and agent_id = $2", principal.workspace_id, one.agent_id)
        await audit(connection, principal, "agent.signed_out", "agent", str(one.agent_id))


_END: Final = "update santral.session set revoked_at = now() where workspace_id = $1 and revoked_at is null"


def _require_session(principal: Principal) -> Principal:
    """Raises `Forbidden` for who has none: a key is revoked, a visitor logs out at their chat."""
    if principal.agent_id is None:
        raise Forbidden("only an agent is signed in here", field="Authorization", remedy="DELETE /v1/keys/{id} ends a key")
    return principal

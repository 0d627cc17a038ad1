"""API keys: made with scopes, shown once, listed without their secret, revoked within seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from services.api.audit import audit, changed
from services.api.bounds import KEYS_MAX, too_many
from services.api.config_models import Scope
from services.api.credentials import new_token
from services.api.giving import require_no_longer, require_scopes
from services.api.lists import Cursor, Limit, Page, moment_of, next_of
from services.api.principal import Principal, needs
from shared.errors import NotFound
from shared.given import Given
from shared.ids import new_id
from shared.moments import Moment

router = APIRouter(prefix="/v1/keys", tags=["keys"])
KeyWriter = Annotated[Principal, Depends(needs("keys:write"))]


class KeyIn(Given):
    """A key to make."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=50)]
    expires_at: Moment | None = None


class KeyOut(BaseModel):
    """A key without its secret."""

    id: UUID
    name: str
    public_id: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    """When it was last used, to a minute or two; null: never."""


class NewKey(KeyOut):
    """A key with its token, shown only now."""

    token: str


@router.get("", summary="List keys")
async def list_keys(request: Request, principal: KeyWriter, limit: Limit = 200, cursor: Cursor = None) -> Page[KeyOut]:
    """Every key of the workspace, oldest first, revoked ones included."""
    after_at, after_id = moment_of(cursor) or (None, None)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await connection.fetch(
            "select id, name, public_id, scopes, created_at, expires_at, revoked_at, used_at from santral.api_key"
            " where workspace_id = $1 and ($2::timestamptz is null or (created_at, id) > ($2, $3::uuid)) order by created_at, id limit $4",
            principal.workspace_id, after_at, after_id, limit + 1,
        )  # fmt: skip
    return Page(items=[KeyOut(**dict(row)) for row in rows[:limit]], next=next_of(rows, limit, "created_at"))


@router.post("", status_code=201, summary="Make a key")
async def make_key(request: Request, principal: KeyWriter, body: KeyIn) -> NewKey:
    """Nobody can give a key more than they have, nor longer: what a key that expires makes expires with it at the latest. A workspace has at
    most 1000 that are not revoked."""
    require_scopes(principal, body.scopes, field="scopes")
    require_no_longer(principal, body.expires_at, field="expires_at")
    made, key_id = new_token("live"), new_id()
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        there = "select count(*) from santral.api_key where workspace_id = $1 and revoked_at is null"
        if await connection.fetchval(there, principal.workspace_id) >= KEYS_MAX:
            raise too_many("keys that are not revoked", KEYS_MAX, field="keys")
        row = await connection.fetchrow(
            "insert into santral.api_key (workspace_id, id, public_id, secret_hash, name, scopes, expires_at)"
            " values ($1, $2, $3, $4, $5, $6, $7)"
            " returning id, name, public_id, scopes, created_at, expires_at, revoked_at, used_at",
            principal.workspace_id, key_id, made.public_id, made.secret_hash, body.name, body.scopes, body.expires_at,
        )  # fmt: skip
        await audit(connection, principal, "key.created", "key", str(key_id), changed(None, body.model_dump(mode="json")))
    return NewKey(**dict(row), token=made.text)


@router.delete("/{key_id}", status_code=204, summary="Revoke a key")
async def revoke_key(request: Request, principal: KeyWriter, key_id: UUID) -> None:
    """It stops working within seconds on every replica. Nobody can take from a key what they have not."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        revoked = await connection.fetchrow(
            "update santral.api_key set revoked_at = coalesce(revoked_at, now()) where workspace_id = $1 and id = $2 returning name, scopes",
            principal.workspace_id, key_id,
        )  # fmt: skip
        if revoked is None:
            raise NotFound("no such key", field="key_id")
        require_scopes(principal, revoked["scopes"], field="key_id")
        await audit(connection, principal, "key.revoked", "key", str(key_id), changed(dict(revoked), None))

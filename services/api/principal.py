"""Who calls, and what they may do: scopes and roles as data; one lookup of a credential, remembered for seconds."""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from services.api.credentials import Token, read_token
from services.api.rate_door import STANDINGS
from services.frame.peers import peer_of, shares_of, with_each
from services.frame.rates import Rates
from shared.database import Database
from shared.errors import Forbidden, Unauthenticated
from shared.ids import WorkspaceId
from shared.shares import Share

Visibility = Literal["own", "team", "queue", "workspace"]
SCOPES: Final = (
    "admin", "config:read", "config:write", "messages:write", "messages:read", "conversations:read", "conversations:write",
    "profiles:read", "profiles:write", "profiles:identify", "profiles:authenticate", "profiles:erase", "profiles:export",
    "events:read", "quarantine:read", "quarantine:write", "agents:token", "keys:write",
    "audit:read", "holds:write",
)  # fmt: skip
DECIDING: Final = frozenset(("config:write", "keys:write", "agents:token"))
"""Scopes that decide what people see: queues and their members, rules, sessions of others. They count for who sees the whole workspace."""
_DESK: Final = ("conversations:read", "conversations:write", "profiles:read", "profiles:write")
ROLES: Final[Mapping[str, tuple[tuple[str, ...], Visibility]]] = {
    "admin": (("admin",), "workspace"),
    "supervisor": ((*_DESK, "config:read", "events:read", "quarantine:read"), "workspace"),
    "agent": (_DESK, "queue"),
}
"""The roles a workspace begins with: scopes and visibility. It may change them and add its own."""
REMEMBER_S: Final = 3.0
USES_EVERY_S: Final = 60.0
_USED: Final = {
    "agent": "update santral.session set used_at = now() where workspace_id = $1 and id = any($2)",
    "key": "update santral.api_key set used_at = now() where workspace_id = $1 and id = any($2)",
}
_KINDS: Final = {"live": "key", "agent": "agent", "visitor": "visitor", "code": "code"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller whose credential held."""

    workspace_id: WorkspaceId
    id: UUID
    kind: Literal["key", "agent", "visitor"]
    name: str = ""
    scopes: frozenset[str] = frozenset()
    visibility: Visibility = "own"
    agent_id: UUID | None = None
    inbox_id: UUID | None = None
    visitor_id: UUID | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def actor(self) -> str:
        """How the audit and events name the caller."""
        return f"agent:{self.agent_id}" if self.agent_id else f"{self.kind}:{self.id}"

    def require(self, scope: str) -> None:
        """Raises `Forbidden` without the scope; ``admin`` has them all. Nobody decides over more than they see (`DECIDING`)."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise Forbidden(f"this needs the scope {scope}", field="Authorization", remedy="use a key or role that has it")
        if scope in DECIDING and self.visibility != "workspace":
            raise Forbidden(
                f"{scope} is for who sees the whole workspace", field="Authorization",
                remedy="use a key, or a role with the visibility workspace",
            )  # fmt: skip


class Credentials:
    """Looks credentials up through the one definer function. A revoked one ends within seconds on every replica."""

    def __init__(self, db: Database, rates: Rates) -> None:
        self._db = db
        self._rates = rates
        self._known: dict[str, tuple[float, bytes, Principal]] = {}
        self._uses: dict[tuple[UUID, str], set[UUID]] = {}
        self._noted_s = 0.0

    async def principal(self, text: str, *, peer: str) -> Principal:
        """The caller of a token. Raises `Unauthenticated`, the same for unknown, wrong, expired and revoked.

        Raises `Throttled` before the database is asked once ``peer``, the address that sends it, sent too many that were wrong: this token,
        or any. A token that was good seconds ago, and a right one from elsewhere, are not held up by that.
        """
        whose = shares_of(peer)
        try:
            token = read_token(text)
        except Unauthenticated:
            self._rates.take("address", whose)
            raise
        if token.kind == "code":
            raise Unauthenticated("a code is exchanged first", remedy="POST /v1/sessions/exchange")
        known = self._known.get(token.public_id)
        if known is not None and known[0] > time.monotonic() and hmac.compare_digest(known[1], token.secret_hash):
            self.used(known[2])
            return known[2]
        principal = principal_of(await self._looked_up(token, whose))
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[token.public_id] = (time.monotonic() + REMEMBER_S, token.secret_hash, principal)
        self.used(principal)
        return principal

    async def _looked_up(self, token: Token, whose: tuple[Share, ...]) -> Mapping[str, Any]:
        token_there = with_each(whose, token.public_id)
        self._rates.require_room("wrong-token", token_there)
        self._rates.require_room("wrong-address", whose)
        try:
            return await self.row(_KINDS[token.kind], token.public_id, token.secret_hash)
        except Unauthenticated:
            self._rates.take("wrong-token", token_there)
            self._rates.take("wrong-address", whose)
            raise

    async def row(self, kind: str, public_id: str, secret_hash: bytes) -> Mapping[str, Any]:
        """The stored credential. Raises `Unauthenticated`."""
        async with self._db.session() as connection:
            row = await connection.fetchrow("select * from santral.credential($1, $2)", kind, public_id)
        stored = row["secret_hash"] if row is not None else b"\0" * 32
        if not hmac.compare_digest(stored, secret_hash) or row is None:
            raise Unauthenticated("unknown, expired or revoked", field="Authorization", remedy="ask for a new one")
        return dict(row)

    def used(self, principal: Principal) -> None:
        """Somebody is there: noted, and written with the others now and then."""
        if principal.kind != "visitor":
            self._uses.setdefault((principal.workspace_id, principal.kind), set()).add(principal.id)

    async def note_uses(self) -> None:
        """Writes who was there since the last time, at most once a minute, in one statement a workspace and kind."""
        if time.monotonic() < self._noted_s + USES_EVERY_S:
            return
        self._noted_s, uses, self._uses = time.monotonic(), self._uses, {}
        for (workspace_id, kind), ids in uses.items():
            async with self._db.batch(workspace_id) as connection:
                await connection.execute(_USED[kind], workspace_id, list(ids))


def principal_of(row: Mapping[str, Any]) -> Principal:
    """The caller that a row of the definer function stands for."""
    subject = row["subject"]
    if subject["kind"] == "key":
        return Principal(
            workspace_id=row["workspace_id"], id=row["id"], kind="key", name=subject["name"],
            scopes=frozenset(row["scopes"]), visibility="workspace",
        )  # fmt: skip
    if subject["kind"] == "visitor":
        return Principal(
            workspace_id=row["workspace_id"], id=row["id"], kind="visitor", inbox_id=UUID(subject["inbox_id"]),
            visitor_id=UUID(subject["visitor_id"]), claims=subject["claims"],
        )  # fmt: skip
    return Principal(
        workspace_id=row["workspace_id"], id=row["id"], kind="agent", name=subject["name"], scopes=frozenset(row["scopes"]),
        visibility=subject["visibility"], agent_id=UUID(subject["agent_id"]),
    )  # fmt: skip


bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key or an agent's token: `santral_…`.")


async def caller(
    request: Request, scopes: SecurityScopes, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> Principal:
    """The request's principal, from its bearer token, with the scopes the operation needs."""
    if given is None:
        raise Unauthenticated("no bearer token", field="Authorization", remedy="Bearer santral_…")
    credentials: Credentials = request.app.state.credentials
    principal = await credentials.principal(given.credentials, peer=peer_of(request.scope))
    count_call(request, principal)
    for scope in scopes.scopes:
        principal.require(scope)
    return principal


def count_call(request: Request, principal: Principal) -> None:
    """Counts a call by its credential and its workspace; where they stand is told with the answer. Raises `Throttled`."""
    rates: Rates = request.app.state.rates
    counted = (rates.take("key", str(principal.id)), rates.take("workspace", str(principal.workspace_id)))
    request.scope[STANDINGS].extend(one for one in counted if one is not None)


Caller = Annotated[Principal, Security(caller)]


def needs(scope: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency: the caller, who has this scope. The OpenAPI document names it with the operation."""
    assert scope in SCOPES, f"{scope} is no scope"

    async def checked(principal: Principal = Security(caller, scopes=[scope])) -> Principal:  # noqa: B008  read by FastAPI
        return principal

    return checked


ConfigReader = Annotated[Principal, Depends(needs("config:read"))]
ConfigWriter = Annotated[Principal, Depends(needs("config:write"))]
ConversationReader = Annotated[Principal, Depends(needs("conversations:read"))]
ConversationWriter = Annotated[Principal, Depends(needs("conversations:write"))]
ProfileReader = Annotated[Principal, Depends(needs("profiles:read"))]
ProfileWriter = Annotated[Principal, Depends(needs("profiles:write"))]

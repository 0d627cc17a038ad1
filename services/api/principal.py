"""Who calls, and what they may: scopes, roles and visibility as data; one lookup of a credential, remembered for seconds."""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from services.api.credentials import read_token
from shared.database import Connection, Database
from shared.errors import Forbidden, Unauthenticated
from shared.ids import WorkspaceId

Visibility = Literal["own", "team", "queue", "workspace"]
SCOPES: Final = (
    "admin", "config:read", "config:write", "messages:write", "messages:read", "conversations:read", "conversations:write",
    "profiles:read", "profiles:write", "profiles:identify", "profiles:authenticate", "profiles:erase", "profiles:export",
    "events:read", "quarantine:read", "quarantine:write", "agents:token", "keys:write",
)  # fmt: skip
_DESK: Final = ("conversations:read", "conversations:write", "profiles:read", "profiles:write")
ROLES: Final[Mapping[str, tuple[tuple[str, ...], Visibility]]] = {
    "admin": (("admin",), "workspace"),
    "supervisor": ((*_DESK, "config:read", "events:read", "quarantine:read"), "workspace"),
    "agent": (_DESK, "queue"),
}
"""The roles a workspace begins with: scopes and visibility. It may change them and add its own."""
REMEMBER_S: Final = 3.0
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
        """Raises `Forbidden` without the scope; ``admin`` has them all."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise Forbidden(f"this needs the scope {scope}", field="Authorization", remedy="use a key or role that has it")


class Credentials:
    """Looks credentials up through the one definer function. A revoked one ends within seconds on every replica."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[str, tuple[float, bytes, Principal]] = {}

    async def principal(self, text: str) -> Principal:
        """The caller of a token. Raises `Unauthenticated`, the same for unknown, wrong, expired and revoked."""
        token = read_token(text)
        if token.kind == "code":
            raise Unauthenticated("a code is exchanged first", remedy="POST /v1/sessions/exchange")
        known = self._known.get(token.public_id)
        if known is not None and known[0] > time.monotonic() and hmac.compare_digest(known[1], token.secret_hash):
            return known[2]
        row = await self.row(_KINDS[token.kind], token.public_id, token.secret_hash)
        principal = await self._principal(row)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[token.public_id] = (time.monotonic() + REMEMBER_S, token.secret_hash, principal)
        return principal

    async def row(self, kind: str, public_id: str, secret_hash: bytes) -> Mapping[str, Any]:
        """The stored credential. Raises `Unauthenticated`."""
        async with self._db.session() as connection:
            row = await connection.fetchrow("select * from santral.credential($1, $2)", kind, public_id)
        stored = row["secret_hash"] if row is not None else b"\0" * 32
        if not hmac.compare_digest(stored, secret_hash) or row is None:
            raise Unauthenticated("unknown, expired or revoked", field="Authorization", remedy="ask for a new one")
        return dict(row)

    async def _principal(self, row: Mapping[str, Any]) -> Principal:
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
        agent_id = UUID(subject["agent_id"])
        async with self._db.batch(row["workspace_id"]) as connection:
            found = await connection.fetchrow(_AGENT_ROLE, row["workspace_id"], agent_id)
        if found is None:
            raise Unauthenticated("the agent is gone", field="Authorization")
        scopes, visibility = (found["scopes"], found["visibility"]) if found["scopes"] is not None else ROLES["agent"]
        return Principal(
            workspace_id=row["workspace_id"], id=row["id"], kind="agent", name=found["name"], scopes=frozenset(scopes),
            visibility=visibility, agent_id=agent_id,
        )  # fmt: skip


_AGENT_ROLE: Final = """
select a.name, r.scopes, r.visibility from santral.agent a
left join santral.user u on u.workspace_id = a.workspace_id and u.id = a.user_id and u.enabled
left join santral.role r on r.workspace_id = u.workspace_id and r.name = u.role
where a.workspace_id = $1 and a.id = $2 and a.enabled
"""


bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key or an agent's token: `santral_…`.")


async def caller(
    request: Request, scopes: SecurityScopes, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> Principal:
    """The request's principal, from its bearer token, with the scopes the operation needs."""
    if given is None:
        raise Unauthenticated("no bearer token", field="Authorization", remedy="Bearer santral_…")
    credentials: Credentials = request.app.state.credentials
    principal = await credentials.principal(given.credentials)
    for scope in scopes.scopes:
        principal.require(scope)
    return principal


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

_VISIBLE: Final = """
select exists (
    -- Who sees the one it was merged into sees it.
    select 1 from santral.conversation c
    join santral.work_item i on i.workspace_id = c.workspace_id and i.conversation_id in (c.id, c.merged_into)
    where c.workspace_id = $1 and c.id = $2
      and ($3 in (i.agent_id, i.last_agent_id, i.sticky_agent_id)
           or ($4 and exists (select 1 from santral.queue_member m
                              where m.workspace_id = i.workspace_id and m.queue_id = i.queue_id and m.agent_id = $3)))
) or exists (
    -- The history of the customer in front of them, on whichever channel and with whichever handle.
    select 1 from santral.conversation c
    join santral.handle own on own.workspace_id = c.workspace_id and own.id = c.handle_id
    join santral.handle other on other.workspace_id = own.workspace_id and other.profile_id = own.profile_id
    join santral.conversation o on o.workspace_id = other.workspace_id and o.handle_id = other.id
    join santral.work_item i on i.workspace_id = o.workspace_id and i.conversation_id = o.id
    where c.workspace_id = $1 and c.id = $2 and i.agent_id = $3 and i.state in ('offered', 'assigned', 'wrapping', 'parked')
)
"""


async def require_conversation(connection: Connection, principal: Principal, conversation_id: UUID) -> None:
    """Raises `Forbidden` when the caller's visibility does not reach the conversation."""
    if principal.visibility == "workspace":
        return
    seen = await connection.fetchval(
        _VISIBLE, principal.workspace_id, conversation_id, principal.agent_id, principal.visibility in ("queue", "team")
    )
    if not seen:
        raise Forbidden("this conversation is outside the role's visibility", field="conversation_id", remedy="ask a supervisor")


_HOLDS: Final = """
select exists (select 1 from santral.work_item i where i.workspace_id = $1 and i.conversation_id = any($2::uuid[])
               and i.agent_id = $3 and i.state in ('assigned', 'wrapping', 'parked'))
"""


async def require_holder(connection: Connection, principal: Principal, conversations: Sequence[UUID]) -> None:
    """Raises `Forbidden` unless the caller sees the whole workspace or is the agent who has the work of one of these."""
    if principal.visibility == "workspace":
        return
    if not await connection.fetchval(_HOLDS, principal.workspace_id, list(conversations), principal.agent_id):
        raise Forbidden(
            "only the agent who has the work decides over its messages",
            field="conversation_id",
            remedy="take it, or ask a supervisor",
        )


def require_agent(principal: Principal, agent: str) -> UUID:
    """The agent named in a path: ``me``, or an id that is the caller's own unless it may administer. Raises `Forbidden`."""
    if agent == "me":
        if principal.agent_id is None:
            raise Forbidden("this credential is no agent's", field="agent_id", remedy="name the agent's id")
        return principal.agent_id
    try:
        named = UUID(agent)
    except ValueError as error:
        raise Forbidden("no such agent", field="agent_id", remedy="an agent's id, or me") from error
    if named != principal.agent_id:
        principal.require("config:write")
    return named

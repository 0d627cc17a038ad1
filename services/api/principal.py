"""Who calls, and what they may do: scopes and roles as data; one lookup of a credential, remembered for seconds."""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from services.api.credentials import Token, read_token
from services.frame.peers import shares_of, with_each
from services.frame.rates import Rates
from services.frame.strangers import Strangers
from shared.database import Connection, Contended, Database, concerns_all
from shared.errors import Forbidden, InputRejected, SantralError, Unauthenticated
from shared.ids import WorkspaceId
from shared.turns import Turns

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
CALL: Final = "santral.call"
"""Where a request's scope holds its `Call`, once `rate_door.py` found who calls."""
REMEMBER_S: Final = 3.0
NOTING_LOCK_MS: Final = 100
KNOWN_MAX: Final = 10_000
LOOKS_WAITING_MAX: Final = 2_000
"""How many tokens of one address, that nothing here has seen, may wait for each other to be looked up: an office that comes in after a restart."""
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
    until: datetime | None = None
    """When a key, or the key that minted a session, ends: what is minted lasts no longer."""

    @property
    def actor(self) -> str:
        """How the audit and events name the caller."""
        return f"agent:{self.agent_id}" if self.agent_id else f"{self.kind}:{self.id}"

    def has(self, scope: str) -> bool:
        """Whether the scope was given; ``admin`` has them all."""
        return scope in self.scopes or "admin" in self.scopes

    def require(self, scope: str) -> None:
        """Raises `Forbidden` without the scope; ``admin`` has them all. Nobody decides over more than they see (`DECIDING`)."""
        if not self.has(scope):
            raise Forbidden(f"this needs the scope {scope}", field="Authorization", remedy="use a key or role that has it")
        if scope in DECIDING and self.visibility != "workspace":
            raise Forbidden(
                f"{scope} is for who sees the whole workspace", field="Authorization",
                remedy="use a key, or a role with the visibility workspace",
            )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Call:
    """A request with a token: who it was at the head, and whether the operation decides over rights and sight (`DECIDING`)."""

    token: str
    principal: Principal
    decides: bool = False


class Credentials:
    """Looks credentials up through the one definer function. A revoked one ends within seconds on every replica."""

    def __init__(
        self, db: Database, rates: Rates, strangers: Strangers | None = None, *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._db = db
        self._rates = rates
        self._strangers = strangers or Strangers()
        self._now_s = now_s
        self._turns = Turns(waiting_max=LOOKS_WAITING_MAX)
        self._known: dict[str, tuple[float, bytes, Principal]] = {}
        self._uses: dict[tuple[UUID, str], set[UUID]] = {}
        self._noted_s = 0.0

    async def principal(self, text: str, *, peer: str, visitors: bool = True) -> Principal:
        """The caller of a token. Raises `Unauthenticated`, the same for unknown, wrong, expired and revoked.

        Raises `Forbidden` for any visitor's token, good or not, where there are no ``visitors``. What no look-up is needed for counts as a call of
        ``peer``, the address that sends it, like one without a token. Raises `Throttled` before the database is asked once the address made too
        many of those, or sent too many tokens that were wrong: this one, or any. A token that was good before, and a right one from elsewhere,
        are not held up by that.
        """
        try:
            token = _token_for_calls(text, visitors=visitors)
        except InputRejected:
            self._rates.take("address", shares_of(peer))
            raise
        known = self._fresh(token)
        if known is None:
            known = await self._looked_up(token, peer) if self._remembered(token) else await self._found(token, peer)
        self.used(known[2])
        return known[2]

    async def again(self, text: str, connection: Connection | None = None) -> Principal:
        """The caller of a token that was let in, by a given connection where one is held already. Raises `Unauthenticated`.

        It waits for no other look, and is counted for nobody: who sent it guesses at nothing.
        """
        token = read_token(text)
        known = self._fresh(token)
        if known is None:
            known = await self._asked(token, connection)
        return known[2]

    def _remembered(self, token: Token) -> tuple[float, bytes, Principal] | None:
        """What a token was good for, maybe long ago; None where it never was here."""
        known = self._known.get(token.public_id)
        return known if known is not None and hmac.compare_digest(known[1], token.secret_hash) else None

    def _fresh(self, token: Token) -> tuple[float, bytes, Principal] | None:
        known = self._remembered(token)
        return known if known is not None and known[0] > self._now_s() else None

    async def _found(self, token: Token, peer: str) -> tuple[float, bytes, Principal]:
        """One at a time of an address: what comes beside a wrong one is counted before it is asked for, and one key is asked for once."""
        whose = shares_of(peer)
        async with self._turns.of(*whose):
            known = self._fresh(token)
            if known is None:
                self._rates.require_room("wrong-token", with_each(whose, token.public_id))
                self._rates.require_room("wrong-address", whose)
                async with self._strangers.place(whose):
                    known = await self._looked_up(token, peer)
            return known

    async def _looked_up(self, token: Token, peer: str) -> tuple[float, bytes, Principal]:
        try:
            return await self._asked(token)
        except Unauthenticated:
            self._rates.take("wrong-token", with_each(shares_of(peer), token.public_id))
            self._rates.take("wrong-address", shares_of(peer))
            raise

    async def _asked(self, token: Token, connection: Connection | None = None) -> tuple[float, bytes, Principal]:
        try:
            row = await self.row(_KINDS[token.kind], token.public_id, token.secret_hash, connection)
        except Unauthenticated:
            if self._remembered(token):  # it is good no more; a guess at somebody's secret forgets nothing
                del self._known[token.public_id]
            raise
        # Looked up last stands last: what leaves is what nobody showed for longest.
        self._known.pop(token.public_id, None)
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        known = self._known[token.public_id] = (self._now_s() + REMEMBER_S, token.secret_hash, principal_of(row))
        return known

    async def row(self, kind: str, public_id: str, secret_hash: bytes, connection: Connection | None = None) -> Mapping[str, Any]:
        """The stored credential, by a connection of its own where none is given. Raises `Unauthenticated`."""
        async with nullcontext(connection) if connection is not None else self._db.session() as asked:
            row = await asked.fetchrow("select * from santral.credential($1, $2)", kind, public_id)
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
        self._noted_s = time.monotonic()
        for whose in list(self._uses):
            ids = self._uses.pop(whose)
            try:
                async with self._db.batch(whose[0], lock_ms=NOTING_LOCK_MS) as connection:
                    await connection.execute(_USED[whose[1]], whose[0], list(ids))
            except SantralError as error:
                self._uses.setdefault(whose, set()).update(ids)
                # Somebody holds one of them: they are noted the next time, and the others' now.
                if concerns_all(error) and not isinstance(error, Contended):
                    raise


def principal_of(row: Mapping[str, Any]) -> Principal:
    """The caller that a row of the definer function stands for."""
    subject = row["subject"]
    if subject["kind"] == "key":
        return Principal(
            workspace_id=row["workspace_id"], id=row["id"], kind="key", name=subject["name"],
            scopes=frozenset(row["scopes"]), visibility="workspace", until=row["expires_at"],
        )  # fmt: skip
    if subject["kind"] == "visitor":
        return Principal(
            workspace_id=row["workspace_id"], id=row["id"], kind="visitor", inbox_id=UUID(subject["inbox_id"]),
            visitor_id=UUID(subject["visitor_id"]), claims=subject["claims"],
        )  # fmt: skip
    return Principal(
        workspace_id=row["workspace_id"], id=row["id"], kind="agent", name=subject["name"], scopes=frozenset(row["scopes"]),
        visibility=subject["visibility"], agent_id=UUID(subject["agent_id"]), until=until_of(subject),
    )  # fmt: skip


def until_of(subject: Mapping[str, Any]) -> datetime | None:
    """When the key ends that minted an agent's session or a page's code; None where it does not, or nobody's key did."""
    until = subject["claims"].get("until")
    return None if until is None else datetime.fromisoformat(until)


def _token_for_calls(text: str, *, visitors: bool) -> Token:
    """The parts of a token that may call something. Raises `Unauthenticated`, `Forbidden`."""
    token = read_token(text)
    if token.kind == "code":
        raise Unauthenticated("a code is exchanged first", remedy="POST /v1/sessions/exchange")
    if token.kind == "visitor" and not visitors:
        raise Forbidden(
            "a visitor's token is for its chat only", field="Authorization", remedy="use an API key or an agent's token"
        )
    return token


bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key or an agent's token: `santral_…`.")


async def caller(
    request: Request, scopes: SecurityScopes, _: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> Principal:
    """The request's principal, whom the door found and counted, with the scopes the operation needs. ``bearer`` is for the document."""
    call: Call | None = request.scope.get(CALL)
    if call is None:
        raise no_token()
    for scope in scopes.scopes:
        call.principal.require(scope)
    call.decides = request.method != "GET" and not DECIDING.isdisjoint(scopes.scopes)
    return call.principal


def no_token() -> Unauthenticated:
    """One sentence for a call without a credential."""
    return Unauthenticated("no bearer token", field="Authorization", remedy="Bearer santral_…")


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

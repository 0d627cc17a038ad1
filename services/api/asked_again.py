"""Who calls is asked for again wherever a request may have waited: once its body came, once its turn came, and as each transaction begins.

A credential that ended, or allows something else now, ends what waited: nothing is done, read or given for it seconds later. What is remembered
of credentials (`principal.py`) makes that cheap. Where a call decides over rights and sight (`DECIDING`) nothing remembered counts: credential
and role are read in the very transaction. They are not locked: who shares a row's lock in turns keeps whoever revokes it out for ever.
**Units**: what is remembered is `REMEMBER_S` old at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from services.api.principal import Call, Credentials, Principal
from shared.database import Connection
from shared.errors import Forbidden, Unauthenticated

_CALL: Final[ContextVar[tuple[Call, Credentials] | None]] = ContextVar("call", default=None)
_KEY: Final = """
select scopes, 'workspace' as visibility from santral.api_key
where workspace_id = $1 and id = $2 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
"""
_SESSION: Final = """
select r.scopes, r.visibility from santral.session s
join santral.agent a on a.workspace_id = s.workspace_id and a.id = s.agent_id and a.enabled
left join santral.user u on u.workspace_id = a.workspace_id and u.id = a.user_id and u.enabled
join santral.role r on r.workspace_id = a.workspace_id and r.name = case when a.user_id is null then a.role else u.role end
where s.workspace_id = $1 and s.id = $2 and s.revoked_at is null and s.expires_at > clock_timestamp()
"""


@contextmanager
def asking_for(call: Call, credentials: Credentials) -> Iterator[None]:
    """What is done within is done for this call."""
    token = _CALL.set((call, credentials))
    try:
        yield
    finally:
        _CALL.reset(token)


async def asked_again(connection: Connection | None = None) -> None:
    """Asks for the caller of what is being done, in the ``connection``'s transaction where there is one; a stranger's call goes on.

    Raises `Unauthenticated` once the credential is not good, `Forbidden` once it allows or sees something else than the call began with.
    """
    found = _CALL.get()
    if found is None:
        return
    call, credentials = found
    if connection is not None and call.decides:
        await _require_now(connection, call.principal)
        return
    now = await credentials.again(call.token, connection)
    _require_same(call.principal, now.scopes, now.visibility)


async def _require_now(connection: Connection, principal: Principal) -> None:
    query = _KEY if principal.kind == "key" else _SESSION
    row = await connection.fetchrow(query, principal.workspace_id, principal.id)
    if row is None:
        raise Unauthenticated("unknown, expired or revoked", field="Authorization", remedy="ask for a new one")
    _require_same(principal, row["scopes"], row["visibility"])


def _require_same(principal: Principal, scopes: frozenset[str] | list[str], visibility: str) -> None:
    if (frozenset(scopes), visibility) != (principal.scopes, principal.visibility):
        raise Forbidden("what you may do has changed meanwhile", field="Authorization", remedy="ask again")

"""A visitor's sessions: how one begins, goes on, and ends. One transaction says it, so that no two pages can disagree.

A page that starts, or whose customer changes, says who is there (``claims``, none for nobody) and shows the session its browser had before:

==================  ==========================  ===================================================================================
before              who is there                what happens
==================  ==========================  ===================================================================================
none                nobody                      a fresh visitor
none                a customer                  the customer's own chat
anonymous           nobody                      goes on, and lasts for another `ANONYMOUS_S`
anonymous           a customer                  what was said becomes the customer's, for good and for nobody else; the token ends
a customer's        the same customer           goes on, for another `SIGNED_S`
a customer's        somebody else, or nobody    ends; nothing of it is seen again
==================  ==========================  ===================================================================================

**Identity** of a customer in a widget: an id made of the inbox and their ``external_id`` (`customer_of`). What a visitor says has one
visitor's id for the whole of a chat, so that it stays in order on its partition: who they turn out to be is data, not key.
**Units**: seconds.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ingest.adapter import Inbox
from ingest.adapters.webchat import customer_scope
from profiles.erasure_tombstones import erased_handles
from profiles.identify import Identification, identify
from router.views.visitor import own_conversation
from services.api.credentials import Token, new_token
from shared.database import Connection
from shared.handle import Handle, normalized
from shared.ids import InboxId, WorkspaceId, message_id, new_id

ANONYMOUS_S: Final = 24 * 3600
ANONYMOUS_WRITER_S: Final = 7 * 24 * 3600
SIGNED_S: Final = 12 * 3600
_BEFORE: Final = """
select id, secret_hash, visitor_id, claims, wrote_at from santral.session
where workspace_id = $1 and public_id = $2 and kind = 'visitor' and inbox_id = $3 and revoked_at is null and expires_at > $4 for update
"""
_BEGIN: Final = """
insert into santral.session (workspace_id, id, kind, public_id, secret_hash, inbox_id, visitor_id, claims, expires_at)
values ($1, $2, 'visitor', $3, $4, $5, $6, $7, $8)
"""
_GO_ON: Final = "update santral.session set expires_at = $3, claims = $4 where workspace_id = $1 and id = $2"
_END: Final = "update santral.session set revoked_at = now() where workspace_id = $1 and id = $2"
_END_ANONYMOUS: Final = """
update santral.session set revoked_at = now() where workspace_id = $1 and inbox_id = $2 and visitor_id = $3 and kind = 'visitor'
  and not claims ? 'external_id' and revoked_at is null
"""
_JOIN: Final = """
insert into santral.visitor_join (workspace_id, inbox_id, visitor_id, customer_id) values ($1, $2, $3, $4)
on conflict do nothing
"""
_JOINED: Final = "select customer_id from santral.visitor_join where workspace_id = $1 and inbox_id = $2 and visitor_id = $3"
_ALL: Final = (
    "select visitor_id from santral.visitor_join where workspace_id = $1 and inbox_id = $2 and customer_id = $3 order by joined_at"
)
_SPOKE: Final = "select id from santral.handle where workspace_id = $1 and kind = 'visitor' and scope = $2 and value = $3"
_WROTE: Final = """
update santral.session set wrote_at = coalesce(wrote_at, now()),
    expires_at = case when claims ? 'external_id' then expires_at else greatest(expires_at, now() + make_interval(secs => $3)) end
where workspace_id = $1 and id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A session as its page takes it. ``continues``: what the page shows and has not sent yet is still this visitor's."""

    token: str
    visitor_id: UUID
    expires_at: datetime
    continues: bool
    ended: bool = False
    joined: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    id: UUID
    visitor_id: UUID
    claims: Mapping[str, Any]
    wrote: bool

    @property
    def customer(self) -> str | None:
        return self.claims.get("external_id")


def customer_of(secret: bytes, inbox: Inbox, claims: Mapping[str, Any]) -> UUID | None:
    """The visitor's id that a customer has in this inbox whatever browser they use; None without a signed customer."""
    if "external_id" not in claims:
        return None
    return message_id(secret, WorkspaceId(inbox.workspace_id), InboxId(inbox.id), f"visitor:{claims['external_id']}")


async def visitors_of(connection: Connection, inbox: Inbox, visitor_id: UUID, customer_id: UUID | None) -> tuple[UUID, ...]:
    """Whose words a session may see. A visitor whose chat became a customer's sees nothing any more without being that customer."""
    if customer_id is None:
        joined = await connection.fetchval(_JOINED, inbox.workspace_id, inbox.id, visitor_id)
        return () if joined is not None else (visitor_id,)
    rows = await connection.fetch(_ALL, inbox.workspace_id, inbox.id, customer_id)
    return (customer_id, *(row["visitor_id"] for row in rows))


async def begin(
    connection: Connection, *, inbox: Inbox, secret: bytes, previous: Token | None, claims: Mapping[str, str], locale: str | None,
    now: datetime,
) -> Begun:  # fmt: skip
    """The session of who is there now, as the table above says. A ``previous`` that is not good any more is none."""
    before = await _before(connection, inbox, previous, now)
    customer_id = customer_of(secret, inbox, claims)
    # Whose customers the site's ids were as they came: the inbox's setting may be another by the time somebody looks for them.
    scope = {"identity_scope": customer_scope(inbox)} if claims else {}
    kept = {**claims, **scope, **({"locale": locale} if locale else {})}
    if before is not None and previous is not None and before.customer == claims.get("external_id"):
        joined = await visitors_of(connection, inbox, before.visitor_id, customer_id)
        if joined:
            until = now + timedelta(seconds=_lasts_s(customer_id, wrote=before.wrote))
            await connection.execute(_GO_ON, inbox.workspace_id, before.id, until, kept)
            return Begun(token=previous.text, visitor_id=before.visitor_id, expires_at=until, continues=True)
    goes_on = before is None or (before.customer is None and customer_id is not None)
    joined_now = None
    if before is not None:
        await connection.execute(_END, inbox.workspace_id, before.id)
        if goes_on and before.wrote and customer_id is not None:
            joined_now = await _join(connection, inbox, before.visitor_id, customer_id)
            goes_on = joined_now is not None
    visitor_id = joined_now or await _writes_as(connection, inbox, customer_id) or new_id()
    token, until = new_token("visitor"), now + timedelta(seconds=_lasts_s(customer_id, wrote=False))
    await connection.execute(
        _BEGIN, inbox.workspace_id, new_id(), token.public_id, token.secret_hash, inbox.id, visitor_id, kept, until
    )
    return Begun(
        token=token.text, visitor_id=visitor_id, expires_at=until, continues=before is not None and goes_on,
        ended=before is not None, joined=joined_now,
    )  # fmt: skip


async def end(connection: Connection, *, inbox: Inbox, token: Token, now: datetime) -> bool:
    """Ends a session; False when it was not good any more. Calling twice is safe."""
    before = await _before(connection, inbox, token, now)
    if before is not None:
        await connection.execute(_END, inbox.workspace_id, before.id)
    return before is not None


async def wrote(connection: Connection, workspace_id: UUID, session_id: UUID) -> None:
    """The visitor says something: from now on there is a chat, which an anonymous browser remembers for longer."""
    await connection.execute(_WROTE, workspace_id, session_id, float(ANONYMOUS_WRITER_S))


async def vouch(
    connection: Connection, *, inbox: Inbox, secret: bytes, visitor_id: UUID, claims: Mapping[str, str], now: datetime
) -> bool:
    """Says that the visitor is this customer, so that agents see it before the next word.

    False before the visitor's first message was taken in: there is nobody to speak of, and that message is followed by the customer's.
    Raises `Conflict` and `Unprocessable` when the rules of identity keep them apart; the caller rolls back.
    """
    workspace_id, visitor = inbox.workspace_id, Handle(kind="visitor", scope=str(inbox.id), value=str(visitor_id))
    if await connection.fetchval(_SPOKE, workspace_id, visitor.scope, visitor.value) is None:
        return False
    raws = (claims["external_id"], visitor.value)
    handles = (normalized("external_id", claims["external_id"], scope=customer_scope(inbox)), visitor)
    if await erased_handles(connection, secret, WorkspaceId(workspace_id), handles, now):
        return False
    said = Identification(
        workspace_id=WorkspaceId(workspace_id), handles=handles, raws=raws, source="chat", assurance="authenticated", observed_at=now,
        actor=f"visitor:{visitor_id}", name=claims.get("name", ""),
    )  # fmt: skip
    await identify(connection, said)
    return True


async def _before(connection: Connection, inbox: Inbox, given: Token | None, now: datetime) -> _Before | None:
    if given is None:
        return None
    row = await connection.fetchrow(_BEFORE, inbox.workspace_id, given.public_id, inbox.id, now)
    # As much is done for a session that is not there as for a wrong secret of one that is.
    stored = row["secret_hash"] if row is not None else b"\0" * 32
    if not hmac.compare_digest(stored, given.secret_hash) or row is None:
        return None
    # Sessions that an earlier release began do not say whether somebody wrote.
    wrote = row["wrote_at"] is not None or await _spoke(connection, inbox, row["visitor_id"])
    return _Before(id=row["id"], visitor_id=row["visitor_id"], claims=row["claims"], wrote=wrote)


async def _spoke(connection: Connection, inbox: Inbox, visitor_id: UUID) -> bool:
    return await connection.fetchval(_SPOKE, inbox.workspace_id, str(inbox.id), str(visitor_id)) is not None


async def _join(connection: Connection, inbox: Inbox, visitor_id: UUID, customer_id: UUID) -> UUID | None:
    """The visitor's chat becomes the customer's; None when it is another customer's already."""
    await connection.execute(_END_ANONYMOUS, inbox.workspace_id, inbox.id, visitor_id)
    await connection.execute(_JOIN, inbox.workspace_id, inbox.id, visitor_id, customer_id)
    owner = await connection.fetchval(_JOINED, inbox.workspace_id, inbox.id, visitor_id)
    return visitor_id if owner == customer_id else None


async def _writes_as(connection: Connection, inbox: Inbox, customer_id: UUID | None) -> UUID | None:
    """The visitor's id under which a customer goes on: that of their newest chat."""
    if customer_id is None:
        return None
    visitors = await visitors_of(connection, inbox, customer_id, customer_id)
    own = await own_conversation(connection, inbox.workspace_id, inbox.id, visitors)
    return own.visitor_id if own is not None else visitors[-1]


def _lasts_s(customer_id: UUID | None, *, wrote: bool) -> int:
    if customer_id is not None:
        return SIGNED_S
    return ANONYMOUS_WRITER_S if wrote else ANONYMOUS_S

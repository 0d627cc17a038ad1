"""The chat widget's REST: what the page shows before anybody wrote, and a visitor's session.

A visitor is anonymous, or named by a token that the host site's server signed for this inbox: HS256 or ES256-free JWT with ``sub`` (or
``external_id``), optional ``email``, ``phone``, ``name``, ``aud`` = the inbox's name or widget token, ``exp`` at most an hour ahead. What a
visitor types about themselves names nobody.
Browsers of other origins may call these when the inbox lists them; no cookies are involved.
Source: RFC 7519; RFC 8725 (algorithms are fixed here, never taken from the token).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection

from ingest.adapter import Inbox
from ingest.setting_formats import origin_of
from services.api.credentials import new_token
from shared.database import Database
from shared.errors import Forbidden, InputRejected, NotFound, Unauthenticated
from shared.ids import InboxId, WorkspaceId, message_id, new_id
from shared.sealing import Sealer

router = APIRouter(prefix="/v1/chat", tags=["chat"])
SESSION_S: Final = 30 * 24 * 3600
IDENTITY_S_MAX: Final = 3600
_LEEWAY_S: Final = 60
_CLAIMS: Final = ("external_id", "email", "phone", "name")
_INBOX: Final = """
select i.name, i.secrets, coalesce(i.settings->>'region', w.settings->>'region') as region, w.title as workspace_title,
       coalesce(w.settings->'mask_numbers' = 'true' or w.settings->'mask_numbers' ? i.name, false) as mask_numbers
from santral.inbox i join santral.workspace w on w.workspace_id = i.workspace_id where i.workspace_id = $1 and i.id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """A webchat inbox as its address names it. ``origins`` may embed and call it, besides our own."""

    inbox: Inbox
    title: str
    locale: str
    origins: tuple[str, ...]
    identity_secret: str | None = field(repr=False)


async def widget_at(db: Database, sealer: Sealer, widget_token: str) -> Widget:
    """The widget behind its public token. Raises `NotFound`, the same for unknown, disabled and another provider's."""
    async with db.session() as connection:
        found = await connection.fetchrow("select * from santral.credential('inbox', $1)", widget_token[:200])
    subject = found["subject"] if found is not None else {}
    if found is None or subject["provider"] != "webchat" or not subject["enabled"]:
        raise NotFound("no such chat", field="widget_token", remedy="copy widget_token from the inbox")
    async with db.batch(found["workspace_id"]) as connection:
        row = await connection.fetchrow(_INBOX, found["workspace_id"], found["id"])
    if row is None:
        raise NotFound("no such chat", field="widget_token")
    settings = subject["settings"]
    secrets = sealer.open(row["secrets"]) if row["secrets"] else {}
    inbox = Inbox(
        workspace_id=found["workspace_id"], id=found["id"], name=row["name"], channel="chat", provider="webchat", settings=settings,
        region=row["region"], path_token=widget_token, mask_numbers=row["mask_numbers"],
    )  # fmt: skip
    return Widget(
        inbox=inbox, title=settings.get("title") or row["workspace_title"] or row["name"], locale=settings.get("locale", "tr"),
        origins=tuple(one for given in settings.get("origins", ()) if (one := origin_of(given))), identity_secret=secrets.get("identity_secret"),
    )  # fmt: skip


def allowed_origin(connection: HTTPConnection, widget: Widget) -> str | None:
    """The caller's origin when it is a foreign one the inbox lists; None for our own or for no browser. Raises `Forbidden`."""
    origin = connection.headers.get("origin", "").lower()
    if not origin:
        return None
    own = {connection.app.state.origin, f"{'https' if connection.url.is_secure else 'http'}://{connection.url.netloc}"}
    if origin in {one.lower() for one in own}:
        return None
    if origin in widget.origins:
        return origin
    raise Forbidden("this origin may not use the chat", field="origin", remedy="add it to the inbox's settings.origins")


class SessionIn(BaseModel):
    """Who opens the chat, as far as the host site says so."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"locale": "tr"}]})

    identity: Annotated[str, Field(max_length=4096, description="A JWT signed by the host site's server")] | None = None
    locale: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$")] | None = None


class SessionOut(BaseModel):
    """A visitor's session; the token goes into the socket's first frame."""

    token: str
    visitor_id: UUID
    expires_at: datetime


class ChatConfig(BaseModel):
    """What the widget shows before anybody wrote."""

    title: str
    locale: str
    identified: bool = Field(description="Whether visitors may be named by a signed token")


def claims_of(token: str, widget: Widget, now: datetime) -> dict[str, str]:
    """The claims of a host site's token. Raises `Unauthenticated` for any that proves nothing, without saying why in detail."""
    if widget.identity_secret is None:
        raise Unauthenticated("this inbox takes no identities", field="identity", remedy="set its secret identity_secret")
    try:
        claims: dict[str, Any] = jwt.decode(token, OctKey.import_key(widget.identity_secret), algorithms=["HS256"]).claims
        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()), leeway=_LEEWAY_S, exp={"essential": True},
            aud={"essential": True, "values": [widget.inbox.name, widget.inbox.path_token, str(widget.inbox.id)]},
        )  # fmt: skip
        registry.validate(claims)
        ahead_s = float(claims["exp"]) - now.timestamp()
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Unauthenticated(
            "the identity is not good", field="identity", remedy="sign a fresh HS256 token for this inbox"
        ) from error
    if ahead_s > IDENTITY_S_MAX + _LEEWAY_S:
        raise Unauthenticated("the identity lives too long", field="identity", remedy="exp at most an hour ahead")
    said = {**claims, "external_id": claims.get("external_id") or claims.get("sub")}
    named = {name: str(said[name])[:512] for name in _CLAIMS if said.get(name)}
    if "external_id" not in named:
        raise Unauthenticated("the identity names nobody", field="identity", remedy="set sub to your customer's id")
    return named


def _shared_with(response: Response, origin: str | None) -> None:
    response.headers["vary"] = "origin"
    if origin is not None:
        response.headers["access-control-allow-origin"] = origin
        response.headers["cross-origin-resource-policy"] = "cross-origin"


@router.get("/{widget_token}/config", operation_id="read_chat_config", summary="What the widget shows")
async def config(request: Request, widget_token: str, response: Response) -> ChatConfig:
    """No token is needed: the page is public."""
    widget = await widget_at(request.app.state.db, request.app.state.sealer, widget_token)
    _shared_with(response, allowed_origin(request, widget))
    return ChatConfig(title=widget.title, locale=widget.locale, identified=widget.identity_secret is not None)


@router.post("/{widget_token}/sessions", operation_id="open_chat_session", status_code=201, summary="Open a visitor's session")
async def open_session(request: Request, widget_token: str, response: Response, body: SessionIn | None = None) -> SessionOut:
    """Anonymous, or the customer that the host site's token names: the same customer comes back to the same chat."""
    state, given = request.app.state, body or SessionIn()
    widget = await widget_at(state.db, state.sealer, widget_token)
    _shared_with(response, allowed_origin(request, widget))
    now = state.clock.now()
    inbox = widget.inbox
    claims = claims_of(given.identity, widget, now) if given.identity else {}
    visitor_id = new_id()
    if claims:
        name = f"visitor:{claims['external_id']}"
        visitor_id = message_id(state.secret, WorkspaceId(inbox.workspace_id), InboxId(inbox.id), name)
    token, expires_at = new_token("visitor"), now + timedelta(seconds=SESSION_S)
    async with state.db.batch(inbox.workspace_id) as connection:
        await connection.execute(
            "insert into santral.session (workspace_id, id, kind, public_id, secret_hash, inbox_id, visitor_id, claims, expires_at)"
            " values ($1, $2, 'visitor', $3, $4, $5, $6, $7, $8)",
            inbox.workspace_id, new_id(), token.public_id, token.secret_hash, inbox.id, visitor_id,
            {**claims, **({"locale": given.locale} if given.locale else {})}, expires_at,
        )  # fmt: skip
    return SessionOut(token=token.text, visitor_id=visitor_id, expires_at=expires_at)


@router.options("/{widget_token}/{call}", include_in_schema=False)
async def preflight(request: Request, widget_token: str, call: str) -> Response:
    """What a browser asks before it calls from another origin."""
    widget = await widget_at(request.app.state.db, request.app.state.sealer, widget_token)
    response = Response(status_code=204)
    origin = allowed_origin(request, widget)
    if call not in ("sessions", "config"):
        raise InputRejected("no such call", field="call", remedy="sessions or config")
    _shared_with(response, origin)
    response.headers["access-control-allow-methods"] = "GET, POST"
    response.headers["access-control-allow-headers"] = "content-type"
    response.headers["access-control-max-age"] = "600"
    return response

"""The chat widget's REST: what the page shows before anybody wrote, and a visitor's session.

A visitor is anonymous, or named by a token that the host site's server signed for this inbox (`chat_identity.py`). What a visitor types
about themselves names nobody. How sessions begin, go on and end: `chat_sessions.py`.
Browsers of other origins may call these when the inbox lists them; no cookies are involved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import State
from starlette.requests import HTTPConnection

from ingest.adapter import Inbox
from ingest.masks import Masks
from ingest.setting_formats import origin_of
from services.api.chat_identity import IdentityKey, claims_of, identity_keys
from services.api.chat_sessions import Begun, begin, end, vouch
from services.api.credentials import Token, read_token
from services.api.document import may_answer
from services.api.principal import bearer
from services.frame.peers import origin, shares_of
from services.frame.processor_time import turn_of
from shared.database import Database, retried
from shared.errors import Conflict, Forbidden, InputRejected, NotFound, Unauthenticated, Unprocessable
from shared.given import Given
from shared.logs import get_log

log = get_log(__name__)
router = APIRouter(prefix="/v1/chat", tags=["chat"])
_METHODS: Final = {"config": "GET", "sessions": "POST", "sessions/me": "DELETE"}
_INBOX: Final = """
select i.name, i.secrets, coalesce(i.settings->>'region', w.settings->>'region') as region, w.title as workspace_title,
       w.settings->'mask_numbers' as mask_numbers
from santral.inbox i join santral.workspace w on w.workspace_id = i.workspace_id where i.workspace_id = $1 and i.id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """A webchat inbox as its address names it. ``origins`` may embed and call it, besides our own."""

    inbox: Inbox
    title: str
    locale: str
    origins: frozenset[str]
    keys: tuple[IdentityKey, ...] = field(repr=False)

    @property
    def audiences(self) -> tuple[str, ...]:
        """What a host site may call this inbox in ``aud``."""
        return (self.inbox.name, self.inbox.path_token, str(self.inbox.id))


@lru_cache(maxsize=256)
def _origins(given: tuple[str, ...]) -> frozenset[str]:
    """As browsers send them. Kept: whoever opens a chat asks for them, and a thousand international names take seconds to write as ASCII."""
    return frozenset(one for origin in given if (one := origin_of(origin)))


async def widget_at(state: State, widget_token: str) -> Widget:
    """The widget behind its public token: whoever asks works for its workspace from here on, and waits its turn.

    Raises `NotFound`, the same for unknown, disabled and another provider's; `Throttled`.
    """
    db: Database = state.db
    whose = shares_of(origin().address)
    async with state.strangers.place(whose), db.session() as connection:
        found = await connection.fetchrow("select * from santral.credential('inbox', $1)", widget_token[:200])
    subject = found["subject"] if found is not None else {}
    if found is None or subject["provider"] != "webchat" or not subject["enabled"]:
        raise NotFound("no such chat", field="widget_token", remedy="copy widget_token from the inbox")
    await turn_of(found["workspace_id"], whose[0].owner, stranger=True)
    async with db.batch(found["workspace_id"]) as connection:
        row = await connection.fetchrow(_INBOX, found["workspace_id"], found["id"])
    if row is None:
        raise NotFound("no such chat", field="widget_token")
    settings = subject["settings"]
    secrets = state.sealer.open(row["secrets"]) if row["secrets"] else {}
    inbox = Inbox(
        workspace_id=found["workspace_id"], id=found["id"], name=row["name"], channel="chat", provider="webchat", settings=settings,
        region=row["region"], path_token=widget_token, mask_numbers=Masks(row["mask_numbers"]).of(row["name"]),
    )  # fmt: skip
    return Widget(
        inbox=inbox, title=settings.get("title") or row["workspace_title"] or row["name"], locale=settings.get("locale", "tr"),
        origins=_origins(tuple(settings.get("origins", ()))), keys=identity_keys(settings, secrets),
    )  # fmt: skip


def allowed_origin(connection: HTTPConnection, widget: Widget) -> str | None:
    """The caller's origin when it is a foreign one the inbox lists; None for our own or for no browser. Raises `Forbidden`."""
    given = connection.headers.get("origin", "")
    if not given:
        return None
    origin = origin_of(given) or "none of ours"
    own = {connection.app.state.origin, f"{'https' if connection.url.is_secure else 'http'}://{connection.url.netloc}"}
    if origin in {one.lower() for one in own}:
        return None
    if origin in widget.origins:
        return origin
    raise Forbidden("this origin may not use the chat", field="origin", remedy="add it to the inbox's settings.origins")


class SessionIn(Given):
    """Who opens the chat, as far as the host site says so."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"locale": "tr"}]})

    identity: Annotated[str, Field(max_length=4096, description="A JWT signed by the host site's server")] | None = None
    previous: (
        Annotated[
            str,
            Field(
                max_length=200,
                description="The token this browser had: an anonymous chat goes on, also as the customer's, and a customer's ends with them",
            ),
        ]
        | None
    ) = None
    locale: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$")] | None = None


class SessionOut(BaseModel):
    """A visitor's session; the token goes into the socket's first frame."""

    token: str
    visitor_id: UUID
    expires_at: datetime
    signed: bool = Field(description="Whether it is a customer's: a page keeps its token no longer than its window")
    continues: bool = Field(description="Whether what the page shows, and has not sent yet, is still this visitor's")


class ChatConfig(BaseModel):
    """What the widget shows before anybody wrote."""

    title: str
    locale: str
    identified: bool = Field(description="Whether visitors may be named by a signed token")


def _shared_with(response: Response, origin: str | None) -> None:
    response.headers["vary"] = "origin"
    if origin is not None:
        response.headers["access-control-allow-origin"] = origin
        response.headers["cross-origin-resource-policy"] = "cross-origin"


@router.get("/{widget_token}/config", operation_id="read_chat_config", summary="What the widget shows", responses=may_answer(403))
async def config(request: Request, widget_token: str, response: Response) -> ChatConfig:
    """No token is needed: the page is public."""
    widget = await widget_at(request.app.state, widget_token)
    _shared_with(response, allowed_origin(request, widget))
    return ChatConfig(title=widget.title, locale=widget.locale, identified=bool(widget.keys))


@router.post(
    "/{widget_token}/sessions",
    operation_id="open_chat_session",
    status_code=201,
    summary="Open a visitor's session",
    responses=may_answer(401, 403),
)
async def open_session(request: Request, widget_token: str, response: Response, body: SessionIn | None = None) -> SessionOut:
    """Anonymous, or the customer that the host site's token names: the same customer comes back to the same chat.

    A page calls it when it starts and whenever its customer changes, with the token its browser had as `previous`. An anonymous chat goes on
    as the customer's; a customer's chat never goes on as anybody else's, and its token ends.
    """
    state, given = request.app.state, body or SessionIn()
    widget = await widget_at(state, widget_token)
    _shared_with(response, allowed_origin(request, widget))
    now, inbox = state.clock.now(), widget.inbox
    claims = claims_of(given.identity, widget.keys, widget.audiences, now) if given.identity else {}
    previous = _token_of(given.previous) if given.previous else None

    async def work() -> Begun:
        async with state.db.batch(inbox.workspace_id) as connection:
            return await begin(
                connection, inbox=inbox, secret=state.secret, previous=previous, claims=claims, locale=given.locale, now=now
            )

    begun = await retried(work)
    if begun.ended:
        await state.guard.look()
    if begun.joined is not None:
        await _vouched(request, widget, begun.joined, claims)
    return SessionOut(
        token=begun.token, visitor_id=begun.visitor_id, expires_at=begun.expires_at, signed=bool(claims), continues=begun.continues
    )


@router.delete("/{widget_token}/sessions/me", operation_id="end_chat_session", status_code=204, summary="Log a visitor out")
async def end_session(
    request: Request, widget_token: str, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> Response:
    """Ends the session whose token stands in `Authorization`, and closes its sockets. Calling twice is safe."""
    state = request.app.state
    widget = await widget_at(state, widget_token)
    response = Response(status_code=204)
    _shared_with(response, allowed_origin(request, widget))
    if given is None or (token := _token_of(given.credentials)) is None:
        raise Unauthenticated("no visitor's token", field="Authorization", remedy="Bearer santral_visitor_…")

    async def work() -> bool:
        async with state.db.batch(widget.inbox.workspace_id) as connection:
            return await end(connection, inbox=widget.inbox, token=token, now=state.clock.now())

    if await retried(work):
        await state.guard.look()
    return response


async def _vouched(request: Request, widget: Widget, visitor_id: UUID, claims: dict[str, str]) -> None:
    """Agents see at once who the visitor is. A transaction of its own: it locks people, and the session stands without it."""
    state = request.app.state

    async def work() -> bool:
        async with state.db.batch(widget.inbox.workspace_id) as connection:
            return await vouch(
                connection, inbox=widget.inbox, secret=state.secret, visitor_id=visitor_id, claims=claims, now=state.clock.now()
            )

    try:
        known = await retried(work)
    except (Conflict, Unprocessable) as error:
        # The customer has their chat; whose person it is to agents the rules decide, as for any message.
        log.info("a visitor stays apart from the customer they signed in as", action="visitor_apart", error=str(error))
        return
    if known:
        state.hints.wake("outbox")


def _token_of(text: str) -> Token | None:
    """A visitor's token; None for what is none. What a browser kept may be old or cut: it begins anew then."""
    try:
        token = read_token(text)
    except Unauthenticated:
        return None
    return token if token.kind == "visitor" else None


@router.options("/{widget_token}/{call:path}", include_in_schema=False)
async def preflight(request: Request, widget_token: str, call: str) -> Response:
    """What a browser asks before it calls from another origin."""
    widget = await widget_at(request.app.state, widget_token)
    response = Response(status_code=204)
    origin = allowed_origin(request, widget)
    if call not in _METHODS:
        raise InputRejected("no such call", field="call", remedy=", ".join(_METHODS))
    _shared_with(response, origin)
    response.headers["access-control-allow-methods"] = _METHODS[call]
    response.headers["access-control-allow-headers"] = "authorization, content-type"
    response.headers["access-control-max-age"] = "600"
    return response

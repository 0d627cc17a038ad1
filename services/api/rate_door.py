"""Who asks, and how often: found and counted before a body is read or anything else of a request is looked at. Pure ASGI, for sockets too.

Who shows a token that is good counts by it and by its workspace. Everybody else is a stranger and counts by address (`peer_of`, never by what
a request says of itself): no token, one that cannot be ours, a page's code, a visitor's, which is free for anybody; and whoever asks where no
token is wanted. Wrong tokens have rates of their own (`principal.py`), and so have codes and chat sessions, which make credentials.
A stranger's body is read only where no token is wanted. A socket is its address's at the handshake; its token comes in a frame.
Source: draft-ietf-httpapi-ratelimit-headers-09.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.asked_again import asking_for
from services.api.principal import CALL, Call, Credentials, Principal, no_token
from services.api.problems import refusal
from services.frame.bodies import brings_body
from services.frame.peers import peer_of, shares_of
from services.frame.problems import problem_response
from services.frame.processor_time import turn_of
from services.frame.rates import Rates, Standing, headers_of
from services.frame.strangers import Strangers
from shared.errors import SantralError, Throttled

_REST: Final = "/v1/"
_EXCHANGE: Final = "/v1/sessions/exchange"
_CHAT: Final = "/v1/chat/"


class RateDoor:
    """Refuses a request with 429, 401 or 403, and a socket at its handshake."""

    def __init__(self, app: ASGIApp, *, rates: Rates, credentials: Credentials, strangers: Strangers) -> None:
        self._app = app
        self._rates = rates
        self._credentials = credentials
        self._strangers = strangers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._rates.take("address", shares_of(peer_of(scope)))
            await self._strangers.turn(shares_of(peer_of(scope)))
        except Throttled as error:
            if "websocket.http.response" in scope.get("extensions", {}):
                await problem_response(error)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1013, "reason": "too many"})
            return
        await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        standings: list[Standing] = []

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in headers_of(standings).items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            call = await self._call(scope) if wants_token(scope["path"]) else None
            if call is not None:
                standings += self._counted(call.principal)
                await turn_of(call.principal.workspace_id, call.principal.actor)
            else:
                self._count_stranger(scope)
                await self._strangers.turn(shares_of(peer_of(scope)))
        except SantralError as error:
            await _unread(scope, refusal(scope, error))(scope, receive, told)
            return
        if call is None:
            await self._app(scope, receive, told)
            return
        scope[CALL] = call
        with asking_for(call, self._credentials):
            await self._app(scope, receive, told)

    async def _call(self, scope: Scope) -> Call:
        """Who shows a good token. Raises as `Credentials.principal`; a stranger is counted."""
        kind, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        peer = peer_of(scope)
        if kind.lower() != "bearer" or not token:
            self._rates.take("address", shares_of(peer))
            raise no_token()
        principal = await self._credentials.principal(token, peer=peer, visitors=False)
        return Call(token=token, principal=principal)

    def _counted(self, principal: Principal) -> list[Standing]:
        counted = (self._rates.take("key", str(principal.id)), self._rates.take("workspace", str(principal.workspace_id)))
        return [one for one in counted if one is not None]

    def _count_stranger(self, scope: Scope) -> None:
        whose, path, posts = shares_of(peer_of(scope)), scope["path"], scope["method"] == "POST"
        self._rates.take("address", whose)
        if posts and path == _EXCHANGE:
            self._rates.take("exchange", whose)
        if posts and path.startswith(_CHAT) and path.endswith("/sessions"):
            self._rates.take("sessions", whose)


def wants_token(path: str) -> bool:
    """Whether an address is for who has a token: all of REST but a visitor's chat and the exchange of a page's code."""
    return path.startswith(_REST) and not path.startswith(_CHAT) and path != _EXCHANGE


def _unread(scope: Scope, response: Response) -> Response:
    """The same answer; where a body comes with the request, the connection ends, because it is not waited for."""
    if brings_body(scope):
        response.headers["connection"] = "close"
    return response

"""How often an address may ask without a credential, and the headers that tell a caller where they stand. Pure ASGI, for sockets too.

Counted by `peer_of`, never by what a request says of itself. A call with a bearer token is its token's to count (`principal.py`), but not on
paths that ask for none, where anybody could write one. Codes and chat sessions, which make credentials, have rates of their own.
Source: draft-ietf-httpapi-ratelimit-headers-09.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.frame.peers import peer_of, shares_of
from services.frame.problems import problem_response
from services.frame.rates import Kind, Rates, headers_of
from shared.errors import Throttled

STANDINGS: Final = "santral.rates"
_OPEN: Final = ("/v1/chat/", "/v1/sessions/exchange")


class RateDoor:
    """Refuses with 429 before a body is read or anything is asked; a socket at its handshake."""

    def __init__(self, app: ASGIApp, *, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        whose = shares_of(peer_of(scope))
        try:
            for kind in _kinds(scope):
                self._rates.take(kind, whose)
        except Throttled as error:
            if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1013, "reason": "too many"})
                return
            await problem_response(error, request_id=scope.get("santral.request_id"))(scope, receive, send)
            return
        standings = scope[STANDINGS] = []

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in headers_of(standings).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, told)


def _kinds(scope: Scope) -> Iterator[Kind]:
    """By which rates of an address a request counts."""
    path, posts = scope["path"], scope.get("method") == "POST"
    bearer = Headers(scope=scope).get("authorization", "")[:7].lower() == "bearer "
    if not bearer or not path.startswith("/v1/") or path.startswith(_OPEN):
        yield "address"
    if posts and path == "/v1/sessions/exchange":
        yield "exchange"
    if posts and path.startswith("/v1/chat/") and path.endswith("/sessions"):
        yield "sessions"

"""What stands around every answer: a request id, security headers, the measure of time, and where the caller is. Pure ASGI: sockets pass.

Source: OWASP secure headers; CSP level 3. Pages bring a policy of their own (`static_pages.py`); everything else gets one that
allows nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.frame.peers import coming_from
from services.frame.problems import MEDIA_TYPE, problem_response
from shared.errors import TooLarge
from shared.ids import new_id
from shared.metrics import HTTP_SECONDS

_GOOD_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
HSTS: Final = "max-age=63072000; includeSubDomains"


class Edge:
    """The outermost layer. ``secure`` adds HSTS: only where the world reaches us by https; ``unexpected`` answers what nobody foresaw."""

    def __init__(self, app: ASGIApp, *, secure: bool, unexpected: Callable[[Scope, Exception], Response]) -> None:
        self._app = app
        self._secure = secure
        self._unexpected = unexpected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            with coming_from(scope):
                await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identity = given if _GOOD_ID.fullmatch(given) else str(new_id())
        scope["santral.request_id"] = identity
        began = time.perf_counter()
        replaced = begun = False

        async def started(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = identity
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._secure:
                    headers.setdefault("strict-transport-security", HSTS)
                HTTP_SECONDS.labels(method=scope["method"], status=str(message["status"])).observe(time.perf_counter() - began)
            await send(message)

        async def answer(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return
            if message["type"] == "http.response.start" and _in_plain_words(message):
                replaced = True
                error = TooLarge("the body is too large", field="body", remedy="send less in one request")
                await problem_response(error, request_id=identity)(scope, receive, started)
                return
            await started(message)

        try:
            with coming_from(scope, identity):
                await self._app(scope, receive, answer)
        except Exception as error:
            if begun:
                raise
            await self._unexpected(scope, error)(scope, receive, started)


def _in_plain_words(start: Message) -> bool:
    """Whether this is the framework's own limit on bodies speaking: the status is right, the shape is not ours."""
    return start["status"] == 413 and Headers(raw=start["headers"]).get("content-type") != MEDIA_TYPE

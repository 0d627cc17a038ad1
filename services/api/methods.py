"""Which methods an address has: 405 with all of them in ``Allow``, whatever other address its words could be read as.

``GET /v1/profiles/search`` is the wrong method of a search, not the profile whose id is ``search``; a router that takes the first route that fits
says so of neither, and names in ``Allow`` the methods of one route only. Source: RFC 9110 §15.5.6, §10.2.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.frame.problems import MEDIA_TYPE, problem
from shared.ids import new_id

_REST: Final = "/v1/"


class Methods:
    """Stands before whatever reads a body."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        found: dict[str, set[str]] = {}
        for route in routes:
            if isinstance(route, Route) and route.path.startswith(_REST):
                found.setdefault(route.path, set()).update(route.methods or ())
        self._written = {path: methods for path, methods in found.items() if "{" not in path}
        self._patterns = [(compile_path(path)[0], methods) for path, methods in found.items() if "{" in path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_REST):
            await self._app(scope, receive, send)
            return
        has = self._written.get(scope["path"])
        if has is not None and scope["method"] not in has:
            await _refusal(scope, has)(scope, receive, send)
            return

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                MutableHeaders(scope=message)["allow"] = _listed(self._of(scope["path"]))
            await send(message)

        await self._app(scope, receive, answered)

    def _of(self, path: str) -> set[str]:
        return next((methods for pattern, methods in self._patterns if pattern.match(path)), set())


def _listed(methods: Iterable[str]) -> str:
    return ", ".join(sorted(methods))


def _refusal(scope: Scope, has: set[str]) -> JSONResponse:
    body = problem(
        status=405, kind="method-not-allowed", detail="Method Not Allowed", remedy="see /openapi.json",
        request_id=str(scope.get("santral.request_id") or new_id()),
    )  # fmt: skip
    return JSONResponse(body, status_code=405, media_type=MEDIA_TYPE, headers={"allow": _listed(has)})

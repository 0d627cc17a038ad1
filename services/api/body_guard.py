"""Bodies of the API's requests: from nobody who shows no credential, in time, and within what one address may hold.

A body is read before the credential behind it is looked at, so this stands before both.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.frame.bodies import Bodies
from services.frame.peers import peer_of, shares_of
from services.frame.problems import problem_response
from shared.errors import SantralError, Unauthenticated

_WITH_BODIES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_OPEN: Final = ("/v1/chat/", "/v1/sessions/exchange")
"""What is called without a token: its own credential is in the body, or it needs none."""


class BodyRefused(HTTPException):
    """An error of ours on its way out from where a body is read: through the framework, which lets nothing else pass, or past it."""

    def __init__(self, error: SantralError) -> None:
        super().__init__(error.status, error.message)
        self.error = error


class BodyGuard:
    """The layer around the app."""

    def __init__(self, app: ASGIApp, *, bodies: Bodies) -> None:
        self._app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _WITH_BODIES:
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith("/v1/") and not path.startswith(_OPEN) and "authorization" not in Headers(scope=scope):
            error = Unauthenticated("no bearer token", field="Authorization", remedy="Bearer santral_…")
            refused = problem_response(error, request_id=scope.get("santral.request_id"))
            refused.headers["connection"] = "close"  # its body is not waited for
            await refused(scope, receive, send)
            return
        ended = begun = False
        with self._bodies.open(address=shares_of(peer_of(scope))) as body:

            async def guarded() -> Message:
                nonlocal ended
                if ended:
                    return await receive()
                try:
                    message = await body.message(receive)
                except ClientDisconnect:
                    ended = True
                    return {"type": "http.disconnect"}
                except SantralError as error:
                    raise BodyRefused(error) from error
                ended = not message.get("more_body", False)
                return message

            async def answered(message: Message) -> None:
                nonlocal begun
                if message["type"] == "http.response.start":
                    begun = True
                    if not ended:
                        MutableHeaders(scope=message)["connection"] = "close"
                await send(message)

            try:
                await self._app(scope, guarded, answered)
            except BodyRefused as refusal:  # read by a layer outside the framework, which is where errors become answers
                if begun:
                    raise
                await problem_response(refusal.error, request_id=scope.get("santral.request_id"))(scope, receive, answered)

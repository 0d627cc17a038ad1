"""Bodies of the API's requests: in time, within what one address may hold, and of who is still let in once they came.

Whose they are `rate_door.py` found out before; what reads a body stands behind this, so whoever reads it, the caller is asked for again at its
end (`asked_again.py`).
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.asked_again import asked_again
from services.frame.bodies import Bodies, brings_body
from services.frame.peers import peer_of, shares_of
from services.frame.problems import problem_response
from services.frame.processor_time import turn_again
from shared.errors import SantralError

WITH_BODIES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""The methods of which anything reads a body."""


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
        if scope["type"] != "http" or not (scope["method"] in WITH_BODIES or brings_body(scope)):
            await self._app(scope, receive, send)
            return
        ended = begun = False
        with self._bodies.open(address=shares_of(peer_of(scope))) as body:

            async def guarded() -> Message:
                nonlocal ended
                if ended:
                    return await receive()
                try:
                    message = await body.message(receive)
                    ended = not message.get("more_body", False)
                    if ended:
                        await turn_again()
                        await asked_again()
                except ClientDisconnect:
                    ended = True
                    return {"type": "http.disconnect"}
                except SantralError as error:
                    raise BodyRefused(error) from error
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

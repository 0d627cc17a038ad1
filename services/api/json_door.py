"""Every body of the API is JSON within bounds before anything is made of it, and no address holds what no text of ours holds.

Answers 413 (too deep, too many values, too long) and 422 (NaN, beyond 64 bits, a NUL, half a surrogate pair), naming where. Long bodies are
read beside the event loop; a stranger's is short, because no token is asked for it. Nothing else is read: no body of a method that has none,
or of what is no REST. Who takes a file as its body is named in `FILES`: those bytes are nobody's JSON.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.body_guard import WITH_BODIES
from services.api.rate_door import wants_token
from services.frame.bodies import require_size
from services.frame.problems import problem_response
from shared.errors import InputRejected, Unprocessable
from shared.json_bounds import API, IMPORT, MESSAGE, Bounds, require_bounded

FILES: Final = frozenset({"/v1/files"})
_ROWS: Final = re.compile(r"/v1/profiles/imports/[^/]+/rows")
_INLINE_BYTES_MAX: Final = 16 * 1024
STRANGERS_BYTES_MAX: Final = 16 * 1024
QUERY_BYTES_MAX: Final = 8 * 1024
QUERY_NAMES_MAX: Final = 200
_STRANGERS: Final = Bounds(depth=4, values=50)
"""What begins a chat, and a page's code: a handful of members."""


class JsonDoor:
    """Stands inside the limit on bodies, which bounds what is held here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _require_text(scope)
            taken = await _read(receive, _bounds_of(scope), strangers=not wants_token(scope["path"]))
        except InputRejected as error:
            await problem_response(error, request_id=scope.get("santral.request_id"))(scope, receive, send)
            return

        async def again() -> Message:
            return taken.pop(0) if taken else await receive()

        await self._app(scope, again, send)


def _bounds_of(scope: Scope) -> Bounds | None:
    """None for what is not read here."""
    path: str = scope["path"]
    if path in FILES or scope["method"] not in WITH_BODIES or not path.startswith("/v1/"):
        return None
    if not wants_token(path):
        return _STRANGERS
    if path == "/v1/messages":
        return MESSAGE
    return IMPORT if _ROWS.fullmatch(path) else API


def _require_text(scope: Scope) -> None:
    """A NUL in the address: PostgreSQL holds none, so nothing here has such a name."""
    if "\0" in scope["path"]:
        raise Unprocessable("a NUL in the path", field="path", remedy="leave %00 out")
    query: bytes = scope["query_string"]
    if len(query) > QUERY_BYTES_MAX or query.count(b"&") >= QUERY_NAMES_MAX:
        raise Unprocessable(
            "too much in the query", field="query", remedy=f"at most {QUERY_NAMES_MAX} names, {QUERY_BYTES_MAX} bytes"
        )
    if b"%00" in query or b"\0" in query:
        name = next(pair for pair in query.split(b"&") if b"%00" in pair or b"\0" in pair).partition(b"=")[0]
        raise Unprocessable("a NUL in the query", field=f"query.{name[:40].decode('latin-1')}", remedy="leave %00 out")


async def _read(receive: Receive, bounds: Bounds | None, *, strangers: bool) -> list[Message]:
    """The body as one message, and the disconnect where one came instead of its end. Raises `InputRejected`."""
    if bounds is None:
        return []
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return [message]
        body += message.get("body", b"")
        if strangers:
            require_size(str(len(body)), STRANGERS_BYTES_MAX)
        if not message.get("more_body", False):
            break
    content = bytes(body)
    if len(content) > _INLINE_BYTES_MAX:
        await asyncio.to_thread(require_bounded, content, bounds)
    elif content:
        require_bounded(content, bounds)
    return [{"type": "http.request", "body": content, "more_body": False}]

"""What every browser socket has in common: the first frame, the pace, the watch over its token, and how it is closed.

Close codes: 4400 a frame that is no frame of ours · 4401 no good token · 4403 revoked, or not yours · 4409 too slow, resume · 1012 we restart ·
1013 we cannot take messages now.
Pace: nothing is queued here. A socket reads from the database what it can send, so memory per socket is the transport's own
buffer; a client that takes nothing for five seconds is closed and resumes by its sequence.
Source: RFC 6455 §7.4; the tokens travel in the first frame, never in an address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.frame.problems import problem
from shared.database import Database
from shared.errors import InputRejected, SantralError, Unavailable
from shared.ids import new_id
from shared.logs import get_log
from shared.metrics import SOCKETS_DROPPED

log = get_log(__name__)
SUBPROTOCOL: Final = "santral.v1"
HELLO_S: Final = 10.0
PATIENCE_S: Final = 5.0
GUARD_S: Final = 2.0
_GOOD: Final = """
select p.id from unnest($1::text[], $2::text[]) as p(kind, id) where exists (select from santral.credential(p.kind, p.id))
"""
Model = TypeVar("Model", bound=BaseModel)


class Frame(BaseModel):
    """A frame from a browser; unknown members are refused."""

    model_config = ConfigDict(extra="forbid")


class Closed(Exception):
    """Ends a socket with a code; what stands in ``reason`` reaches the client."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Line:
    """An accepted socket, written to by any number of tasks."""

    def __init__(self, websocket: WebSocket, *, patience_s: float) -> None:
        self._websocket = websocket
        self._patience_s = patience_s
        self._turn = asyncio.Lock()

    async def send(self, frame: Mapping[str, Any]) -> None:
        """Sends a frame. Raises `Closed` 4409 when the client takes nothing."""
        text = to_json(frame, exclude_none=False).decode()
        async with self._turn:
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._websocket.send_text(text)
            except TimeoutError as error:
                SOCKETS_DROPPED.inc()
                raise Closed(4409, "too slow: connect again and resume") from error

    async def fail(self, error: SantralError, **more: Any) -> None:
        """Says what is wrong with the client's last frame; the socket stays open."""
        body = problem(
            status=error.status,
            kind=error.kind,
            detail=error.message,
            field=error.field,
            remedy=error.remedy,
            request_id=str(new_id()),
        )
        await self.send({"type": "error", "problem": body, **more})

    async def receive(self) -> str:
        """The next frame's text. Raises `Closed` for a binary one, `WebSocketDisconnect` at the end."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        if text is None:
            raise Closed(4400, "frames are JSON text")
        return str(text)


async def opened(websocket: WebSocket, model: type[Model]) -> tuple[Line, Model]:
    """Accepts the socket and reads its first frame. Raises `Closed`."""
    offered = websocket.scope.get("subprotocols") or []
    await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    line = Line(websocket, patience_s=websocket.app.state.patience_s)
    try:
        async with asyncio.timeout(HELLO_S):
            return line, read_frame(await line.receive(), model)
    except TimeoutError as error:
        raise Closed(4401, "no hello came") from error
    except InputRejected as error:
        raise Closed(4400, str(error)[:120]) from error


def read_frame(text: str, model: type[Model]) -> Model:
    """A frame as ``model``. Raises `InputRejected` naming the member."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InputRejected(str(first["msg"]), field=".".join(str(part) for part in first["loc"]) or "frame") from error


async def first_of(*works: Awaitable[None]) -> None:
    """Runs works together until the first ends, ends the others, and raises what the first raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    """Closes a socket; one that takes nothing is left to the server's ping."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await websocket.close(code, reason.encode()[:120].decode("utf-8", "ignore"))
    except (TimeoutError, RuntimeError, WebSocketDisconnect, OSError):
        log.debug("a socket did not take its close", action="socket_closed", code=code)


class Guard:
    """Closes sockets whose token was revoked: one statement for all of them, every two seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._open: dict[tuple[str, str], set[asyncio.Event]] = {}

    async def revoked(self, kind: str, public_id: str) -> None:
        """Waits, and raises `Closed` 4403 once the token is not good any more."""
        event = asyncio.Event()
        waiting = self._open.setdefault((kind, public_id), set())
        waiting.add(event)
        try:
            await event.wait()
        finally:
            waiting.discard(event)
            if not waiting:
                self._open.pop((kind, public_id), None)
        raise Closed(4403, "the token was revoked or ran out")

    async def run(self) -> None:
        """Looks for ever; while the database is away nobody is closed."""
        while True:
            await asyncio.sleep(GUARD_S)
            try:
                await self.look()
            except Unavailable as error:
                log.warning("tokens could not be checked again", action="dependency_down", error=str(error))

    async def look(self) -> None:
        """One look at all open sockets' tokens."""
        tokens: Sequence[tuple[str, str]] = list(self._open)
        if not tokens:
            return
        async with self._db.session() as connection:
            rows = await connection.fetch(_GOOD, [kind for kind, _ in tokens], [public_id for _, public_id in tokens])
        good = {row["id"] for row in rows}
        for token in tokens:
            if token[1] not in good:
                for event in self._open.get(token, ()):
                    event.set()
